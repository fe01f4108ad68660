//! What a stack's life can't cost less than.

use std::path::Path;

use anyhow::{Context, Result};

use super::PHASES;
use super::options::{Language, Provider};
use super::stage::Stage;
use crate::run::captured;

/// Seconds that the parts of a life take by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Floors {
    /// The program against a monitor that answers at once.
    pub(crate) program: f64,
    /// The provider's calls of each phase.
    pub(crate) provider: [f64; 5],
}

impl Floors {
    /// The floor of a phase: program and provider one after the other.
    pub(crate) fn of(&self, phase: usize) -> f64 {
        let program =
            if PHASES[phase] == "refresh" || PHASES[phase] == "destroy" { 0.0 } else { self.program };
        program + self.provider[phase]
    }
}

/// Measures both, each as often as asked, and takes the medians.
pub(crate) fn measure(binary: &Path, stage: &Stage, runs: usize) -> Result<Floors> {
    let parallel = (4 * std::thread::available_parallelism().map_or(4, usize::from)).to_string();
    let mut programs = Vec::new();
    let mut providers = Vec::new();
    // A Go program is compiled in its first run.
    let warm_up = usize::from(stage.language == Language::Go);
    for run in 0..runs + warm_up {
        let seconds = program(binary, stage, &parallel)?;
        if run >= warm_up {
            programs.push(seconds);
        }
    }
    for _ in 0..runs {
        providers.push(provider(binary, stage, &parallel)?);
    }
    let of_phase = |phase: usize| median(providers.iter().map(|times| times[phase]).collect());
    Ok(Floors { program: median(programs), provider: std::array::from_fn(of_phase) })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn program(binary: &Path, stage: &Stage, parallel: &str) -> Result<f64> {
    let mut command = stage.command(binary);
    command.args(["program", stage.language.runtime()]).arg(stage.program()).arg(parallel);
    command.args(stage.config().map(|(key, value)| format!("{key}={value}")));
    let line = captured(&mut command)?;
    let seconds = line.split_whitespace().next().and_then(|word| word.parse().ok());
    seconds.with_context(|| format!("the floor of the program printed {line:?}"))
}

fn provider(binary: &Path, stage: &Stage, parallel: &str) -> Result<[f64; 5]> {
    let package = if stage.provider == Provider::Builtin { "builtin" } else { stage.provider.package() };
    let mut command = stage.command(binary);
    command.args(["provider", package, &stage.resources.to_string(), parallel]);
    parse_phases(&captured(&mut command)?)
}

fn parse_phases(line: &str) -> Result<[f64; 5]> {
    let mut times = [0.0; 5];
    for (phase, time) in PHASES.iter().zip(&mut times) {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(&format!("{phase}=")));
        let value = value.and_then(|value| value.parse().ok());
        *time = value.with_context(|| format!("the floor of the provider printed {line:?}"))?;
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_read_and_added_to_the_program() {
        let provider = parse_phases("create=1.5 no-op=0.5 preview=0.25 refresh=2 destroy=3\n").unwrap();
        let floors = Floors { program: 1.0, provider };
        assert_eq!([0, 1, 2, 3, 4].map(|phase| floors.of(phase)), [2.5, 1.5, 1.25, 2.0, 3.0]);
        assert!(parse_phases("create=1.5").is_err());
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
