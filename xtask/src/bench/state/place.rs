//! Where states are kept while they are measured: servers as the tests have them, behind a proxy that
//! delays and counts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::bench::stage::Backend;
use crate::repo::Repo;
use crate::servers::{Kind, Servers};
use crate::test_env::TestEnv;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Directory,
    S3,
    Gcs,
    Azure,
    Postgres,
}

impl Store {
    /// All there are.
    pub(crate) const ALL: [Store; 5] =
        [Store::Directory, Store::S3, Store::Gcs, Store::Azure, Store::Postgres];

    /// Its name on the command line and in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Store::Directory => "directory",
            Store::S3 => "s3",
            Store::Gcs => "gcs",
            Store::Azure => "azure",
            Store::Postgres => "postgres",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Store> {
        match Store::ALL.into_iter().find(|store| store.name() == name.trim()) {
            Some(store) => Ok(store),
            None => bail!("there is no store {name:?}; there are {}", Store::ALL.map(Store::name).join(", ")),
        }
    }

    fn server(self) -> Option<Kind> {
        match self {
            Store::Directory => None,
            Store::S3 => Some(Kind::S3),
            Store::Gcs => Some(Kind::Gcs),
            Store::Azure => Some(Kind::Azure),
            Store::Postgres => Some(Kind::Postgres),
        }
    }

    /// Whether the official CLI is measured with it as well.
    pub(crate) fn has_peer(self) -> bool {
        matches!(self, Store::Directory | Store::S3)
    }
}

/// A store that is ready.
pub(crate) struct Place {
    /// The way to it, unless it is a folder.
    way: Option<Way>,
    /// How many backends were made in it.
    made: usize,
}

struct Way {
    kind: Kind,
    /// What the tests know the server by.
    server: String,
    proxy: Proxy,
    /// Kept as long as it is used.
    _servers: Servers,
}

impl Place {
    /// Starts what the store needs. `floor` is the binary with the proxy.
    pub(crate) fn open(store: Store, repo: &Repo, floor: &Path) -> Result<Place> {
        let Some(kind) = store.server() else { return Ok(Place { way: None, made: 0 }) };
        let env = TestEnv::for_servers(repo)?;
        let servers = Servers::start(repo, &env, &[kind])?;
        let server = servers.address(kind).context("the server has no address")?.to_owned();
        let (_, authority, _) = parts(&server)?;
        let protocol = if kind == Kind::Postgres { "postgres" } else { "http" };
        let proxy = Proxy::start(floor, protocol, authority)?;
        Ok(Place { way: Some(Way { kind, server, proxy, _servers: servers }), made: 0 })
    }

    /// A fresh part of the store, unless it is a folder.
    pub(crate) fn backend(&mut self) -> Result<Option<Backend>> {
        self.made += 1;
        let number = self.made;
        self.way.as_ref().map(|way| backend(way.kind, &way.server, &way.proxy.address, number)).transpose()
    }

    /// Delays requests from now on, and forgets those so far.
    pub(crate) fn delay(&mut self, milliseconds: u64) -> Result<()> {
        match &mut self.way {
            Some(way) => way.proxy.tell(&format!("latency {milliseconds}")).map(drop),
            None => Ok(()),
        }
    }

    /// The requests since then, if the store is behind a proxy.
    pub(crate) fn requests(&mut self) -> Result<Option<Vec<Request>>> {
        let Some(way) = &mut self.way else { return Ok(None) };
        let lines = way.proxy.tell("report")?;
        lines.iter().map(|line| Request::parse(line)).collect::<Result<_>>().map(Some)
    }
}

/// The user with password, host with port, and bucket of a server's URL.
fn parts(server: &str) -> Result<(&str, &str, &str)> {
    let found = server.split_once("://").and_then(|(_, rest)| {
        let (user, rest) = rest.rsplit_once('@')?;
        let (authority, bucket) = rest.split_once('/')?;
        Some((user, authority, bucket.split('?').next().unwrap_or(bucket)))
    });
    found.with_context(|| format!("the server's address is '{server}'"))
}

fn backend(kind: Kind, server: &str, proxy: &str, number: usize) -> Result<Backend> {
    let (user, _, bucket) = parts(server)?;
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let text = str::to_owned;
    let (url, variables) = match kind {
        Kind::S3 => (
            format!(
                "s3://{bucket}/bench-{number}?region=us-east-1&endpoint=http://{proxy}&disableSSL=true&\
                 s3ForcePathStyle=true"
            ),
            vec![("AWS_ACCESS_KEY_ID", text(name)), ("AWS_SECRET_ACCESS_KEY", text(password))],
        ),
        Kind::Gcs => (format!("gs://{bucket}/bench-{number}"), vec![("STORAGE_EMULATOR_HOST", text(proxy))]),
        Kind::Postgres => {
            (format!("postgres://{user}@{proxy}/{bucket}?sslmode=disable&table=bench_{number}"), Vec::new())
        }
        Kind::Azure => (
            format!("azblob://{bucket}/bench-{number}?localemu=true&domain={proxy}&protocol=http"),
            vec![("AZURE_STORAGE_ACCOUNT", text(name)), ("AZURE_STORAGE_KEY", text(password))],
        ),
        Kind::AwsKms => bail!("no states are kept there"),
    };
    Ok(Backend { url, variables })
}

/// A request that the proxy saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Milliseconds since the delay was set.
    pub(crate) at: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// The method and target of HTTP, or SQL.
    pub(crate) label: String,
}

impl Request {
    fn parse(line: &str) -> Result<Request> {
        let mut words = line.splitn(4, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (at, sent, received) = (number(), number(), number());
        match (at, sent, received) {
            (Some(at), Some(sent), Some(received)) => {
                Ok(Request { at, sent, received, label: words.next().unwrap_or_default().to_owned() })
            }
            _ => bail!("the proxy printed '{line}'"),
        }
    }

    /// Whether it puts something under a key, and whether that key is meant.
    pub(crate) fn puts(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        let Some((method, target)) = self.label.split_once(' ') else { return false };
        // Official SDKs name what they do in the query, Google's interface names the key there.
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let named = query.split('&').find_map(|part| part.strip_prefix("name="));
        let path = named.map_or_else(|| path.to_owned(), |name| name.replace("%2F", "/"));
        // Statements that only name a key are short.
        let is_put = matches!(method, "PUT" | "POST") || method == "execute" && self.sent >= 512;
        is_put && is_meant(&path)
    }
}

/// `floor proxy`, which ends when this is dropped.
struct Proxy {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Proxy {
    fn start(floor: &Path, protocol: &str, server: &str) -> Result<Proxy> {
        let mut command = Command::new(floor);
        command.args(["proxy", protocol, server]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the proxy can't be started")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the proxy has no output")?;
        let mut proxy = Proxy { child, input, output: BufReader::new(output), address: String::new() };
        proxy.address = proxy.line()?;
        Ok(proxy)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the proxy has ended");
        }
        Ok(line.trim_end().to_owned())
    }

    /// Tells it something; what it answers.
    fn tell(&mut self, what: &str) -> Result<Vec<String>> {
        let input = self.input.as_mut().context("the proxy has ended")?;
        writeln!(input, "{what}")?;
        input.flush()?;
        let mut lines = Vec::new();
        loop {
            match self.line()? {
                line if line == "end" => return Ok(lines),
                line => lines.push(line),
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.input.take());
        // Nothing is left to do about a proxy that can't be awaited.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_told_apart() {
        let request = Request::parse("12 340 56 PUT /bucket/a/.pulumi/stacks/many/dev.json?x=1").unwrap();
        assert_eq!((request.at, request.sent, request.received), (12, 340, 56));
        assert!(request.puts(|key| key.ends_with("/dev.json")));
        assert!(!request.puts(|key| key.ends_with("/dev.json.bak")));
        let google = "POST /upload/storage/v1/b/x/o?uploadType=media&name=bench-1%2Fmany%2Fdev.json&fields=y";
        assert!(
            Request { label: google.into(), ..request.clone() }.puts(|key| key.ends_with("many/dev.json"))
        );
        assert!(!Request { label: "GET /dev.json".into(), ..request }.puts(|key| key.ends_with("/dev.json")));
        assert!(Request::parse("x").is_err());
    }

    #[test]
    fn backends_go_by_way_of_the_proxy() {
        let server = "postgres://me:secret@127.0.0.1:1/postgres?sslmode=disable";
        let found = backend(Kind::Postgres, server, "127.0.0.1:2", 3).unwrap();
        assert_eq!(found.url, "postgres://me:secret@127.0.0.1:2/postgres?sslmode=disable&table=bench_3");
        let found = backend(Kind::S3, "http://me:secret@127.0.0.1:1/bucket", "127.0.0.1:2", 1).unwrap();
        assert!(found.url.starts_with("s3://bucket/bench-1?") && found.url.contains("127.0.0.1:2"));
        assert_eq!(found.variables[1], ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()));
    }
}
