//! The generated messages, clients and servers, as modules that mirror the protocol's packages.

/// The messages and services of nearly everything.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
pub mod pulumirpc {
    /// Diagnostics of code generators and converters.
    pub mod codegen {
        tonic::include_proto!("pulumirpc.codegen");
    }
    tonic::include_proto!("pulumirpc");
}

/// The services that hand out schemas and mappings.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod codegen {
    tonic::include_proto!("codegen");
}
