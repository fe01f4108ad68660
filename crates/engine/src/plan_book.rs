//! The update plan that is followed, and the one that is recorded.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::update_plan::{PlannedDiff, ResourcePlan, UpdatePlan};
use purlin_model::{Bag, PropertyMap, Urn};
use purlin_plan::{ResId, Rule, Wanted, diff_violation, planned_diff};

use crate::calls::Calls;
use crate::driver::Driver;

/// The update plan that is followed, and the one that is recorded; mostly neither.
#[derive(Debug, Default)]
pub(crate) struct PlanBook {
    follows: Option<Arc<UpdatePlan>>,
    records: Option<UpdatePlan>,
}

/// What is to be found out about outputs that a program registers.
#[derive(Debug)]
pub(crate) struct OutputPlan {
    urn: Urn,
    /// The outputs of the base.
    base: Option<Bag>,
    /// How they may differ, if a plan is followed.
    allowed: Option<PlannedDiff>,
    records: bool,
}

impl PlanBook {
    pub(crate) fn new(settings: &purlin_plan::Settings) -> PlanBook {
        PlanBook {
            follows: settings.update_plan.clone(),
            records: settings.records_plan.then(UpdatePlan::default),
        }
    }

    /// Whether there is anything to follow or to record.
    pub(crate) fn is_active(&self) -> bool {
        self.follows.is_some() || self.records.is_some()
    }

    /// The bytes from which the plan that is followed made up names of a resource.
    pub(crate) fn seed(&self, urn: &Urn) -> Option<Vec<u8>> {
        let seed = &self.follows.as_ref()?.resources.get(urn)?.seed;
        (!seed.is_empty()).then(|| seed.clone())
    }

    /// A step came to outputs.
    pub(crate) fn note_outputs(&mut self, urn: &Urn, outputs: &PropertyMap) {
        if let Some(resource) = self.records.as_mut().and_then(|plan| plan.resources.get_mut(urn)) {
            resource.outputs = Some(outputs.clone());
        }
    }

    /// A program registered outputs.
    pub(crate) fn note_registered(&mut self, urn: &Urn, diff: PlannedDiff, outputs: &PropertyMap) {
        let Some(plan) = &mut self.records else { return };
        let resource = plan.resources.entry(urn.clone()).or_default();
        if let Some(goal) = &mut resource.goal {
            goal.outputs = diff;
        }
        resource.outputs = Some(outputs.clone());
    }

    /// What is to be found out about outputs that a program registers, if anything.
    fn output_plan(&self, urn: &Urn, base: Option<Bag>) -> Option<OutputPlan> {
        if !self.is_active() {
            return None;
        }
        let planned = |plan: &Arc<UpdatePlan>| {
            let goal = plan.resources.get(urn).and_then(|resource| resource.goal.as_ref());
            goal.map(|goal| goal.outputs.clone()).unwrap_or_default()
        };
        let allowed = self.follows.as_ref().map(planned);
        Some(OutputPlan { urn: urn.clone(), base, allowed, records: self.records.is_some() })
    }
}

impl OutputPlan {
    /// Holds outputs against the plan. What differs, where a plan is recorded.
    pub(crate) async fn check(
        self,
        calls: &Calls,
        outputs: &PropertyMap,
    ) -> Result<Option<PlannedDiff>, Diagnostic> {
        let base = match &self.base {
            Some(bag) => calls.ports.bags.open(bag).await?,
            None => Arc::default(),
        };
        if let Some(problem) = self.allowed.and_then(|allowed| diff_violation(&base, outputs, &allowed)) {
            calls.count(Rule::PlanDiffers);
            return Err(violates(&self.urn, &problem));
        }
        Ok(self.records.then(|| planned_diff(&base, outputs)))
    }
}

fn violates(urn: &Urn, problem: &str) -> Diagnostic {
    Diagnostic::error("plan-violation", format!("resource {urn} violates plan: {problem}"))
        .with_urn(urn.as_str())
        .with_hint("preview anew with --save-plan, and follow the new plan if it is what you want")
}

impl Driver {
    /// A resource's inputs were validated for the first time: holds what is wanted against the plan
    /// that is followed, and notes it in the one that is recorded.
    pub(crate) fn plan_checked(&mut self, res: ResId, inputs: &PropertyMap) -> Result<(), Diagnostic> {
        if !self.plan_book.is_active() {
            return Ok(());
        }
        let urn = self.planner.urn(res).clone();
        let work = self.works.get(&res);
        let old = work.and_then(|work| work.old.as_ref());
        let none = PropertyMap::new();
        let goes_on = work.is_some_and(|work| work.goes_on);
        let wanted = Wanted {
            goal: self.planner.goal(res),
            provider: self.planner.provider(res),
            old_inputs: old.filter(|_| goes_on).map_or(&none, |old| &old.inputs),
            inputs,
        };
        if let Some(plan) = &self.plan_book.follows {
            let violation = match (plan.resources.get(&urn), old) {
                (Some(planned), _) => wanted.violation(planned),
                (None, Some(old)) if goes_on => wanted.unplanned_violation(&old.state),
                (None, _) => None,
            };
            if let Some(problem) = violation {
                self.calls.count(Rule::PlanDiffers);
                return Err(violates(&urn, &problem));
            }
        }
        if let Some(plan) = &mut self.plan_book.records {
            let seed = work.map(|work| work.seed.clone()).unwrap_or_default();
            let goal = Some(wanted.planned());
            plan.resources.insert(urn, ResourcePlan { goal, seed, ..ResourcePlan::default() });
        }
        Ok(())
    }

    /// What is to be found out about outputs that a program registers, if anything.
    pub(crate) fn output_plan(&self, urn: &Urn) -> Option<OutputPlan> {
        let old = self.planner.res(urn).and_then(|res| self.planner.old(res));
        self.plan_book.output_plan(urn, old.map(|slot| self.planner.state(slot).outputs.clone()))
    }

    /// The plan that was recorded, if one was.
    pub(crate) fn recorded_plan(&mut self) -> Option<UpdatePlan> {
        let mut plan = self.plan_book.records.take()?;
        for (urn, steps) in self.planner.take_recorded_steps().unwrap_or_default() {
            plan.resources.entry(urn).or_default().steps = steps;
        }
        Some(plan)
    }
}
