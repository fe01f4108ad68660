//! The seeded world: from one seed a random valid state, a random program over it, a random cloud and
//! random operations, written as a case of the lab, run, and held against what must be true of any
//! run. A case that breaks something shrinks, and is printed as it would stand in a file of cases.

pub mod draw;
pub mod shrink;
pub mod tally;

use std::collections::BTreeSet;

use purlin_model::event::{EngineEvent, OperationResult, StepOp};
use purlin_model::{ResourceState, Snapshot, Urn};
use purlin_plan::{Rule, RuleCounts};

use crate::lab::Lab;
use crate::lab::case::{self, Block, Case};
use crate::lab::gate::Order;
use crate::lab::operation::{Operation, Ran};
use crate::lab::program::{Item, Program};
use crate::lab::views::VIEW_TYPE;

/// What came of a case.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What must not happen and did.
    pub violations: Vec<String>,
    /// How often each rule decided something.
    pub rules: Vec<u32>,
    /// The most resources that an operation knew.
    pub resources: usize,
    /// The steps that changed something.
    pub changes: usize,
    /// The most calls under way at once.
    pub calls: usize,
    /// How the operations ended, in order.
    pub results: Vec<&'static str>,
}

impl Outcome {
    fn add(&mut self, ran: &Ran, before: usize) {
        if let Some(report) = &ran.report {
            for (count, rule) in self.rules.iter_mut().zip(Rule::ALL) {
                *count += RuleCounts::of(&report.rules, *rule);
            }
        }
        self.resources = self.resources.max(before).max(ran.state.resources.len());
        self.changes += steps(ran).len();
        self.calls = self.calls.max(ran.most_calls);
        let result = ran.report.as_ref().map(|report| report.result.as_str());
        self.results.push(result.unwrap_or("died"));
    }
}

/// The steps that changed something, or that a preview says would.
fn steps(ran: &Ran) -> Vec<String> {
    let quiet = [StepOp::Same, StepOp::Read, StepOp::Refresh];
    let shown = ran.events.iter().filter_map(|event| match event {
        EngineEvent::ResourcePre { step, .. } if !quiet.contains(&step.op) => {
            // A provider that deletes views does not know whether what they are in is replaced.
            let view = step.urn.ty() == VIEW_TYPE && step.op == StepOp::DeleteReplaced;
            let op = if view { StepOp::Delete } else { step.op };
            Some(format!("{} {}", op.as_str(), step.urn))
        }
        _ => None,
    });
    shown.collect()
}

/// Runs the case of a text.
pub fn play(text: &str) -> Result<Outcome, String> {
    let (_, cases) = case::read_file(text)?;
    let mut outcome = Outcome { rules: vec![0; Rule::ALL.len()], ..Outcome::default() };
    for case in &cases {
        play_case(case, &mut outcome)?;
    }
    Ok(outcome)
}

/// An operation that ended, as the next one may be held against it.
struct Former {
    /// The number of its block.
    block: usize,
    /// The line without the order of answers.
    line: String,
    steps: Vec<String>,
    succeeded: bool,
    cascades: bool,
}

fn play_case(case: &Case, outcome: &mut Outcome) -> Result<(), String> {
    let mut lab = Lab::default();
    let mut former: Option<Former> = None;
    let (mut faulty, mut planned) = (false, false);
    let mut program = &Program::default();
    for (number, (block, text)) in case.blocks.iter().enumerate() {
        if let Block::Program(changed) = block {
            program = changed;
        }
        let before = lab.state.resources.len();
        if let Block::Cloud(lines) = block {
            let faults = ["fails", "partial", "lost", "dropped", "refuses", "unimplemented"];
            let fails = |line: &String| faults.iter().any(|word| line.starts_with(word));
            faulty |= lines.iter().any(fails);
            faulty &= !lines.iter().any(|line| line == "heals");
        }
        let states = std::sync::Arc::clone(&lab.state);
        let follows = matches!(block, Block::Operation(operation, _) if operation.follows_plan);
        if follows && !planned {
            // A preview that failed has recorded no plan.
            return Ok(());
        }
        let Some(mut ran) = lab.block(block)? else {
            former = None;
            continue;
        };
        let Block::Operation(operation, _) = block else { continue };
        if operation.settings.plan.records_plan {
            planned = ran.report.as_ref().is_some_and(|report| report.result == OperationResult::Succeeded);
        }
        outcome.add(&ran, before);
        outcome.violations.extend(ran.violations.iter().cloned());
        let now = describe(number, text, &ran);
        if let Some(former) = &former {
            let in_order = |order| foresees(case, former.block, order, &now.steps);
            let answers = Order::Like(std::mem::take(&mut ran.answers).into());
            outcome.violations.extend(compare(former, &now, operation, answers, &in_order));
        }
        outcome.violations.extend(leftovers(operation, &ran));
        let targets = &operation.settings.plan.targets;
        let limited = !targets.only.is_empty() || !targets.except.is_empty();
        if !operation.settings.plan.refresh_first && !limited {
            outcome.violations.extend(forgotten_alias(program, &states, &ran));
        }
        former = (undisturbed(operation) && !faulty).then_some(now);
    }
    Ok(())
}

fn undisturbed(operation: &Operation) -> bool {
    operation.cancel.is_none() && operation.abandon.is_none() && operation.crash.is_none()
}

fn describe(block: usize, text: &str, ran: &Ran) -> Former {
    let line = text.lines().next().unwrap_or_default();
    let line =
        line.split_whitespace().filter(|word| !word.starts_with("order=")).collect::<Vec<_>>().join(" ");
    let mut steps = steps(ran);
    steps.sort();
    let report = ran.report.as_ref();
    Former {
        block,
        line,
        steps,
        succeeded: report.is_some_and(|report| report.result == OperationResult::Succeeded),
        cascades: report.is_some_and(|report| report.rules.of(Rule::CascadeRoot) > 0),
    }
}

/// Whether a preview foresees these steps if its answers come in some order.
fn foresees(case: &Case, preview: usize, order: Order, steps: &[String]) -> bool {
    let mut lab = Lab::default();
    for (block, _) in &case.blocks[..preview] {
        if lab.block(block).is_err() {
            return false;
        }
    }
    let (Block::Operation(operation, _), text) = &case.blocks[preview] else { return false };
    let operation = Operation { order, ..Operation::clone(operation) };
    let ran = lab.block(&Block::Operation(Box::new(operation), Vec::new()));
    ran.is_ok_and(|ran| ran.is_some_and(|ran| describe(preview, text, &ran).steps == steps))
}

/// In how many drawn orders of answers a preview is tried where a cascade ran and the order of the update
/// itself is none.
const ORDERS: u64 = 200;

/// What an operation that follows another must be. With a cascade the steps are those of some order of
/// answers, of those of the operation itself or of others: `in_order` says whether of this one.
fn compare(
    former: &Former,
    now: &Former,
    operation: &Operation,
    answers: Order,
    in_order: &dyn Fn(Order) -> bool,
) -> Option<String> {
    let up = now.line.starts_with("up") && undisturbed(operation);
    if !up || !former.succeeded {
        return None;
    }
    let same = former.line.replace(" save-plan", "").strip_prefix("preview")
        == now.line.replace(" plan", "").strip_prefix("up");
    let limits =
        |line: &str| ["target", "exclude", "replace"].iter().any(|word| line.contains(&format!(" {word}")));
    if former.line.starts_with("preview") && same {
        let (foreseen, done) = (&former.steps, &now.steps);
        if now.succeeded && foreseen != done {
            let difference = difference(foreseen, done);
            if !former.cascades && !now.cascades {
                return Some(format!("the preview foresaw other steps: {difference}"));
            }
            if !in_order(answers) && !(0..ORDERS).map(Order::Drawn).any(in_order) {
                return Some(format!("no preview foresees these steps in any order: {difference}"));
            }
        }
        return None;
    }
    if limits(&former.line) || limits(&now.line) {
        return None;
    }
    if former.line.starts_with("up") && !now.line.contains(" refresh") {
        if !now.succeeded {
            return Some("a second run fails".into());
        }
        if !now.steps.is_empty() {
            return Some(format!("a second run changes something: {}", now.steps.join(", ")));
        }
    }
    None
}

fn difference(foreseen: &[String], done: &[String]) -> String {
    let less = foreseen.iter().filter(|step| !done.contains(step)).map(|step| format!("-{step}"));
    let more = done.iter().filter(|step| !foreseen.contains(step)).map(|step| format!("+{step}"));
    less.chain(more).collect::<Vec<_>>().join(", ")
}

/// What an alias leads to is not made anew: of registrations that were renamed and nothing else, none
/// is a create.
fn forgotten_alias(program: &Program, before: &Snapshot, ran: &Ran) -> Option<String> {
    let created = ran.events.iter().filter_map(|event| match event {
        EngineEvent::ResourcePre { step, .. } if step.op == StepOp::Create => Some(&step.urn),
        _ => None,
    });
    let registered = |name: &str| program.items.iter().any(|item| item.name == name);
    // What a refresh found gone has no state that an alias could lead to.
    let gone: BTreeSet<&Urn> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            EngineEvent::ResourceOutputs { step, .. } if step.op == StepOp::Refresh && step.new.is_none() => {
                step.old.as_ref().map(|old| &old.state.urn)
            }
            _ => None,
        })
        .collect();
    for urn in created {
        let mut claims = program.items.iter().filter(|item| item.name == urn.name());
        let Some(item) = claims.next() else { continue };
        for alias in item.options.all("alias").filter_map(|alias| alias.strip_prefix("name:")) {
            let text = urn.as_str();
            let old = format!("{}{alias}", &text[..text.len() - urn.name().len()]);
            let wanted =
                |item: &Item| item.options.all("alias").any(|other| other == format!("name:{alias}"));
            let alone = program.items.iter().filter(|item| wanted(item)).count() == 1 && !registered(alias);
            let stood = |state: &ResourceState| {
                state.urn.as_str() == old && !state.delete && !gone.contains(&state.urn)
            };
            if alone && before.resources.iter().any(|state| stood(state)) {
                return Some(format!("{} was made although '{alias}' is an alias of it", urn.name()));
            }
        }
    }
    None
}

/// A destroy that went well leaves nothing.
fn leftovers(operation: &Operation, ran: &Ran) -> Option<String> {
    let plan = &operation.settings.plan;
    let destroys = plan.mode == purlin_plan::Mode::Destroy && !plan.preview && !plan.exclude_protected;
    let succeeded = ran.report.as_ref().is_some_and(|report| report.result == OperationResult::Succeeded);
    let targets = &plan.targets;
    let all = targets.only.is_empty() && targets.except.is_empty();
    let left = ran.state.resources.first().filter(|_| destroys && succeeded && all)?;
    Some(format!("a destroy went well and left {}", left.urn))
}
