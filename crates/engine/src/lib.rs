//! The driver: feeds the planner, performs its effects, records every begin and end.
//!
//! One task owns the planner, the fold and the tables; slow calls run in tasks of their own and
//! answer with messages. Every change of state leaves as a journal entry, everything that a person
//! sees as an event.

mod autoname;
mod calls;
mod compare;
mod comparisons;
mod driver;
mod effects;
mod handle;
mod hooks;
mod import;
mod import_list;
mod message;
mod outputs;
mod perform;
mod plan_book;
mod policy;
mod pool;
mod record;
mod refresh;
mod retry;
mod secrecy;
mod settings;
mod view;
mod views;

pub use driver::Engine;
pub use settings::{EnginePorts, EngineSettings, Program, Report};
pub use view::say;
