//! The rules of integrity: what every list of states satisfies.

use std::fmt;

use purlin_diag::Diagnostic;
use purlin_model::urn::is_provider_type;
use purlin_model::{ProviderRef, QuickMap, QuickSet, ResourceState, Slot, Snapshot, Urn};

use crate::entry::Change;
use crate::fold::{Fold, Position};

/// One rule that a list of states may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A resource has a type.
    HasType,
    /// What is not custom has no id.
    ComponentWithoutId,
    /// A provider's URN is that of a provider.
    ProviderReferenceable,
    /// The provider instance stands before the resource, unless that waits for its replacement.
    ProviderBefore,
    /// The parent stands before the resource.
    ParentBefore,
    /// Dependencies stand before the resource.
    DependencyBefore,
    /// Dependencies of properties stand before the resource.
    PropertyDependencyBefore,
    /// The resource whose deletion deletes it stands before the resource.
    DeletedWithBefore,
    /// The resources whose replacement replaces it stand before the resource.
    ReplaceWithBefore,
    /// All states of one URN but one wait for deletion.
    OneLiveState,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityProblem {
    /// The rule.
    pub rule: Rule,
    /// The resource that breaks it.
    pub urn: Urn,
    /// What it refers to: a URN, or the reference of a provider.
    pub reference: Option<String>,
    /// Whether what it refers to stands after it, rather than nowhere.
    pub comes_after: bool,
}

impl fmt::Display for IntegrityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urn = &self.urn;
        let what = match self.rule {
            Rule::HasType => return write!(f, "resource {urn} has no type"),
            Rule::ComponentWithoutId => return write!(f, "resource {urn} is not custom and has an id"),
            Rule::ProviderReferenceable => {
                return write!(f, "provider {urn} has a URN that is not that of a provider");
            }
            Rule::OneLiveState => {
                return write!(f, "resource {urn} occurs more than once without waiting for deletion");
            }
            Rule::ProviderBefore => "provider",
            Rule::ParentBefore => "parent",
            Rule::DependencyBefore => "dependency",
            Rule::PropertyDependencyBefore => "property dependency",
            Rule::DeletedWithBefore => "deletedWith resource",
            Rule::ReplaceWithBefore => "replaceWith resource",
        };
        let where_to = if self.comes_after { "comes after it" } else { "is missing" };
        write!(f, "resource {urn}: its {what} {} {where_to}", self.reference.as_deref().unwrap_or_default())
    }
}

impl IntegrityProblem {
    /// The problem as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error("state-integrity", self.to_string()).with_urn(self.urn.as_str())
    }
}

/// Every rule that a snapshot breaks, in the order of its list.
pub fn check_integrity(snapshot: &Snapshot) -> Vec<IntegrityProblem> {
    check_states(snapshot.resources.iter().map(|state| &**state))
}

/// The refusal to use a snapshot that breaks rules, in one diagnostic.
pub fn refuse_if_invalid(snapshot: &Snapshot) -> Result<(), Diagnostic> {
    let problems = check_integrity(snapshot);
    let Some(first) = problems.first() else { return Ok(()) };
    let more = match problems.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    let message = format!("snapshot integrity failure; refusing to use it: {first}{more}");
    Err(Diagnostic::error("state-integrity", message)
        .with_urn(first.urn.as_str())
        .with_hint("write the deployment with `stack export`, put the list in order, and read it back with `stack import`"))
}

pub(crate) fn check_states<'a>(states: impl Iterator<Item = &'a ResourceState>) -> Vec<IntegrityProblem> {
    let mut problems = Vec::new();
    let mut seen: QuickMap<&Urn, bool> = QuickMap::default();
    let mut providers: QuickSet<ProviderRef> = QuickSet::default();
    for state in states {
        check_form(state, &mut problems);
        providers.extend(state.as_provider());
        if let Some(provider) = &state.provider
            && !state.pending_replacement
            && !providers.contains(provider)
        {
            problems.push(missing(state, Rule::ProviderBefore, provider.to_string()));
        }
        each_reference(state, |rule, urn| {
            if !seen.contains_key(urn) {
                problems.push(missing(state, rule, urn.to_string()));
            }
        });
        let live = seen.entry(&state.urn).or_insert(false);
        if *live && !state.delete {
            problems.push(broken(state, Rule::OneLiveState));
        }
        *live |= !state.delete;
    }
    for problem in &mut problems {
        let target = problem.reference.as_deref().and_then(|text| match problem.rule {
            Rule::ProviderBefore => {
                ProviderRef::parse(text).filter(|p| providers.contains(p)).map(|p| p.urn().clone())
            }
            _ => Urn::parse(text),
        });
        problem.comes_after = target.is_some_and(|urn| seen.contains_key(&urn));
    }
    problems
}

/// The rules that look at one state alone.
fn check_form(state: &ResourceState, problems: &mut Vec<IntegrityProblem>) {
    let rules = [
        (Rule::HasType, !state.ty.is_empty()),
        (Rule::ComponentWithoutId, state.custom || state.id.is_empty()),
        (Rule::ProviderReferenceable, !state.is_provider() || is_provider_type(state.urn.ty())),
    ];
    problems.extend(rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| broken(state, rule)));
}

/// Everything but the provider that has to stand before a state.
fn each_reference<'a>(state: &'a ResourceState, mut take: impl FnMut(Rule, &'a Urn)) {
    state.parent.iter().for_each(|urn| take(Rule::ParentBefore, urn));
    state.dependencies.iter().for_each(|urn| take(Rule::DependencyBefore, urn));
    state.property_dependencies.values().flatten().for_each(|urn| take(Rule::PropertyDependencyBefore, urn));
    state.deleted_with.iter().for_each(|urn| take(Rule::DeletedWithBefore, urn));
    state.replace_with.iter().for_each(|urn| take(Rule::ReplaceWithBefore, urn));
}

fn broken(state: &ResourceState, rule: Rule) -> IntegrityProblem {
    IntegrityProblem { rule, urn: state.urn.clone(), reference: None, comes_after: false }
}

fn missing(state: &ResourceState, rule: Rule, reference: String) -> IntegrityProblem {
    IntegrityProblem { reference: Some(reference), ..broken(state, rule) }
}

pub(crate) fn check_changes(fold: &mut Fold, changes: &[Change]) -> Vec<IntegrityProblem> {
    let mut check =
        Admission { leaving: QuickSet::default(), arrived: QuickMap::default(), problems: Vec::new() };
    for change in changes {
        match change {
            Change::Place { replaces: Some(slot), .. }
            | Change::MarkDelete { slot }
            | Change::Remove { slot } => {
                check.leaving.insert(*slot);
            }
            _ => {}
        }
    }
    for change in changes {
        check.change(fold, change);
    }
    check.problems
}

/// The check of changes that are to be made together.
struct Admission {
    /// The states that one of the changes removes or marks for deletion.
    leaving: QuickSet<Slot>,
    /// What an earlier one of the changes gave a place, with the provider that it is.
    arrived: QuickMap<Urn, Option<ProviderRef>>,
    problems: Vec<IntegrityProblem>,
}

impl Admission {
    fn change(&mut self, fold: &mut Fold, change: &Change) {
        match change {
            Change::Place { state, replaces, .. } => {
                // Under another name it stays the same instance: references are rewritten.
                let id = |state: &ResourceState| state.as_provider().map(|p| p.id().to_owned());
                if let Some(old) = replaces
                    && fold.state(*old).is_some_and(|old| id(old) != id(state))
                {
                    self.removed_provider(fold, *old);
                }
                check_form(state, &mut self.problems);
                self.references(fold, state, fold.position_for(*replaces));
                let twice = fold.live(&state.urn).is_some_and(|slot| !self.leaving.contains(&slot));
                if twice && !state.delete {
                    self.problems.push(broken(state, Rule::OneLiveState));
                }
                self.arrived.insert(state.urn.clone(), state.as_provider());
            }
            Change::Keep { slot } => {
                if let Some(state) = fold.state(*slot)
                    && !fold.is_placed(*slot)
                {
                    self.references(fold, state, fold.next_position());
                    self.arrived.insert(state.urn.clone(), state.as_provider());
                }
            }
            Change::Amend { slot, state } => {
                check_form(state, &mut self.problems);
                self.references(fold, state, fold.position(*slot));
            }
            Change::Remove { slot } => self.removed_provider(fold, *slot),
            Change::MarkDelete { .. }
            | Change::MarkPendingReplacement { .. }
            | Change::Extend { .. }
            | Change::ClearPending { .. } => {}
        }
    }

    /// The rules on references for a state at a position.
    fn references(&mut self, fold: &Fold, state: &ResourceState, position: Position) {
        let appended = position == fold.next_position();
        if let Some(provider) = &state.provider
            && !state.pending_replacement
        {
            let arrived = self.arrived.get(provider.urn()).is_some_and(|p| p.as_ref() == Some(provider));
            let found: Vec<Slot> = instances(fold, provider).collect();
            if !(appended && arrived || found.iter().any(|slot| fold.position(*slot) < position)) {
                let problem = missing(state, Rule::ProviderBefore, provider.to_string());
                self.problems.push(IntegrityProblem { comes_after: !found.is_empty(), ..problem });
            }
        }
        each_reference(state, |rule, urn| {
            let before = fold.with_urn(urn).any(|(slot, _)| fold.position(slot) < position);
            if !(before || appended && self.arrived.contains_key(urn)) {
                let comes_after = fold.with_urn(urn).next().is_some();
                self.problems.push(IntegrityProblem { comes_after, ..missing(state, rule, urn.to_string()) });
            }
        });
    }

    /// A provider that goes away while something that stays names it.
    fn removed_provider(&mut self, fold: &mut Fold, slot: Slot) {
        let Some(provider) = fold.state(slot).and_then(|state| state.as_provider()) else { return };
        if instances(fold, &provider).any(|other| !self.leaving.contains(&other)) {
            return;
        }
        for user in fold.referrers_of(provider.urn()) {
            if let Some(state) = fold.state(user)
                && state.provider.as_ref() == Some(&provider)
                && !state.pending_replacement
                && !self.leaving.contains(&user)
            {
                self.problems.push(missing(state, Rule::ProviderBefore, provider.to_string()));
            }
        }
    }
}

/// The states of a provider instance.
fn instances(fold: &Fold, provider: &ProviderRef) -> impl Iterator<Item = Slot> {
    let states = fold.with_urn(provider.urn());
    states.filter(|(_, state)| state.as_provider().as_ref() == Some(provider)).map(|(slot, _)| slot)
}
