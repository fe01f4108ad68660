//! Checkpoints and exported deployments from their text.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::state::SecretsProvider;
use purlin_model::{Extension, OperationKind, PendingOperation, ResourceState, Snapshot};
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::value::RawValue;

use super::{KNOWN_FEATURES, Place, magic, migrate};
use crate::envelope_read::resource;
use crate::extension::ExtensionsParser;
use crate::reader::{
    ListSeed, Maybe, Member, Members, ObjectParser, Reader, Shared, Text, Texts, or_default,
};
use crate::text::compact;

/// The newest version of the format that is understood.
const NEWEST: u32 = 4;

/// How a checkpoint is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// Whether the manifest's check word must be right. Repairs read without.
    pub check_magic: bool,
}

impl Default for ParseOptions {
    fn default() -> Self {
        ParseOptions { check_magic: true }
    }
}

/// What the file of a stack holds.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The version of the format that it was written in; zero for the first, which didn't say.
    pub version: u32,
    /// The full name of the stack; empty in exported deployments.
    pub stack: String,
    /// Whether there is a deployment at all; if not, the snapshot is empty.
    pub deployed: bool,
    /// The deployment, its bags as slices of the text.
    pub snapshot: Snapshot,
}

/// Reads the file of a stack, in any version.
pub fn parse_checkpoint(source: &Arc<str>, options: ParseOptions) -> Result<Checkpoint, Diagnostic> {
    parse(source, options, Container::Checkpoint)
}

/// Reads an exported deployment, in any version.
pub fn parse_deployment(source: &Arc<str>, options: ParseOptions) -> Result<Checkpoint, Diagnostic> {
    parse(source, options, Container::Deployment)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Checkpoint,
    Deployment,
}

fn parse(source: &Arc<str>, options: ParseOptions, container: Container) -> Result<Checkpoint, Diagnostic> {
    let text: &str = source;
    let reader = Reader::new(source);
    let mut parser = serde_json::Deserializer::from_str(text);
    let parsed = Members(FileParser { reader: &reader, container, file: File::default() })
        .deserialize(&mut parser)
        .and_then(|file| parser.end().map(|()| file));
    let mut file = match parsed {
        Ok(file) => file,
        // A newer version may look different: then its number is what matters.
        Err(error) => {
            if let Ok(head) = serde_json::from_str::<Head>(text) {
                check_version(
                    container,
                    head.version.unwrap_or_default(),
                    &head.features.unwrap_or_default(),
                )?;
            }
            return Err(reader.explain(text, &error));
        }
    };
    check_version(container, file.version, &file.features)?;
    let part = match (container, file.version, file.checkpoint.take()) {
        (_, _, Some(part)) => part,
        // The first files of all didn't wrap the checkpoint.
        (Container::Checkpoint, 0, None) if file.bare_seen => std::mem::take(&mut file.bare),
        (Container::Deployment, ..) => Part::default(),
        (Container::Checkpoint, ..) => return Err(no_checkpoint()),
    };
    finish(file, part, options)
}

fn finish(file: File, part: Part, options: ParseOptions) -> Result<Checkpoint, Diagnostic> {
    let deployed = part.latest.is_some();
    let (mut snapshot, magic_word) = part.latest.unwrap_or_default();
    if options.check_magic && deployed && magic_word != magic(&snapshot.version) {
        return Err(Diagnostic::error(
            "state-magic",
            "the manifest's check word does not match its version, so the state was changed by something that is \
             not a state writer or was damaged",
        )
        .with_hint(
            "restore an earlier copy (.bak, .pulumi/backups or .pulumi/history), or export the stack, look it over \
             and import it again with --force",
        ));
    }
    if file.version < 3 {
        migrate::from_old_version(&mut snapshot);
    }
    // Other features show in the resources and are found there when the state is written.
    snapshot.features =
        file.features.into_iter().filter(|name| name == super::features::BYTE_STRING).collect();
    snapshot.carried.extend(part.carried);
    snapshot.carried.extend(file.carried);
    Ok(Checkpoint { version: file.version, stack: part.stack, deployed, snapshot })
}

fn no_checkpoint() -> Diagnostic {
    Diagnostic::error(
        "state-not-a-checkpoint",
        "the text is JSON but not a checkpoint: it has no 'checkpoint'",
    )
    .with_hint(
        "a stack's file holds \"version\" and \"checkpoint\"; an export is brought in by `stack import`",
    )
}

fn check_version(container: Container, version: u32, features: &[String]) -> Result<(), Diagnostic> {
    if version > NEWEST {
        return Err(Diagnostic::error(
            "state-version",
            format!("the state has version {version}; this program understands versions up to {NEWEST}"),
        )
        .with_hint("use the newer program that wrote it, or update this one"));
    }
    if container == Container::Deployment && version == 0 {
        return Err(Diagnostic::error("state-version", "the deployment has no version")
            .with_hint("an exported deployment holds \"version\": 3 (or 4) and \"deployment\""));
    }
    let unknown: Vec<&str> =
        features.iter().map(String::as_str).filter(|name| !KNOWN_FEATURES.contains(name)).collect();
    if version >= 4 && !unknown.is_empty() {
        return Err(Diagnostic::error(
            "state-feature",
            format!("the state uses features that this program does not know: {}", unknown.join(", ")),
        )
        .with_hint("use the newer program that wrote it, or update this one"));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Head {
    version: Option<u32>,
    features: Option<Vec<String>>,
}

/// All that a file holds.
#[derive(Default)]
struct File {
    version: u32,
    features: Vec<String>,
    checkpoint: Option<Part>,
    bare: Part,
    bare_seen: bool,
    carried: Vec<(String, String)>,
}

/// The inner part of a checkpoint.
#[derive(Default)]
struct Part {
    stack: String,
    latest: Option<(Snapshot, String)>,
    carried: Vec<(String, String)>,
}

struct FileParser<'r, 's> {
    reader: &'r Reader<'s>,
    container: Container,
    file: File,
}

impl<'s> ObjectParser<'s> for FileParser<'_, 's> {
    type Value = File;
    const WHAT: &'static str = "a checkpoint";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let file = &mut self.file;
        let wrapped = self.container == Container::Checkpoint;
        match &**key {
            "version" => file.version = or_default(member)?,
            "features" => file.features = member.value::<Texts>()?.owned(),
            "checkpoint" if wrapped => {
                let part = PartParser { reader: self.reader, part: Part::default() };
                file.checkpoint = member.seeded(Maybe(Members(part)))?;
            }
            "deployment" if !wrapped => {
                let latest = member.seeded(Maybe(Members(DeploymentParser::new(self.reader))))?;
                file.checkpoint = Some(Part { latest, ..Part::default() });
            }
            "stack" | "latest" if wrapped => {
                file.bare_seen = true;
                let mut part = PartParser { reader: self.reader, part: std::mem::take(&mut file.bare) };
                part.member(key, member)?;
                file.bare = part.part;
            }
            _ => file.carried.push((Place::File.carried(key), raw_text(member)?)),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<File, E> {
        Ok(self.file)
    }
}

fn raw_text<'s, M: Member<'s>>(member: &mut M) -> Result<String, M::Error> {
    member.value::<&'s RawValue>().map(|value| value.get().to_owned())
}

struct PartParser<'r, 's> {
    reader: &'r Reader<'s>,
    part: Part,
}

impl<'s> ObjectParser<'s> for PartParser<'_, 's> {
    type Value = Part;
    const WHAT: &'static str = "the checkpoint of a stack";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "stack" => self.part.stack = member.value::<Text>()?.to_string(),
            "latest" => {
                self.part.latest = member.seeded(Maybe(Members(DeploymentParser::new(self.reader))))?;
            }
            _ => self.part.carried.push((Place::Checkpoint.carried(key), raw_text(member)?)),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Part, E> {
        Ok(self.part)
    }
}

struct DeploymentParser<'r, 's> {
    reader: &'r Reader<'s>,
    snapshot: Snapshot,
    magic: String,
}

impl<'r, 's> DeploymentParser<'r, 's> {
    fn new(reader: &'r Reader<'s>) -> Self {
        DeploymentParser { reader, snapshot: Snapshot::default(), magic: String::new() }
    }
}

impl<'s> ObjectParser<'s> for DeploymentParser<'_, 's> {
    type Value = (Snapshot, String);
    const WHAT: &'static str = "a deployment";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let reader = self.reader;
        let snapshot = &mut self.snapshot;
        match &**key {
            "manifest" => {
                let manifest = member.seeded(Members(Manifest::default()))?;
                snapshot.time = manifest.time;
                snapshot.version = manifest.version;
                snapshot.carried.extend(manifest.carried);
                self.magic = manifest.magic;
            }
            "secrets_providers" => {
                snapshot.secrets_provider = member.seeded(Members(Provider::default()))?;
            }
            "resources" => {
                snapshot.resources = member.seeded(ListSeed(|| Shared(resource(reader))))?;
            }
            "pending_operations" => {
                let seed = || Members(OperationParser { reader, kind: None, state: None });
                snapshot.pending_operations = member.seeded(ListSeed(seed))?;
            }
            "extensions" => {
                let found: Vec<_> =
                    member.seeded(Maybe(Members(ExtensionsParser::default())))?.unwrap_or_default();
                let by_reference = |extension: Extension| (extension.reference.clone(), Arc::new(extension));
                snapshot.extensions = found.into_iter().map(by_reference).collect();
            }
            _ => snapshot.carried.push((Place::Deployment.carried(key), raw_text(member)?)),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok((self.snapshot, self.magic))
    }
}

#[derive(Default)]
struct Manifest {
    time: String,
    magic: String,
    version: String,
    carried: Vec<(String, String)>,
}

impl<'s> ObjectParser<'s> for Manifest {
    type Value = Manifest;
    const WHAT: &'static str = "a manifest";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "time" => self.time = member.value::<Text>()?.to_string(),
            "magic" => self.magic = member.value::<Text>()?.to_string(),
            "version" => self.version = member.value::<Text>()?.to_string(),
            _ => self.carried.push((Place::Manifest.carried(key), raw_text(member)?)),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Manifest, E> {
        Ok(self)
    }
}

#[derive(Default)]
struct Provider {
    ty: String,
    state: String,
}

impl<'s> ObjectParser<'s> for Provider {
    type Value = Option<SecretsProvider>;
    const WHAT: &'static str = "a secrets provider";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "type" => self.ty = member.value::<Text>()?.to_string(),
            "state" => {
                let raw: &'s RawValue = member.value()?;
                self.state =
                    if raw.get() == "null" { String::new() } else { compact(raw.get()).into_owned() };
            }
            _ => drop(member.value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Option<SecretsProvider>, E> {
        Ok((!self.ty.is_empty()).then_some(SecretsProvider { ty: self.ty, state: self.state }))
    }
}

struct OperationParser<'r, 's> {
    reader: &'r Reader<'s>,
    kind: Option<OperationKind>,
    state: Option<ResourceState>,
}

impl<'s> ObjectParser<'s> for OperationParser<'_, 's> {
    type Value = PendingOperation;
    const WHAT: &'static str = "a pending operation";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        match &**key {
            "resource" => self.state = Some(member.seeded(resource(self.reader))?),
            "type" => {
                let word = member.value::<Text>()?;
                let kind = OperationKind::parse(&word).ok_or_else(|| {
                    self.reader.fail(Diagnostic::error(
                        "state-operation",
                        format!("the state has a pending operation of the unknown kind '{}'", &*word),
                    ))
                })?;
                self.kind = Some(kind);
            }
            _ => drop(member.value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<PendingOperation, E> {
        match (self.kind, self.state) {
            (Some(kind), Some(state)) => Ok(PendingOperation { kind, resource: Arc::new(state) }),
            _ => Err(self.reader.fail(Diagnostic::error(
                "state-operation",
                "the state has a pending operation without a resource or a type",
            ))),
        }
    }
}
