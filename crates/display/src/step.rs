//! A step in full: its heading, what it does to each property, and the outputs that it brings.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use purlin_model::PropertyMap;
use purlin_model::diff::{DiffKind, same_value};
use purlin_model::event::{StateView, StepOp, StepView};
use purlin_model::path::{PathElement, PropertyPath};
use purlin_model::urn::{ProviderRef, Urn};
use purlin_model::value::{PropertyValue, is_internal_key};

use crate::compare::{Comparer, Entries};
use crate::lens::{Lens, UNKNOWN};
use crate::ops;
use crate::options::Options;
use crate::printer::Printer;
use crate::style::{Tone, put};
use crate::text;

/// Writes the heading of a step: sign, type, what it does, and by what it is known.
pub(crate) fn heading(out: &mut String, options: &Options, step: &StepView, indent: usize) {
    let tone = ops::tone(step.op);
    let paint = |out: &mut String, tone: Tone, text: &str| put(out, options.colors, tone, text);
    let name =
        if options.urns { text::shown_name(step.urn.as_str()) } else { text::shown_name(step.urn.ty()) };
    let retain = if ops::retains(step) { "[retain]" } else { "" };
    // The sign takes the columns before the name.
    out.push_str(&"    ".repeat(indent));
    let protection = protection(options, step);
    paint(out, tone, &format!("{}{name}: ({}{retain}){protection}\n", ops::sign(step.op), step.op.as_str()));

    let tone = match step.op {
        StepOp::Create
        | StepOp::Delete
        | StepOp::DeleteReplaced
        | StepOp::Discard
        | StepOp::DiscardReplaced => tone,
        _ => Tone::Plain,
    };
    let mut fact = |tone: Tone, text: String| {
        out.push_str(&"    ".repeat(indent + 1));
        paint(out, tone, &text);
        out.push('\n');
    };
    if let Some(old) = step.old.as_ref().filter(|old| !old.state.id.is_empty()) {
        fact(tone, format!("[id={}]", text::shown_name(&old.state.id)));
    }
    if !options.urns {
        fact(tone, format!("[urn={}]", text::shown_name(step.urn.as_str())));
    }
    let provider = |view: &Option<StateView>| view.as_ref().and_then(|v| v.state.provider.clone());
    match (provider(&step.old), provider(&step.new)) {
        (Some(old), Some(new)) if old != new => {
            fact(Tone::Update, format!("[provider: {} => {}]", provider_text(&old), provider_text(&new)));
        }
        _ => {
            if let Some(provider) = ProviderRef::parse(&step.provider)
                && provider.urn().name() != "default"
            {
                fact(tone, format!("[provider={}]", provider_text(&provider)));
            }
        }
    }
}

fn protection(options: &Options, step: &StepView) -> &'static str {
    let protects = |view: &Option<StateView>| view.as_ref().map(|v| v.state.protect);
    match (protects(&step.old), protects(&step.new), options.emoji) {
        (Some(true), Some(false), true) => " 🔓",
        (Some(true), Some(false), false) => " [unprotected]",
        (Some(true), _, true) | (_, Some(true), true) => " 🔒",
        (Some(true), _, false) | (_, Some(true), false) => " [protected]",
        _ => "",
    }
}

fn provider_text(provider: &ProviderRef) -> String {
    if provider.is_unknown() {
        return format!("{}::{UNKNOWN}", text::shown_name(provider.urn().as_str()));
    }
    text::shown_name(&provider.to_string()).into_owned()
}

fn hide_patterns(step: &StepView) -> Vec<PropertyPath> {
    let Some(view) = step.new.as_ref().or(step.old.as_ref()) else { return Vec::new() };
    let parse = |text: &String| {
        PropertyPath::parse(text).unwrap_or_else(|_| PropertyPath(vec![PathElement::Key(text.clone())]))
    };
    view.state.hide_diffs.iter().map(parse).collect()
}

/// A comparer that knows what is secret in any bag of a step.
fn comparer<'h>(lens: Lens, step: &StepView, hide: &'h [PropertyPath]) -> Comparer<'h> {
    let mut comparer = Comparer::new(lens, hide);
    for view in step.old.iter().chain(&step.new) {
        comparer.mask(&view.inputs);
        comparer.mask(&view.outputs);
        comparer.mask_keys(&view.state.additional_secret_outputs);
    }
    comparer
}

/// Writes what a step does to each property. `refreshed` says that the new side is what the cloud
/// has, rather than what the program wants.
pub(crate) fn properties(
    out: &mut String,
    options: &Options,
    step: &StepView,
    indent: usize,
    refreshed: bool,
) {
    if step.op == StepOp::Same {
        return;
    }
    let level = indent + 1;
    let mut printer = Printer::new(options);
    let hide = hide_patterns(step);
    let mut comparer = comparer(printer.lens, step, &hide);
    let tone = ops::tone(step.op);
    match (&step.old, &step.new) {
        (None, Some(new)) => {
            let bag = if new.outputs.is_empty() { &new.inputs } else { &new.outputs };
            printer.bag(level, tone, bag, &|key| comparer.is_masked(key));
        }
        (Some(old), None) if !options.only_changes => {
            printer.bag(level, tone, &old.inputs, &|key| comparer.is_masked(key));
        }
        (Some(old), Some(new)) => {
            let mut entries = differences(&mut comparer, step, old, new, refreshed);
            mark_replacing(&mut entries, step);
            printer.hidden(level, &comparer.hidden);
            printer.entries(level, &entries);
        }
        _ => {}
    }
    out.push_str(&printer.out);
}

fn differences<'s>(
    comparer: &mut Comparer<'_>,
    step: &'s StepView,
    old: &'s StateView,
    new: &'s StateView,
    refreshed: bool,
) -> Entries<'s> {
    if let Some(detailed) = &step.detailed_diff
        && !detailed.is_empty()
    {
        return comparer.detailed(
            detailed,
            |input| if input { &*old.inputs } else { &*old.outputs },
            |input| if input || !refreshed { &*new.inputs } else { &*new.outputs },
        );
    }
    let imported = matches!(step.op, StepOp::Import | StepOp::ImportReplacement);
    if !new.outputs.is_empty() && !imported {
        return comparer.maps(&old.outputs, &new.outputs);
    }
    let mut entries = comparer.maps(&old.inputs, &new.inputs);
    if !step.diff_keys.is_empty() {
        let keys: BTreeSet<&str> = step.diff_keys.iter().map(String::as_str).collect();
        // A difference that the provider doesn't count is no change.
        entries.retain(|key, entry| keys.contains(key.as_str()) || !entry.differs());
    }
    entries
}

/// Notes the properties that force a replacement where the provider has named no paths.
fn mark_replacing(entries: &mut Entries<'_>, step: &StepView) {
    let by_path = step.detailed_diff.as_ref().is_some_and(|d| d.values().any(|p| p.kind.is_replace()));
    if by_path {
        return;
    }
    for key in &step.replace_keys {
        if let Some(entry) = entries.get_mut(key)
            && entry.differs()
        {
            entry.replaces = true;
        }
    }
}

/// The outputs that are worth showing after a step: those that differ from before, or that the
/// inputs don't show already. `all` asks for the unchanged ones, too.
pub(crate) fn outputs(
    options: &Options,
    step: &StepView,
    old: Option<&PropertyMap>,
    level: usize,
    all: bool,
    refreshed: bool,
) -> String {
    let mut printer = Printer::new(options);
    printer.show_only_changes(!all);
    let empty = PropertyMap::new();
    let (inputs, outputs) = match &step.new {
        Some(new) => (&*new.inputs, &*new.outputs),
        None => (&empty, &empty),
    };
    let hide = hide_patterns(step);
    let mut comparer = comparer(printer.lens, step, &hide);
    if let Some(old) = old {
        comparer.mask(old);
    }
    let from_input = |key: &str| {
        !refreshed && matches!((inputs.get(key), outputs.get(key)), (Some(a), Some(b)) if same_value(a, b))
    };
    match old {
        Some(old) => {
            let mut entries = comparer.maps(old, outputs);
            entries.retain(|key, _| !from_input(key));
            printer.hidden(level, &comparer.hidden);
            printer.entries(level, &entries);
        }
        None => {
            let shown: PropertyMap = outputs
                .iter()
                .filter(|(key, value)| {
                    !is_internal_key(key) && !from_input(key) && !crate::lens::is_blank(value)
                })
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            printer.bag(level, Tone::Plain, &shown, &|key| comparer.is_masked(key));
        }
    }
    printer.out
}

/// The properties that a step changes, in a few words: `diff: +a~b,c`. Empty if it changes none.
pub(crate) fn short_diff(step: &StepView) -> String {
    let (Some(old), Some(new)) = (&step.old, &step.new) else { return String::new() };
    let mut changed: [BTreeSet<&str>; 3] = Default::default();
    let [adds, deletes, updates] = &mut changed;
    let mut known = false;
    if step.op != StepOp::Same {
        let counts =
            |key: &str| step.diff_keys.is_empty() || step.diff_keys.iter().any(|included| included == key);
        if let Some(detailed) = &step.detailed_diff {
            known = !detailed.is_empty();
            for (path, said) in detailed {
                let end = path.find(['.', '[']).unwrap_or(path.len());
                let key = if end == 0 { path } else { &path[..end] };
                match said.kind {
                    _ if !counts(key) => {}
                    DiffKind::Add | DiffKind::AddReplace if end == path.len() => drop(adds.insert(key)),
                    DiffKind::Delete | DiffKind::DeleteReplace if end == path.len() => {
                        deletes.insert(key);
                    }
                    _ => drop(updates.insert(key)),
                }
            }
        }
        if !known {
            compare_keys(&old.inputs, &new.inputs, [adds, deletes, updates], &counts);
        }
    }
    let (was, is) = (&old.state, &new.state);
    if was.provider != is.provider {
        updates.insert("provider");
    }
    if was.protect != is.protect {
        updates.insert("protect");
    }
    if was.taint != is.taint {
        updates.insert("taint");
    }
    in_words(&changed)
}

/// The properties that differ between two bags, in the same words.
pub(crate) fn short_bag_diff(old: &PropertyMap, new: &PropertyMap) -> String {
    let mut changed: [BTreeSet<&str>; 3] = Default::default();
    let [adds, deletes, updates] = &mut changed;
    compare_keys(old, new, [adds, deletes, updates], &|_| true);
    in_words(&changed)
}

fn in_words(changed: &[BTreeSet<&str>; 3]) -> String {
    let mut out = String::new();
    for (sign, keys) in ["+", "-", "~"].into_iter().zip(changed) {
        for (index, key) in keys.iter().enumerate() {
            let _ = write!(out, "{}{}", if index == 0 { sign } else { "," }, text::shown_name(key));
        }
    }
    if out.is_empty() { out } else { format!("diff: {out}") }
}

fn compare_keys<'s>(
    old: &'s PropertyMap,
    new: &'s PropertyMap,
    [adds, deletes, updates]: [&mut BTreeSet<&'s str>; 3],
    counts: &dyn Fn(&str) -> bool,
) {
    let shown = |key: &str| !is_internal_key(key) && counts(key);
    let differs = |a: &PropertyValue, b: &PropertyValue| !same_value(a, b);
    for (key, value) in new.iter().filter(|(key, _)| shown(key)) {
        match old.get(key) {
            None => drop(adds.insert(key)),
            Some(was) if differs(was, value) => drop(updates.insert(key)),
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|key| shown(key) && !new.contains_key(key));
    deletes.extend(gone.map(String::as_str));
}

/// The parent of the resource that a step is about.
pub(crate) fn parent(step: &StepView) -> Option<&Urn> {
    step.new.as_ref().or(step.old.as_ref()).and_then(|view| view.state.parent.as_ref())
}

/// Whether the resource that a step is about is managed by a provider.
pub(crate) fn is_custom(step: &StepView) -> bool {
    step.new.as_ref().or(step.old.as_ref()).is_some_and(|view| view.state.custom)
}
