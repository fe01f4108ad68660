//! The lab: whole operations over the real engine, with everything around it simulated, written as
//! text.
//!
//! A file has a first line that says what it is about, and cases. A case is a line `=== name` and
//! blocks. A block begins at the margin; lines that belong to it are indented; lines that begin
//! with `>` are the result of the operation above and are written by the lab when `PURLIN_BLESS=1`
//! is in the environment. `#` begins a comment.
//!
//! ```text
//! === an input changes, and what is made from it follows
//! cloud
//!   computed arn
//!   replaces zone
//! program
//!   custom a size=1
//!   custom b from=$a.arn @protect
//! up
//! program
//!   custom a size=2
//!   custom b from=$a.arn @protect
//! up show=calls,state
//! ```
//!
//! # Blocks
//!
//! - `program` (or `program parallel`): what the program does from now on. Lines run one after the
//!   other; in a parallel program each waits only for those that it mentions, and for the root stack and
//!   hooks that stand before it; `signal` waits for all that stand before it. An error ends the program unless
//!   the line has `@try`.
//! - `cloud`: how the cloud and its providers behave from now on, and what happens to what exists.
//!   Rules add up until `reset`.
//! - `construct <type>`: the program by which a plugin makes components of a type (`@remote`).
//!   `component self` is the component, `{}` in names its name, `$args.x` its inputs,
//!   `outputs self …` its outputs.
//! - `state`: the state to start from, with the things that go with it. Lines are like those of results;
//!   `pending creating custom …` is an operation whose outcome nobody knows, with `@made` one that took effect.
//! - `edit …`: what the `state` commands do: `delete` (refused where others refer to it), `protect`, `unprotect`, `taint`, `untaint` with
//!   names, `rename old new`, `clear-pending`. One that is refused ends the case unless it has `@try`;
//!   it changes nothing.
//! - `show …`: what all results show from here on; see below.
//! - `import` with options: takes over what its lines say, without a program. The lines are like those of a
//!   program; `@import=` is the id, `@outputs={…}` are outputs to be taken as they are, `@properties=a,b` what
//!   becomes inputs, `@parent=` and `@provider=` names of the list or of the state, or URNs; `@remote`.
//! - `up`, `preview`, `refresh`, `destroy` with options: an operation.
//!
//! # Lines of a program
//!
//! `custom <name>`, `component <name>`, `provider <name>`, `stack` (then the parent of what follows),
//! `read <name> @id=…`, `invoke <token>`, `call <token> @self=<name>`, `outputs <name|stack>`, `signal`
//! (waits for the end of the deployment), `fails` (the program fails here), `bails` (without saying
//! so). Inputs are `key=value`. Values: `1`, `true`, `null`, `unknown`, `word`, `"text"`, `[…]`,
//! `{key: …}`, `secret(…)`, `$name` (an id), `$name.output`, `$name.urn`, `$name.ref`. What a value mentions
//! is a dependency of that property. A secret whose text has `hush` in it must never be stored in
//! clear.
//!
//! Options: `@type=`, `@parent=` (or `none`), `@deps=a,b`, `@provider=` (or a
//! reference), `@providers=`, `@protect`,
//! `@retain`, `@dbr` (these three also `=false`), `@ignore=`, `@replaceOn=`, `@secretOutputs=`, `@hide=`,
//! `@alias=` (a URN, or `name:`, `type:`, `stack:`, `project:`, `parent:`, `noparent` joined by `+`; may
//! repeat), `@deletedWith=`, `@replaceWith=`, `@trigger=value`, `@import=id`, `@hook=Kind:name`, `@timeout=`,
//! `@version=`, `@url=`, `@base=plugin@version/value` (the package comes from that plugin, parameterized), `@package=` (of a provider), `@remote`, `@as=handle`, `@try`, `@early` (parallel: doesn't
//! wait), `@position=`, `@trace=`. See [`options`].
//!
//! `hook <name>` registers a hook (`@dry`: in previews, too; `@quiet`: its failure is a warning; `@wrong` or
//! `@wrong=text`: it fails), `errorhook <name>` one that hears of failures (`@retries=N`). Their calls are
//! noted among those of the cloud.
//!
//! # Lines of a cloud
//!
//! `computed p`, `recomputed p` (changes with each update), `keeps output=input` (an output that is the first
//! value of an input for ever), `replaces p`, `dbr p`, `default p=value`,
//! `names p` (made up from the proposed name or the seed), `scatters p` (made up anew each time),
//! `refuses p ["text"]` where `p` is `property`, `name.property` or `type.property` (`*` for any property);
//! `fails|partial|lost|dropped|unimplemented <call> <name|*> [once|twice] ["text"]` with calls `check`,
//! `diff`, `create`, `foresee`, `update`, `delete`, `read`, `configure`, `check-config`, `diff-config`, `invoke`, `call`
//! (`lost` takes effect and is not answered, `dropped` takes none); `heals [call [name]]`;
//! `diff <name> none|some|unknown [replaces=p,q] [diffs=p] [detailed=path:kind,…] [dbr]` (a fixed answer);
//! `detailed <name>` (diffs are told path by path); `refresh-before-update <name>`; `silent <name>` (reads tell no
//! inputs); `answers <id> <other>` (reads of that id answer with another); `drift <name|id> p=value`, `vanish <name|id>`, `exists <id> p=value`; `reset`;
//! `views wrong <view> ["text"]`, `views replaced <view> [first]`, `views drift <name> view=value` (what the next read
//! finds; `null` for gone), `views silent <name>`, `views heals`. A resource shows the views that its input `views`
//! has.
//! Ids are `name-1`, `name-2`, …; the package `missing` has no plugin. See [`behaviour`].
//!
//! # Options of an operation
//!
//! `preview`, `refresh`, `run-program`, `legacy-refresh-diff`, `import-pending=name:id`, `continue-on-error`, `exclude-protected`, `ignore-protect`, `clear-pending-creates`,
//! `target=`, `exclude=`, `replace=` (URNs, `type::name` or names, with commas), `target-dependents`,
//! `save-plan`, `plan` (follows the plan recorded last), `naming=default|verbatim|disabled|propose:pattern|enforce:pattern`,
//! `exclude-dependents`, `parallel=N`, `package=name@version`, `disable=package`, `config=package:{…}`; `order=last|seed` (in which order
//! answers come; as asked otherwise); `cancel=`, `abandon=`, `crash=` a moment: `create:a` (just before that call
//! is answered) or `#7` (before the seventh answer); `store-fails=N` (no entry from the N-th on can be stored);
//! `show=…`. New options go into [`operation::Operation`].
//!
//! # Results
//!
//! First how it ended and the counts of the summary, then steps and diagnostics as they came. Views,
//! by `show`: `same` (steps that change nothing), `all` (also root stack and default providers), `hints` (whole
//! diagnostics), `calls`, `replies` (what the program is answered), `state`, `outputs` (of the stack), `entries`
//! (the journal), `plan` (the update plan recorded last), `diff` (the keys of each step), `previews` (steps as they begin).
//!
//! After each operation the lab checks by itself, and the case fails otherwise: the journal folds
//! to a valid state at every prefix, the written state is valid and is what the journal says, no
//! call that may change the cloud came before its begin was stored, nothing that exists is lost,
//! nothing is made or deleted twice, nothing is deleted before what depends on it, no secret is
//! in clear, and a preview does nothing.

pub mod behaviour;
pub mod case;
pub mod checks;
pub mod cloud;
pub mod codec;
pub mod edits;
pub mod gate;
pub mod hooks;
pub mod imports;
pub mod level;
pub mod operation;
pub mod options;
pub mod program;
pub mod result;
pub mod session;
pub mod states;
pub mod suite;
pub mod text;
pub mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_model::update_plan::UpdatePlan;
use purlin_model::{Snapshot, Urn};

use crate::CountingEntropy;
use case::Block;
use checks::Memory;
use cloud::{Cloud, Thing};
use codec::Codec;
use operation::{Bench, Operation, Ran};
use program::Program;

/// The stack of all cases.
pub const STACK: &str = "dev";
/// The project of all cases.
pub const PROJECT: &str = "shop";

/// A stack with everything around it.
#[derive(Default)]
pub struct Lab {
    /// The cloud.
    pub cloud: Cloud,
    /// The codec.
    pub codec: Arc<Codec>,
    /// The state.
    pub state: Arc<Snapshot>,
    entropy: Arc<CountingEntropy>,
    program: Program,
    show: Vec<String>,
    memory: Memory,
    /// The update plan that was recorded last.
    plan: Option<Arc<UpdatePlan>>,
}

/// What is said of pending creates by the names of their resources, by URN. Of several of one name that is
/// meant which made the thing. Names that are not pending stand for resources of the usual type.
fn pending_urns(named: &[(String, String)], state: &Snapshot, cloud: &Cloud) -> BTreeMap<Urn, String> {
    let things = cloud.things();
    let urn = |name: &String, id: &String| {
        let maker = things.get(id).and_then(|thing| thing.urn.as_ref());
        let pending = state.pending_operations.iter().map(|pending| &pending.resource.urn);
        let pending: Vec<&Urn> = pending.filter(|urn| urn.name() == name).collect();
        let known = pending.iter().find(|urn| Some(**urn) == maker).or(pending.first());
        known.map_or_else(|| Urn::new(STACK, PROJECT, None, "t:m:R", name), |urn| (*urn).clone())
    };
    named.iter().map(|(name, id)| (urn(name, id), id.clone())).collect()
}

/// The resources whose pending creates are said to have made what another made. What they did make is lost
/// with that: things of one id may be at each of several providers, so no engine can know better.
fn named_wrong(pending: &BTreeMap<Urn, String>, cloud: &Cloud) -> Vec<Urn> {
    let things = cloud.things();
    let maker = |id: &String| things.get(id).and_then(|thing| thing.urn.as_ref());
    let wrong = pending.iter().filter(|(urn, id)| maker(id).is_some_and(|maker| maker != *urn));
    wrong.map(|(urn, _)| urn.clone()).collect()
}

impl Lab {
    /// Goes through a block. Of an operation it returns what came of it, violations included.
    pub fn block(&mut self, block: &Block) -> Result<Option<Ran>, String> {
        match block {
            Block::State(lines) => self.lay_in(lines)?,
            Block::Cloud(lines) => {
                for line in lines {
                    self.cloud.line(line)?;
                }
                self.memory.touched(&self.state, &self.cloud);
            }
            Block::Construct(ty, lines) => {
                self.cloud.construct(ty, &lines.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
            Block::Program(program) => self.program = program.clone(),
            Block::Edit(line) => {
                let before = Arc::clone(&self.state);
                edits::edit(line, Arc::make_mut(&mut self.state))?;
                self.memory.edited(&before, &self.state);
                self.memory.touched(&self.state, &self.cloud);
            }
            Block::Show(show) => self.show.clone_from(show),
            Block::Operation(operation, _) => return self.operate(operation).map(Some),
        }
        Ok(None)
    }

    fn lay_in(&mut self, lines: &[String]) -> Result<(), String> {
        let mut snapshot = Snapshot::default();
        for line in lines {
            if let Some((state, inputs, outputs)) = states::read(line, &mut snapshot, &self.codec)? {
                self.cloud.spend(&state.id);
                self.cloud.put(&state.id, Thing { urn: Some(state.urn.clone()), inputs, outputs });
            }
        }
        self.state = Arc::new(snapshot);
        self.memory.touched(&self.state, &self.cloud);
        Ok(())
    }

    /// Runs an operation on the state; its state is that of the next.
    pub fn operate(&mut self, operation: &Operation) -> Result<Ran, String> {
        let before = Arc::clone(&self.state);
        let pending = pending_urns(&operation.import_pending, &before, &self.cloud);
        let bench = Bench {
            cloud: &mut self.cloud,
            codec: &self.codec,
            entropy: &self.entropy,
            state: &before,
            program: (!operation.programless).then_some(&self.program),
        };
        let mut operation = operation.clone();
        operation.settings.plan.import_pending = pending;
        if operation.follows_plan {
            let plan = self.plan.clone().ok_or("no operation has recorded a plan")?;
            operation.settings.plan.update_plan = Some(plan);
        }
        operation.named.settle(&before, &mut operation.settings.plan.targets);
        operation.settings.plan.imports = imports::requests(&operation.import_list, &before);
        let named_wrong = named_wrong(&operation.settings.plan.import_pending, bench.cloud);
        let mut ran = operation::run(&operation, bench)?;
        self.memory.named_wrong(named_wrong, &before, &ran.state);
        if let Some(plan) = ran.report.as_mut().and_then(|report| report.update_plan.take()) {
            self.plan = Some(Arc::new(plan));
        }
        let cleared = operation.settings.clear_pending_creates;
        ran.violations = checks::check(&before, &ran, &self.cloud, cleared, &mut self.memory);
        self.state = Arc::clone(&ran.state);
        Ok(ran)
    }

    /// The update plan that was recorded last.
    pub fn plan(&self) -> Option<&Arc<UpdatePlan>> {
        self.plan.as_ref()
    }

    /// The lines of a result.
    pub fn lines(&self, operation: &Operation, ran: &Ran) -> Vec<String> {
        let show: Vec<&str> = self.show.iter().chain(&operation.show).map(String::as_str).collect();
        let mut lines = result::lines(ran, &show, &self.codec);
        if show.contains(&"plan") {
            lines.extend(self.plan.iter().flat_map(|plan| result::plan_lines(plan)));
        }
        lines
    }
}
