//! Every pair of modes and options that the official command line accepts, run over stacks that make
//! the options bite. The lab checks each run; each option claims something of its own about it;
//! and afterwards an update brings everything to what the program says, whatever happened.
//!
//! The table of `docs/engine-rules.md` is written from here, with `PURLIN_BLESS=1`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod claims;
mod grid;
mod run;
mod stacks;
mod table;

use std::collections::BTreeSet;

use claims::Claims;
use grid::{Choice, Mode};
use run::Outcome;
use stacks::Stack;

/// Whatever a run came to, the next ones get everything right.
fn recovers(outcome: &mut Outcome, stack: &Stack) -> Result<(), String> {
    let lab = &mut outcome.lab;
    let program = stack.program.replace(" @protect", "");
    let heals = format!("cloud\n  heals\nprogram\n{program}");
    run::blocks(lab, &heals)?;
    for (line, want) in [
        ("refresh clear-pending-creates\n", "succeeded"),
        ("up ignore-protect\n", "succeeded"),
        ("preview show=same,all\n", "succeeded"),
        ("destroy\n", "succeeded"),
    ] {
        let Some((_, lines)) = run::blocks(lab, line)? else { continue };
        let head = lines.first().cloned().unwrap_or_default();
        if !head.contains(want) {
            return Err(format!("afterwards: {}{}", line, lines.join("\n")));
        }
        let settled = head.split(": ").nth(1).is_some_and(|counts| counts.split(", ").count() == 1);
        if line.starts_with("preview") && !(settled && head.ends_with(" same")) {
            return Err(format!("afterwards something is left to do: {}", lines.join("\n")));
        }
    }
    match lab.state.resources.len() {
        0 => Ok(()),
        left => Err(format!("afterwards a destroy leaves {left}")),
    }
}

/// What runs have left behind, and what comes after was tried with it.
type Tried = BTreeSet<String>;

fn problems(mode: Mode, choices: &[Choice], stack: &Stack, tried: &mut Tried) -> Result<(), String> {
    let mut outcome = run::run(mode, choices, stack)?;
    let claims = Claims { mode, choices, stack, outcome: &outcome };
    let mut wrong = claims.wrong();
    if let Some(idle) = claims.idle()
        && claims.differs(idle)?
    {
        wrong.push(format!("{} makes a difference", idle.name()));
    }
    wrong.extend(claims.of_the_cancel()?.map(str::to_owned));
    let left = || format!("{} {:?} {:?}", stack.name, outcome.after(), outcome.things);
    if claims.leaves_traces() && tried.insert(left()) {
        wrong.extend(recovers(&mut outcome, stack).err());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{}", wrong.join("\n"), outcome.lines.join("\n"))) }
}

fn all_of(mode: Mode) {
    let (mut wrong, mut tried) = (Vec::new(), Tried::new());
    for choices in grid::runs(mode) {
        for stack in &stacks::ALL {
            if let Err(problem) = problems(mode, &choices, stack, &mut tried) {
                wrong.push(format!("{}: {}{problem}", stack.name, run::line(mode, &choices)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {mode:?}:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn pairs_of_preview() {
    all_of(Mode::Preview);
}

#[test]
fn pairs_of_up() {
    all_of(Mode::Up);
}

#[test]
fn pairs_of_refresh() {
    all_of(Mode::Refresh);
}

#[test]
fn pairs_of_destroy() {
    all_of(Mode::Destroy);
}

#[test]
fn the_table_is_what_the_generator_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engine-rules.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let new = table::with_table(&text);
    if std::env::var_os("PURLIN_BLESS").is_some() {
        std::fs::write(&path, new).unwrap();
    } else {
        assert!(new == text, "the table of pairs is out of date: run this test with PURLIN_BLESS=1");
    }
}
