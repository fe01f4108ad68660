//! What is not deleted after all: what the operation is not about, what is protected, what failed
//! resources may need, and everything that these need.

use std::collections::{BTreeSet, HashSet};

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::{ProviderRef, Slot, Urn};

use crate::deletes::Condemned;
use crate::graph::StateGraph;
use crate::rule::Rule;
use crate::settings::Mode;
use crate::table::{Fate, Phase, Planner};

impl Planner {
    /// Takes out what the operation is not about. What was to be deleted along and is not named is an
    /// error, and then nothing is deleted; a preview shows it all the same.
    pub(crate) fn limit_deletes(&mut self, condemned: &mut Condemned) {
        if !self.settings.targets.limits() {
            return;
        }
        let before = condemned.len();
        let idle = self.condemn_carried(condemned);
        let targets = std::mem::take(&mut self.settings.targets);
        let mut all: Vec<Slot> =
            self.all_slots().into_iter().filter(|slot| self.entry(*slot).fate != Fate::Gone).collect();
        all.sort_by_key(|slot| self.rank(*slot));
        let graph = match self.settings.mode {
            Mode::Update => StateGraph::of_base(self),
            _ => StateGraph::new(self, all.iter().copied()),
        };
        let urn = |slot: Slot| &self.entry(slot).state.urn;
        let named = if targets.only.is_empty() { &targets.except } else { &targets.only };
        // Unless it is asked for, only what is gone afterwards takes dependents along.
        let gone = |slot: &Slot| {
            let op = condemned.get(&self.rank(*slot));
            op.is_some_and(|op| !matches!(op, StepOp::DeleteReplaced | StepOp::DiscardReplaced))
        };
        let counts = |slot: &Slot| targets.only.is_empty() || targets.with_dependents || gone(slot);
        let is_named = |slot: &Slot| self.names_of(*slot).any(|name| named.contains(name));
        // What has another state now is still what others depended on.
        let whole = if self.settings.mode == Mode::Update { self.all_slots() } else { all.clone() };
        let named: Vec<Slot> = whole.into_iter().filter(|slot| is_named(slot) && counts(slot)).collect();
        // What a cascade has deleted is only taken off the list.
        let over = |slot: Slot| self.cascades.took(slot);
        let mut unnamed: Vec<Urn> = Vec::new();
        if targets.only.is_empty() {
            let kept = match targets.except_dependents {
                true => graph.with_dependents(named, false, |_| true),
                false => named.into_iter().collect(),
            };
            let kept = graph.with_needs(kept);
            condemned.retain(|(_, slot), _| over(*slot) || !kept.contains(slot));
            self.spare_carried(condemned, &idle, &all);
        } else {
            let allowed: HashSet<&Urn> =
                graph.with_dependents(named, false, |_| true).into_iter().map(urn).collect();
            let meant = |urn: &Urn| allowed.contains(urn) || targets.only.contains(urn);
            condemned.retain(|(_, slot), _| over(*slot) || meant(urn(*slot)));
            self.spare_carried(condemned, &idle, &all);
            let along =
                |slot: &Slot| !(targets.with_dependents || over(*slot) || targets.only.contains(urn(*slot)));
            unnamed
                .extend(condemned.keys().map(|(_, slot)| *slot).filter(along).map(|slot| urn(slot).clone()));
        }
        self.settings.targets = targets;
        if condemned.len() < before {
            self.fire(Rule::DeleteLimited);
        }
        self.spare_providers(condemned, &all);
        let carried = std::mem::take(&mut self.scope.carried);
        let left = all.into_iter().filter(|slot| self.goes_on(*slot, condemned));
        let stays =
            |slot: &Slot| self.entry(*slot).claimed.is_none() && !condemned.contains_key(&self.rank(*slot));
        let unclaimed = carried.into_iter().filter(stays);
        self.scope.left = left.chain(unclaimed).collect();
        unnamed.iter().for_each(|urn| self.say(unnamed_delete(urn)));
        if !unnamed.is_empty() {
            self.fire(Rule::DeleteUnnamed);
            self.failed = true;
            if !self.settings.preview {
                self.scope.left.clear();
                condemned.clear();
            }
        }
    }

    /// Adds what was carried along and nothing has registered. Whether something needs it in the end does
    /// not depend on who came first.
    fn condemn_carried(&self, condemned: &mut Condemned) -> HashSet<Slot> {
        let mut added = HashSet::new();
        if self.settings.mode != Mode::Update {
            return added;
        }
        for slot in &self.scope.carried {
            let entry = self.entry(*slot);
            let idle = entry.claimed.is_none() && !entry.state.is_provider() && entry.state.view_of.is_none();
            let op = match entry.fate {
                _ if !idle || entry.state.delete => None,
                Fate::AwaitsReplacement => Some(StepOp::RemovePendingReplace),
                Fate::Stands if entry.state.external => Some(StepOp::Discard),
                Fate::Stands => Some(StepOp::Delete),
                Fate::Gone | Fate::Condemned(_) => None,
            };
            if let Some(op) = op.filter(|_| !condemned.contains_key(&self.rank(*slot))) {
                condemned.insert(self.rank(*slot), op);
                added.insert(*slot);
            }
        }
        added
    }

    /// Takes out what was carried along and what stays refers to, directly or by way of others.
    fn spare_carried(&self, condemned: &mut Condemned, idle: &HashSet<Slot>, all: &[Slot]) {
        if idle.is_empty() {
            return;
        }
        let mut needed: HashSet<&Urn> = HashSet::new();
        for slot in all.iter().rev() {
            let state = &self.entry(*slot).state;
            let rank = self.rank(*slot);
            if idle.contains(slot) && needed.contains(&state.urn) {
                condemned.remove(&rank);
            }
            if !condemned.contains_key(&rank) {
                needed.extend(state.references());
            }
        }
    }

    /// The names that a state had or has in this run.
    pub(crate) fn names_of(&self, slot: Slot) -> impl Iterator<Item = &Urn> {
        let entry = self.entry(slot);
        let claimer = entry.claimed.map(|res| self.urn(res));
        [&entry.state.urn].into_iter().chain(claimer).chain(self.scope.former.get(&slot))
    }

    /// Whether a state goes on without anything being done about it.
    fn goes_on(&self, slot: Slot, condemned: &Condemned) -> bool {
        let entry = self.entry(slot);
        let ahead = !entry.carried && self.scope.ahead.contains(&slot);
        let unregistered = !entry.new && (entry.place == u32::MAX || ahead) && entry.claimed.is_none();
        unregistered && !condemned.contains_key(&self.rank(slot))
    }

    /// Takes out the providers of what stays.
    fn spare_providers(&self, condemned: &mut Condemned, all: &[Slot]) {
        let staying = all.iter().filter(|slot| !condemned.contains_key(&self.rank(**slot)));
        let used: HashSet<&ProviderRef> =
            staying.filter_map(|slot| self.entry(*slot).state.provider.as_ref()).collect();
        condemned
            .retain(|(_, slot), _| self.entry(*slot).state.as_provider().is_none_or(|p| !used.contains(&p)));
    }

    /// Takes protected resources out, and with them everything that they need. Without
    /// `exclude_protected` each is an error.
    pub(crate) fn spare_protected(&mut self, condemned: &mut Condemned) {
        if self.settings.ignore_protect {
            return;
        }
        let protected: Vec<Slot> = condemned
            .iter()
            .filter(|((_, slot), op)| **op == StepOp::Delete && self.entry(*slot).state.protect)
            .map(|((_, slot), _)| *slot)
            .collect();
        if protected.is_empty() {
            return;
        }
        let excludes = self.settings.exclude_protected;
        self.fire(if excludes { Rule::ProtectedExcluded } else { Rule::ProtectedDelete });
        if !excludes {
            for slot in &protected {
                let urn = self.entry(*slot).state.urn.clone();
                self.say(protected_delete(&urn));
            }
            self.failed = true;
        }
        let graph = StateGraph::new(self, condemned.keys().map(|(_, slot)| *slot));
        let kept = graph.with_needs(protected);
        condemned.retain(|(_, slot), _| !kept.contains(slot));
    }

    /// Where registrations failed or were skipped and the run went on: keeps what their old states
    /// need. What needed them is kept, too, since the program may have left it out only because it
    /// had nothing to make it from; the next run that goes well deletes it.
    pub(crate) fn spare_for_failed(&mut self, condemned: &mut Condemned) {
        if !self.failed || self.settings.mode != Mode::Update {
            return;
        }
        let failed = |phase: &Phase| matches!(phase, Phase::Failed | Phase::Skipped);
        let failed: BTreeSet<Slot> =
            self.resources.iter().filter(|r| failed(&r.phase)).filter_map(|r| r.old).collect();
        if failed.is_empty() {
            return;
        }
        let ranks = failed.iter().map(|slot| self.rank(*slot));
        let slots: BTreeSet<(u32, Slot)> = ranks.chain(condemned.keys().copied()).collect();
        let graph = StateGraph::new(self, slots.iter().map(|(_, slot)| *slot));
        let takes = |other| condemned.get(&self.rank(other)) == Some(&StepOp::Delete);
        let kept = graph.with_needs(graph.with_dependents(failed, true, takes));
        let all = condemned.len();
        condemned.retain(|(_, slot), _| !kept.contains(slot));
        if condemned.len() < all {
            self.fire(Rule::SparedForFailed);
        }
    }
}

fn unnamed_delete(urn: &Urn) -> Diagnostic {
    let message = format!("resource '{urn}' would be deleted along and is not one of the targets");
    Diagnostic::error("target-needs-more", message)
        .with_urn(urn.as_str())
        .with_hint("name it with --target, too, or pass --target-dependents")
}

fn protected_delete(urn: &Urn) -> Diagnostic {
    let message = format!(
        "resource \"{urn}\" cannot be deleted\nbecause it is protected. To unprotect the resource, either remove \
         the `protect` flag from the resource in your program and run `up`, or use the command:\n\
         `pulumi state unprotect '{urn}'`"
    );
    Diagnostic::error("protected-delete", message).with_urn(urn.as_str())
}
