//! The rules of the planner by name, and how often each of them decided something.
//!
//! Rules that show in a step are counted where steps are added; the others where they decide, some of
//! them by whoever performs the effects. Each rule stands in `docs/engine-rules.md` with the tests that pin it.

use purlin_model::Cause;
use purlin_model::event::StepOp;

use crate::effect::{After, Step};
use crate::settings::Mode;
use crate::table::Planner;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident => $name:literal,)+) => {
        /// A rule of the planner.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Rule] = &[$(Rule::$rule),+];

            /// Its name, as the page of rules has it.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name),+ }
            }
        }
    };
}

rules! {
    /// A registration takes the old state of its own name.
    ClaimedByName => "claimed by name",
    /// A registration takes an old state by one of its aliases.
    ClaimedByAlias => "claimed by alias",
    /// An old state that another has taken already can't be taken.
    ClaimRefused => "claim refused",
    /// Two registrations of one name are refused.
    DuplicateRefused => "duplicate refused",
    /// `protect`, `retainOnDelete` or `deletedWith` comes from the parent.
    OptionInherited => "option inherited",
    /// A registration names its provider.
    ProviderExplicit => "provider explicit",
    /// The provider comes from the parent.
    ProviderInherited => "provider inherited",
    /// A package's default provider is registered.
    ProviderDefault => "provider default",
    /// A package that may not have a default provider is refused.
    ProviderDisabled => "provider disabled",
    /// A default provider is that of a version.
    ProviderVersioned => "provider of a version",
    /// A default provider is that of a package made from a plugin.
    ProviderParameterized => "provider parameterized",
    /// The program's packages say what a request for a provider left open.
    ProviderCompleted => "provider completed",
    /// A provider has another name, and what it serves is its as before.
    ProviderRenamed => "provider renamed",
    /// What gets the very name of what it replaces is made after that is deleted.
    NameFreed => "name freed first",
    /// What has no old state is created.
    Created => "created",
    /// What is equal takes the next place and nothing is written.
    Kept => "kept",
    /// What is equal but for its envelope is written.
    KeptRewritten => "kept and rewritten",
    /// What differs is updated.
    Updated => "updated",
    /// What was half made is updated even if it does not differ.
    UpdatedIncomplete => "updated since it was half made",
    /// A provider or `replaceOnChanges` says that a change replaces.
    ReplacedByChange => "replaced for a change",
    /// The value whose change replaces has changed.
    ReplacedByTrigger => "replaced by its trigger",
    /// What it is to be replaced with is replaced.
    ReplacedWith => "replaced with another",
    /// What it is deleted with is replaced.
    ReplacedDeletedWith => "replaced since it is deleted with another",
    /// Its provider became another that can't take it over.
    ReplacedByProvider => "replaced by a change of provider",
    /// It became a component, or stopped being one.
    ReplacedByKind => "replaced by a change of kind",
    /// What was read is now managed.
    ReplacedRead => "replaced since it was only read",
    /// It was marked as damaged.
    ReplacedTainted => "replaced since it was tainted",
    /// A replacement is created before the old one is deleted.
    CreatedBeforeDelete => "created before delete",
    /// A replacement is created after the old one was deleted.
    CreatedAfterDelete => "created after delete",
    /// What an earlier run deleted for its replacement is created.
    PendingReplacementMade => "pending replacement made",
    /// What an earlier run deleted for its replacement, and nobody registers, is forgotten.
    PendingReplacementDropped => "pending replacement dropped",
    /// A cascade deletes a resource and what can only be replaced with it.
    CascadeRoot => "cascade root",
    /// A dependent goes with a cascade.
    CascadeMember => "cascade member",
    /// A dependent of a cascade stays.
    CascadeSpared => "cascade spared",
    /// A cascade takes along one that waited for its turn.
    CascadeMerged => "cascades merged",
    /// What arrives or is answered while a cascade is decided waits.
    CascadeHeld => "held by a cascade",
    /// A resource is read.
    Read => "read",
    /// A managed resource is read from now on.
    ReadReplaced => "read in the place of a managed one",
    /// What was managed is only read from now on: it is let go, not deleted.
    ReadLetsGo => "read lets go",
    /// An existing resource is taken over, since its registration asks for it.
    Imported => "imported",
    /// The old state is about another resource than the one that is taken over.
    ImportedOver => "imported in the place of another",
    /// What is to be taken over was taken over before.
    ImportedAlready => "imported already",
    /// What was taken over is what the program wants.
    ImportedAsWanted => "imported as wanted",
    /// What can't be taken over is refused.
    ImportRefused => "import refused",
    /// What still asks to be taken over is not replaced.
    ImportNotUndone => "import not undone",
    /// A resource of a list is taken over.
    ListImported => "imported from a list",
    /// What a list names is in the state already.
    ListKnown => "listed and known",
    /// Something of a list waits for its parent or its provider.
    ListWaited => "listed and waiting",
    /// Something of a list makes no sense.
    ListRefused => "listed and refused",
    /// What a pending create made is taken into the state.
    PendingTakenIn => "pending create taken in",
    /// What is said to be made by a pending create is in the state already, and refused.
    PendingKnown => "pending create known",
    /// What is said to be a pending create is none.
    PendingUnknown => "no such pending create",
    /// A pending create is forgotten, since somebody asked for it.
    PendingForgotten => "pending create forgotten",
    /// What was read is not read any more.
    Discarded => "discarded",
    /// What nobody registers is deleted.
    Deleted => "deleted",
    /// What was replaced is deleted at the end.
    DeletedReplaced => "deleted after its replacement",
    /// What an earlier run replaced is deleted.
    DeletedLeftover => "leftover deleted",
    /// A delete leaves the real thing alone.
    DeleteRetains => "delete retains",
    /// A delete calls nobody, since something else takes the thing along.
    DeleteTakenAlong => "deleted with another",
    /// Every state is compared with the cloud.
    Refreshed => "refreshed",
    /// A state whose provider wants it is compared before an update.
    RefreshedEager => "refreshed since its provider wants it",
    /// A state is compared when its resource is registered.
    RefreshedRegistered => "refreshed at its registration",
    /// What the program has not registered is compared after it.
    RefreshedLate => "refreshed after the program",
    /// A refresh makes the state what the program says.
    RefreshedRewritten => "refreshed to what the program says",
    /// What a refresh or a destroy finds registered and does not exist is not made.
    Unmade => "not made in this mode",
    /// What a refresh or a destroy finds registered is not taken over.
    ImportUnmade => "import not made in this mode",
    /// What the cloud does not have any more goes away.
    RefreshedGone => "gone at a refresh",
    /// A protected resource is not replaced.
    ProtectedReplace => "protected from replacement",
    /// A protected resource is not deleted.
    ProtectedDelete => "protected from deletion",
    /// A protected dependent keeps a cascade from happening.
    ProtectedCascade => "protected from a cascade",
    /// Protected resources and what they need are left out of a destroy.
    ProtectedExcluded => "protected ones left out",
    /// A destroy without the program is refused where only that has the hooks of deletes.
    DeleteHooksMissing => "refused for its delete hooks",
    /// Nobody knows a resource that the operation is to be about.
    TargetUnknown => "unknown target",
    /// What depends on what is named counts as named.
    TargetReached => "named along",
    /// What the operation is not about keeps its state.
    LeftAlone => "left alone",
    /// What the operation is not about and does not exist is not created.
    LeftUnmade => "left unmade",
    /// What an old state that is left alone refers to takes its place before it.
    Carried => "carried along",
    /// What is left alone waits until it is decided what it refers to.
    Parked => "parked",
    /// What needs something that is not created is refused.
    NeedRefused => "need refused",
    /// A resource is replaced since somebody asked for it.
    ReplacedAsked => "replaced on demand",
    /// What the operation is not about is not deleted.
    DeleteLimited => "left out of deletion",
    /// What would be deleted along with a target and is not named keeps all from being deleted.
    DeleteUnnamed => "refused to delete along",
    /// The plan that is followed does not allow a step.
    PlanForbids => "forbidden by the plan",
    /// The plan that is followed has other inputs or options, or other outputs.
    PlanDiffers => "other than planned",
    /// Steps of the plan that is followed were not taken.
    PlanUnfulfilled => "plan not fulfilled",
    /// A provider says what became of a view.
    ViewPublished => "view published",
    /// A view of which nothing is said stays with its owner.
    ViewStays => "view stays",
    /// A view of which nothing is said goes with its owner.
    ViewGoes => "view goes along",
    /// A view waits for deletion with its owner, or is replaced itself.
    ViewMarked => "view waits for deletion",
    /// A view goes wrong and stays what it was, unless its resource is gone.
    ViewFailed => "view failed",
    /// Hooks before a step are called.
    HookedBefore => "hooked before",
    /// Hooks after a step are called.
    HookedAfter => "hooked after",
    /// A hook fails, and with it its step or the run.
    HookFailed => "hook failed",
    /// A hook fails, and says itself that this counts for nothing.
    HookForgiven => "hook forgiven",
    /// A hook has not been registered.
    HookMissing => "hook missing",
    /// Error hooks are asked about a failure.
    ErrorHooked => "error hook asked",
    /// What failed is tried again, since an error hook wants it.
    TriedAgain => "tried again",
    /// A plugin makes a component.
    Constructed => "constructed",
    /// A resource is of an extension of its package.
    Extended => "extended",
    /// A function waits for what it depends on.
    CallWaits => "function waits",
    /// A function depends on what does not exist, and is not called.
    CallOmitted => "function not called",
    /// The program waits for the end of the deployment.
    Signalled => "program waits for the end",
    /// What needs something that failed is skipped.
    Skipped => "skipped after a failure",
    /// What the old states of failed registrations need is not deleted.
    SparedForFailed => "spared for what failed",
    /// The run goes on after a failure.
    WentOn => "went on after a failure",
    /// Nothing further is begun.
    Stopped => "stopped",
}

/// How often each rule decided something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCounts([u32; Rule::ALL.len()]);

impl Default for RuleCounts {
    fn default() -> Self {
        RuleCounts([0; Rule::ALL.len()])
    }
}

impl RuleCounts {
    /// How often a rule decided something.
    pub fn of(&self, rule: Rule) -> u32 {
        self.0[rule as usize]
    }

    /// Counts one more time that a rule decided something.
    pub fn fire(&mut self, rule: Rule) {
        self.0[rule as usize] += 1;
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &RuleCounts) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}

impl Planner {
    /// How often each rule decided something so far, as far as it is decided here.
    pub fn rules(&self) -> &RuleCounts {
        &self.rules
    }

    pub(crate) fn fire(&mut self, rule: Rule) {
        self.rules.fire(rule);
    }

    /// Counts the rules that show in a step which is about to be added.
    pub(crate) fn fire_step(&mut self, step: &Step) {
        let old_deleted = step.old.is_some_and(|slot| {
            let entry = self.entry(slot);
            entry.state.delete && !entry.marked
        });
        let rule = match step.op {
            StepOp::Same if matches!(step.after, After::Keep(_)) => Rule::Kept,
            StepOp::Same => Rule::KeptRewritten,
            StepOp::Create => Rule::Created,
            StepOp::Update if step.reasons.diff_keys.is_empty() => Rule::UpdatedIncomplete,
            StepOp::Update => Rule::Updated,
            StepOp::CreateReplacement => {
                if let Some(rule) = step.reasons.cause.as_deref().and_then(of_cause) {
                    self.fire(rule);
                }
                match step.after {
                    After::PlaceAndMark { .. } => Rule::CreatedBeforeDelete,
                    _ => Rule::CreatedAfterDelete,
                }
            }
            StepOp::Read if step.old.is_some_and(|old| !self.entry(old).state.external) => Rule::ReadLetsGo,
            StepOp::Read => Rule::Read,
            StepOp::Import if self.settings.mode == Mode::Import => Rule::ListImported,
            StepOp::Import => Rule::Imported,
            StepOp::ImportReplacement => Rule::ImportedOver,
            StepOp::ReadReplacement => Rule::ReadReplaced,
            StepOp::Refresh => Rule::Refreshed,
            StepOp::Discard | StepOp::DiscardReplaced => Rule::Discarded,
            StepOp::RemovePendingReplace => Rule::PendingReplacementDropped,
            StepOp::Delete => Rule::Deleted,
            StepOp::DeleteReplaced if old_deleted => Rule::DeletedLeftover,
            StepOp::DeleteReplaced => Rule::DeletedReplaced,
            _ => return,
        };
        self.fire(rule);
        if matches!(step.op, StepOp::Delete | StepOp::DeleteReplaced) {
            self.fire_delete(step);
        }
    }

    fn fire_delete(&mut self, step: &Step) {
        let Some(state) = step.old.map(|slot| &self.entry(slot).state) else { return };
        let managed = state.custom && !state.is_provider() && !state.external;
        if managed && !step.calls_provider {
            let rule = if state.retain_on_delete { Rule::DeleteRetains } else { Rule::DeleteTakenAlong };
            self.fire(rule);
        }
    }
}

fn of_cause(cause: &Cause) -> Option<Rule> {
    Some(match cause {
        Cause::Properties(_) => Rule::ReplacedByChange,
        Cause::Trigger => Rule::ReplacedByTrigger,
        Cause::ReplaceWith(_) => Rule::ReplacedWith,
        Cause::DeletedWith(_) => Rule::ReplacedDeletedWith,
        Cause::Provider(_) => Rule::ReplacedByProvider,
        Cause::Kind => Rule::ReplacedByKind,
        Cause::WasRead => Rule::ReplacedRead,
        Cause::Tainted => Rule::ReplacedTainted,
        Cause::Asked => Rule::ReplacedAsked,
        Cause::PendingReplacement => Rule::PendingReplacementMade,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_stands_in_the_page_of_rules() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engine-rules.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, section) = page.split_once("\n## Rules by name").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let missing: Vec<&str> = Rule::ALL
            .iter()
            .map(|rule| rule.name())
            .filter(|name| !section.contains(&format!("\n| {name} |")))
            .collect();
        assert_eq!(missing, [""; 0], "they are missing in docs/engine-rules.md, section 'Rules by name'");
    }
}
