//! AWS: keys in variables, profiles, roles, single sign-on, programs, containers, machines.

mod asked;
mod profile;

pub use asked::Asked;
pub use profile::{By, Profile, Role, Way};

use purlin_diag::Diagnostic;

use crate::Surroundings;

/// Variables with a key, and the token that may go with it.
pub const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The profile that counts: the one that a URL names, else none if variables give credentials, else that
/// of `AWS_PROFILE`, else the default one. One that is named must be there and lead to credentials.
///
/// # Errors
///
/// `aws-profile`: files that can't be read, and profiles that make no sense or are not there.
pub fn profile(named: Option<&str>, around: &Surroundings<'_>) -> Result<Profile, Diagnostic> {
    let keys = KEYS[..2].iter().all(|name| around.get(name).is_some());
    match named {
        None if keys || around.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() => Ok(Profile::default()),
        _ => profile::read(named, around),
    }
}

/// The region that variables or the profile name.
#[must_use]
pub fn region(profile: &Profile, around: &Surroundings<'_>) -> Option<String> {
    let named = around.get("AWS_REGION").or_else(|| around.get("AWS_DEFAULT_REGION"));
    named.or_else(|| profile.region.clone())
}
