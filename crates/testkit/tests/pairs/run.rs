//! One run of a pair over a stack, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_model::event::OperationResult;
use purlin_model::update_plan::UpdatePlan;
use purlin_model::{ResourceState, Snapshot};
use purlin_testkit::lab::Lab;
use purlin_testkit::lab::case::{self, Block};
use purlin_testkit::lab::cloud::Thing;
use purlin_testkit::lab::operation::Ran;

use super::grid::{Choice, Mode};
use super::stacks::Stack;

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) before: Arc<Snapshot>,
    pub(crate) things_before: BTreeMap<String, Thing>,
    /// `None` where there was no plan to follow.
    pub(crate) ran: Option<Ran>,
    pub(crate) things: BTreeMap<String, Thing>,
    /// The plan that it followed or recorded.
    pub(crate) plan: Option<Arc<UpdatePlan>>,
    /// The lines of its result.
    pub(crate) lines: Vec<String>,
    pub(crate) lab: Lab,
}

impl Outcome {
    pub(crate) fn after(&self) -> &Snapshot {
        self.ran.as_ref().map_or(&self.before, |ran| &ran.state)
    }

    pub(crate) fn result(&self) -> Option<OperationResult> {
        Some(self.ran.as_ref()?.report.as_ref()?.result)
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.result() == Some(OperationResult::Succeeded)
    }

    /// The names of what was called upon to change, or stands otherwise in the state.
    pub(crate) fn touched(&self) -> BTreeSet<String> {
        let acts = self.ran.iter().flat_map(|ran| &ran.acts);
        let mut names: BTreeSet<String> = acts.map(|act| act.urn.name().to_owned()).collect();
        for state in self.before.resources.iter().chain(&self.after().resources) {
            let name = state.urn.name();
            if state.custom && !state.is_provider() && of(&self.before, name) != of(self.after(), name) {
                names.insert(name.to_owned());
            }
        }
        names
    }
}

/// The states of a name.
pub(crate) fn of<'a>(snapshot: &'a Snapshot, name: &str) -> Vec<&'a ResourceState> {
    snapshot.resources.iter().map(|state| &**state).filter(|state| state.urn.name() == name).collect()
}

/// The id of the only state of a name.
pub(crate) fn id<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a str> {
    of(snapshot, name).first().map(|state| state.id.as_str())
}

/// Goes through blocks; what must not happen and did is an error, and so is a result that isn't
/// wanted.
pub(crate) fn blocks(lab: &mut Lab, text: &str) -> Result<Option<(Ran, Vec<String>)>, String> {
    let case = case::read_case("pair", text)?;
    let mut last = None;
    for (block, text) in &case.blocks {
        if let Some(ran) = lab.block(block)? {
            if let Some(violation) = ran.violations.first() {
                return Err(format!("{violation}, at: {text}"));
            }
            let Block::Operation(operation, _) = block else { continue };
            let lines = lab.lines(operation, &ran);
            last = Some((ran, lines));
        }
    }
    Ok(last)
}

/// The line of the operation of a run.
pub(crate) fn line(mode: Mode, choices: &[Choice]) -> String {
    let words = choices.iter().map(|choice| choice.words()).filter(|words| !words.is_empty());
    std::iter::once(mode.name()).chain(words).collect::<Vec<_>>().join(" ") + "\n"
}

fn preparation(choices: &[Choice]) -> String {
    let mut text = String::new();
    for choice in choices {
        text.push_str(match choice {
            Choice::StateDelete => "edit delete old\n",
            Choice::StateTaint => "edit taint lone\n",
            Choice::StateUnprotect => "edit unprotect guard\n",
            Choice::Failing => {
                "cloud\n  fails update lone\n  fails delete lone\n  fails create lone\n  fails read lone\n"
            }
            _ => "",
        });
    }
    text
}

/// Records a plan with the other options of the run. Whether there is one.
fn planned(lab: &mut Lab, choices: &[Choice]) -> Result<bool, String> {
    let shapes = |choice: &&Choice| {
        !matches!(choice, Choice::Plan | Choice::Strict | Choice::CancelOnce | Choice::CancelTwice)
            && **choice != Choice::ContinueOnError
    };
    let others: Vec<Choice> = choices.iter().filter(shapes).copied().collect();
    let text = line(Mode::Preview, &others).replace('\n', " save-plan\n");
    blocks(lab, &text)?;
    Ok(lab.plan().is_some())
}

/// Runs a pair over a stack.
pub(crate) fn run(mode: Mode, choices: &[Choice], stack: &Stack) -> Result<Outcome, String> {
    let mut lab = Lab::default();
    blocks(&mut lab, stack.setup)?;
    blocks(&mut lab, &format!("program\n{}{}", stack.program, preparation(choices)))?;
    let follows = choices.iter().any(|choice| matches!(choice, Choice::Plan | Choice::Strict));
    let ready = !follows || planned(&mut lab, choices)?;
    if choices.contains(&Choice::Plan) {
        // The program goes on after the plan was made.
        blocks(&mut lab, &format!("program\n{}", stack.program.replace("lone size=2", "lone size=3")))?;
    }
    let (before, things_before) = (Arc::clone(&lab.state), lab.cloud.things());
    let ended = if ready { blocks(&mut lab, &line(mode, choices))? } else { None };
    let (ran, lines) = ended.map_or((None, Vec::new()), |(ran, lines)| (Some(ran), lines));
    let things = lab.cloud.things();
    let plan = lab.plan().cloned();
    Ok(Outcome { before, things_before, ran, things, plan, lines, lab })
}
