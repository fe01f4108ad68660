//! The benchmark's findings as Markdown.

use std::fmt::Write as _;

use anyhow::Result;

use super::options::Provider;
use super::stage::Engine;
use super::{Finding, PHASES};
use crate::run::captured;

pub(crate) const MEGABYTE: f64 = 1_000_000.0;

/// What the findings were found with.
pub(crate) fn description(provider: &Provider, peer: Option<&Engine>) -> Result<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let provider = match provider {
        Provider::Builtin => "the built-in `random` provider",
        Provider::Random(_) => "the official `random` plugin",
        Provider::Faultcloud(_) => "the test plugin `faultcloud`, whose cloud is a folder",
    };
    let peer = match peer {
        Some(peer) => {
            let version = captured(std::process::Command::new(peer.binary()).arg("version"))?;
            format!("`pulumi` {}", version.trim())
        }
        None => "no `pulumi`".to_owned(),
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    Ok(format!("{cores} cores, load {load} at the start, {provider}, {peer} beside it"))
}

/// All findings.
pub(crate) fn report(description: &str, findings: &[Finding], arguments: &[String]) -> String {
    let mut text = format!("`cargo xtask bench {}` ({description})\n", shown(arguments));
    for finding in findings {
        text.push('\n');
        text.push_str(&one(finding));
    }
    text.push('\n');
    text.push_str(&growth(findings));
    text.trim_end().to_owned()
}

/// The arguments that say what was measured, without those about files.
pub(crate) fn shown(arguments: &[String]) -> String {
    let mut words = Vec::new();
    let mut all = arguments.iter().map(String::as_str);
    while let Some(word) = all.next() {
        match word {
            "--no-build" | "--trace" => {}
            "--output" => drop(all.next()),
            word => words.push(word),
        }
    }
    words.join(" ")
}

pub(crate) fn seconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn count(value: usize) -> f64 {
    value as f64
}

/// Microseconds of Purlin's own CPU time for each resource after the first.
fn own_cpu(finding: &Finding, phase: usize) -> f64 {
    let over = finding.purlin.phases[phase].own_cpu - finding.least.phases[phase].own_cpu;
    over.max(0.0) * 1e6 / count(finding.resources.saturating_sub(1).max(1))
}

const COLUMNS: &str = "| | wall s | of that storage s | floor s | wall / floor | CPU s, whole tree | \
                       Purlin's CPU µs/resource | peak MB, whole tree | peak MB, Purlin |";
const PEER_COLUMNS: &str = " `pulumi` wall s | times faster | `pulumi` peak MB |";

fn one(finding: &Finding) -> String {
    let per_resource = float(finding.purlin.checkpoint) / count(finding.resources);
    let (columns, lines) = match finding.peer {
        Some(_) => (PEER_COLUMNS, "--:|--:|--:|"),
        None => ("", ""),
    };
    let mut text = format!(
        "**{}, {} resources**, {per_resource:.0} bytes each in the state; floor of the program {} s\n\n\
         {COLUMNS}{columns}\n|---|--:|--:|--:|--:|--:|--:|--:|--:|{lines}\n",
        finding.language.name(),
        finding.resources,
        seconds(finding.floors.program),
    );
    for (phase, name) in PHASES.iter().enumerate() {
        let own = finding.purlin.phases[phase];
        let floor = finding.floors.of(phase);
        let storage = finding.in_memory.as_ref().map(|life| (own.wall - life.phases[phase].wall).max(0.0));
        let peer = finding.peer.as_ref().map(|life| life.phases[phase]);
        let peer = peer.map(|p| {
            let faster = p.wall / own.wall;
            format!(" {} | {faster:.1} | {:.0} |", seconds(p.wall), float(p.tree_peak) / MEGABYTE)
        });
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {:.2} | {} | {:.0} | {:.0} | {:.0} |{}",
            seconds(own.wall),
            storage.map_or_else(|| "–".to_owned(), seconds),
            seconds(floor),
            own.wall / floor.max(0.001),
            seconds(own.tree_cpu),
            own_cpu(finding, phase),
            float(own.tree_peak) / MEGABYTE,
            float(own.own_peak) / MEGABYTE,
            peer.unwrap_or_default(),
        );
    }
    text
}

/// How much one more resource costs, from size to size.
fn growth(findings: &[Finding]) -> String {
    let mut text = String::new();
    for pair in findings.windows(2) {
        let [small, large] = pair else { continue };
        if small.language != large.language || small.resources >= large.resources {
            continue;
        }
        let more = count(large.resources - small.resources);
        let costs: Vec<String> = PHASES
            .iter()
            .enumerate()
            .map(|(phase, name)| {
                let time = large.purlin.phases[phase].wall - small.purlin.phases[phase].wall;
                format!("{name} {:.0} µs", time * 1e6 / more)
            })
            .collect();
        let _ = writeln!(
            text,
            "One more resource in {}, between {} and {}: {}.",
            large.language.name(),
            small.resources,
            large.resources,
            costs.join(", ")
        );
    }
    text
}

/// One line that says it all.
pub(crate) fn summary(findings: &[Finding]) -> String {
    let parts: Vec<String> = findings
        .iter()
        .map(|finding| {
            let ratio =
                |phase: usize| finding.purlin.phases[phase].wall / finding.floors.of(phase).max(0.001);
            let against = finding.peer.as_ref().map(|peer| {
                format!(", {:.1}x pulumi's speed", peer.phases[0].wall / finding.purlin.phases[0].wall)
            });
            format!(
                "{} x {}: create {} s ({:.2}x floor{}), no-op {} s ({:.2}x floor)",
                finding.language.name(),
                finding.resources,
                seconds(finding.purlin.phases[0].wall),
                ratio(0),
                against.unwrap_or_default(),
                seconds(finding.purlin.phases[1].wall),
                ratio(1),
            )
        })
        .collect();
    format!("bench: {}", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::Life;
    use super::super::floor::Floors;
    use super::super::measure::Measured;
    use super::super::options::Language;
    use super::*;

    fn life(wall: f64, own_cpu: f64) -> Life {
        let measured = Measured {
            wall,
            own_cpu,
            tree_cpu: own_cpu,
            own_peak: 20_000_000,
            tree_peak: 90_000_000,
            written: 0,
        };
        Life { phases: [measured; 5], checkpoint: 260_000 }
    }

    fn finding(resources: usize, wall: f64) -> Finding {
        Finding {
            language: Language::Python,
            resources,
            purlin: life(wall, 0.06),
            least: life(0.3, 0.0501),
            in_memory: Some(life(wall - 0.25, 0.06)),
            peer: Some(life(wall * 10.0, 3.0)),
            floors: Floors { program: 0.5, provider: [0.3; 5] },
        }
    }

    #[test]
    fn rows_hold_ratios_and_costs() {
        let text = one(&finding(100, 1.0));
        assert!(text.contains("**python, 100 resources**, 2600 bytes each"), "{text}");
        assert!(
            text.contains("| create | 1.00 | 0.25 | 0.80 | 1.25 | 0.06 | 100 | 90 | 20 | 10.0 | 10.0 | 90 |"),
            "{text}"
        );
        assert!(text.contains("| destroy | 1.00 | 0.25 | 0.30 | 3.33 |"), "{text}");
    }

    #[test]
    fn the_command_is_shown_without_files() {
        let words = ["up", "--resources", "100", "--output", "x.md", "--no-build", "--runs", "3"];
        assert_eq!(shown(&words.map(str::to_owned)), "up --resources 100 --runs 3");
    }

    #[test]
    fn growth_is_told_from_size_to_size() {
        let text = growth(&[finding(100, 1.0), finding(1100, 2.0)]);
        assert!(
            text.starts_with("One more resource in python, between 100 and 1100: create 1000 µs"),
            "{text}"
        );
        assert!(summary(&[finding(100, 1.0)]).starts_with("bench: python x 100: create 1.00 s (1.25x floor"));
    }
}
