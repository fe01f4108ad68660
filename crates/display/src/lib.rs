//! Events of operations as text for people.
//!
//! Three renderers take the same events: [`LineRenderer`] writes plain lines as things happen,
//! [`TreeRenderer`] draws a live tree, [`DiffRenderer`] writes what each step does to each
//! property. All are pure: events and times go in, text comes out. Nothing here writes, reads a
//! clock or asks for a terminal's properties.
//!
//! Every property value reaches text by way of one place that hides secrets; see [`value_text`].

mod blob;
mod compare;
mod diff;
mod lens;
mod line;
mod ops;
mod options;
mod policies;
mod printer;
mod redact;
mod row;
mod run;
mod sections;
mod step;
mod style;
mod text;
mod textdiff;
mod tree;
mod why;

pub use diff::{DiffRenderer, details};
pub use line::LineRenderer;
pub use options::{Operation, Options};
pub use printer::value_text;
pub use redact::Redaction;
pub use text::{columns, shown_name, shown_type};
pub use tree::TreeRenderer;
pub use why::{explanation, explanations};
