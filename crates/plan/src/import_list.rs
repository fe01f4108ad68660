//! Imports from a list: existing resources are taken over without a program.
//!
//! What the state has stays as it is and where it is. Root stack and providers are made where they
//! are missing; each resource waits for its parent and its provider.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::urn::{STACK_TYPE, is_provider_type, package_of_type};
use purlin_model::{Extension, Goal, PackageDescriptor, PropertyMap, ProviderRef, Slot, Urn};

use crate::effect::Effect;
use crate::input::Registration;
use crate::provider::Choice;
use crate::rule::Rule;
use crate::table::{Phase, Planner, ResId, Stage};
use crate::twins::{manages, same_place};

/// A resource to be taken over.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// Its type; a provider type for a provider to be registered with `inputs`.
    pub ty: String,
    /// Its name.
    pub name: String,
    /// The id by which its provider knows it; empty for components and providers.
    pub id: String,
    /// What it is to be under; the root stack by default.
    pub parent: Option<Urn>,
    /// The provider, of the state or of the list; the package's default one by default.
    pub provider: Option<Urn>,
    /// The configuration of `provider` where neither state nor list has it.
    pub provider_inputs: PropertyMap,
    /// The package; named after the type by default.
    pub package: Option<PackageDescriptor>,
    /// The extension of the package that it uses.
    pub extension: Option<Arc<Extension>>,
    /// Whether it is protected from now on.
    pub protect: bool,
    /// The properties that become inputs; all that the provider tells by default.
    pub properties: Vec<String>,
    /// Inputs that fill in what the provider does not tell; of components and providers all of them.
    pub inputs: Option<PropertyMap>,
    /// Outputs to be taken as they are: then nothing is read.
    pub outputs: Option<PropertyMap>,
    /// Whether it is a component: an empty one is made.
    pub component: bool,
    /// Whether a plugin makes the component.
    pub remote: bool,
}

impl ImportRequest {
    fn package(&self) -> PackageDescriptor {
        let own = package_of_type(&self.ty);
        self.package.clone().unwrap_or_else(|| PackageDescriptor::new(own, ""))
    }

    fn needs_provider(&self) -> bool {
        !is_provider_type(&self.ty) && (!self.component || self.remote)
    }
}

/// How far a list is.
#[derive(Debug, Default)]
pub(crate) struct ImportList {
    /// The names that the list makes.
    urns: HashSet<Urn>,
    /// Those of the list that wait for a registration.
    waiting: HashMap<Urn, Vec<Arc<ImportRequest>>>,
    /// Registrations that come from the list.
    by_res: HashMap<ResId, Arc<ImportRequest>>,
    root: Option<Urn>,
    /// The states of the base by their ids, once somebody has asked.
    by_id: Option<HashMap<String, Vec<Slot>>>,
}

/// What something of the list refers to.
enum Need {
    Stands,
    WaitsFor(Urn),
    Failed,
    Unknown,
}

impl Planner {
    /// What a registration of an import takes over, if it comes from a list.
    pub fn import_request(&self, res: ResId) -> Option<&Arc<ImportRequest>> {
        self.import_list.by_res.get(&res)
    }

    /// Begins with a list.
    pub(crate) fn start_import_list(&mut self) {
        self.stage = Stage::Deleting;
        self.carry_all();
        self.root_of_list();
        let requests = std::mem::take(&mut self.settings.imports);
        self.import_list.urns = requests.iter().map(|request| self.urn_of_request(request)).collect();
        for request in requests {
            self.take_in(Arc::new(request));
        }
    }

    /// Everything of the base that is not waiting for deletion keeps its order, before what is new.
    fn carry_all(&mut self) {
        let slots: Vec<Slot> =
            self.all_slots().into_iter().filter(|slot| !self.entry(*slot).state.delete).collect();
        for slot in &slots {
            self.take_place(*slot);
            self.entry_mut(*slot).carried = true;
        }
        if !slots.is_empty() {
            self.effects.push(Effect::Carry { slots });
        }
    }

    fn root_of_list(&mut self) {
        let base = self.slots.iter().map(|entry| &entry.state);
        let known = base.filter(|state| &*state.ty == STACK_TYPE && state.parent.is_none() && !state.delete);
        let known = known.map(|state| state.urn.clone()).next();
        let root = known.unwrap_or_else(|| Urn::root_stack(&self.settings.stack, &self.settings.project));
        self.import_list.root = Some(root.clone());
        if !self.live.contains_key(&root) {
            let goal = Goal::new(STACK_TYPE, root.name(), false, PropertyMap::new());
            self.register_own(goal, PackageDescriptor::new("pulumi", ""), root);
        }
    }

    fn register_own(&mut self, goal: Goal, package: PackageDescriptor, urn: Urn) {
        let mut request = Registration { goal, providers: BTreeMap::new(), package, read_id: None };
        self.describe_explicit_provider(&mut request);
        let res = self.admit(None, request, urn);
        self.effects.push(Effect::Adopt { res });
        self.begin(res);
    }

    fn urn_of_request(&self, request: &ImportRequest) -> Urn {
        let root = self.import_list.root.as_ref().filter(|_| !is_provider_type(&request.ty));
        let parent = request.parent.as_ref().or(root);
        Urn::new(&self.settings.stack, &self.settings.project, parent, &request.ty, &request.name)
    }

    /// Takes in one of the list, or has it wait for what it refers to.
    fn take_in(&mut self, request: Arc<ImportRequest>) {
        if self.stopping {
            return;
        }
        let urn = self.urn_of_request(&request);
        if let Some(slot) = self.live.get(&urn).copied() {
            return self.compare_with_base(&request, slot);
        }
        if self.by_urn.contains_key(&urn) {
            let message = format!("duplicate import '{}' of type '{}'", request.name, request.ty);
            return self.refuse_import("import-duplicate", message, &urn);
        }
        let root = self.import_list.root.clone().filter(|_| !is_provider_type(&request.ty));
        let parent = request.parent.clone().or(root);
        match parent.as_ref().map_or(Need::Stands, |parent| self.need(parent)) {
            Need::Stands => {}
            Need::WaitsFor(parent) => return self.wait_for(parent, request),
            Need::Failed => return,
            Need::Unknown => {
                let parent = parent.map(|urn| urn.to_string()).unwrap_or_default();
                let message = format!("unknown parent '{parent}' for resource '{urn}'");
                return self.refuse_import("import-parent", message, &urn);
            }
        }
        if is_provider_type(&request.ty) {
            let inputs = request.inputs.clone().unwrap_or_default();
            let mut goal = Goal::new(&request.ty, &request.name, true, inputs);
            goal.parent = parent;
            return self.register_own(goal, request.package(), urn);
        }
        let Some(provider) = self.provider_of_request(&request, &urn) else { return };
        self.import_one(request, urn, parent, provider);
    }

    /// The provider of a request, settled; `None` if it has to wait, or was refused.
    #[expect(clippy::option_option, reason = "a component has none, and that is settled")]
    fn provider_of_request(
        &mut self,
        request: &Arc<ImportRequest>,
        urn: &Urn,
    ) -> Option<Option<ProviderRef>> {
        if !request.needs_provider() {
            return Some(None);
        }
        let Some(provider) = &request.provider else { return self.default_of_request(request, urn) };
        match self.need(provider) {
            Need::Stands => {
                let state = self.current(provider).map(|(_, state)| Arc::clone(state));
                let reference = state.and_then(|state| state.as_provider());
                if reference.is_none() {
                    self.refuse_as_provider(provider, urn);
                }
                Some(Some(reference?))
            }
            Need::WaitsFor(provider) => {
                self.wait_for(provider, Arc::clone(request));
                None
            }
            Need::Failed => None,
            Need::Unknown if !is_provider_type(provider.ty()) => {
                self.refuse_as_provider(provider, urn);
                None
            }
            Need::Unknown => {
                self.wait_for(provider.clone(), Arc::clone(request));
                let inputs = request.provider_inputs.clone();
                let mut goal = Goal::new(provider.ty(), provider.name(), true, inputs);
                goal.parent = None;
                self.register_own(goal, request.package(), provider.clone());
                None
            }
        }
    }

    #[expect(clippy::option_option, reason = "a component has none, and that is settled")]
    fn default_of_request(&mut self, request: &Arc<ImportRequest>, urn: &Urn) -> Option<Option<ProviderRef>> {
        match self.choose_provider(None, &BTreeMap::new(), None, &request.package()) {
            Choice::Settled(provider) => return Some(Some(provider)),
            Choice::Default(provider) => self.wait_for(provider, Arc::clone(request)),
            Choice::Failed(_) => {}
            Choice::Invalid(message) => self.refuse_import("default-provider-disabled", message, urn),
        }
        None
    }

    fn import_one(
        &mut self,
        request: Arc<ImportRequest>,
        urn: Urn,
        parent: Option<Urn>,
        provider: Option<ProviderRef>,
    ) {
        let inputs = request.inputs.clone().unwrap_or_default();
        let mut goal = Goal::new(&request.ty, &request.name, !request.component, inputs);
        goal.extension = request.extension.clone().filter(|_| goal.custom);
        goal.parent = parent;
        goal.protect = request.protect.then_some(true);
        goal.import_id.clone_from(&request.id);
        let (package, providers) = (request.package(), BTreeMap::new());
        let res = self.admit(None, Registration { goal, providers, package, read_id: None }, urn);
        self.get_mut(res).provider = provider;
        self.import_list.by_res.insert(res, request);
        self.plan_import(res);
    }

    /// What the state has already is not taken over again.
    fn compare_with_base(&mut self, request: &ImportRequest, slot: Slot) {
        let state = &self.entry(slot).state;
        let known = if state.import_id.is_empty() { &state.id } else { &state.import_id };
        if *known == request.id || is_provider_type(&request.ty) {
            return self.fire(Rule::ListKnown);
        }
        let urn = state.urn.clone();
        self.refuse_import("import-exists", format!("resource '{urn}' already exists"), &urn);
    }

    /// Says so where the state has had what was taken over under another name: whichever of the two is
    /// deleted, the thing goes.
    pub(crate) fn warn_of_second(&mut self, slot: Slot) {
        let new = Arc::clone(&self.entry(slot).state);
        if !manages(&new) {
            return;
        }
        let slots = &self.slots;
        let by_id = self.import_list.by_id.get_or_insert_with(|| {
            let mut by_id: HashMap<String, Vec<Slot>> = HashMap::new();
            let base = (0u32..).map(Slot).zip(slots).filter(|(_, entry)| !entry.new && manages(&entry.state));
            base.for_each(|(slot, entry)| by_id.entry(entry.state.id.clone()).or_default().push(slot));
            by_id
        });
        let mut known = by_id.get(&new.id).into_iter().flatten().map(|slot| &slots[slot.0 as usize].state);
        let Some(other) = known.find(|known| same_place(known, &new)) else { return };
        let message = format!(
            "resource \"{}\" is about '{}', which \"{}\" manages already: if either is deleted, the thing goes",
            new.urn, new.id, other.urn
        );
        let hint =
            format!("take one of the two out of the state, for example with `state delete '{}'`", other.urn);
        self.say(Diagnostic::warning("same-thing", message).with_urn(new.urn.as_str()).with_hint(&hint));
    }

    fn refuse_as_provider(&mut self, provider: &Urn, urn: &Urn) {
        let message = format!("imported provider URN \"{provider}\" is not a provider type");
        self.refuse_import("import-provider", message, urn);
    }

    fn refuse_import(&mut self, code: &'static str, message: String, urn: &Urn) {
        self.fire(Rule::ListRefused);
        self.say(Diagnostic::error(code, message).with_urn(urn.as_str()));
        self.fail_run();
    }

    fn need(&self, urn: &Urn) -> Need {
        if let Some(resource) = self.resource_by_urn(urn) {
            return match resource.phase {
                Phase::Done => Need::Stands,
                Phase::Failed | Phase::Skipped => Need::Failed,
                _ => Need::WaitsFor(urn.clone()),
            };
        }
        if self.live.contains_key(urn) {
            return Need::Stands;
        }
        match self.import_list.urns.contains(urn) {
            true => Need::WaitsFor(urn.clone()),
            false => Need::Unknown,
        }
    }

    fn wait_for(&mut self, urn: Urn, request: Arc<ImportRequest>) {
        self.fire(Rule::ListWaited);
        self.import_list.waiting.entry(urn).or_default().push(request);
    }

    /// A registration is settled: what waited for it goes on.
    pub(crate) fn resume_imports(&mut self, urn: &Urn) {
        for request in self.import_list.waiting.remove(urn).unwrap_or_default() {
            self.take_in(request);
        }
    }
}
