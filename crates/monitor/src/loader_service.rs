//! The service that hands out package schemas.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_model::{PackageDescriptor, Parameterization};
use purlin_wire::codegen::loader_server::Loader;
use purlin_wire::codegen::{GetSchemaRequest, GetSchemaResponse};
use tonic::{Request, Response, Status};

use crate::SchemaSource;
use crate::status;

/// The service.
pub(crate) struct LoaderService(pub(crate) Option<Arc<dyn SchemaSource>>);

#[tonic::async_trait]
impl Loader for LoaderService {
    async fn get_schema(
        &self,
        request: Request<GetSchemaRequest>,
    ) -> Result<Response<GetSchemaResponse>, Status> {
        let Some(source) = &self.0 else {
            return Err(Status::unimplemented("schemas can't be loaded here"));
        };
        let request = request.into_inner();
        let package = PackageDescriptor {
            name: request.package,
            version: request.version,
            download_url: request.download_url,
            checksums: BTreeMap::new(),
            parameterization: request.parameterization.map(|p| Parameterization {
                name: p.name,
                version: p.version,
                value: p.value.to_vec(),
            }),
            ..PackageDescriptor::default()
        };
        let schema =
            source.schema(&package).await.map_err(|diagnostic| status::of_diagnostic(&diagnostic))?;
        Ok(Response::new(GetSchemaResponse { schema: schema.into_bytes().into() }))
    }
}
