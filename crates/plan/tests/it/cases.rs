//! Planner cases as text: each file in `cases` is one theme, each case a scenario, a line `---`, and
//! the trace of what the planner did with it, with the list of states that came out.
//!
//! With `UPDATE=1` in the environment the expected traces are rewritten.

use std::fmt::Write;
use std::path::Path;

use purlin_plan::Rule;

use crate::support;

/// The trace of a case.
fn check(text: &str) -> String {
    let (scenario, mut script) = support::text::read(text);
    let played = support::play::play(&scenario, &mut script);
    let mut out = String::new();
    for line in played.trace.iter().filter(|line| !is_dull(line)) {
        writeln!(out, "{line}").unwrap();
    }
    out.push_str("state:\n");
    for (_, state) in played.fold.states() {
        writeln!(out, "  {}", support::show(state)).unwrap();
    }
    if scenario.explained {
        out.push_str("why:\n");
        for step in &played.steps {
            let Some(cause) = &step.reasons.cause else { continue };
            writeln!(out, "  {} {}: {}", step.op.as_str(), step.urn.name(), support::show_cause(cause))
                .unwrap();
        }
    }
    if scenario.counted {
        let counts = Rule::ALL.iter().map(|rule| (rule.name(), played.rules.of(*rule)));
        if !played.left.is_empty() {
            writeln!(out, "left alone: {}", played.left.join(" ")).unwrap();
        }
        out.push_str("rules:\n");
        for (name, count) in counts.filter(|(_, count)| *count > 0) {
            writeln!(out, "  {name}: {count}").unwrap();
        }
    }
    for (_, pending) in played.fold.begun() {
        writeln!(out, "  unknown: {}", pending.resource.urn.name()).unwrap();
    }
    out
}

/// What nearly every case begins with: the root stack and the default provider, unchanged.
fn is_dull(line: &str) -> bool {
    let dull = [
        "> start",
        "  start program",
        "> register shop-dev",
        "  run create shop-dev -> place",
        "> stepped create shop-dev",
        "  diff shop-dev",
        "> diffed shop-dev same",
        "  run same shop-dev -> keep",
        "> stepped same shop-dev",
        "  reply shop-dev registered",
        "  adopt default",
        "  check default with olds",
        "  diff default",
        "> diffed default same",
        "  run same default -> keep",
        "> stepped same default",
    ];
    dull.contains(&line)
}

/// The cases of a file with what came of each: title, scenario, expected, found.
fn run_file(path: &Path) -> Vec<[String; 4]> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases = Vec::new();
    for part in text.split("\n=== ").skip(1) {
        let (title, rest) = part.split_once('\n').unwrap();
        let (scenario, expected) = rest.split_once("---\n").unwrap_or((rest, ""));
        let found = check(scenario);
        let parts = [title, scenario.trim_end(), expected.trim_end(), found.trim_end()];
        cases.push(parts.map(str::to_owned));
    }
    cases
}

fn run_theme(theme: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(format!("{theme}.txt"));
    let cases = run_file(&path);
    assert!(!cases.is_empty(), "{theme} has no cases");
    if std::env::var_os("UPDATE").is_some() {
        let mut text = format!("{theme}\n");
        for [title, scenario, _, found] in &cases {
            write!(text, "\n=== {title}\n{scenario}\n---\n{found}\n").unwrap();
        }
        std::fs::write(&path, text).unwrap();
        return;
    }
    for [title, _, expected, found] in &cases {
        assert!(expected == found, "{theme}: {title}\n--- expected\n{expected}\n--- found\n{found}");
    }
}

macro_rules! themes {
    ($($theme:ident),* $(,)?) => {
        $(#[test] fn $theme() { run_theme(stringify!($theme)); })*

        #[test]
        fn every_file_is_run() {
            let themes = [$(stringify!($theme)),*];
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                let theme = path.file_stem().unwrap().to_string_lossy().into_owned();
                assert!(themes.contains(&theme.as_str()), "{theme} is not in the list of themes");
            }
        }
    };
}

themes!(
    imports,
    programs,
    pendings,
    basics,
    replacements,
    cascades,
    deletes,
    leftovers,
    protection,
    reads,
    aliases,
    providers,
    failures,
    stopping,
    targets,
    refreshes,
    update_plans,
    explanations,
    counted,
);
