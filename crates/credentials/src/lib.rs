//! Where credentials for clouds come from: variables, the files of the clouds' own tools, roles,
//! services of the machine. Adapters of stores and of key services ask here, so that both find the same.
//!
//! Nothing is asked of anybody before credentials are needed. How a role is assumed, or a token got for
//! another, the libraries know; here stands which way counts, and what to tell when it leads nowhere.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "google")]
pub mod google;

use std::path::Path;

/// Where credentials may be, as far as URLs don't say.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment's variables.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The user's home directory.
    pub home: Option<&'a Path>,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Surroundings<'_> {
    /// A variable that says something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCredentials {
    /// What people call the place where they were looked for: `the AWS profile 'ci'`.
    pub place: String,
    /// What came of it. No secret is in it.
    pub why: String,
    /// Whether another try may help.
    pub passing: bool,
}

impl std::fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no credentials by {}: {}", self.place, self.why)
    }
}

impl std::error::Error for NoCredentials {}

/// An error with its causes, on one line.
#[cfg(any(feature = "aws", feature = "google"))]
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(more) = cause {
        text.push_str(&format!(": {more}"));
        cause = more.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
