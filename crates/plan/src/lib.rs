//! The planner: a pure state machine from inputs to effects.
//!
//! [`Planner::handle`] takes one input at a time (a registration, an answer, the end of the
//! program) and returns what is to be done about it. It does no I/O, knows no clock and draws
//! nothing: the same inputs in the same order give the same effects. It never looks into a bag of
//! properties; what a check or a diff found out comes with the answers.
//!
//! Preview, update, refresh and destroy are one planner with another [`Mode`].

mod alias;
mod along;
mod carry;
mod cascade;
mod cause;
mod constraint;
mod decide;
mod delete_hooks;
mod deletes;
mod dependents;
mod effect;
mod envelope;
mod existence;
mod graph;
mod import;
mod import_list;
mod input;
mod pending;
mod planned;
#[cfg(feature = "planted")]
pub mod planted;
mod program;
mod provider;
mod refresh;
mod register;
mod rule;
mod scope;
mod settings;
mod spare;
mod step;
mod table;
mod target;
mod twins;
mod views;

pub use effect::{After, Effect, Reply, Step, StepReasons};
pub use envelope::same_envelope;
pub use existence::Existence;
pub use import_list::ImportRequest;
pub use input::{DiffFacts, Input, ProviderQuery, Registration, StepOutcome, Ticket};
pub use planned::{Wanted, diff_violation, planned_diff};
pub use rule::{Rule, RuleCounts};
pub use scope::RefreshScope;
pub use settings::{Mode, PlannedSteps, Settings};
pub use step::StepId;
pub use table::{Planner, ResId};
pub use target::{Targets, UrnSet};
pub use views::{PublishedView, ViewStep};
