//! The directory that a URL names.

use std::path::{Component, Path, PathBuf};

use purlin_diag::Diagnostic;

/// The directory that a `file://` URL names. `~` stands for the home directory, and paths without a
/// leading slash start from the current one.
pub fn directory_of_url(url: &str, home: Option<&Path>, current: &Path) -> Result<PathBuf, Diagnostic> {
    let rest = url.strip_prefix("file://").ok_or_else(|| no_directory(url))?;
    let path = rest.split('?').next().unwrap_or_default();
    let path = percent_decoded(path)
        .ok_or_else(|| Diagnostic::error("backend-url", format!("'{url}' has a malformed escape (%)")))?;
    let path = match path.strip_prefix('~') {
        Some(below) if below.is_empty() || below.starts_with('/') => {
            let home = home.ok_or_else(|| {
                Diagnostic::error("backend-url", format!("'{url}' needs a home directory, and there is none"))
                    .with_hint("write the whole path")
            })?;
            home.join(below.trim_start_matches('/'))
        }
        _ => current.join(&path),
    };
    Ok(normal(&path))
}

/// What is wrong with a URL that nothing else has recognised.
fn no_directory(url: &str) -> Diagnostic {
    if url.starts_with("https://") || url.starts_with("http://") {
        let message = format!("'{url}' is the URL of a service, and services are not supported yet");
        return Diagnostic::error("backend-service", message).with_hint(
            "keep the state in a directory (file://), a bucket (s3://, gs://, azblob://) or a database \
             (postgres://)",
        );
    }
    Diagnostic::error("backend-url", format!("'{url}' is not the URL of a backend")).with_hint(
        "it begins with file://, s3://, azblob://, gs:// or postgres://, as in file://~ or file:///var/state",
    )
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_directory() {
        let of = |url| directory_of_url(url, Some(Path::new("/home/u")), Path::new("/srv/dir")).unwrap();
        let cases = [
            ("file:///var/state", "/var/state"),
            ("file:///var//state/?no_tmp_dir=true", "/var/state"),
            ("file:///a%20b", "/a b"),
            ("file://~", "/home/u"),
            ("file://~/x", "/home/u/x"),
            ("file://.", "/srv/dir"),
            ("file://./x/../y", "/srv/dir/y"),
            ("file://..", "/srv"),
            ("file://x", "/srv/dir/x"),
        ];
        for (url, path) in cases {
            assert_eq!(of(url), Path::new(path), "{url}");
        }
    }

    #[test]
    fn refuses_other_urls() {
        let code = |url| directory_of_url(url, None, Path::new("/")).unwrap_err().code;
        for url in ["nope://x", "", "/var/state", "file:///a%2", "file://%ff", "file://~"] {
            assert_eq!(code(url), "backend-url", "{url}");
        }
        for url in ["https://api.pulumi.com", "http://localhost:8080"] {
            assert_eq!(code(url), "backend-service", "{url}");
        }
    }

    #[test]
    fn names_the_schemes_that_there_are() {
        let hint = directory_of_url("nope://x", None, Path::new("/")).unwrap_err().hint.unwrap_or_default();
        for scheme in ["file://", "s3://", "azblob://", "gs://", "postgres://"] {
            assert!(hint.contains(scheme), "{scheme} isn't in {hint:?}");
        }
    }
}
