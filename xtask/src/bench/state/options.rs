//! What to measure of stores.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::place::Store;
use crate::bench::options::Language;

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Sizes of stacks whose resources are independent of each other.
    pub(crate) resources: Vec<usize>,
    /// Sizes of stacks whose resources each need the one before.
    pub(crate) chains: Vec<usize>,
    pub(crate) stores: Vec<Store>,
    /// Milliseconds that each request takes longer. A directory is measured without.
    pub(crate) latencies: Vec<u64>,
    pub(crate) language: Language,
    /// The most resources that the official CLI is measured with, and the stores.
    pub(crate) peer_up_to: usize,
    /// How often each is measured; the median counts.
    pub(crate) runs: usize,
    /// The size of a state that is read, exported and edited, instead of all that.
    pub(crate) large: Option<usize>,
    /// Whether each request is told.
    pub(crate) trace: bool,
    /// Whether the binaries are built first.
    pub(crate) build: bool,
    pub(crate) output: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options {
            resources: vec![200, 2000],
            chains: vec![100],
            stores: Store::ALL.to_vec(),
            latencies: vec![0, 20, 50],
            language: Language::Yaml,
            peer_up_to: 200,
            runs: 1,
            large: None,
            trace: false,
            build: true,
            output: None,
        };
        let mut chains = None;
        let mut resources = None;
        let mut words = arguments.iter().map(String::as_str);
        while let Some(flag) = words.next() {
            match flag {
                "--no-peer" => options.peer_up_to = 0,
                "--no-build" => options.build = false,
                "--large" => options.large = Some(100_000),
                "--trace" => options.trace = true,
                _ => {
                    let Some(value) = words.next() else { bail!("{flag} needs a value") };
                    match flag {
                        "--resources" => resources = Some(numbers::<usize>(value)?),
                        "--chain" => chains = Some(numbers(value)?),
                        "--latency" => options.latencies = numbers(value)?,
                        "--stores" => {
                            options.stores = value.split(',').map(Store::named).collect::<Result<_>>()?;
                        }
                        "--language" => options.language = language(value)?,
                        "--peer-up-to" => options.peer_up_to = value.parse()?,
                        "--runs" => options.runs = value.parse::<usize>()?.max(1),
                        "--output" => options.output = Some(PathBuf::from(value)),
                        other => bail!("there is no flag {other}"),
                    }
                }
            }
        }
        if let (Some(large), Some([size, ..])) = (&mut options.large, resources.as_deref()) {
            *large = *size;
        }
        options.resources = resources.unwrap_or(options.resources);
        // Nothing is to be shown of a store by a chain in another language.
        let default = if options.language == Language::Yaml { options.chains } else { Vec::new() };
        options.chains = chains.unwrap_or(default);
        options.resources.retain(|number| *number > 0);
        options.chains.retain(|number| *number > 0);
        if !options.chains.is_empty() && options.language != Language::Yaml {
            bail!("--chain is for programs in YAML");
        }
        if options.resources.is_empty() && options.chains.is_empty() {
            bail!("--resources and --chain name nothing to measure");
        }
        Ok(options)
    }
}

fn numbers<N: std::str::FromStr>(value: &str) -> Result<Vec<N>>
where
    N::Err: std::error::Error + Send + Sync + 'static,
{
    Ok(value.split(',').map(|number| number.trim().parse()).collect::<Result<_, _>>()?)
}

fn language(value: &str) -> Result<Language> {
    match value {
        "yaml" => Ok(Language::Yaml),
        "python" => Ok(Language::Python),
        other => bail!("--language is yaml or python, not {other:?}"),
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
        let options = parse("--resources 10,20 --stores s3 --latency 7 --language python").unwrap();
        assert_eq!((options.resources, options.latencies), (vec![10, 20], vec![7]));
        assert_eq!((options.stores, options.language), (vec![Store::S3], Language::Python));
        assert!(options.chains.is_empty(), "chains are programs in YAML");
        assert_eq!(parse("").unwrap().chains, [100]);
        assert!(parse("--chain 0").unwrap().chains.is_empty());
        assert_eq!(parse("--large").unwrap().large, Some(100_000));
        assert_eq!(parse("--large --resources 5").unwrap().large, Some(5));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in
            ["--resources 0 --chain 0", "--stores cloud", "--language python --chain 5", "--latency x"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
