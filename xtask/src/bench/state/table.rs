//! What stores cost, as Markdown, and what of it was aimed at.

use std::fmt::Write as _;

use super::place::Store;
use super::{Case, Cost, Finding};
use crate::bench::options::Language;
use crate::bench::table::{MEGABYTE, count, float, seconds, shown};

/// All findings.
pub(crate) fn report(
    description: &str,
    language: Language,
    findings: &[Finding],
    arguments: &[String],
) -> String {
    let mut text = format!(
        "`cargo xtask bench {}` ({description}; programs in {})\n\n",
        shown(arguments),
        language.name()
    );
    let peer = findings.iter().any(|finding| finding.peer.is_some());
    text.push_str("| | delay ms | wall s | CPU s | requests | sent MB | journal MB | checkpoint written |");
    text.push_str(if peer {
        " `pulumi` wall s | requests | sent MB | checkpoint written | times faster |"
    } else {
        ""
    });
    text.push_str("\n|---|--:|--:|--:|--:|--:|--:|--:|");
    text.push_str(if peer { "--:|--:|--:|--:|--:|\n" } else { "\n" });
    for finding in findings {
        text.push_str(&row(finding, peer));
        text.push('\n');
    }
    let journals = journals(findings);
    if !journals.is_empty() {
        text.push_str(
            "\n| in a directory | journal, bytes a resource | pending entry and end state | ratio |\n",
        );
        text.push_str("|---|--:|--:|--:|\n");
        text.push_str(&journals);
    }
    let goals = goals(language, findings);
    if !goals.is_empty() {
        text.push_str("\n| goal | measured | |\n|---|---|---|\n");
        text.push_str(&goals);
    }
    text.trim_end().to_owned()
}

/// One finding on a line.
pub(crate) fn summary(finding: &Finding) -> String {
    let Finding { case, purlin, peer } = finding;
    let faster = peer.map(|peer| format!(", {:.1} times pulumi's speed", ratio(&peer, purlin)));
    format!(
        "{}, {} ms: {} s, {} requests{}",
        name(case),
        case.latency,
        seconds(purlin.measured.wall),
        requests(purlin),
        faster.unwrap_or_default()
    )
}

fn name(case: &Case) -> String {
    let shape = if case.chained { "in a chain" } else { "resources" };
    format!("{}, {} {shape}", case.store.name(), case.resources)
}

/// How many times longer the one took than the other.
fn ratio(slow: &Cost, fast: &Cost) -> f64 {
    slow.measured.wall / fast.measured.wall.max(0.001)
}

fn requests(cost: &Cost) -> String {
    cost.traffic.map_or_else(|| "–".to_owned(), |traffic| traffic.requests.to_string())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2}", float(bytes) / MEGABYTE)
}

/// Bytes that went to the store; what was written, where it is a folder.
fn sent(cost: &Cost) -> String {
    megabytes(cost.traffic.map_or(cost.measured.written, |traffic| traffic.sent))
}

fn checkpoints(cost: &Cost) -> Option<u64> {
    cost.seen.map(|seen| seen.checkpoints).or(cost.traffic.map(|traffic| traffic.checkpoints))
}

fn row(finding: &Finding, with_peer: bool) -> String {
    let Finding { case, purlin, peer } = finding;
    let journal = purlin.seen.map(|seen| seen.journal).or(purlin.traffic.map(|traffic| traffic.journal));
    let mut text = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |",
        name(case),
        case.latency,
        seconds(purlin.measured.wall),
        seconds(purlin.measured.tree_cpu),
        requests(purlin),
        sent(purlin),
        megabytes(journal.unwrap_or_default()),
        checkpoints(purlin).map_or_else(|| "–".to_owned(), |times| times.to_string()),
    );
    match peer {
        Some(peer) => {
            // Writing to a string can't fail.
            let _ = write!(
                text,
                " {} | {} | {} | {} | {:.1} |",
                seconds(peer.measured.wall),
                requests(peer),
                sent(peer),
                checkpoints(peer).map_or_else(|| "–".to_owned(), |times| times.to_string()),
                ratio(peer, purlin)
            );
        }
        None if with_peer => text.push_str(" – | – | – | – | – |"),
        None => {}
    }
    text
}

/// Bytes of a journal for each resource, and those that it can't do without.
fn of_journal(finding: &Finding) -> Option<(f64, f64)> {
    let journal = finding.purlin.seen?.journal;
    Some((float(journal) / count(finding.case.resources), finding.purlin.least))
}

fn journals(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Some((journal, least)) = of_journal(finding) else { continue };
        let name = name(&finding.case);
        let name = name.trim_start_matches("directory, ");
        let _ = writeln!(text, "| {name} | {journal:.0} | {least:.0} | {:.2} |", journal / least);
    }
    text
}

fn goals(language: Language, findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut goal = |what: &str, measured: &str, reached: bool| {
        let reached = if reached { "reached" } else { "**not reached**" };
        let _ = writeln!(text, "| {what} | {measured} | {reached} |");
    };
    let ratios = findings.iter().filter_map(of_journal).map(|(journal, least)| journal / least);
    if let Some(worst) = ratios.max_by(f64::total_cmp) {
        let what = "journal at most 1.2 times pending entry and end state, before compression";
        goal(what, &format!("{worst:.2} at most"), worst <= 1.2);
    }
    if let Some(most) = findings.iter().filter_map(|finding| checkpoints(&finding.purlin)).max() {
        goal("the checkpoint is written once", &format!("{most} times at most"), most == 1);
    }
    for (small, large) in growing(findings) {
        let more = large.measured_per_resource() / small.measured_per_resource();
        let what = format!("linear: {}, {} ms", name(&large.case), large.case.latency);
        let measured =
            format!("a resource takes {more:.2} times what it takes among {}", small.case.resources);
        goal(&what, &measured, more <= 1.0);
    }
    for (near, far) in farther(findings) {
        let (more, delay) = (far.purlin.measured.wall - near.purlin.measured.wall, far.case.latency);
        if far.case.chained {
            let trips = count(far.case.resources) * float(delay) / 1000.0;
            let most = 1.3 * trips + 2.0;
            let what =
                format!("{}, {delay} ms: at most 1.3 round trips each and 2 s, {most:.1} s", name(&far.case));
            goal(
                &what,
                &format!("{} s", seconds(far.purlin.measured.wall)),
                far.purlin.measured.wall <= most,
            );
        } else if delay == 50 && far.case.resources >= 2000 {
            let what = format!("{}: at most 15 s more at 50 ms than at 0", name(&far.case));
            goal(&what, &format!("{more:.1} s more"), more <= 15.0);
        }
    }
    let aim = if language == Language::Python { 20.0 } else { 50.0 };
    for finding in findings {
        let Finding { case, purlin, peer: Some(peer) } = finding else { continue };
        if case.store == Store::S3 && case.latency == 50 && !case.chained {
            let times = ratio(peer, purlin);
            let what =
                format!("{}, 50 ms, {}: {aim:.0} times faster than `pulumi`", name(case), language.name());
            goal(&what, &format!("{times:.1} times"), times >= aim);
        }
    }
    text
}

impl Finding {
    fn measured_per_resource(&self) -> f64 {
        self.purlin.measured.wall / count(self.case.resources)
    }
}

/// Each finding with the next larger one of the same kind.
fn growing(findings: &[Finding]) -> Vec<(&Finding, &Finding)> {
    let alike = |a: &Case, b: &Case| (a.store, a.chained, a.latency) == (b.store, b.chained, b.latency);
    let larger = |small: &Finding| {
        let larger = findings.iter().filter(|f| f.case.resources > small.case.resources);
        larger.filter(|f| alike(&f.case, &small.case)).min_by_key(|f| f.case.resources)
    };
    findings.iter().filter_map(|small| Some((small, larger(small)?))).collect()
}

/// Each finding with a delay, behind the same without.
fn farther(findings: &[Finding]) -> Vec<(&Finding, &Finding)> {
    let without = |far: &Finding| {
        let near = Case { latency: 0, ..far.case };
        findings.iter().find(|finding| finding.case == near)
    };
    findings.iter().filter(|far| far.case.latency > 0).filter_map(|far| Some((without(far)?, far))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Traffic;
    use super::super::watch::Seen;
    use super::*;
    use crate::bench::measure::Measured;

    fn cost(wall: f64) -> Cost {
        Cost { measured: Measured { wall, ..Measured::default() }, ..Cost::default() }
    }

    fn finding(resources: usize, chained: bool, latency: u64, wall: f64) -> Finding {
        let case = Case { store: Store::S3, resources, chained, latency };
        let traffic = Traffic { requests: 40, sent: 2_000_000, journal: 500_000, checkpoints: 1 };
        Finding { case, purlin: Cost { traffic: Some(traffic), ..cost(wall) }, peer: None }
    }

    #[test]
    fn rows_show_requests_and_the_other_side() {
        let mut found = finding(200, false, 50, 2.0);
        assert_eq!(row(&found, false), "| s3, 200 resources | 50 | 2.00 | 0.00 | 40 | 2.00 | 0.50 | 1 |");
        assert!(row(&found, true).ends_with("| – | – | – | – | – |"));
        found.peer = Some(cost(101.0));
        assert!(row(&found, true).ends_with("| 101.0 | – | 0.00 | – | 50.5 |"), "{}", row(&found, true));
        let goals = goals(Language::Yaml, &[found]);
        assert!(goals.contains("50 times faster than `pulumi` | 50.5 times | reached"), "{goals}");
    }

    #[test]
    fn goals_are_judged() {
        let all = [
            finding(200, false, 0, 1.0),
            finding(200, false, 50, 2.0),
            finding(2000, false, 0, 5.0),
            finding(2000, false, 50, 21.0),
            finding(100, true, 0, 1.0),
            finding(100, true, 50, 8.4),
        ];
        let goals = goals(Language::Yaml, &all);
        assert!(
            goals.contains("s3, 2000 resources: at most 15 s more at 50 ms than at 0 | 16.0 s more | **not")
        );
        assert!(goals.contains("2 s, 8.5 s | 8.40 s | reached"), "{goals}");
        assert!(goals.contains("takes 1.05 times what it takes among 200 | **not reached**"), "{goals}");
        assert!(goals.contains("takes 0.50 times what it takes among 200 | reached"), "{goals}");
    }

    #[test]
    fn journals_are_held_against_what_they_need() {
        let mut found = finding(10, false, 0, 1.0);
        found.case.store = Store::Directory;
        found.purlin =
            Cost { seen: Some(Seen { checkpoints: 2, journal: 20_000 }), least: 1600.0, ..cost(1.0) };
        assert_eq!(journals(&[found]), "| 10 resources | 2000 | 1600 | 1.25 |\n");
        let goals = goals(Language::Yaml, &[found]);
        assert!(
            goals.contains("1.25 at most | **not reached**") && goals.contains("2 times at most | **not")
        );
    }
}
