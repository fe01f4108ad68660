//! Keys in the files that the AWS tools share: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use purlin_diag::Diagnostic;

use crate::Surroundings;

/// What a profile says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Empty where variables count.
    pub name: String,
    /// The region that it names.
    pub region: Option<String>,
    /// Where its credentials come from, if it says so.
    pub way: Option<Way>,
}

/// A way to credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum Way {
    /// They stand there.
    Keys {
        /// `aws_access_key_id`.
        id: String,
        /// `aws_secret_access_key`.
        secret: String,
        /// `aws_session_token`.
        token: Option<String>,
    },
    /// A role is assumed.
    Role(Box<Role>),
    /// A portal gives them to who has signed in.
    SingleSignOn,
    /// A program prints them.
    Process,
}

/// A role and who assumes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub arn: String,
    /// What the session is called.
    pub session: Option<String>,
    /// What the role's owner asks for.
    pub external_id: Option<String>,
    /// How long it is assumed for.
    pub seconds: Option<u32>,
    /// Who assumes it.
    pub by: By,
}

/// Who assumes a role.
#[derive(Clone, PartialEq, Eq)]
pub enum By {
    /// Whom another profile, or the same one, knows.
    Profile(Profile),
    /// Who has a token in a file.
    WebIdentity(PathBuf),
    /// Whom the environment's keys name.
    Environment,
    /// The container.
    Container,
    /// The machine.
    Machine,
}

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// The profile of a name, or that of `AWS_PROFILE`, or the default one. A profile that is named must
/// be there and lead to credentials.
pub(super) fn read(named: Option<&str>, around: &Surroundings<'_>) -> Result<Profile, Diagnostic> {
    let variable = |name: &str| around.get(name);
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
    let files = Files {
        credentials: sections(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))?,
        config: sections(file("AWS_CONFIG_FILE", "config"))?,
    };
    let profile = files.profile(&name, &mut Vec::new())?;
    if named.is_some() && profile.way.is_none() {
        let what = if files.parts(&name).is_empty() { "is in neither" } else { "has no credentials in" };
        let message = format!("the AWS profile '{name}' {what} ~/.aws/credentials and ~/.aws/config");
        return Err(Diagnostic::error("aws-profile", message).with_hint(
            "profiles with keys, roles, single sign-on and programs are supported; otherwise export the variables \
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (`aws configure export-credentials` \
             prints them)",
        ));
    }
    Ok(profile)
}

/// Both files.
struct Files {
    credentials: Sections,
    config: Sections,
}

impl Files {
    /// What the files say of a profile, the one that counts first.
    fn parts(&self, name: &str) -> Vec<&BTreeMap<String, String>> {
        let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        [self.credentials.get(name), self.config.get(&in_config)].into_iter().flatten().collect()
    }

    /// A profile. `above` are those that refer to it, one after the other.
    fn profile(&self, name: &str, above: &mut Vec<String>) -> Result<Profile, Diagnostic> {
        let refuse = |why: String| {
            let message = format!("the AWS profile '{name}' can't be used: {why}");
            Diagnostic::error("aws-profile", message).with_hint(
                "correct ~/.aws/config, or export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN \
                 (`aws configure export-credentials` prints them)",
            )
        };
        let parts = self.parts(name);
        let value = |key: &str| {
            let found = parts.iter().find_map(|part| part.get(key)).filter(|value| !value.is_empty());
            found.cloned()
        };
        let keys = match (value("aws_access_key_id"), value("aws_secret_access_key")) {
            (Some(id), Some(secret)) => Some(Way::Keys { id, secret, token: value("aws_session_token") }),
            _ => None,
        };
        let plain = |way| Profile { name: name.to_owned(), region: value("region"), way };
        // A profile that refers to itself means its own keys.
        if above.iter().any(|other| other == name) {
            if above.last().is_some_and(|last| last == name) && keys.is_some() {
                return Ok(plain(keys));
            }
            return Err(refuse(format!("its `source_profile` leads back to it ({})", above.join(", "))));
        }
        above.push(name.to_owned());
        let by = match (value("source_profile"), value("credential_source"), value("web_identity_token_file"))
        {
            (Some(source), None, _) => Some(By::Profile(self.profile(&source, above)?)),
            (None, Some(source), _) => Some(match source.as_str() {
                "Environment" => By::Environment,
                "EcsContainer" => By::Container,
                "Ec2InstanceMetadata" => By::Machine,
                _ => return Err(refuse(format!("its `credential_source` is '{source}'"))),
            }),
            (Some(_), Some(_), _) => {
                return Err(refuse("it has both `source_profile` and `credential_source`".to_owned()));
            }
            (None, None, file) => file.map(|file| By::WebIdentity(file.into())),
        };
        let way = match (value("role_arn"), by) {
            (Some(_), _) if value("mfa_serial").is_some() => {
                return Err(refuse("its role asks for a code (`mfa_serial`)".to_owned()));
            }
            (Some(_), Some(By::Profile(source))) if source.way.is_none() => {
                return Err(refuse(format!("its `source_profile` '{}' has no credentials", source.name)));
            }
            (Some(arn), Some(by)) => {
                let seconds = value("duration_seconds").map(|text| text.parse::<u32>());
                let seconds =
                    seconds.transpose().map_err(|_| refuse("`duration_seconds` is no number".to_owned()))?;
                let (session, external_id) = (value("role_session_name"), value("external_id"));
                Some(Way::Role(Box::new(Role { arn, session, external_id, seconds, by })))
            }
            (Some(_), None) if keys.is_none() => {
                let why = "its role has neither `source_profile` nor `credential_source` nor `web_identity_token_file`";
                return Err(refuse(why.to_owned()));
            }
            _ if keys.is_some() => keys,
            _ if value("sso_session").or_else(|| value("sso_start_url")).is_some() => Some(Way::SingleSignOn),
            _ => value("credential_process").map(|_| Way::Process),
        };
        Ok(plain(way))
    }
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
        let keys = |id: &str, secret: &str| Way::Keys { id: id.into(), secret: secret.into(), token: None };
        let default = read(None, &around).unwrap();
        assert!(default.way == Some(keys("A", "B=")) && default.region.as_deref() == Some("x"));
        let ci = read(Some("ci"), &around).unwrap();
        assert!(ci.way == Some(keys("C", "D")) && ci.region.as_deref() == Some("eu-1"));
        assert_eq!(read(Some("other"), &around).err().unwrap().code, "aws-profile");
        let nowhere = Surroundings { variable: &none, home: None };
        assert!(read(None, &nowhere).unwrap().way.is_none());
    }

    #[test]
    fn profiles_say_who_assumes_a_role() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "[profile keys]\naws_access_key_id=A\naws_secret_access_key=B\n\
                    [profile role]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=keys\nexternal_id=e\n\
                    [profile chain]\nrole_arn=arn:aws:iam::1:role/s\nsource_profile=role\nduration_seconds=900\n\
                    [profile self]\nrole_arn=arn:aws:iam::1:role/t\nsource_profile=self\naws_access_key_id=C\n\
                    aws_secret_access_key=D\n\
                    [profile machine]\nrole_arn=arn:aws:iam::1:role/u\ncredential_source=Ec2InstanceMetadata\n\
                    [profile web]\nrole_arn=arn:aws:iam::1:role/v\nweb_identity_token_file=/t\n\
                    [profile portal]\nsso_session=x\n[profile program]\ncredential_process=/bin/p\n\
                    [profile code]\nrole_arn=x\nsource_profile=keys\nmfa_serial=y\n\
                    [profile one]\nrole_arn=x\nsource_profile=two\n[profile two]\nrole_arn=x\nsource_profile=one\n\
                    [profile odd]\nrole_arn=x\ncredential_source=Thin\n[profile alone]\nrole_arn=x\n\
                    [profile empty]\nregion=x\n[profile of-empty]\nrole_arn=x\nsource_profile=empty\n";
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let variable = |name: &str| (name == "AWS_CONFIG_FILE").then(|| path.clone());
        let around = Surroundings { variable: &variable, home: None };
        let role = |name: &str| match read(Some(name), &around).unwrap().way {
            Some(Way::Role(role)) => *role,
            _ => panic!("{name} is no role"),
        };
        let chain = role("chain");
        assert_eq!((chain.arn.as_str(), chain.seconds), ("arn:aws:iam::1:role/s", Some(900)));
        let By::Profile(source) = chain.by else { panic!("of no profile") };
        let Some(Way::Role(first)) = source.way else { panic!("of no role") };
        assert_eq!(first.external_id.as_deref(), Some("e"));
        assert!(
            matches!(&first.by, By::Profile(Profile { way: Some(Way::Keys { id, .. }), .. }) if id == "A")
        );
        assert!(matches!(role("self").by, By::Profile(Profile { way: Some(Way::Keys { .. }), .. })));
        assert!(matches!(role("machine").by, By::Machine));
        assert!(matches!(role("web").by, By::WebIdentity(_)));
        assert!(matches!(read(Some("portal"), &around).unwrap().way, Some(Way::SingleSignOn)));
        assert!(matches!(read(Some("program"), &around).unwrap().way, Some(Way::Process)));
        for (name, says) in [
            ("code", "mfa_serial"),
            ("one", "leads back"),
            ("odd", "'Thin'"),
            ("alone", "neither"),
            ("of-empty", "'empty' has no credentials"),
        ] {
            let refused = read(Some(name), &around).err().unwrap();
            assert!(refused.code == "aws-profile" && refused.message.contains(says), "{}", refused.message);
        }
    }
}
