//! URLs of backends that keep bytes under keys.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;

/// The parts of a URL such as `s3://bucket/prefix?region=eu-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobUrl {
    /// What is before `://`.
    pub scheme: String,
    /// The bucket or container.
    pub host: String,
    /// What comes after it, without slashes at its ends.
    pub path: String,
    options: BTreeMap<String, String>,
}

impl std::fmt::Display for BlobUrl {
    /// Without options.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

impl BlobUrl {
    /// Takes a URL apart.
    pub fn parse(url: &str) -> Result<BlobUrl, Diagnostic> {
        let refuse = |why: &str| {
            Diagnostic::error("backend-url", format!("'{url}' is not the URL of a backend: {why}"))
                .with_hint("such URLs are s3://bucket/prefix?region=…, gs://bucket and azblob://container")
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("it has no scheme"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        if host.is_empty() {
            return Err(refuse("it names no bucket"));
        }
        let decoded = |text: &str| decoded(text).ok_or_else(|| refuse("it has a malformed escape (%)"));
        let path = decoded(path)?;
        let path = path.trim_matches('/');
        if path.split('/').any(|part| part == "." || part == ".." || (part.is_empty() && !path.is_empty())) {
            return Err(refuse("its path has an empty part, '.' or '..'"));
        }
        let mut options = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            options.insert(decoded(key)?, decoded(&value.replace('+', "%20"))?);
        }
        Ok(BlobUrl { scheme: scheme.to_owned(), host: decoded(host)?, path: path.to_owned(), options })
    }

    /// The value of an option, if it is given and not empty.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether an option is set to true.
    pub fn flag(&self, name: &str) -> Result<bool, Diagnostic> {
        match self.option(name) {
            None => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(_) => Err(self.refusal(name, "is true or false")),
        }
    }

    /// Refuses options that are not among some.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<(), Diagnostic> {
        match self.options.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(self.refusal(name, "is not known")),
            None => Ok(()),
        }
    }

    /// The refusal of an option.
    pub fn refusal(&self, option: &str, why: &str) -> Diagnostic {
        Diagnostic::error("backend-url", format!("the backend {self}: the option '{option}' {why}"))
            .with_hint("correct the options after the '?' of the backend's URL")
    }
}

fn decoded(text: &str) -> Option<String> {
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
    fn takes_urls_apart() {
        let url =
            BlobUrl::parse("s3://b/a/c%20d/?region=eu-1&endpoint=http%3A%2F%2Fh:1&anonymous=true&x").unwrap();
        assert_eq!((&*url.scheme, &*url.host, &*url.path), ("s3", "b", "a/c d"));
        assert_eq!(url.option("endpoint"), Some("http://h:1"));
        assert!(url.flag("anonymous").unwrap() && !url.flag("other").unwrap());
        assert_eq!(url.to_string(), "s3://b/a/c d");
        assert!(
            url.refuse_unknown(&["region", "endpoint", "anonymous"]).unwrap_err().message.contains("'x'")
        );
        assert!(BlobUrl::parse("gs://b?anonymous=maybe").unwrap().flag("anonymous").is_err());
    }

    #[test]
    fn refuses_what_is_none() {
        for url in ["", "s3", "s3://", "s3:///x", "s3://b/%zz", "s3://b/a/../c", "s3://b/a//c", "s3://b?x=%f"]
        {
            assert_eq!(BlobUrl::parse(url).unwrap_err().code, "backend-url", "{url}");
        }
    }
}
