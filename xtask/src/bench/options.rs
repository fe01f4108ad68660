//! What to measure.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// A program's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Yaml,
    Python,
    Node,
    Go,
}

impl Language {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Yaml => "yaml",
            Language::Python => "python",
            Language::Node => "node",
            Language::Go => "go",
        }
    }

    /// Its name in project files.
    pub(crate) fn runtime(self) -> &'static str {
        match self {
            Language::Node => "nodejs",
            other => other.name(),
        }
    }

    fn parse(name: &str) -> Result<Language> {
        let all = [Language::Yaml, Language::Python, Language::Node, Language::Go];
        match all.into_iter().find(|language| language.name() == name) {
            Some(language) => Ok(language),
            None => bail!("--language is yaml, python, node or go, not {name:?}"),
        }
    }
}

/// Who manages the resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// The `random` provider that is built in. (The official CLI takes its plugin.)
    Builtin,
    /// The official `random` plugin, in this folder.
    Random(PathBuf),
    /// The test plugin, in this folder.
    Faultcloud(PathBuf),
}

impl Provider {
    /// The package.
    pub(crate) fn package(&self) -> &'static str {
        match self {
            Provider::Builtin | Provider::Random(_) => "random",
            Provider::Faultcloud(_) => "faultcloud",
        }
    }

    /// The folder of the plugin.
    pub(crate) fn folder(&self) -> Option<&PathBuf> {
        match self {
            Provider::Builtin => None,
            Provider::Random(folder) | Provider::Faultcloud(folder) => Some(folder),
        }
    }
}

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) resources: Vec<usize>,
    pub(crate) languages: Vec<Language>,
    pub(crate) plugin: bool,
    pub(crate) runs: usize,
    /// The most resources that the official CLI is measured with; its cost grows with the square.
    pub(crate) peer_up_to: usize,
    /// Whether the binaries are built first.
    pub(crate) build: bool,
    pub(crate) output: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options {
            resources: Vec::new(),
            languages: vec![Language::Yaml],
            plugin: false,
            runs: 1,
            peer_up_to: 1000,
            build: true,
            output: None,
        };
        let mut words = arguments.iter().map(String::as_str);
        match words.next() {
            Some("up") => {}
            _ => bail!(
                "say what to measure: cargo xtask bench plan, cargo xtask bench state, or cargo xtask bench up \
                 --resources N[,N...]"
            ),
        }
        while let Some(flag) = words.next() {
            match flag {
                "--no-peer" => {
                    options.peer_up_to = 0;
                    continue;
                }
                "--no-build" => {
                    options.build = false;
                    continue;
                }
                _ => {}
            }
            let Some(value) = words.next() else { bail!("{flag} needs a value") };
            match flag {
                "--resources" => {
                    options.resources =
                        value.split(',').map(|n| n.trim().parse()).collect::<Result<_, _>>()?;
                }
                "--language" => {
                    options.languages =
                        value.split(',').map(|l| Language::parse(l.trim())).collect::<Result<_>>()?;
                }
                "--provider" => match value {
                    "builtin" => options.plugin = false,
                    "plugin" => options.plugin = true,
                    other => bail!("--provider is builtin or plugin, not {other:?}"),
                },
                "--peer-up-to" => options.peer_up_to = value.parse()?,
                "--runs" => options.runs = value.parse::<usize>()?.max(1),
                "--output" => options.output = Some(PathBuf::from(value)),
                other => bail!("there is no flag {other}"),
            }
        }
        if options.resources.is_empty() || options.resources.contains(&0) {
            bail!("--resources takes one or more numbers above zero");
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_read() {
        let options =
            parse("up --resources 100,1000 --language yaml,node --provider plugin --no-peer").unwrap();
        assert_eq!(options.resources, [100, 1000]);
        assert_eq!(options.languages, [Language::Yaml, Language::Node]);
        assert!(options.plugin && options.peer_up_to == 0);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["", "down", "up", "up --resources 0", "up --resources", "up --resources 1 --language c"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
