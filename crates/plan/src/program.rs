//! Refreshes and destroys that run the program: components and providers are registered as in an
//! update, so that providers are set up as the program says; what providers manage is kept.

use purlin_model::event::StepOp;
use purlin_model::urn::is_provider_type;
use purlin_model::{Slot, Urn};

use crate::decide::StepSeed;
use crate::effect::{After, Reply, StepReasons};
use crate::input::DiffFacts;
use crate::rule::Rule;
use crate::settings::Mode;
use crate::table::{Phase, Planner, ResId};

impl Planner {
    /// Settles a registration in a refresh or a destroy as far as it may not be made, changed or
    /// replaced there. Whether it is settled.
    pub(crate) fn keep_registered(&mut self, res: ResId) -> bool {
        match self.settings.mode {
            Mode::Update | Mode::Import => false,
            Mode::Refresh => self.keep_in_refresh(res),
            Mode::Destroy => self.keep_in_destroy(res),
        }
    }

    /// Whether a resource was registered that doesn't exist and that this run does not make.
    pub fn is_unmade(&self, urn: &Urn) -> bool {
        self.unmade.contains(urn)
    }

    fn keep_in_refresh(&mut self, res: ResId) -> bool {
        if !self.is_managed(res) && !self.needs_unmade(res) {
            return false;
        }
        match self.get(res).old {
            None => self.leave_out(res),
            Some(old) if self.get(res).refreshed => self.settle_registered(res, old),
            Some(old) => self.plan_stay(res, old),
        }
        true
    }

    fn keep_in_destroy(&mut self, res: ResId) -> bool {
        if self.needs_unmade(res) {
            self.leave_out(res);
            return true;
        }
        if !self.is_managed(res) {
            return false;
        }
        match self.get(res).old {
            None => self.leave_out(res),
            Some(old) if self.is_recreated(old) => self.leave_out(res),
            Some(old) => {
                self.plan_same(res, old, &DiffFacts { inputs_equal: true, ..DiffFacts::default() });
            }
        }
        true
    }

    /// Whether a registration is of a resource that a provider makes.
    fn is_managed(&self, res: ResId) -> bool {
        let goal = &self.get(res).goal;
        goal.custom && !is_provider_type(&goal.ty)
    }

    /// Whether a registration refers to what doesn't exist and isn't made.
    pub(crate) fn needs_unmade(&self, res: ResId) -> bool {
        if self.unmade.is_empty() {
            return false;
        }
        let resource = self.get(res);
        let goal = &resource.goal;
        let unmade = |urn: &Urn| self.unmade.contains(urn);
        goal.parent
            .iter()
            .chain(&goal.dependencies)
            .chain(&goal.deleted_with)
            .chain(&goal.replace_with)
            .chain(goal.property_dependencies.values().flatten())
            .any(unmade)
            || resource.provider.as_ref().or(goal.provider.as_ref()).is_some_and(|p| unmade(p.urn()))
    }

    /// A registration of what doesn't exist, and what this mode does not make.
    fn leave_out(&mut self, res: ResId) {
        let imports = !self.get(res).goal.import_id.is_empty();
        self.fire(if imports { Rule::ImportUnmade } else { Rule::Unmade });
        self.leave_unmade(res);
    }

    /// Answers a registration of what doesn't exist and is not made.
    pub(crate) fn leave_unmade(&mut self, res: ResId) {
        let (ticket, urn) = (self.get(res).ticket, self.get(res).urn.clone());
        self.unmade.insert(urn.clone());
        self.settle(res, Phase::Done);
        self.reply(ticket, Reply::Unmade { urn: urn.clone() });
        self.default_settled(&urn);
    }

    /// An old state takes the next place as it is.
    fn plan_stay(&mut self, res: ResId, old: Slot) {
        let draft = std::sync::Arc::clone(&self.entry(old).state);
        self.get_mut(res).phase = Phase::Stepping;
        self.run_step(StepSeed {
            op: StepOp::Same,
            res: Some(res),
            old: Some(old),
            draft: Some(draft),
            reasons: StepReasons::default(),
            after: After::Stay(old),
            inputs_equal: true,
            wait_for: None,
        });
    }
}
