//! Installing from a server of our own.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use flate2::{Compression, write::GzEncoder};
use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_plugins::discovery::PluginQuery;
use purlin_plugins::install::{InstallRequest, install, platform};
use purlin_plugins::{PluginKind, PluginSettings};
use sha2::{Digest, Sha256};
use support::Events;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// What the server answers: by path, a status and a body. Paths are answered one answer after the
/// other; the last one stays.
type Answers = BTreeMap<String, Vec<(u16, Vec<u8>)>>;

struct Server {
    url: String,
    /// Path and authorisation of each request.
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

async fn server(answers: impl FnOnce(&str) -> Answers) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut answers = answers(&url);
    let requests = Arc::<Mutex<Vec<(String, String)>>>::default();
    let log = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.split();
            let mut lines = BufReader::new(reader).lines();
            let first = lines.next_line().await.unwrap().unwrap_or_default();
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut token = String::new();
            while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
                if let Some(value) = line.strip_prefix("authorization: ") {
                    token = value.to_owned();
                }
            }
            log.lock().unwrap().push((path.clone(), token));
            let (status, body) = match answers.get_mut(&path) {
                Some(list) if list.len() > 1 => list.remove(0),
                Some(list) => list[0].clone(),
                None => (404, vec![]),
            };
            let head =
                format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            writer.write_all(head.as_bytes()).await.unwrap();
            writer.write_all(&body).await.unwrap();
        }
    });
    Server { url, requests }
}

fn archive(file: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o755);
    tar.append_data(&mut header, file, &b"code"[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

const FILE: &str = "pulumi-resource-fake";

fn asset(version: &str) -> String {
    let (os, arch) = platform();
    format!("{FILE}-v{version}-{os}-{arch}.tar.gz")
}

struct Bench {
    home: tempfile::TempDir,
    settings: PluginSettings,
    events: Arc<Events>,
}

impl Bench {
    fn new(server: &Server) -> Bench {
        let home = tempfile::tempdir().unwrap();
        let mut settings = PluginSettings::new(home.path(), home.path());
        settings.endpoints.github = format!("{}/github", server.url);
        settings.endpoints.github_api = format!("{}/api", server.url);
        settings.endpoints.releases = format!("{}/releases", server.url);
        Bench { home, settings, events: Arc::default() }
    }

    async fn install(&self, version: &str, checksums: &[(String, Vec<u8>)]) -> Result<PathBuf, Diagnostic> {
        self.install_from("", version, checksums).await
    }

    async fn install_from(
        &self,
        url: &str,
        version: &str,
        checksums: &[(String, Vec<u8>)],
    ) -> Result<PathBuf, Diagnostic> {
        let request = InstallRequest {
            query: PluginQuery::new(PluginKind::Resource, "fake", version).unwrap(),
            download_url: url.into(),
            checksums: checksums.iter().cloned().collect(),
        };
        install(request, &self.settings, self.events.clone()).await
    }

    /// The names in the folder of plugins.
    fn plugins(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path().join("plugins")).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn this_platform() -> String {
    let (os, arch) = platform();
    format!("{os}-{arch}")
}

#[tokio::test]
async fn the_fallback_serves_what_the_release_does_not_have() {
    let bytes = archive(FILE);
    let body = bytes.clone();
    let server = server(|_| [(format!("/releases/{}", asset("1.0.0")), vec![(200, body)])].into()).await;
    let bench = Bench::new(&server);
    let checksum = (this_platform(), Sha256::digest(&bytes).to_vec());
    let folder = bench.install("1.0.0", &[checksum]).await.unwrap();
    assert_eq!(fs::read(folder.join(FILE)).unwrap(), b"code");
    let paths: Vec<_> = server.requests.lock().unwrap().iter().map(|(path, _)| path.clone()).collect();
    let release = format!("/github/pulumi/pulumi-fake/releases/download/v1.0.0/{}", asset("1.0.0"));
    let api = "/api/repos/pulumi/pulumi-fake/releases/tags/v1.0.0".to_owned();
    assert_eq!(paths, [release, api, format!("/releases/{}", asset("1.0.0"))]);
    assert_eq!(bench.plugins(), ["resource-fake-v1.0.0", "resource-fake-v1.0.0.lock"], "no left-overs");
    bench.install("1.0.0", &[]).await.unwrap();
    assert_eq!(server.requests.lock().unwrap().len(), 3, "what is there isn't downloaded again");
    let events = bench.events.0.lock().unwrap();
    let Some(EngineEvent::Progress { received, total, done, .. }) = events.last() else { panic!() };
    assert_eq!((*received, *total, *done), (bytes.len() as u64, bytes.len() as u64, true));
}

#[tokio::test]
async fn a_wrong_checksum_installs_nothing() {
    let server =
        server(|_| [(format!("/releases/{}", asset("1.0.0")), vec![(200, archive(FILE))])].into()).await;
    let bench = Bench::new(&server);
    let error = bench.install("1.0.0", &[(this_platform(), vec![0; 32])]).await.unwrap_err();
    assert_eq!(error.code, "plugin-checksum");
    assert_eq!(bench.plugins(), ["resource-fake-v1.0.0.lock"]);
}

#[tokio::test]
async fn what_is_nowhere_is_said_with_everything_that_was_tried() {
    let server = server(|_| Answers::new()).await;
    let bench = Bench::new(&server);
    let error = bench.install("1.0.0", &[]).await.unwrap_err();
    assert_eq!(error.code, "plugin-download");
    for part in ["resource plugin fake version 1.0.0", "/github/pulumi/", "/api/repos/", "/releases/", "404"]
    {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    assert!(error.hint.unwrap().contains("resource-fake-v1.0.0"));
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let path = format!("/p/{}", asset("1.0.0"));
    let server = server(|_| [(path, vec![(503, vec![]), (200, archive(FILE))])].into()).await;
    let bench = Bench::new(&server);
    bench.install_from(&format!("{}/p", server.url), "1.0.0", &[]).await.unwrap();
    assert_eq!(server.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_api_leads_to_the_latest_version_with_the_token() {
    let server = server(|url| {
        let assets = format!(r#"{{"assets":[{{"name":"{}","url":"{url}/asset/7"}}]}}"#, asset("2.1.0"));
        [
            (
                "/api/repos/pulumi/pulumi-fake/releases/latest".to_owned(),
                vec![(200, br#"{"tag_name":"v2.1.0"}"#.to_vec())],
            ),
            (
                "/api/repos/pulumi/pulumi-fake/releases/tags/v2.1.0".to_owned(),
                vec![(200, assets.into_bytes())],
            ),
            ("/asset/7".to_owned(), vec![(403, vec![]), (200, archive(FILE))]),
        ]
        .into()
    })
    .await;
    let mut bench = Bench::new(&server);
    bench.settings.github_token = Some("T".into());
    let folder = bench.install("", &[]).await.unwrap();
    assert!(folder.ends_with("resource-fake-v2.1.0"));
    let requests = server.requests.lock().unwrap();
    let tokens: Vec<_> = requests.iter().map(|(path, token)| format!("{} {token}", &path[..4])).collect();
    assert_eq!(tokens, ["/api token T", "/git ", "/api token T", "/ass token T", "/ass "]);
}

#[tokio::test]
async fn an_archive_without_the_plugin_is_refused_and_an_unfinished_one_replaced() {
    let path = format!("/p/{}", asset("1.0.0"));
    let server = server(|_| [(path, vec![(200, archive("README")), (200, archive(FILE))])].into()).await;
    let bench = Bench::new(&server);
    let url = format!("{}/p", server.url);
    let error = bench.install_from(&url, "1.0.0", &[]).await.unwrap_err();
    assert_eq!(error.code, "plugin-archive-wrong");
    let plugins = bench.home.path().join("plugins");
    fs::create_dir_all(plugins.join("resource-fake-v1.0.0")).unwrap();
    fs::write(plugins.join("resource-fake-v1.0.0/half"), "").unwrap();
    fs::write(plugins.join("resource-fake-v1.0.0.partial"), "").unwrap();
    let folder = bench.install_from(&url, "1.0.0", &[]).await.unwrap();
    assert!(folder.join(FILE).exists() && !folder.join("half").exists());
    assert_eq!(bench.plugins(), ["resource-fake-v1.0.0", "resource-fake-v1.0.0.lock"]);
}

#[tokio::test]
async fn two_at_once_download_once() {
    let path = format!("/p/{}", asset("1.0.0"));
    let server = server(|_| [(path, vec![(200, archive(FILE))])].into()).await;
    let bench = Bench::new(&server);
    let url = format!("{}/p", server.url);
    let (a, b) = tokio::join!(bench.install_from(&url, "1.0.0", &[]), bench.install_from(&url, "1.0.0", &[]));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}
