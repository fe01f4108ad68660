//! The section of the rule book, written from the grid.

use std::fmt::Write as _;

use super::grid::{self, Answer, Choice, Mode};
use super::stacks;

const SECTION: &str = "## Modes and options, pair by pair\n";

/// The text of the page with the section as it has to be.
pub(crate) fn with_table(text: &str) -> String {
    let Some((before, rest)) = text.split_once(SECTION) else { return text.to_owned() };
    let after = rest.find("\n## ").map_or("", |at| &rest[at..]);
    format!("{before}{SECTION}\n{}{after}", section())
}

fn section() -> String {
    let mut out = "Written by `crates/testkit/tests/pairs` (`PURLIN_BLESS=1` rewrites it), which runs all of it: each mode \
                   with each option, and each two options together. \"runs\": accepted and run; \"–\": the official \
                   command line doesn't know it there (`unknown flag`), and neither does Purlin, which ends with 1, \
                   too; \"only here\": Purlin knows it there. What the official command line refuses together Purlin refuses \
                   in its own words, and ends with 1, too.\n\n|  |"
        .to_owned();
    for choice in Choice::ALL {
        let _ = write!(out, " {} |", code(choice));
    }
    let _ = writeln!(out, "\n|---|{}", "---|".repeat(Choice::ALL.len()));
    for mode in Mode::ALL {
        let _ = write!(out, "| {} |", mode.name());
        for choice in Choice::ALL {
            let word = match grid::alone(mode, choice) {
                Answer::Accepted => "runs",
                Answer::Refused(_) if grid::extra(mode, choice) => "runs (only here)",
                Answer::Refused(_) => "–",
            };
            let _ = write!(out, " {word} |");
        }
        out.push('\n');
    }
    out.push_str("\nTwo options together: each pair of those that a mode has runs, over ");
    let _ = writeln!(out, "{} stacks ({}), but for these:\n", stacks::ALL.len(), names());
    out.push_str("| Mode | Runs | Refused by the official command line | Not tried |\n|---|---:|---|---|\n");
    for mode in Mode::ALL {
        let (refused, apart) = left_out(mode);
        let count = grid::runs(mode).len();
        let _ = writeln!(
            out,
            "| {} | {count} | {} | {} |",
            mode.name(),
            refused.join("<br>"),
            apart.join("<br>")
        );
    }
    out
}

fn names() -> String {
    stacks::ALL.iter().map(|stack| stack.name).collect::<Vec<_>>().join(", ")
}

fn code(choice: Choice) -> String {
    if choice.name().starts_with("--") { format!("`{}`", choice.name()) } else { choice.name().to_owned() }
}

/// The pairs of a mode that are refused, and those that make no sense in one run.
fn left_out(mode: Mode) -> (Vec<String>, Vec<String>) {
    let known = grid::known(mode);
    let (mut refused, mut apart) = (Vec::new(), Vec::new());
    for (number, one) in known.iter().enumerate() {
        for other in &known[number + 1..] {
            let pair = format!("{} with {}", code(*one), code(*other));
            match grid::together(*one, *other) {
                Answer::Refused(message) => refused.push(format!("{pair}: \"{message}\"")),
                Answer::Accepted if !grid::possible(*one, *other) => apart.push(pair),
                Answer::Accepted => {}
            }
        }
    }
    (refused, apart)
}
