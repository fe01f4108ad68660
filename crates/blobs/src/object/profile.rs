//! Keys in the files that the AWS tools share: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use purlin_diag::Diagnostic;

use crate::Surroundings;

/// What a profile says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<String>,
    pub(super) session_token: Option<String>,
    pub(super) region: Option<String>,
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// The profile of a name, or that of `AWS_PROFILE`, or the default one. A profile that is named must
/// be there and have keys.
pub(super) fn read(named: Option<&str>, around: &Surroundings<'_>) -> Result<Profile, Diagnostic> {
    let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let named = named.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let file = |name: &str, usual: &str| {
        let path = variable(name).map(PathBuf::from);
        path.or_else(|| around.home.map(|home| home.join(".aws").join(usual)))
    };
    let sections = |path: Option<PathBuf>| -> Result<Sections, Diagnostic> {
        let Some(path) = path else { return Ok(Sections::new()) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Sections::new()),
            Err(error) => {
                let message = format!("failed to read {}: {error}", path.display());
                Err(Diagnostic::error("aws-profile", message))
            }
        }
    };
    let credentials = sections(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))?;
    let config = sections(file("AWS_CONFIG_FILE", "config"))?;
    let in_config = if name == "default" { name.clone() } else { format!("profile {name}") };
    let parts = [credentials.get(&name), config.get(&in_config)];
    let value = |key: &str| parts.iter().flatten().find_map(|part| part.get(key)).cloned();
    let profile = Profile {
        access_key_id: value("aws_access_key_id"),
        secret_access_key: value("aws_secret_access_key"),
        session_token: value("aws_session_token"),
        region: value("region"),
    };
    if named.is_some() && (profile.access_key_id.is_none() || profile.secret_access_key.is_none()) {
        let what = if parts.iter().all(Option::is_none) { "is in neither" } else { "has no access key in" };
        let message = format!("the AWS profile '{name}' {what} ~/.aws/credentials and ~/.aws/config");
        return Err(Diagnostic::error("aws-profile", message).with_hint(
            "profiles with keys are supported; for single sign-on and roles, export the variables AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (`aws configure export-credentials` prints them)",
        ));
    }
    Ok(profile)
}

fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut section = String::new();
    for line in text.lines() {
        // Indented lines belong to settings that don't matter here.
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = name.split_whitespace().collect::<Vec<_>>().join(" ");
        } else if let Some((key, value)) = line.split_once('=') {
            let values = sections.entry(section.clone()).or_default();
            values.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_in_both_files() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        write(
            "credentials",
            "# keys\n[default]\naws_access_key_id = A\naws_secret_access_key=B=\n[ci]\naws_access_key_id = C\n",
        );
        write(
            "config",
            "[profile ci]\nregion = eu-1\ns3 =\n  region = no\naws_secret_access_key = D\n[default]\nregion=x\n",
        );
        let none = |_: &str| None;
        let around = Surroundings { variable: &none, home: Some(home.path()) };
        let default = read(None, &around).unwrap();
        assert_eq!(
            (default.access_key_id.as_deref(), default.secret_access_key.as_deref()),
            (Some("A"), Some("B="))
        );
        assert_eq!(default.region.as_deref(), Some("x"));
        let ci = read(Some("ci"), &around).unwrap();
        assert_eq!((ci.secret_access_key.as_deref(), ci.region.as_deref()), (Some("D"), Some("eu-1")));
        assert_eq!(read(Some("other"), &around).unwrap_err().code, "aws-profile");
        let nowhere = Surroundings { variable: &none, home: None };
        assert_eq!(read(None, &nowhere).unwrap(), Profile::default());
    }
}
