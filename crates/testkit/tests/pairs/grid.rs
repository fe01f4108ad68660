//! The modes and options, and what the official command line refuses.

use Choice::*;
use Mode::*;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Preview,
    Up,
    Refresh,
    Destroy,
}

impl Mode {
    pub(crate) const ALL: [Mode; 4] = [Preview, Up, Refresh, Destroy];

    /// The command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Preview => "preview",
            Up => "up",
            Refresh => "refresh",
            Destroy => "destroy",
        }
    }
}

/// An option, or something that happens before or in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    RefreshFirst,
    RunProgram,
    Target,
    TargetDependents,
    Exclude,
    ExcludeDependents,
    Replace,
    TargetReplace,
    ContinueOnError,
    Parallel,
    ExpectNoChanges,
    SavePlan,
    Plan,
    Strict,
    SkipPreview,
    PreviewOnly,
    ImportPending,
    ClearPending,
    SkipPending,
    IgnoreProtect,
    ExcludeProtected,
    StateDelete,
    StateTaint,
    StateUnprotect,
    CancelOnce,
    CancelTwice,
    Failing,
}

/// An answer of the official command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    Refused(String),
}

/// What a command doesn't know, by the names of its options.
const UPDATES: &[Mode] = &[Preview, Up];
const ACTS: &[Mode] = &[Up, Refresh, Destroy];

impl Choice {
    pub(crate) const ALL: [Choice; 27] = [
        RefreshFirst,
        RunProgram,
        Target,
        TargetDependents,
        Exclude,
        ExcludeDependents,
        Replace,
        TargetReplace,
        ContinueOnError,
        Parallel,
        ExpectNoChanges,
        SavePlan,
        Plan,
        Strict,
        SkipPreview,
        PreviewOnly,
        ImportPending,
        ClearPending,
        SkipPending,
        IgnoreProtect,
        ExcludeProtected,
        StateDelete,
        StateTaint,
        StateUnprotect,
        CancelOnce,
        CancelTwice,
        Failing,
    ];

    /// The option as it is written, or what happens in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RefreshFirst => "--refresh",
            RunProgram => "--run-program",
            Target => "--target",
            TargetDependents => "--target-dependents",
            Exclude => "--exclude",
            ExcludeDependents => "--exclude-dependents",
            Replace => "--replace",
            TargetReplace => "--target-replace",
            ContinueOnError => "--continue-on-error",
            Parallel => "--parallel",
            ExpectNoChanges => "--expect-no-changes",
            SavePlan => "--save-plan",
            Plan => "--plan",
            Strict => "--strict",
            SkipPreview => "--skip-preview",
            PreviewOnly => "--preview-only",
            ImportPending => "--import-pending-creates",
            ClearPending => "--clear-pending-creates",
            SkipPending => "--skip-pending-creates",
            IgnoreProtect => "--ignore-protect",
            ExcludeProtected => "--exclude-protected",
            StateDelete => "`state delete` before",
            StateTaint => "`state taint` before",
            StateUnprotect => "`state unprotect` before",
            CancelOnce => "cancelled once",
            CancelTwice => "cancelled twice",
            Failing => "a provider that fails",
        }
    }

    /// Where the official command line has it.
    fn modes(self) -> &'static [Mode] {
        match self {
            RefreshFirst | IgnoreProtect => &[Preview, Up, Destroy],
            ExcludeDependents | ExpectNoChanges => &[Preview, Up, Refresh],
            Replace | TargetReplace => UPDATES,
            ContinueOnError => &[Up, Destroy],
            SavePlan => &[Preview],
            Plan | Strict => &[Up],
            SkipPreview => ACTS,
            PreviewOnly => &[Refresh, Destroy],
            ImportPending | ClearPending | SkipPending => &[Refresh],
            ExcludeProtected => &[Destroy],
            _ => &Mode::ALL,
        }
    }

    /// The words of an operation of the lab.
    pub(crate) fn words(self) -> &'static str {
        match self {
            RefreshFirst => "refresh",
            RunProgram => "run-program",
            Target => "target=base",
            TargetDependents => "target-dependents",
            Exclude => "exclude=base",
            ExcludeDependents => "exclude-dependents",
            Replace => "replace=lone",
            TargetReplace => "target-replace=lone",
            ContinueOnError => "continue-on-error",
            Parallel => "parallel=1",
            SavePlan => "save-plan",
            Plan | Strict => "plan",
            PreviewOnly => "preview",
            ImportPending => "import-pending=maybe:maybe-1",
            ClearPending => "clear-pending-creates",
            IgnoreProtect => "ignore-protect",
            ExcludeProtected => "exclude-protected",
            CancelOnce => "cancel=#9",
            CancelTwice => "abandon=#9",
            // Nothing that the engine hears of.
            ExpectNoChanges | SkipPreview | SkipPending => "",
            StateDelete | StateTaint | StateUnprotect | Failing => "",
        }
    }
}

/// What the official command line says to one option.
pub(crate) fn alone(mode: Mode, choice: Choice) -> Answer {
    if choice.modes().contains(&mode) {
        return Answer::Accepted;
    }
    Answer::Refused(format!("unknown flag: {}", choice.name()))
}

/// What Purlin runs although the official command line doesn't know it there.
pub(crate) fn extra(mode: Mode, choice: Choice) -> bool {
    matches!((mode, choice), (Refresh, RefreshFirst) | (Destroy, ExcludeDependents))
}

/// What Purlin knows in a mode.
pub(crate) fn known(mode: Mode) -> Vec<Choice> {
    let known = |choice: &Choice| alone(mode, *choice) == Answer::Accepted || extra(mode, *choice);
    Choice::ALL.into_iter().filter(known).collect()
}

/// What it says to two of which it knows each.
pub(crate) fn together(one: Choice, other: Choice) -> Answer {
    let group = |text: &str| {
        Answer::Refused(format!(
            "if any flags in the group [{text}] are set none of the others can be; [{}] were all set",
            { sorted(text) }
        ))
    };
    let said = |text: &str| Answer::Refused(text.to_owned());
    match (one, other) {
        (Target, Exclude) => group("target exclude"),
        (IgnoreProtect, ExcludeProtected) => group("exclude-protected ignore-protect"),
        (Target, ExcludeProtected) => said("you cannot specify --target and --exclude-protected"),
        (ClearPending, SkipPending) => {
            said("cannot set both --skip-pending-creates and --clear-pending-creates")
        }
        (Strict, SkipPreview) => {
            said("--strict cannot be used with --skip-preview; strict requires a preview")
        }
        (SkipPreview, PreviewOnly) => said("--skip-preview and --preview-only cannot be used together"),
        _ => Answer::Accepted,
    }
}

fn sorted(names: &str) -> String {
    let mut names: Vec<&str> = names.split(' ').collect();
    names.sort_unstable();
    names.join(" ")
}

/// Whether two of them can be tried in one run at all.
pub(crate) fn possible(one: Choice, other: Choice) -> bool {
    // One run follows one plan, and is cancelled at one moment.
    !matches!((one, other), (Plan, Strict) | (CancelOnce, CancelTwice))
}

/// Every pair of a mode that is run: first each option with nothing.
pub(crate) fn runs(mode: Mode) -> Vec<Vec<Choice>> {
    let known = known(mode);
    let mut runs = vec![Vec::new()];
    runs.extend(known.iter().map(|choice| vec![*choice]));
    for (number, one) in known.iter().enumerate() {
        for other in &known[number + 1..] {
            if together(*one, *other) == Answer::Accepted && possible(*one, *other) {
                runs.push(vec![*one, *other]);
            }
        }
    }
    runs
}
