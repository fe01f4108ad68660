//! The directory that a URL names.

use std::path::{Component, Path, PathBuf};

use purlin_diag::Diagnostic;

/// The directory that a `file://` URL names. `~` stands for the home directory, and paths without a
/// leading slash start from the current one.
pub fn directory_of_url(url: &str, home: Option<&Path>, current: &Path) -> Result<PathBuf, Diagnostic> {
    let Some(rest) = url.strip_prefix("file://") else {
        return Err(Diagnostic::error("backend-url", format!("'{url}' is not the URL of a directory"))
            .with_hint("it begins with file://, as in file://~ or file:///var/state"));
    };
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
        for url in ["s3://bucket", "", "/var/state", "file:///a%2", "file://%ff", "file://~"] {
            assert_eq!(code(url), "backend-url", "{url}");
        }
    }
}
