//! Names of configuration values.

use std::fmt;

use purlin_diag::Diagnostic;

use super::path::ConfigPath;

/// The name of a configuration value: `namespace:name`. Keys are ordered by namespace, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigKey {
    namespace: String,
    name: String,
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

impl ConfigKey {
    /// A key from its parts. The namespace must not hold a colon.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> ConfigKey {
        ConfigKey { namespace: namespace.into(), name: name.into() }
    }

    /// Reads `namespace:name` or the older `namespace:config:name`.
    pub fn parse(text: &str) -> Result<ConfigKey, Diagnostic> {
        let parts: Vec<_> = text.split(':').collect();
        match parts[..] {
            [namespace, name] | [namespace, "config", name] => Ok(ConfigKey::new(namespace, name)),
            _ => Err(Diagnostic::error(
                "config-key",
                format!(
                    "could not parse {text} as a configuration key (configuration keys should be of the form \
                     `<namespace>:<name>`)"
                ),
            )),
        }
    }

    /// Reads a key whose namespace may be left out; it is then that of the project.
    pub fn parse_in(project: &str, text: &str) -> Result<ConfigKey, Diagnostic> {
        if text.contains(':') { ConfigKey::parse(text) } else { Ok(ConfigKey::new(project, text)) }
    }

    /// The package or project that the value is for.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key as it is shown to someone who works in the project.
    pub fn pretty(&self, project: &str) -> String {
        if self.namespace == project { self.name.clone() } else { self.to_string() }
    }
}

/// What a person names on the command line: a key, or with `--path` a place inside its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigTarget {
    /// The key of the whole value.
    pub key: ConfigKey,
    /// The place inside it; empty for the value itself.
    pub inner: ConfigPath,
    /// The whole path, for messages; empty without `--path`.
    path: ConfigPath,
}

impl ConfigTarget {
    /// The whole value of a key.
    pub fn key(key: ConfigKey) -> ConfigTarget {
        ConfigTarget { key, inner: ConfigPath::default(), path: ConfigPath::default() }
    }

    /// Reads what was written on the command line. Without `as_path` the text is a key. With it, the
    /// first segment is a key and the others lead inside: `a.b`, `a["b"]`, `a[0]`.
    pub fn parse(project: &str, text: &str, as_path: bool) -> Result<ConfigTarget, Diagnostic> {
        let invalid = |problem: Diagnostic| Diagnostic {
            message: format!("invalid configuration key: {}", problem.message),
            ..problem
        };
        if !as_path {
            return Ok(ConfigTarget::key(ConfigKey::parse_in(project, text).map_err(invalid)?));
        }
        let key = match text.find(['[', '.']) {
            Some(end) if end > 0 => {
                let first = ConfigKey::parse_in(project, &text[..end]).map_err(invalid)?;
                ConfigKey::new(first.namespace, format!("{}{}", first.name, &text[end..]))
            }
            _ => ConfigKey::parse_in(project, text).map_err(invalid)?,
        };
        ConfigTarget::from_path_key(&key)
    }

    /// Reads the name part of a key as a path.
    pub(crate) fn from_path_key(key: &ConfigKey) -> Result<ConfigTarget, Diagnostic> {
        let problem = |message: String| Err(Diagnostic::error("config-path", message));
        let path = match ConfigPath::parse(&key.name) {
            Ok(path) => path,
            Err(reason) => return problem(format!("invalid config key path: {reason}")),
        };
        let Some((first, inner)) = path.split_first() else {
            return problem("empty config key path".to_owned());
        };
        match first {
            super::path::Segment::Index(_) => {
                problem("first path segment of config key must be a string".to_owned())
            }
            super::path::Segment::Name(name) if name.is_empty() => problem("config key is empty".to_owned()),
            super::path::Segment::Name(name) => {
                Ok(ConfigTarget { key: ConfigKey::new(key.namespace.clone(), name), inner, path })
            }
        }
    }

    /// The path up to and including a number of inner segments, for messages.
    pub(crate) fn prefix(&self, inner: usize) -> ConfigPath {
        self.path.first_segments(inner + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str) -> ConfigKey {
        ConfigKey::new(namespace, name)
    }

    #[test]
    fn keys_are_read_in_both_forms() {
        assert_eq!(ConfigKey::parse("aws:region").unwrap(), key("aws", "region"));
        assert_eq!(ConfigKey::parse("aws:config:region").unwrap(), key("aws", "region"));
        assert_eq!(ConfigKey::parse_in("proj", "size").unwrap(), key("proj", "size"));
        for bad in ["region", "aws:data:region", "a:b:c:d", ""] {
            assert_eq!(
                ConfigKey::parse(bad).unwrap_err().message,
                format!(
                    "could not parse {bad} as a configuration key (configuration keys should be of the form \
                     `<namespace>:<name>`)"
                )
            );
        }
    }

    #[test]
    fn keys_sort_by_namespace_then_name() {
        let mut keys = [key("b", "a"), key("a", "z"), key("a-b", "a"), key("a", "b")];
        keys.sort();
        let shown: Vec<_> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:b", "a:z", "a-b:a", "b:a"]);
        assert_eq!(key("p", "x").pretty("p"), "x");
        assert_eq!(key("aws", "x").pretty("p"), "aws:x");
    }

    #[test]
    fn only_the_first_segment_of_a_path_has_a_namespace() {
        let parse = |text| ConfigTarget::parse("proj", text, true).map(|t| (t.key, t.inner.to_string()));
        assert_eq!(parse("a.b:c").unwrap(), (key("proj", "a"), "[\"b:c\"]".to_owned()));
        assert_eq!(parse("aws:a[0].b").unwrap(), (key("aws", "a"), "[0].b".to_owned()));
        assert_eq!(parse("aws:config:a.b").unwrap(), (key("aws", "a"), "b".to_owned()));
        assert_eq!(parse("[\"a.b\"][\"c.d\"]").unwrap(), (key("proj", "a.b"), "[\"c.d\"]".to_owned()));
        assert_eq!(parse("plain").unwrap(), (key("proj", "plain"), String::new()));
        let message = |text| ConfigTarget::parse("proj", text, true).unwrap_err().message;
        assert_eq!(message("[0]"), "first path segment of config key must be a string");
        assert_eq!(message("[\"\"]"), "config key is empty");
        assert_eq!(message("a["), "invalid config key path: missing closing bracket in array index");
        assert_eq!(message(""), "empty config key path");
        let plain = ConfigTarget::parse("proj", "foo.bar:baz", false).unwrap();
        assert_eq!(plain, ConfigTarget::key(key("foo.bar", "baz")));
    }
}
