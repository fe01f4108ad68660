//! The S3 server that tests talk to, as a backend: <https://docs.aws.amazon.com/AmazonS3/latest/API>.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use purlin_blobs::{Surroundings, open};
use purlin_ports::{Blobs, Put};
use purlin_testkit::servers::Server;
use tokio::runtime::{Builder, Runtime};

use super::Sealed;

/// A prefix of the bucket that is there, which no other test uses.
pub(crate) struct Bucket {
    url: String,
    key: String,
    secret: String,
    blobs: Arc<dyn Blobs>,
    runtime: Runtime,
}

impl Bucket {
    pub(crate) fn new() -> Bucket {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let found = Server::S3.find(|name| std::env::var(name).ok());
        let (bucket, endpoint) = (&found.bucket, &found.endpoint);
        let prefix = format!("e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url =
            format!("s3://{bucket}/{prefix}?region=us-east-1&endpoint={endpoint}&s3ForcePathStyle=true");
        let (key, secret) = (found.user, found.password);
        let variable = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some(key.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(secret.clone()),
            _ => None,
        };
        let blobs = open(&url, &Surroundings { variable: &variable, home: None }).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Bucket { url, key, secret, blobs, runtime }
    }

    /// State is here from now on.
    pub(crate) fn used_by(&self, sealed: &mut Sealed) {
        sealed.set("PULUMI_BACKEND_URL", &self.url);
        sealed.set("AWS_ACCESS_KEY_ID", &self.key);
        sealed.set("AWS_SECRET_ACCESS_KEY", &self.secret);
    }

    /// The keys below `.pulumi` that begin with a text, sorted.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let found = self.runtime.block_on(self.blobs.list(&format!(".pulumi/{prefix}"))).unwrap();
        found.into_iter().map(|info| info.key.trim_start_matches(".pulumi/").to_owned()).collect()
    }

    pub(crate) fn read(&self, key: &str) -> Vec<u8> {
        self.runtime.block_on(self.blobs.get(&format!(".pulumi/{key}"))).unwrap().bytes
    }

    pub(crate) fn write(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let key = format!(".pulumi/{key}");
        self.runtime.block_on(self.blobs.put(&key, bytes.into(), &Put::Always)).unwrap();
    }

    pub(crate) fn remove(&self, key: &str) {
        self.runtime.block_on(self.blobs.delete(&format!(".pulumi/{key}"))).unwrap();
    }
}
