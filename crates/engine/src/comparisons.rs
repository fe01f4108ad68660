//! Which checks and diffs are on their way, and which have to wait.

use std::collections::VecDeque;
use std::sync::Arc;

use purlin_model::{ProviderRef, ResourceState};
use purlin_plan::ResId;

use crate::compare::{self, CheckPlan, Subject};
use crate::driver::Driver;

/// How many checks and diffs may be on their way: as many as a plugin takes at once. Programs that
/// register everything at once would have all bags open at once otherwise.
const COMPARISONS: usize = 256;

/// A check or a diff that is to be made.
pub(crate) enum Comparison {
    /// See [`purlin_plan::Effect::Check`].
    Check {
        res: ResId,
        /// The state that it goes on from.
        old: Option<Arc<ResourceState>>,
        /// Whether the provider sees its inputs.
        with_olds: bool,
        for_replacement: bool,
    },
    /// See [`purlin_plan::Effect::Diff`].
    Diff { res: ResId, old: Arc<ResourceState>, old_provider: Option<ProviderRef> },
}

/// What is to be compared. Diffs come first: what is open gets done, and the program gets its first
/// answers while the rest is being compared.
#[derive(Default)]
pub(crate) struct Comparisons {
    running: usize,
    checks: VecDeque<Comparison>,
    diffs: VecDeque<Comparison>,
}

impl Comparisons {
    /// The next one, if one more may be on its way.
    fn next(&mut self) -> Option<Comparison> {
        if self.running >= COMPARISONS {
            return None;
        }
        let next = self.diffs.pop_front().or_else(|| self.checks.pop_front())?;
        self.running += 1;
        Some(next)
    }
}

impl Driver {
    /// Has something compared as soon as there is a place for it.
    pub(crate) fn compare(&mut self, comparison: Comparison) {
        let queue = match &comparison {
            Comparison::Check { .. } => &mut self.comparisons.checks,
            Comparison::Diff { .. } => &mut self.comparisons.diffs,
        };
        queue.push_back(comparison);
        self.compare_next();
    }

    /// A check or a diff has been answered.
    pub(crate) fn compared(&mut self) {
        self.comparisons.running = self.comparisons.running.saturating_sub(1);
    }

    /// Starts what there are places for.
    pub(crate) fn compare_next(&mut self) {
        while let Some(comparison) = self.comparisons.next() {
            match comparison {
                Comparison::Check { res, old, with_olds, for_replacement } => {
                    self.check(res, old, with_olds, for_replacement);
                }
                Comparison::Diff { res, old, old_provider } => self.diff(res, old, old_provider),
            }
        }
    }

    fn check(
        &mut self,
        res: ResId,
        old_state: Option<Arc<ResourceState>>,
        with_olds: bool,
        for_replacement: bool,
    ) {
        let work = self.works.entry(res).or_default();
        if work.seed.is_empty() {
            work.seed = self.plan_book.seed(self.planner.urn(res)).unwrap_or_else(|| {
                let mut seed = vec![0; 32];
                self.calls.ports.entropy.fill(&mut seed);
                seed
            });
            work.goes_on = with_olds;
        }
        let plan = CheckPlan { old_state, old: work.old.clone(), with_olds, raw: for_replacement };
        let subject = self.subject(res);
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let message = Box::pin(compare::check(calls, subject, plan)).await;
            let _ = inbox.send(message);
        });
    }

    fn diff(&mut self, res: ResId, old_state: Arc<ResourceState>, old_provider: Option<ProviderRef>) {
        let subject = self.subject(res);
        let inputs = self.inputs_of(res);
        let work = self.works.entry(res).or_default();
        let old = work.old.clone().ok_or(old_state);
        let (calls, inbox) = (Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let message = Box::pin(compare::diff(calls, subject, old, inputs, old_provider)).await;
            let _ = inbox.send(message);
        });
    }

    fn subject(&self, res: ResId) -> Subject {
        let goal = self.planner.goal(res);
        let work = self.works.get(&res);
        Subject {
            res,
            urn: self.planner.urn(res).clone(),
            custom: goal.custom,
            wanted: Arc::clone(&goal.inputs),
            ignore_changes: goal.ignore_changes.clone(),
            replace_on_changes: goal.replace_on_changes.clone(),
            trigger: goal.replacement_trigger.clone(),
            provider: self.planner.provider(res).cloned(),
            extension_ref: goal.extension.as_ref().map(|e| e.reference.clone()).unwrap_or_default(),
            package: self.planner.package(res).clone(),
            seed: work.map(|w| w.seed.clone()).unwrap_or_default(),
            autonaming: self.autonaming.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use purlin_model::Urn;

    use super::*;

    fn state() -> Arc<ResourceState> {
        Arc::new(ResourceState::new(Urn::new("dev", "shop", None, "t:m:R", "a"), true))
    }

    fn check(number: u32) -> Comparison {
        Comparison::Check { res: ResId(number), old: None, with_olds: false, for_replacement: false }
    }

    #[test]
    fn diffs_come_first_and_no_more_begin_than_have_a_place() {
        let mut comparisons = Comparisons::default();
        comparisons.checks.extend((0..2 * COMPARISONS as u32).map(check));
        comparisons.diffs.push_back(Comparison::Diff { res: ResId(7), old: state(), old_provider: None });
        assert!(matches!(comparisons.next(), Some(Comparison::Diff { res: ResId(7), .. })));
        for number in 0..COMPARISONS as u32 - 1 {
            assert!(
                matches!(comparisons.next(), Some(Comparison::Check { res, .. }) if res == ResId(number))
            );
        }
        assert!(comparisons.next().is_none(), "all places are taken");
        comparisons.running -= 1;
        comparisons.diffs.push_back(Comparison::Diff { res: ResId(0), old: state(), old_provider: None });
        assert!(matches!(comparisons.next(), Some(Comparison::Diff { res: ResId(0), .. })));
        assert!(comparisons.next().is_none());
    }
}
