//! Moving resources from one stack to another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::urn::STACK_TYPE;
use purlin_model::{ProviderRef, ResourceState, Snapshot, Urn};

use crate::find::{Selection, find};
use crate::urns::{Renaming, map_urns};

/// What is to be moved.
pub struct MoveRequest<'a> {
    /// The state that it is in.
    pub source: &'a Snapshot,
    /// The state that it comes into.
    pub dest: &'a Snapshot,
    /// Project and name of the stack that it comes into.
    pub to: (&'a str, &'a str),
    /// The resources, by their URNs. Their children come along.
    pub urns: &'a [String],
    /// Whether their parents come along, too.
    pub include_parents: bool,
    /// Whether a provider of the source (first) and one of the destination have the same inputs.
    pub same_provider: &'a dyn Fn(&ResourceState, &ResourceState) -> bool,
}

/// What a move does.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The source without the resources.
    pub source: Snapshot,
    /// The destination with them. Their secrets are as they were.
    pub dest: Snapshot,
    /// Which states of `dest` come from the source: their secrets are those of the source's manager.
    pub arrived: Vec<usize>,
    /// The resources, by their names in the source.
    pub urns: Vec<Urn>,
    /// URNs that name nothing in the source.
    pub missing: Vec<String>,
    /// References of what stays to what goes, which are dropped.
    pub broken_source: Vec<Broken>,
    /// References of what goes to what stays, which are dropped.
    pub broken_dest: Vec<Broken>,
    /// Whether the destination had them all already, as after a move that was cut off.
    pub resumed: bool,
}

/// A reference between the stacks that is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The resource that referred.
    pub urn: Urn,
    /// What it referred to.
    pub to: Urn,
    /// How it referred.
    pub kind: BrokenKind,
}

/// How a resource refers to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokenKind {
    /// It depends on it.
    Dependency,
    /// One of its properties was made from it.
    Property(String),
    /// It is deleted with it.
    DeletedWith,
    /// It is replaced with it.
    ReplaceWith,
    /// It is a view of it.
    ViewOf,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Broken { urn, to, kind } = self;
        match kind {
            BrokenKind::Dependency => write!(f, "{urn} has a dependency on {to}"),
            BrokenKind::Property(key) => write!(f, "{urn} ({key}) has a property dependency on {to}"),
            BrokenKind::DeletedWith => write!(f, "{urn} is marked as deleted with {to}"),
            BrokenKind::ReplaceWith => write!(f, "{urn} is marked as replaced with {to}"),
            BrokenKind::ViewOf => write!(f, "{urn} is a view of {to}"),
        }
    }
}

fn refusal(code: &'static str, message: String, urn: Option<&Urn>, hint: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(code, message).with_hint(hint);
    match urn {
        Some(urn) => diagnostic.with_urn(urn.as_str()),
        None => diagnostic,
    }
}

/// Moves resources with their children, and copies the providers that they use. References between
/// what goes and what stays are dropped. Both results satisfy the rules of integrity if both sources
/// did.
pub fn move_resources(request: &MoveRequest<'_>) -> Result<Moved, Diagnostic> {
    let (going, missing) = choose(request)?;
    refuse_pending(request.source, &going)?;
    let stays = |urn: &Urn| !going.contains(urn);
    let providers = needed_providers(request.source, &going);

    let mut dest = request.dest.clone();
    let (root, new_root) = root_of(&dest, request.to);
    if let Some(state) = new_root {
        dest.resources.insert(0, state);
    }
    let had = dest.resources.len();
    let mut arrival =
        Arrival { request, going: &going, root, names: HashMap::new(), providers: HashMap::new() };
    let mut broken_dest = Vec::new();
    let mut already = Vec::new();
    let mut urns = Vec::new();
    for state in &request.source.resources {
        let goes = going.contains(&state.urn);
        if !goes && !state.as_provider().is_some_and(|provider| providers.contains(&provider)) {
            continue;
        }
        let mut new = ResourceState::clone(state);
        let mut broken = cut(&mut new, &stays);
        let new = arrival.rename(&new);
        if goes {
            broken_dest.append(&mut broken);
            urns.push(state.urn.clone());
            match dest.resources[..had].iter().find(|other| other.urn == new.urn) {
                Some(other) => already.push((state.urn.clone(), other.id == new.id && other.ty == new.ty)),
                None => dest.resources.push(Arc::new(new)),
            }
        } else if arrival.copy_provider(state, &new, &dest.resources[..had])? {
            broken_dest.append(&mut broken);
            dest.resources.push(Arc::new(new));
        }
    }
    let resumed = already.len() == urns.len() && already.iter().all(|(_, same)| *same);
    if let Some((urn, _)) = already.first().filter(|_| !resumed) {
        let name = arrival.names.get(urn).unwrap_or(urn);
        let message = format!("resource {name} already exists in the destination stack");
        return Err(refusal("move-taken", message, Some(urn), "rename it there or here with `state rename`"));
    }
    if resumed {
        // A move that was cut off has brought everything, providers included.
        dest = request.dest.clone();
        broken_dest.clear();
    }
    let arrived = if resumed { Vec::new() } else { (had..dest.resources.len()).collect() };
    copy_extensions(request.source, &mut dest)?;
    let (source, broken_source) = without(request.source, &going);
    Ok(Moved { source, dest, arrived, urns, missing, broken_source, broken_dest, resumed })
}

/// The names of what goes, and the URNs that name nothing.
fn choose(request: &MoveRequest<'_>) -> Result<(HashSet<Urn>, Vec<String>), Diagnostic> {
    let source = request.source;
    let mut going: HashSet<Urn> = HashSet::new();
    let mut missing = Vec::new();
    let mut unknown = None;
    for text in request.urns {
        if let Err(problem) = find(source, text, Selection::All) {
            missing.push(text.clone());
            unknown = Some(problem);
            continue;
        }
        let Some(urn) = Urn::parse(text) else { continue };
        if purlin_model::urn::is_provider_type(urn.ty()) {
            let message = format!("{urn} is a provider, and providers can't be moved");
            let hint = "move the resources; the providers that they use are copied along";
            return Err(refusal("move-provider", message, Some(&urn), hint));
        }
        going.insert(urn);
    }
    if let Some(problem) = unknown.filter(|_| going.is_empty()) {
        return Err(problem);
    }
    let parents: HashMap<&Urn, &Urn> =
        source.resources.iter().filter_map(|state| Some((&state.urn, state.parent.as_ref()?))).collect();
    let is_root = |urn: &Urn| urn.qualified_type() == STACK_TYPE;
    let mut wanted: HashSet<Urn> = going.clone();
    if request.include_parents {
        for urn in &going {
            let mut at = urn;
            // A state with a circle of parents doesn't pass the rules, but may be asked for.
            for _ in 0..source.resources.len() {
                let Some(parent) = parents.get(at).filter(|parent| !is_root(parent)) else { break };
                wanted.insert((*parent).clone());
                at = parent;
            }
        }
    }
    // Children stand behind their parents.
    for state in &source.resources {
        let comes = state.parent.as_ref().is_some_and(|parent| wanted.contains(parent));
        if comes && !state.is_provider() {
            wanted.insert(state.urn.clone());
        }
    }
    // The root of the stack stays: the destination has its own.
    wanted.retain(|urn| !is_root(urn));
    Ok((wanted, missing))
}

fn refuse_pending(source: &Snapshot, going: &HashSet<Urn>) -> Result<(), Diagnostic> {
    let pending = source.pending_operations.iter().find(|operation| going.contains(&operation.resource.urn));
    let Some(operation) = pending else { return Ok(()) };
    let urn = &operation.resource.urn;
    let message =
        format!("an operation on {urn} is pending ({}): nobody knows its outcome", operation.kind.as_str());
    Err(refusal("move-pending", message, Some(urn), "find out with `refresh`, then move it"))
}

/// The provider instances that what goes needs, and that don't go themselves.
fn needed_providers(source: &Snapshot, going: &HashSet<Urn>) -> BTreeSet<ProviderRef> {
    let mut needed: BTreeSet<ProviderRef> = BTreeSet::new();
    // A provider may be made by way of another one.
    for state in source.resources.iter().rev() {
        let wanted = going.contains(&state.urn)
            || state.as_provider().is_some_and(|provider| needed.contains(&provider));
        if wanted {
            needed.extend(state.provider.clone());
        }
    }
    needed
}

/// The root resource of a stack, and its state if it has to be made.
fn root_of(dest: &Snapshot, to: (&str, &str)) -> (Urn, Option<Arc<ResourceState>>) {
    let urn = Urn::root_stack(to.1, to.0);
    let found = dest.resources.iter().find(|state| state.urn.qualified_type() == STACK_TYPE && !state.delete);
    match found {
        Some(state) => (state.urn.clone(), None),
        None => (urn.clone(), Some(Arc::new(ResourceState::new(urn, false)))),
    }
}

/// Drops references to what isn't in the same stack any more.
fn cut(state: &mut ResourceState, lost: &dyn Fn(&Urn) -> bool) -> Vec<Broken> {
    let mut broken = Vec::new();
    let urn = state.urn.clone();
    let mut note = |to: &Urn, kind: BrokenKind| {
        let is_lost = lost(to);
        if is_lost {
            broken.push(Broken { urn: urn.clone(), to: to.clone(), kind });
        }
        is_lost
    };
    state.dependencies.retain(|to| !note(to, BrokenKind::Dependency));
    state.property_dependencies.retain(|key, list| {
        let had = list.len();
        list.retain(|to| !note(to, BrokenKind::Property(key.clone())));
        !list.is_empty() || had == 0
    });
    state.deleted_with.take_if(|to| note(to, BrokenKind::DeletedWith));
    state.replace_with.retain(|to| !note(to, BrokenKind::ReplaceWith));
    state.view_of.take_if(|to| note(to, BrokenKind::ViewOf));
    broken
}

/// The names that resources get in the destination.
struct Arrival<'a> {
    request: &'a MoveRequest<'a>,
    going: &'a HashSet<Urn>,
    /// The root of the destination.
    root: Urn,
    names: HashMap<Urn, Urn>,
    /// Instances of the destination that stand for those of the source.
    providers: HashMap<ProviderRef, ProviderRef>,
}

impl Arrival<'_> {
    /// A state as it is in the destination. Its parent, if that goes, has been renamed before.
    fn rename(&mut self, state: &ResourceState) -> ResourceState {
        let (project, stack) = self.request.to;
        let parent = state.parent.as_ref().filter(|parent| self.going.contains(*parent));
        let parent = parent.and_then(|parent| self.names.get(parent)).unwrap_or(&self.root).clone();
        let urn = Urn::new(stack, project, Some(&parent), state.urn.ty(), state.urn.name());
        self.names.insert(state.urn.clone(), urn.clone());
        let (names, old_prefix) = (&self.names, prefix_of(&state.urn));
        let map = |old: &Urn| match names.get(old) {
            Some(new) => new.clone(),
            None => old.clone(),
        };
        let touches = |text: &str| text.contains(&old_prefix);
        let mut new = map_urns(state, &Renaming { urn: &map, touches: &touches, aliases: false });
        new.urn = urn;
        new.parent = Some(parent);
        if let Some(provider) = &state.provider {
            new.provider = self.providers.get(provider).cloned().or(new.provider);
        }
        new
    }

    /// Whether a provider has to be copied, or the destination has one that serves.
    fn copy_provider(
        &mut self,
        old: &ResourceState,
        new: &ResourceState,
        dest: &[Arc<ResourceState>],
    ) -> Result<bool, Diagnostic> {
        let (Some(from), Some(to)) = (old.as_provider(), new.as_provider()) else { return Ok(false) };
        let Some(there) = dest.iter().find(|state| state.urn == new.urn && !state.delete) else {
            self.providers.insert(from, to);
            return Ok(true);
        };
        if there.id != new.id && !(self.request.same_provider)(old, there) {
            let message =
                format!("provider {} already exists in the destination stack, with other inputs", new.urn);
            let hint = "give the resources a provider of another name before moving them";
            return Err(refusal("move-provider-taken", message, Some(&old.urn), hint));
        }
        self.providers.insert(from, there.as_provider().unwrap_or(to));
        Ok(false)
    }
}

fn prefix_of(urn: &Urn) -> String {
    format!("urn:pulumi:{}::{}::", urn.stack(), urn.project())
}

/// Brings the extensions along that resources use.
fn copy_extensions(source: &Snapshot, dest: &mut Snapshot) -> Result<(), Diagnostic> {
    for state in &dest.resources {
        let reference = &state.extension_ref;
        if reference.is_empty() || dest.extensions.contains_key(reference) {
            continue;
        }
        let Some(extension) = source.extensions.get(reference) else {
            let message = format!("the source has no extension {reference}, which {} uses", state.urn);
            return Err(refusal("move-extension", message, Some(&state.urn), "look at it with `state fsck`"));
        };
        dest.extensions.insert(reference.clone(), Arc::clone(extension));
    }
    Ok(())
}

/// The source without what goes.
fn without(source: &Snapshot, going: &HashSet<Urn>) -> (Snapshot, Vec<Broken>) {
    let mut broken = Vec::new();
    let root = source.resources.iter().find(|state| state.urn.qualified_type() == STACK_TYPE);
    let root = root.map(|state| state.urn.clone());
    let mut resources = Vec::new();
    for state in source.resources.iter().filter(|state| !going.contains(&state.urn)) {
        let orphaned = state.parent.as_ref().is_some_and(|parent| going.contains(parent));
        if !orphaned && !state.references().any(|urn| going.contains(urn)) {
            resources.push(Arc::clone(state));
            continue;
        }
        let mut new = ResourceState::clone(state);
        broken.append(&mut cut(&mut new, &|urn| going.contains(urn)));
        if orphaned {
            new.parent.clone_from(&root);
        }
        resources.push(Arc::new(new));
    }
    let used: BTreeSet<&str> = resources.iter().map(|state| state.extension_ref.as_str()).collect();
    let extensions: BTreeMap<_, _> = source
        .extensions
        .iter()
        .filter(|(key, _)| used.contains(key.as_str()))
        .map(|(key, value)| (key.clone(), Arc::clone(value)))
        .collect();
    (Snapshot { resources, extensions, ..source.clone() }, broken)
}
