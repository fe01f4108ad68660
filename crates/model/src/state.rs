//! Resource states and the snapshots that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::goal::CustomTimeouts;
use crate::map::PropertyDependencies;
use crate::package::Extension;
use crate::urn::{ProviderRef, Urn};
use crate::value::{PropertyMap, PropertyValue};

/// The number of one physical state within an operation. The states of the base have the numbers
/// from zero in their order; new states take the numbers after. A slot is never known by URN
/// alone: several states of one URN may wait for deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A slice of a text that several owners share: a bag that nobody has decoded.
#[derive(Clone)]
pub struct RawText {
    source: Arc<str>,
    start: usize,
    end: usize,
}

impl RawText {
    /// The slice `start..end` (in bytes) of a text. `None` if it isn't one.
    pub fn slice(source: &Arc<str>, start: usize, end: usize) -> Option<RawText> {
        source.get(start..end)?;
        Some(RawText { source: Arc::clone(source), start, end })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.source[self.start..self.end]
    }
}

impl From<String> for RawText {
    fn from(text: String) -> Self {
        RawText { end: text.len(), start: 0, source: text.into() }
    }
}

impl std::fmt::Debug for RawText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for RawText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// The inputs or the outputs of a resource: decoded, or as the bytes that the checkpoint has.
#[derive(Clone, Debug, PartialEq)]
pub enum Bag {
    /// Decoded properties.
    Decoded(Arc<PropertyMap>),
    /// The text of the object as the checkpoint or journal has it, secrets encrypted.
    Raw(RawText),
}

impl Bag {
    /// A bag without properties.
    pub fn empty() -> Bag {
        Bag::Decoded(Arc::new(PropertyMap::new()))
    }

    /// The decoded properties, if they are decoded.
    pub fn decoded(&self) -> Option<&Arc<PropertyMap>> {
        match self {
            Bag::Decoded(map) => Some(map),
            Bag::Raw(_) => None,
        }
    }
}

impl Default for Bag {
    fn default() -> Self {
        Bag::empty()
    }
}

impl From<PropertyMap> for Bag {
    fn from(map: PropertyMap) -> Self {
        Bag::Decoded(Arc::new(map))
    }
}

impl From<Arc<PropertyMap>> for Bag {
    fn from(map: Arc<PropertyMap>) -> Self {
        Bag::Decoded(map)
    }
}

/// A single value of an envelope, decoded or as the checkpoint has it.
#[derive(Clone, Debug, PartialEq)]
pub enum SealedValue {
    /// The value.
    Decoded(PropertyValue),
    /// Its JSON text, secrets encrypted.
    Raw(RawText),
}

/// Names of the hooks that run around a resource's operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceHooks {
    /// Hook names by their kind as checkpoints spell it: `BeforeCreate`, `AfterCreate`,
    /// `BeforeUpdate`, `AfterUpdate`, `BeforeDelete`, `AfterDelete`, `OnError`.
    pub by_kind: BTreeMap<String, Vec<String>>,
}

impl ResourceHooks {
    /// The names of the hooks of a kind, in the order in which they are called.
    pub fn of(&self, kind: &str) -> &[String] {
        self.by_kind.get(kind).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The state of one physical resource: a typed envelope with all flags and references, and two
/// bags of properties.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceState {
    /// The name.
    pub urn: Urn,
    /// The type token.
    pub ty: Arc<str>,
    /// Whether a provider manages it; components and the root stack are not custom.
    pub custom: bool,
    /// The provider's id; empty for components.
    pub id: String,
    /// The inputs after the provider's check.
    pub inputs: Bag,
    /// The outputs.
    pub outputs: Bag,
    /// Whether it waits for deletion, having been replaced.
    pub delete: bool,
    /// Whether it was deleted and waits for its replacement.
    pub pending_replacement: bool,
    /// The parent.
    pub parent: Option<Urn>,
    /// Whether deleting it is forbidden.
    pub protect: bool,
    /// Whether it is to be replaced at the next update.
    pub taint: bool,
    /// Whether it is only read, and managed elsewhere.
    pub external: bool,
    /// The resources that must exist before it.
    pub dependencies: Vec<Urn>,
    /// What went wrong when it was half made.
    pub init_errors: Vec<String>,
    /// The provider instance that manages it.
    pub provider: Option<ProviderRef>,
    /// The resources that each property was made from.
    pub property_dependencies: PropertyDependencies,
    /// Outputs to treat as secret.
    pub additional_secret_outputs: Vec<String>,
    /// The names under which older states of it were known.
    pub aliases: Vec<Urn>,
    /// How long its operations may take.
    pub custom_timeouts: CustomTimeouts,
    /// The id that it was imported under; empty for none.
    pub import_id: String,
    /// Whether deleting it leaves the real thing alone.
    pub retain_on_delete: bool,
    /// A resource whose deletion deletes this one too.
    pub deleted_with: Option<Urn>,
    /// Resources whose replacement replaces this one.
    pub replace_with: Vec<Urn>,
    /// When it was created, RFC 3339 in UTC.
    pub created: Option<Arc<str>>,
    /// When it was last changed, RFC 3339 in UTC.
    pub modified: Option<Arc<str>>,
    /// Where in the program it was registered.
    pub source_position: Option<Arc<str>>,
    /// The frames that led there.
    pub stack_trace: Arc<[Arc<str>]>,
    /// Property paths whose changes don't count.
    pub ignore_changes: Vec<String>,
    /// Property paths that displays leave out.
    pub hide_diffs: Vec<String>,
    /// Property paths whose changes replace the resource.
    pub replace_on_changes: Vec<String>,
    /// A value whose change replaces the resource.
    pub replacement_trigger: Option<SealedValue>,
    /// Whether the provider wants it read before each update.
    pub refresh_before_update: bool,
    /// The resource that it is a view of.
    pub view_of: Option<Urn>,
    /// Names of hooks around its operations.
    pub resource_hooks: ResourceHooks,
    /// The extension of its package that it uses; empty for none.
    pub extension_ref: String,
    /// The snippet that registered it; empty for none.
    pub snippet_id: String,
    /// Keys that this version doesn't know, with their values as JSON text.
    pub unknown_keys: Vec<(String, String)>,
}

impl ResourceState {
    /// A state with nothing but a name.
    pub fn new(urn: Urn, custom: bool) -> Self {
        ResourceState {
            ty: urn.ty().into(),
            urn,
            custom,
            id: String::new(),
            inputs: Bag::empty(),
            outputs: Bag::empty(),
            delete: false,
            pending_replacement: false,
            parent: None,
            protect: false,
            taint: false,
            external: false,
            dependencies: Vec::new(),
            init_errors: Vec::new(),
            provider: None,
            property_dependencies: PropertyDependencies::new(),
            additional_secret_outputs: Vec::new(),
            aliases: Vec::new(),
            custom_timeouts: CustomTimeouts::default(),
            import_id: String::new(),
            retain_on_delete: false,
            deleted_with: None,
            replace_with: Vec::new(),
            created: None,
            modified: None,
            source_position: None,
            stack_trace: Arc::new([]),
            ignore_changes: Vec::new(),
            hide_diffs: Vec::new(),
            replace_on_changes: Vec::new(),
            replacement_trigger: None,
            refresh_before_update: false,
            view_of: None,
            resource_hooks: ResourceHooks::default(),
            extension_ref: String::new(),
            snippet_id: String::new(),
            unknown_keys: Vec::new(),
        }
    }

    /// Whether it is a provider instance.
    pub fn is_provider(&self) -> bool {
        crate::urn::is_provider_type(&self.ty)
    }

    /// The reference by which others name it as their provider; `None` if it is no provider.
    pub fn as_provider(&self) -> Option<ProviderRef> {
        self.is_provider().then(|| {
            let id = if self.id.is_empty() { crate::urn::UNKNOWN_ID } else { &self.id };
            ProviderRef::new(self.urn.clone(), id)
        })
    }

    /// Every resource that it refers to: provider, parent, dependencies, property dependencies,
    /// `deletedWith`, `replaceWith`, the resource that it is a view of. May repeat.
    pub fn references(&self) -> impl Iterator<Item = &Urn> {
        self.provider
            .iter()
            .map(ProviderRef::urn)
            .chain(&self.parent)
            .chain(&self.dependencies)
            .chain(self.property_dependencies.values().flatten())
            .chain(&self.deleted_with)
            .chain(&self.replace_with)
            .chain(&self.view_of)
    }
}

/// The kind of an operation that was under way when the engine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// A create.
    Creating,
    /// An update.
    Updating,
    /// A delete.
    Deleting,
    /// A read.
    Reading,
    /// An import.
    Importing,
}

impl OperationKind {
    /// The word that checkpoints use.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationKind::Creating => "creating",
            OperationKind::Updating => "updating",
            OperationKind::Deleting => "deleting",
            OperationKind::Reading => "reading",
            OperationKind::Importing => "importing",
        }
    }

    /// The kind of a word that checkpoints use.
    pub fn parse(word: &str) -> Option<OperationKind> {
        [
            OperationKind::Creating,
            OperationKind::Updating,
            OperationKind::Deleting,
            OperationKind::Reading,
            OperationKind::Importing,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// An operation whose outcome nobody knows.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingOperation {
    /// What was being done.
    pub kind: OperationKind,
    /// The resource as it was to become (creating), or as it was.
    pub resource: Arc<ResourceState>,
}

/// All that is known of a stack's resources at one moment.
///
/// The order of the resources carries meaning: what a resource refers to stands before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When it was written, RFC 3339.
    pub time: String,
    /// The version of the program that wrote it.
    pub version: String,
    /// The states, in order.
    pub resources: Vec<Arc<ResourceState>>,
    /// Operations whose outcome nobody knows.
    pub pending_operations: Vec<PendingOperation>,
    /// The secrets manager that encrypted it: its type and its settings as JSON text.
    pub secrets_provider: Option<SecretsProvider>,
    /// Features that the base declared, beside those that its resources show.
    pub features: Vec<String>,
    /// The extensions that its resources use, by their references.
    pub extensions: BTreeMap<String, Arc<Extension>>,
    /// Top-level keys of the deployment that are carried through unread (`metadata`, `snippets`,
    /// unknown ones), as JSON text. Keys that begin with `/` stand elsewhere:
    /// `/manifest/<key>`, `/checkpoint/<key>`, `/file/<key>` (and `/deployment/<key>` for a key of
    /// the deployment that itself begins with `/`).
    pub carried: Vec<(String, String)>,
}

/// The secrets manager named by a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsProvider {
    /// `passphrase`, `cloud`, `service` or `b64`.
    pub ty: String,
    /// Its settings as JSON text; empty for none.
    pub state: String,
}
