//! The addresses from which a plugin may come.

use purlin_diag::Diagnostic;
use semver::Version;

use super::{InstallRequest, platform};
use crate::settings::{PluginKind, PluginSettings};

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The archive itself.
    Archive {
        /// Its address.
        url: String,
        /// The authorisation to send.
        token: Option<String>,
    },
    /// A release on GitHub, whose list of files has the archive's address.
    GithubRelease {
        /// The address of the release in the API.
        url: String,
        /// The name of the archive.
        asset: String,
    },
}

/// A repository on GitHub, as `github://` URLs name it.
pub(super) struct Repository {
    host: String,
    organization: String,
    name: String,
}

impl Repository {
    fn parse(rest: &str, kind: PluginKind, plugin: &str) -> Option<Repository> {
        let (host, path) = rest.split_once('/')?;
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let name = match (kind, plugin) {
            (PluginKind::Converter, "yaml" | "hcl") => format!("pulumi-{plugin}"),
            (PluginKind::Converter, _) => format!("pulumi-converter-{plugin}"),
            (PluginKind::Tool, _) if !plugin.starts_with("pulumi-tool-") => format!("pulumi-tool-{plugin}"),
            _ => format!("pulumi-{plugin}"),
        };
        let (organization, name) = match parts[..] {
            [organization] => (organization, name),
            [organization, name] => (organization, name.to_owned()),
            _ => return None,
        };
        (!host.is_empty() && !organization.is_empty()).then(|| Repository {
            host: host.to_owned(),
            organization: organization.to_owned(),
            name,
        })
    }

    fn api(&self, settings: &PluginSettings, path: &str) -> String {
        let base = match &*settings.endpoints.github_api {
            "" => format!("https://{}", self.host),
            api => api.to_owned(),
        };
        format!("{base}/repos/{}/{}/{path}", self.organization, self.name)
    }
}

/// The repository that serves plugins without a URL of their own.
fn usual(kind: PluginKind, plugin: &str) -> Option<Repository> {
    Repository::parse("api.github.com/pulumi", kind, plugin)
}

/// The name of the archive of a plugin.
pub(super) fn archive_name(request: &InstallRequest, version: &Version) -> String {
    let (os, arch) = platform();
    format!("{}-v{version}-{os}-{arch}.tar.gz", request.query.file_name())
}

/// The address where the API tells the latest release.
pub(super) fn latest_release(
    kind: PluginKind,
    name: &str,
    download_url: &str,
    settings: &PluginSettings,
) -> Option<String> {
    let repository = match download_url.strip_prefix("github://") {
        Some(rest) => Repository::parse(rest, kind, name)?,
        None if download_url.is_empty() => usual(kind, name)?,
        None => return None,
    };
    Some(repository.api(settings, "releases/latest"))
}

/// All places to try, in order.
pub(super) fn sources(
    request: &InstallRequest,
    settings: &PluginSettings,
) -> Result<Vec<Source>, Diagnostic> {
    let Some(version) = &request.query.version else { return Ok(Vec::new()) };
    let named = &request.download_url;
    let overridden = |url: &str| settings.download_overrides.iter().find_map(|rule| rule.apply(url));
    if !named.is_empty() {
        let url = overridden(&canonical(request, named)).unwrap_or_else(|| named.clone());
        return of_url(&url, request, version, settings);
    }
    if let Some(url) = overridden(&canonical(request, "github://api.github.com/pulumi")) {
        return of_url(&url, request, version, settings);
    }
    let mut found = of_url("github://api.github.com/pulumi", request, version, settings)?;
    let fallback = &settings.endpoints.releases;
    match overridden(fallback) {
        Some(url) => found.extend(of_url(&url, request, version, settings)?),
        None => found.push(Source::Archive {
            url: format!("{fallback}/{}", escape(&archive_name(request, version))),
            token: None,
        }),
    }
    Ok(found)
}

/// The URL as rules for overrides see it: with the repository that it stands for.
fn canonical(request: &InstallRequest, url: &str) -> String {
    let repository = url
        .strip_prefix("github://")
        .and_then(|rest| Repository::parse(rest, request.query.kind, &request.query.name));
    match repository {
        Some(r) => format!("github://{}/{}/{}", r.host, r.organization, r.name),
        None => url.to_owned(),
    }
}

fn of_url(
    url: &str,
    request: &InstallRequest,
    version: &Version,
    settings: &PluginSettings,
) -> Result<Vec<Source>, Diagnostic> {
    let query = &request.query;
    let asset = archive_name(request, version);
    let bad = |what: &str| {
        Diagnostic::error(
            "plugin-download-url",
            format!("the {} is to be downloaded from {url:?}, but {what}", query.describe()),
        )
        .with_hint("use http://, https://, github://host/organization or gitlab://host/project")
    };
    if let Some(rest) = url.strip_prefix("github://") {
        let repository = Repository::parse(rest, query.kind, &query.name)
            .ok_or_else(|| bad("it doesn't name a host and an organization"))?;
        let mut found = Vec::new();
        if repository.organization == "pulumi" && repository.host == "api.github.com" {
            let base = &settings.endpoints.github;
            let url = format!("{base}/pulumi/{}/releases/download/v{version}/{asset}", repository.name);
            found.push(Source::Archive { url, token: None });
        }
        found.push(Source::GithubRelease {
            url: repository.api(settings, &format!("releases/tags/v{version}")),
            asset,
        });
        return Ok(found);
    }
    if let Some(rest) = url.strip_prefix("gitlab://") {
        let (host, project) =
            rest.split_once('/').ok_or_else(|| bad("it doesn't name a host and a project"))?;
        let project = escape(project.trim_matches('/'));
        let url = format!("https://{host}/api/v4/projects/{project}/releases/v{version}/downloads/{asset}");
        let token = settings.gitlab_token.as_ref().map(|token| format!("Bearer {token}"));
        return Ok(vec![Source::Archive { url, token }]);
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        let (os, arch) = platform();
        let base = url
            .replace("${NAME}", &escape(&query.name))
            .replace("${VERSION}", &escape(&version.to_string()))
            .replace("${OS}", os)
            .replace("${ARCH}", arch);
        let url = format!("{}/{}", base.trim_end_matches('/'), escape(&asset));
        return Ok(vec![Source::Archive { url, token: None }]);
    }
    Err(bad(if url.starts_with("git://") {
        "plugins can't be built from repositories yet"
    } else {
        "the scheme is not known"
    }))
}

/// Escapes a part of a path: all but letters, digits and `-_.~`.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => (byte as char).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::PluginQuery;
    use crate::settings::UrlOverride;

    fn urls(kind: PluginKind, name: &str, download_url: &str, overrides: &str) -> Vec<String> {
        let mut settings = PluginSettings::new("/home", "/program");
        settings.download_overrides = UrlOverride::parse_list(overrides).unwrap();
        let query = PluginQuery::new(kind, name, "1.2.3").unwrap();
        let request =
            InstallRequest { query, download_url: download_url.into(), checksums: Default::default() };
        let (os, arch) = platform();
        sources(&request, &settings)
            .unwrap()
            .into_iter()
            .map(|source| match source {
                Source::Archive { url, .. } => url,
                Source::GithubRelease { url, asset } => format!("{url} {asset}"),
            })
            .map(|url| {
                url.replace(&format!("{os}-{arch}"), "PLATFORM").replace(os, "OS").replace(arch, "ARCH")
            })
            .collect()
    }

    #[test]
    fn the_usual_places_are_the_release_the_api_and_the_fallback() {
        let asset = "pulumi-resource-random-v1.2.3-PLATFORM.tar.gz";
        assert_eq!(
            urls(PluginKind::Resource, "random", "", ""),
            [
                format!("https://github.com/pulumi/pulumi-random/releases/download/v1.2.3/{asset}"),
                format!("https://api.github.com/repos/pulumi/pulumi-random/releases/tags/v1.2.3 {asset}"),
                format!("https://get.pulumi.com/releases/plugins/{asset}"),
            ]
        );
        let converter = urls(PluginKind::Converter, "terraform", "", "");
        assert!(converter[0].contains("/pulumi/pulumi-converter-terraform/"), "{converter:?}");
        assert!(urls(PluginKind::Converter, "yaml", "", "")[0].contains("/pulumi/pulumi-yaml/"));
        assert!(urls(PluginKind::Tool, "lint", "", "")[0].contains("/pulumi/pulumi-tool-lint/"));
    }

    #[test]
    fn urls_of_packages_are_followed() {
        let of = |url: &str| urls(PluginKind::Resource, "acme", url, "");
        let asset = "pulumi-resource-acme-v1.2.3-PLATFORM.tar.gz";
        assert_eq!(of("https://x.test/p/"), [format!("https://x.test/p/{asset}")]);
        assert_eq!(
            of("http://x.test/${NAME}/${VERSION}/${OS}/${ARCH}"),
            [format!("http://x.test/acme/1.2.3/OS/ARCH/{asset}")]
        );
        assert_eq!(
            of("github://git.acme.test/acme/repo"),
            [format!("https://git.acme.test/repos/acme/repo/releases/tags/v1.2.3 {asset}")]
        );
        assert_eq!(
            of("gitlab://gitlab.test/12345"),
            [format!("https://gitlab.test/api/v4/projects/12345/releases/v1.2.3/downloads/{asset}")]
        );
    }

    #[test]
    fn overrides_come_before_the_usual_places() {
        let asset = "pulumi-resource-random-v1.2.3-PLATFORM.tar.gz";
        assert_eq!(
            urls(
                PluginKind::Resource,
                "random",
                "",
                "^github://api.github.com/pulumi/(.*)$=https://mirror/$1"
            ),
            [format!("https://mirror/pulumi-random/{asset}")]
        );
        let last = urls(PluginKind::Resource, "random", "", "^https://get.pulumi.com=https://mirror").pop();
        assert_eq!(last.unwrap(), format!("https://mirror/{asset}"));
    }

    #[test]
    fn other_schemes_are_refused() {
        let settings = PluginSettings::new("/home", "/program");
        let query = PluginQuery::new(PluginKind::Resource, "a1", "1.0.0").unwrap();
        for url in ["git://x/y", "ftp://x", "github://x", "x"] {
            let request = InstallRequest {
                query: query.clone(),
                download_url: url.into(),
                checksums: Default::default(),
            };
            assert_eq!(sources(&request, &settings).unwrap_err().code, "plugin-download-url", "{url}");
        }
    }
}
