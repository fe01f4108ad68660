//! Steps held against an update plan, and recorded for one.

use std::collections::{BTreeMap, HashMap, VecDeque};

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::update_plan::UpdatePlan;
use purlin_model::{Slot, Urn};

use crate::rule::Rule;
use crate::settings::{PlannedSteps, Settings};
use crate::table::{Planner, ResId};

/// The plan that is followed, and the steps that are recorded for one.
#[derive(Debug, Default)]
pub(crate) struct Constraint {
    /// What is left of the planned steps.
    planned: Option<HashMap<Urn, VecDeque<StepOp>>>,
    /// The steps that were decided on.
    taken: Option<PlannedSteps>,
    /// Whether somebody wants to see all inputs.
    checks_all: bool,
}

impl Constraint {
    pub(crate) fn new(settings: &Settings) -> Constraint {
        let steps = |plan: &UpdatePlan| {
            let all = plan.resources.iter();
            all.map(|(urn, resource)| (urn.clone(), resource.steps.iter().copied().collect())).collect()
        };
        Constraint {
            planned: settings.update_plan.as_deref().map(steps),
            taken: settings.records_plan.then(BTreeMap::new),
            checks_all: false,
        }
    }

    pub(crate) fn check_all(&mut self) {
        self.checks_all = true;
    }

    /// Whether components are validated by the engine, too.
    pub(crate) fn checks_components(&self) -> bool {
        self.checks_all || self.is_active()
    }

    /// Whether a plan is followed or recorded.
    pub(crate) fn is_active(&self) -> bool {
        self.planned.is_some() || self.taken.is_some()
    }
}

/// Whether a step does no more than the planned one.
fn is_within(op: StepOp, planned: StepOp) -> bool {
    let lesser: &[StepOp] = match planned {
        StepOp::Create | StepOp::Update => &[StepOp::Same],
        StepOp::Replace | StepOp::CreateReplacement | StepOp::DeleteReplaced => {
            &[StepOp::Same, StepOp::Update]
        }
        _ => &[],
    };
    op == planned || lesser.contains(&op)
}

impl Planner {
    /// Whether the plan that is followed allows some steps of one resource. Says why it doesn't.
    pub(crate) fn allows(&mut self, urn: &Urn, ops: &[StepOp]) -> bool {
        if !self.constraint.is_active() {
            return true;
        }
        if let Some(taken) = &mut self.constraint.taken {
            taken.entry(urn.clone()).or_default().extend(ops);
        }
        let Some(planned) = &mut self.constraint.planned else { return true };
        for op in ops {
            let name = op.as_str();
            let problem = match planned.get_mut(urn) {
                Some(steps) => match steps.pop_front() {
                    Some(step) if is_within(*op, step) => continue,
                    Some(step) => format!("this resource is constrained to {}", step.as_str()),
                    None => "no more steps were expected for this resource".to_owned(),
                },
                None if *op == StepOp::Same => continue,
                None => "no steps were expected for this resource".to_owned(),
            };
            self.fire(Rule::PlanForbids);
            let message = format!("{name} is not allowed by the plan: {problem}");
            let hint = "preview anew with --save-plan, and follow the new plan if it is what you want";
            self.say(Diagnostic::error("plan-violation", message).with_urn(urn.as_str()).with_hint(hint));
            return false;
        }
        true
    }

    /// Whether the plan that is followed allows a registration's steps. If not, the run is being
    /// stopped, whatever it is to go on with.
    pub(crate) fn allows_of(&mut self, res: ResId, ops: &[StepOp]) -> bool {
        if !self.constraint.is_active() {
            return true;
        }
        let urn = self.urn(res).clone();
        let allowed = self.allows(&urn, ops);
        if !allowed {
            self.stop();
        }
        allowed
    }

    /// Whether the plan that is followed allows a state to be deleted before its replacement is made.
    /// Such steps belong to the resource that takes the state's place.
    pub(crate) fn allows_delete_first(&mut self, slot: Slot) -> bool {
        if !self.constraint.is_active() {
            return true;
        }
        let urn = match self.entry(slot).claimed {
            Some(res) => self.urn(res).clone(),
            None => self.entry(slot).state.urn.clone(),
        };
        self.allows(&urn, &[StepOp::DeleteReplaced])
    }

    /// Says which planned steps were not taken. A delete is not missed if there was nothing to delete,
    /// and what was to be left as it is need not be registered, as happens with targets.
    pub(crate) fn check_leftovers(&mut self) {
        let Some(planned) = self.constraint.planned.take() else { return };
        if self.failed {
            return;
        }
        let mut missed: Vec<Urn> = planned
            .into_iter()
            .filter(|(_, steps)| steps.iter().any(|op| *op != StepOp::Same))
            .filter(|(urn, steps)| {
                let only_delete = steps.len() == 1 && steps[0] == StepOp::Delete;
                !only_delete || self.slots.iter().any(|entry| !entry.new && entry.state.urn == *urn)
            })
            .map(|(urn, _)| urn)
            .collect();
        missed.sort();
        for urn in missed {
            self.fire(Rule::PlanUnfulfilled);
            let message = format!("expected resource operations for {urn} but none were seen");
            self.say(Diagnostic::error("plan-unfulfilled", message).with_urn(urn.as_str()));
            self.failed = true;
        }
    }

    /// The steps that were decided on, if they are recorded.
    pub fn take_recorded_steps(&mut self) -> Option<PlannedSteps> {
        self.constraint.taken.take()
    }
}
