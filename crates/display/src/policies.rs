//! What policies said: pack by pack at the end of lines and trees, one by one in diffs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use purlin_model::policy::{PolicyName, PolicyRepair, PolicyVerdict};
use purlin_model::{PropertyMap, Urn};

use crate::compare::Comparer;
use crate::options::Options;
use crate::printer::Printer;
use crate::run::Run;
use crate::sections::headline;
use crate::step;
use crate::style::{Tone, put};
use crate::text;

/// A pack and what its policies said.
#[derive(Default)]
struct Pack<'r> {
    /// The folders of this machine that it was loaded from.
    folders: Vec<&'r str>,
    violations: Vec<&'r PolicyVerdict>,
    repairs: Vec<&'r PolicyRepair>,
}

/// The name and the folder of a pack that was loaded from this machine.
fn local(name: &str) -> Option<(&str, &str)> {
    let mut parts = name.split('|');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(name), Some("local"), Some(folder), None) => Some((name, folder)),
        _ => None,
    }
}

fn title(pack: &str, version: &str) -> String {
    format!("{}@v{}", text::shown_name(pack), text::shown_name(version))
}

/// The packs that judged a run and what they said, sorted. Empty where there were none.
pub(crate) fn section(run: &Run) -> String {
    let Some(summary) = run.summary.as_ref().filter(|summary| !summary.policy_packs.is_empty()) else {
        return String::new();
    };
    let mut packs: BTreeMap<String, Pack<'_>> = BTreeMap::new();
    for (name, version) in &summary.policy_packs {
        let (name, folder) = local(name).map_or((&**name, None), |(name, folder)| (name, Some(folder)));
        packs.entry(title(name, version)).or_default().folders.extend(folder);
    }
    let key = |policy: &PolicyName| title(&policy.pack, &policy.version);
    for verdict in &run.violations {
        packs.entry(key(&verdict.policy)).or_default().violations.push(verdict);
    }
    for repair in &run.repairs {
        packs.entry(key(&repair.policy)).or_default().repairs.push(repair);
    }
    let options = &run.options;
    let mut out = String::new();
    headline(&mut out, options, "Policies:");
    for (title, mut pack) in packs {
        let sign = match pack.violations.iter().map(|verdict| verdict.mandatory).max() {
            None => "✅",
            Some(false) => "⚠️",
            Some(true) => "❌",
        };
        let _ = write!(out, "    {sign} ");
        put(&mut out, options.colors, Tone::Info, &title);
        pack.folders.sort_unstable();
        if !pack.folders.is_empty() {
            let _ = write!(out, " (local: {})", text::shown_name(&pack.folders.join("; ")));
        }
        out.push('\n');
        repairs(&mut out, options, &pack.repairs);
        pack.violations.sort_by_key(|verdict| {
            let severity = verdict.severity.map_or(u8::MAX, |severity| severity as u8);
            (!verdict.mandatory, severity, &verdict.policy.policy, &verdict.urn)
        });
        for verdict in pack.violations {
            out.push_str("        - ");
            violation(&mut out, options, verdict, 10);
        }
    }
    out
}

fn repairs(out: &mut String, options: &Options, repairs: &[&PolicyRepair]) {
    if options.show_policy_remediations {
        for repair in repairs {
            let diff = step::short_bag_diff(&repair.before, &repair.after);
            if !diff.is_empty() {
                out.push_str("        - ");
                remediation(out, options, repair);
                let _ = writeln!(out, " [{diff}]");
            }
        }
        return;
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for repair in repairs {
        *counts.entry(&repair.policy.policy).or_default() += 1;
    }
    for (policy, count) in counts {
        out.push_str("        - ");
        put(out, options.colors, Tone::Info, &format!("[remediate]  {}", text::shown_name(policy)));
        let _ = writeln!(out, "  ({})", text::counted(count, "resource"));
    }
}

/// `  (type: name)`.
fn resource(options: &Options, urn: &Urn) -> String {
    let name = if options.urns { urn.as_str() } else { urn.name() };
    format!("  ({}: {})", text::shown_type(urn.ty()), text::shown_name(name))
}

fn remediation(out: &mut String, options: &Options, repair: &PolicyRepair) {
    let policy = text::shown_name(&repair.policy.policy);
    put(out, options.colors, Tone::Info, &format!("[remediate]  {policy}"));
    out.push_str(&resource(options, &repair.urn));
}

/// A violation's line, and its message below, indented.
fn violation(out: &mut String, options: &Options, verdict: &PolicyVerdict, indent: usize) {
    let (level, tone) = match verdict.mandatory {
        true => ("mandatory", Tone::Error),
        false => ("advisory", Tone::Warning),
    };
    let severity =
        verdict.severity.map_or(String::new(), |severity| format!(" [severity: {}]", severity.as_str()));
    let policy = text::shown_name(&verdict.policy.policy);
    put(out, options.colors, tone, &format!("[{level}]{severity}  {policy}"));
    out.push_str(&resource(options, &verdict.urn));
    out.push('\n');
    for line in text::lines(verdict.message.trim_end_matches('\n'), options.colors) {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

fn pack(out: &mut String, options: &Options, policy: &PolicyName) {
    out.push_str("    ");
    put(out, options.colors, Tone::Info, &format!("{} ", title(&policy.pack, &policy.version)));
}

/// A violation as a diff tells it at once.
pub(crate) fn told(options: &Options, verdict: &PolicyVerdict) -> String {
    let mut out = String::new();
    pack(&mut out, options, &verdict.policy);
    violation(&mut out, options, verdict, 6);
    out
}

/// What a policy put right, as a diff tells it at once: property by property. Empty if nothing
/// differs.
pub(crate) fn repaired(options: &Options, repair: &PolicyRepair) -> String {
    let mut out = String::new();
    if step::short_bag_diff(&repair.before, &repair.after).is_empty() {
        return out;
    }
    pack(&mut out, options, &repair.policy);
    remediation(&mut out, options, repair);
    out.push('\n');
    let mut printer = Printer::new(options);
    printer.show_only_changes(true);
    let mut comparer = Comparer::new(printer.lens, &[]);
    for bag in [&repair.before, &repair.after] {
        comparer.mask(bag);
    }
    let shown = |bag: &PropertyMap| -> PropertyMap {
        let shown = bag.iter().filter(|(key, _)| !purlin_model::value::is_internal_key(key));
        shown.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (before, after) = (shown(&repair.before), shown(&repair.after));
    let entries = comparer.maps(&before, &after);
    printer.entries(2, &entries);
    out.push_str(&printer.out);
    out
}

/// The packs that judged a run, as a table. Empty where there were none.
pub(crate) fn table(options: &Options, packs: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    if packs.is_empty() {
        return out;
    }
    headline(&mut out, options, "Policy Packs run:");
    let widest = packs.keys().map(|name| text::width(name)).chain([4]).max().unwrap_or(4);
    out.push_str("    ");
    put(&mut out, options.colors, Tone::Column, "Name");
    let _ = write!(out, "{:1$}", "", widest + 2 - 4);
    put(&mut out, options.colors, Tone::Column, "Version");
    out.push('\n');
    for (name, version) in packs {
        let padding = widest + 2 - text::width(name);
        let _ = writeln!(out, "    {}{:padding$}{}", text::shown_name(name), "", text::shown_name(version));
    }
    out
}
