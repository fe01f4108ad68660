//! What a store has to be told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use purlin_diag::Diagnostic;
use purlin_ports::{Clock, Entropy};

use super::processes::{Processes, Timer};

/// How checkpoints and history are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

impl Compression {
    pub(crate) const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    /// What it adds to the names of files.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }
}

/// How long writers wait for each other.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTimes {
    /// How often a writer shows that it is alive.
    pub beat: Duration,
    /// How long a writer on another host has to show nothing before it counts as dead.
    pub expiry: Duration,
    /// How long the processes of a dead writer have to end by themselves once they were asked to.
    pub grace: Duration,
    /// How long to wait for the file lock that others hold for moments only.
    pub fence: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        LeaseTimes {
            beat: Duration::from_secs(5),
            expiry: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            fence: Duration::from_secs(30),
        }
    }
}

/// How often and how long to try again what may not have reached a service.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The first pause; each is twice the one before.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long to pause in all before giving up.
    pub patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Retries {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(5),
            patience: Duration::from_secs(60),
        }
    }
}

/// The user's settings of a store in the ecosystem's layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiyOptions {
    /// How to compress.
    pub compression: Compression,
    /// Whether to leave out the copy of each checkpoint under `backups`.
    pub disable_backups: bool,
    /// Whether to keep each checkpoint under a name of its own beside the stack's file.
    pub retain_checkpoints: bool,
    /// Whether checkpoints are written, and used, that break the rules of integrity.
    pub disable_integrity_checks: bool,
    /// How long writers wait for each other.
    pub times: LeaseTimes,
    /// How often and how long to try to reach a bucket.
    pub retries: Retries,
    /// Whether to use a bucket whose service knows no conditional writes. Then nothing keeps two
    /// writers from both succeeding but that they look first.
    pub without_conditional_writes: bool,
    /// How many bytes the journal of an operation may have before it is put into the checkpoint while
    /// the operation goes on. Without it as many as the checkpoint, but at least 64 MiB, which is what
    /// tens of thousands of steps write.
    pub journal_bytes: Option<u64>,
}

impl DiyOptions {
    /// The settings that environment variables give: `PULUMI_DIY_BACKEND_GZIP`, `_ZSTD`,
    /// `_DISABLE_CHECKPOINT_BACKUPS`, `_RETAIN_CHECKPOINTS`, and the same with the older prefix
    /// `PULUMI_SELF_MANAGED_STATE`; and `PURLIN_WITHOUT_CONDITIONAL_WRITES` and `PURLIN_JOURNAL_BYTES`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<DiyOptions, Diagnostic> {
        let set = |name: &str| {
            ["PULUMI_DIY_BACKEND", "PULUMI_SELF_MANAGED_STATE"]
                .iter()
                .find_map(|prefix| variable(&format!("{prefix}_{name}")))
                .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
        };
        let compression = match (set("GZIP"), set("ZSTD")) {
            (true, true) => {
                return Err(Diagnostic::error(
                    "backend-compression",
                    "PULUMI_DIY_BACKEND_GZIP and PULUMI_DIY_BACKEND_ZSTD are both set",
                )
                .with_hint("unset one of them"));
            }
            (true, false) => Compression::Gzip,
            (false, true) => Compression::Zstd,
            (false, false) => Compression::None,
        };
        let bytes = |value: String| {
            value.parse().map_err(|_| {
                let message = format!("PURLIN_JOURNAL_BYTES is '{value}', which is not a number of bytes");
                Diagnostic::error("backend-journal-bytes", message)
                    .with_hint("set it to a whole number, or unset it")
            })
        };
        let given = variable("PURLIN_JOURNAL_BYTES").filter(|value| !value.is_empty());
        let journal_bytes = given.map(bytes).transpose()?;
        Ok(DiyOptions {
            compression,
            journal_bytes,
            disable_backups: set("DISABLE_CHECKPOINT_BACKUPS"),
            retain_checkpoints: set("RETAIN_CHECKPOINTS"),
            without_conditional_writes: variable("PURLIN_WITHOUT_CONDITIONAL_WRITES")
                .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true")),
            ..DiyOptions::default()
        })
    }
}

/// What a store needs to know of the process that it is in, and of the world.
#[derive(Clone)]
pub struct Surroundings {
    /// The time of day, for what is recorded.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for names.
    pub entropy: Arc<dyn Entropy>,
    /// Time that passes, for waiting.
    pub timer: Arc<dyn Timer>,
    /// The processes of this host.
    pub processes: Arc<dyn Processes>,
    /// The number of this process.
    pub pid: u32,
    /// The name of this host.
    pub hostname: String,
    /// The name of the user.
    pub username: String,
    /// A folder on this machine for entries that the store did not take. `None` keeps none.
    pub unsent: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(set: &[(&str, &str)]) -> Result<DiyOptions, Diagnostic> {
        DiyOptions::from_variables(|name| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn reads_the_variables_of_both_prefixes() {
        let options = from(&[
            ("PULUMI_DIY_BACKEND_ZSTD", "true"),
            ("PULUMI_SELF_MANAGED_STATE_RETAIN_CHECKPOINTS", "1"),
            ("PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS", "false"),
        ])
        .unwrap();
        assert_eq!(options.compression, Compression::Zstd);
        assert!(options.retain_checkpoints && !options.disable_backups);
        let both = from(&[("PULUMI_DIY_BACKEND_ZSTD", "1"), ("PULUMI_DIY_BACKEND_GZIP", "1")]);
        assert_eq!(both.unwrap_err().code, "backend-compression");
        assert_eq!(from(&[("PURLIN_JOURNAL_BYTES", "1000")]).unwrap().journal_bytes, Some(1000));
        assert_eq!(from(&[("PURLIN_JOURNAL_BYTES", "")]).unwrap().journal_bytes, None);
        let wrong = from(&[("PURLIN_JOURNAL_BYTES", "64MB")]);
        assert_eq!(wrong.unwrap_err().code, "backend-journal-bytes");
    }
}
