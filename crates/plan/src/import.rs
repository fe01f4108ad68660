//! The `import` option: an existing resource is taken over, then compared with what the program
//! wants.

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::{ResourceState, Slot};
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::StepSeed;
use crate::effect::{After, StepReasons};
use crate::envelope;
use crate::rule::Rule;
use crate::settings::Mode;
use crate::step::StepId;
use crate::table::{Phase, Planner, ResId};

/// What stands for the outputs of another stack: there is nothing to be taken over.
const STACK_REFERENCE: &str = "pulumi:pulumi:StackReference";

impl Planner {
    /// Whether a registration asks for an existing resource to be taken over. One that was taken over
    /// before is registered like any other: its state has the id that was asked for, or was imported
    /// by that id and has another one since.
    pub(crate) fn wants_import(&self, res: ResId) -> bool {
        let resource = self.get(res);
        let id = &resource.goal.import_id;
        if id.is_empty() || !resource.goal.custom || resource.imported {
            return false;
        }
        !resource.old.is_some_and(|slot| {
            let old = &self.entry(slot).state;
            !old.external && (old.id == *id || old.import_id == *id)
        })
    }

    /// Reads the resource and puts it into the list; an old state of the registration that is about
    /// another resource is replaced by it.
    pub(crate) fn plan_import(&mut self, res: ResId) {
        let resource = self.get(res);
        if purlin_model::urn::is_provider_type(&resource.goal.ty) {
            let urn = resource.urn.clone();
            self.fire(Rule::ImportRefused);
            let message = format!("provider \"{urn}\" can't be imported: providers have no state to be read");
            let hint = "leave the `import` option out";
            self.say(Diagnostic::error("import-provider", message).with_urn(urn.as_str()).with_hint(hint));
            return self.fail(res);
        }
        if resource.goal.ty == STACK_REFERENCE {
            let urn = resource.urn.clone();
            self.fire(Rule::ImportRefused);
            let problem = Diagnostic::error("import-stack-reference", "stack reference can not be imported");
            self.say(problem.with_urn(urn.as_str()).with_hint("read it with `get` instead"));
            return self.fail(res);
        }
        let old = resource.old;
        let replaced = old.filter(|old| !self.is_recreated(*old));
        if let Some(old) = replaced
            && !self.may_replace(res, old)
        {
            return self.fail(res);
        }
        let steps: &[StepOp] = match replaced {
            Some(_) => &[StepOp::ImportReplacement, StepOp::Replace],
            None => &[StepOp::Import],
        };
        if !self.allows_of(res, steps) {
            return;
        }
        let resource = self.get(res);
        let draft =
            Arc::new(envelope::draft(&resource.goal, &resource.urn, resource.provider.as_ref(), None));
        let slot = self.push_slot(Arc::clone(&draft), true);
        let (op, after) = match replaced {
            Some(old) => (StepOp::ImportReplacement, After::PlaceAndMark { slot, old }),
            None => (StepOp::Import, After::Place { slot, replaces: old }),
        };
        let wait = self.deletes_before_import(res, old);
        self.get_mut(res).phase = Phase::Importing;
        let seed = StepSeed {
            op,
            res: Some(res),
            old,
            draft: Some(draft),
            reasons: StepReasons::default(),
            after,
            inputs_equal: false,
            wait_for: None,
        };
        if replaced.is_some() {
            self.show_replace(&seed);
        }
        self.run_step_after(seed, true, &wait);
    }

    /// The deletes of cascades that are under way and that an import waits for: that of its old state,
    /// and those of what it may be about, which must not be read before it is gone.
    fn deletes_before_import(&self, res: ResId, old: Option<Slot>) -> BTreeSet<StepId> {
        let goal = &self.get(res).goal;
        let is_meant = |slot: &Slot| {
            let state = &self.entry(*slot).state;
            state.id == goal.import_id && *state.ty == *goal.ty
        };
        // Before the first cascade nothing is deleted while the program runs.
        let open = self.dependents.iter().flat_map(|_| self.steps.open()).filter_map(|step| step.old);
        let meant = open.filter(is_meant).chain(old);
        meant.filter_map(|slot| self.delete_under_way(slot)).collect()
    }

    /// The resource was taken over: what was read is the old state from now on.
    pub(crate) fn import_ended(&mut self, res: ResId, slot: Slot) {
        let resource = self.get_mut(res);
        resource.old = Some(slot);
        resource.slot = Some(slot);
        resource.imported = true;
        self.entry_mut(slot).claimed = Some(res);
        if self.stopping {
            return self.skip(res);
        }
        match self.settings.mode {
            Mode::Import => {
                self.warn_of_second(slot);
                self.settle_registered(res, slot);
            }
            _ => self.validate(res),
        }
    }

    /// Whether an import is asked for that a replacement would undo. A preview only warns.
    pub(crate) fn undoes_import(&mut self, res: ResId, old: &ResourceState) -> bool {
        let resource = self.get(res);
        if resource.goal.import_id.is_empty() || old.pending_replacement {
            return false;
        }
        let urn = resource.urn.clone();
        let message = format!(
            "previously-imported resources that still specify an ID may not be replaced; please remove the \
             `import` declaration of \"{urn}\" from your program"
        );
        let preview = self.settings.preview;
        let problem = match preview {
            true => Diagnostic::warning("import-replaced", message),
            false => Diagnostic::error("import-replaced", message),
        };
        self.fire(Rule::ImportNotUndone);
        self.say(problem.with_urn(urn.as_str()));
        !preview
    }
}
