//! Downloading over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_ports::EventSink;
use reqwest::{Client, NoProxy, Proxy, Response, StatusCode, header};
use semver::Version;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::sources::{Source, latest_release, sources};
use super::{InstallRequest, io_error, platform};
use crate::discovery::PluginQuery;
use crate::settings::{PluginSettings, parse_version};

/// How often one address is tried.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt; each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// How many bytes may arrive before progress is reported again.
const PROGRESS_STEP: u64 = 1 << 20;
/// The longest answer of an API.
const LONGEST_ANSWER: usize = 16 << 20;

/// Why there is no archive.
pub(super) enum Failure {
    /// The addresses that were tried, each with the reason.
    Tried(Vec<String>),
    /// Something that no other address can mend.
    Fatal(Box<Diagnostic>),
}

/// Why one attempt failed.
enum Attempt {
    /// It may go better the next time.
    Again(String),
    /// It will not go better here.
    GiveUp(String),
    /// It will go better nowhere.
    Fatal(Box<Diagnostic>),
}

/// Downloads.
pub(super) struct Fetcher<'a> {
    client: Client,
    settings: &'a PluginSettings,
    events: Arc<dyn EventSink>,
}

impl<'a> Fetcher<'a> {
    /// A fetcher that uses the proxies of the environment that the settings hold.
    pub(super) fn new(settings: &'a PluginSettings, events: Arc<dyn EventSink>) -> Result<Self, Diagnostic> {
        let failed = |e: reqwest::Error| {
            Diagnostic::error("plugin-download-client", format!("downloads can't be set up: {e}"))
                .with_hint("check the proxy settings and the certificates of the system")
        };
        let variable = |name: &str| {
            settings
                .env_var(name)
                .or_else(|| settings.env_var(&name.to_lowercase()))
                .filter(|value| !value.is_empty())
        };
        let mut builder = Client::builder().user_agent(&settings.user_agent).no_proxy();
        let except = variable("NO_PROXY").and_then(NoProxy::from_string);
        let https = variable("HTTPS_PROXY").map(Proxy::https);
        let http = variable("HTTP_PROXY").map(Proxy::http);
        for proxy in [https, http].into_iter().flatten() {
            builder = builder.proxy(proxy.map_err(failed)?.no_proxy(except.clone()));
        }
        let client = builder.connect_timeout(Duration::from_secs(30)).build().map_err(failed)?;
        Ok(Fetcher { client, settings, events })
    }

    /// Asks for the latest version of a plugin.
    pub(super) async fn latest_version(
        &self,
        query: &PluginQuery,
        download_url: &str,
    ) -> Result<Version, Vec<String>> {
        let Some(url) = latest_release(query.kind, &query.name, download_url, self.settings) else {
            return Err(vec![format!(
                "{download_url}: the latest version can't be asked for here; name a version"
            )]);
        };
        let failed = |what: String| vec![format!("{url}: {what}")];
        let answer = self.api(&url).await.map_err(failed)?;
        let tag = answer["tag_name"].as_str().unwrap_or_default();
        parse_version(tag)
            .ok_or_else(|| failed(format!("the release is tagged {tag:?}, which is no version")))
    }

    /// Downloads an archive to a file, trying one address after the other.
    pub(super) async fn download(&self, request: &InstallRequest, target: &Path) -> Result<(), Failure> {
        let sources = sources(request, self.settings).map_err(|d| Failure::Fatal(Box::new(d)))?;
        let expected = checksum(request);
        let mut tried = Vec::new();
        for source in sources {
            let mut pause = FIRST_PAUSE;
            for attempt in 1..=ATTEMPTS {
                match self.try_source(&source, request, expected, target).await {
                    Ok(()) => return Ok(()),
                    Err(Attempt::Fatal(diagnostic)) => return Err(Failure::Fatal(diagnostic)),
                    Err(Attempt::Again(_)) if attempt < ATTEMPTS => {
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                    Err(Attempt::Again(why) | Attempt::GiveUp(why)) => {
                        let (Source::Archive { url, .. } | Source::GithubRelease { url, .. }) = &source;
                        tried.push(format!("{url}: {why}"));
                        break;
                    }
                }
            }
        }
        Err(Failure::Tried(tried))
    }

    async fn try_source(
        &self,
        source: &Source,
        request: &InstallRequest,
        expected: Option<&[u8]>,
        target: &Path,
    ) -> Result<(), Attempt> {
        let response = match source {
            Source::Archive { url, token } => self.get(url, token.as_deref()).await?,
            Source::GithubRelease { url, asset } => {
                let release = self.api(url).await.map_err(Attempt::GiveUp)?;
                let assets = release["assets"].as_array().map(Vec::as_slice).unwrap_or_default();
                let found = assets.iter().find(|a| a["name"] == **asset).and_then(|a| a["url"].as_str());
                let url = found.ok_or_else(|| Attempt::GiveUp(format!("the release has no file {asset}")))?;
                self.github(url).await?
            }
        };
        self.save(response, request, expected, target).await
    }

    async fn get(&self, url: &str, token: Option<&str>) -> Result<Response, Attempt> {
        let mut get = self.client.get(url).header(header::ACCEPT, "application/octet-stream");
        if let Some(token) = token {
            get = get.header(header::AUTHORIZATION, token);
        }
        let response = get.send().await.map_err(|e| Attempt::Again(causes(&e)))?;
        let status = response.status();
        match status {
            _ if status.is_success() => Ok(response),
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(Attempt::Again(format!("HTTP status {status}")))
            }
            _ => Err(Attempt::GiveUp(format!("HTTP status {status}"))),
        }
    }

    /// Asks GitHub, with the token and, where the token isn't allowed, without.
    async fn github(&self, url: &str) -> Result<Response, Attempt> {
        let Some(token) = &self.settings.github_token else { return self.get(url, None).await };
        match self.get(url, Some(&format!("token {token}"))).await {
            Err(Attempt::GiveUp(why)) if why.contains("401") || why.contains("403") => {
                self.get(url, None).await
            }
            other => other,
        }
    }

    async fn api(&self, url: &str) -> Result<serde_json::Value, String> {
        let response = self.github(url).await.map_err(|attempt| match attempt {
            Attempt::Again(why) | Attempt::GiveUp(why) => {
                if why.contains("403") || why.contains("429") {
                    format!("{why}; with GITHUB_TOKEN set, GitHub allows more requests")
                } else {
                    why
                }
            }
            Attempt::Fatal(diagnostic) => diagnostic.message,
        })?;
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            body.extend_from_slice(&chunk.map_err(|e| causes(&e))?);
            if body.len() > LONGEST_ANSWER {
                return Err("the answer is too long".into());
            }
        }
        serde_json::from_slice(&body).map_err(|e| format!("the answer is not what an API answers: {e}"))
    }

    async fn save(
        &self,
        response: Response,
        request: &InstallRequest,
        expected: Option<&[u8]>,
        target: &Path,
    ) -> Result<(), Attempt> {
        let fatal = |e: std::io::Error| Attempt::Fatal(Box::new(io_error(target, "written", e)));
        let total = response.content_length().unwrap_or_default();
        let mut file = File::create(target).await.map_err(fatal)?;
        let mut hasher = Sha256::new();
        let (mut received, mut reported) = (0, 0);
        let mut stream = response.bytes_stream();
        self.progress(&request.query, 0, total, false);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| Attempt::Again(causes(&e)))?;
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(fatal)?;
            received += chunk.len() as u64;
            if received - reported >= PROGRESS_STEP {
                reported = received;
                self.progress(&request.query, received, total, false);
            }
        }
        file.flush().await.map_err(fatal)?;
        self.progress(&request.query, received, total, true);
        let actual = hasher.finalize();
        match expected {
            Some(expected) if expected != &actual[..] => Err(Attempt::Fatal(Box::new(
                Diagnostic::error(
                    "plugin-checksum",
                    format!(
                        "the archive of the {} has the SHA-256 {}, but {} was expected; it is not installed",
                        request.query.describe(),
                        hex::encode(actual),
                        hex::encode(expected)
                    ),
                )
                .with_hint("the archive was changed after the package was published, or on its way here"),
            ))),
            _ => Ok(()),
        }
    }

    fn progress(&self, query: &PluginQuery, received: u64, total: u64, done: bool) {
        let id = query.cache_name().unwrap_or_else(|| query.file_name());
        let message = format!("Downloading {}", query.describe());
        self.events.emit(EngineEvent::Progress { id, message, received, total, done });
    }
}

/// The hash that the archive for this machine has to have. Packages may list hashes for some
/// machines only; for others nothing is checked.
fn checksum(request: &InstallRequest) -> Option<&[u8]> {
    let (os, arch) = platform();
    request.checksums.get(&format!("{os}-{arch}")).map(Vec::as_slice)
}

/// An error with all its causes, for the outermost one of a network error says little.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
