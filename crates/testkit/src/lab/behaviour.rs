//! How the simulated cloud and its providers behave: lines of a `cloud` block.

use std::collections::BTreeMap;

use purlin_model::diff::{DetailedDiff, PathDiff};
use purlin_model::{DiffKind, PropertyMap, PropertyValue, Urn};
use purlin_ports::{CheckArgs, DiffArgs, DiffChanges, DiffResult, NamingMode};

use super::program::{Item, Program};
use super::text;
use super::views::ViewRules;

/// A property of a resource, of a type or of all.
#[derive(Clone, Debug)]
struct Selector {
    of: String,
    property: String,
}

impl Selector {
    fn read(text: &str) -> Selector {
        match text.rsplit_once('.') {
            Some((of, property)) => Selector { of: of.to_owned(), property: property.to_owned() },
            None => Selector { of: "*".to_owned(), property: text.to_owned() },
        }
    }

    fn is_of(&self, urn: &Urn) -> bool {
        self.of == "*" || self.of == urn.name() || self.of == urn.ty()
    }
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The provider says no; nothing happens.
    Fails,
    /// It takes effect, and something is wrong with the result.
    Partial,
    /// It takes effect and the connection is lost.
    Lost,
    /// The connection is lost before it takes effect.
    Dropped,
    /// The provider doesn't know the call.
    Unimplemented,
}

#[derive(Clone, Debug)]
struct Fault {
    trouble: Trouble,
    call: String,
    name: String,
    text: String,
    /// How often it still happens; `None` for always.
    times: Option<u32>,
}

/// What a diff answers, where it doesn't follow from the properties.
#[derive(Clone, Debug, Default)]
struct FixedDiff {
    changes: DiffChanges,
    replaces: Vec<String>,
    diffs: Vec<String>,
    first: bool,
    detailed: Option<DetailedDiff>,
}

/// What a `cloud` block says.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    replaces: Vec<Selector>,
    first: Vec<Selector>,
    computed: Vec<Selector>,
    recomputed: Vec<Selector>,
    keeps: Vec<(Selector, String)>,
    defaults: Vec<(Selector, PropertyValue)>,
    names: Vec<Selector>,
    scatters: Vec<Selector>,
    refuses: Vec<(Selector, String)>,
    detailed: Vec<String>,
    refresh_first: Vec<String>,
    silent: Vec<String>,
    answers: BTreeMap<String, String>,
    faults: Vec<Fault>,
    diffs: BTreeMap<String, FixedDiff>,
    constructs: BTreeMap<String, (Program, PropertyMap)>,
    /// How views are published.
    pub views: ViewRules,
}

/// What a `cloud` block does to what exists, rather than to how the cloud behaves.
#[derive(Clone, Debug)]
pub enum Touch {
    /// The thing of a resource changes.
    Drift(String, PropertyMap),
    /// The thing of a resource is gone.
    Vanish(String),
    /// There is a thing that nobody manages.
    Exists(String, PropertyMap),
    /// All rules so far are forgotten.
    Reset,
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn pairs(words: &[String]) -> Result<PropertyMap, String> {
    let mut map = PropertyMap::new();
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not 'key=value'"))?;
        map.insert(key.to_owned(), text::constant(value)?);
    }
    Ok(map)
}

impl Behaviour {
    /// Takes a line of a `cloud` block; returns what it does to what exists.
    pub fn line(&mut self, line: &str) -> Result<Option<Touch>, String> {
        let words = text::words(line);
        let Some((verb, rest)) = words.split_first() else { return Ok(None) };
        let first = || rest.first().cloned().ok_or_else(|| format!("'{line}' says too little"));
        let selectors = || rest.iter().map(|word| Selector::read(word));
        match verb.as_str() {
            "replaces" => self.replaces.extend(selectors()),
            "dbr" => self.first.extend(selectors()),
            "computed" => self.computed.extend(selectors()),
            "recomputed" => self.recomputed.extend(selectors()),
            "keeps" => {
                for word in rest {
                    let (output, input) =
                        word.split_once('=').ok_or_else(|| format!("'{word}' is not 'output=input'"))?;
                    self.keeps.push((Selector::read(output), input.to_owned()));
                }
            }
            "default" => {
                for word in rest {
                    let (key, value) =
                        word.split_once('=').ok_or_else(|| format!("'{word}' is not 'key=value'"))?;
                    self.defaults.push((Selector::read(key), text::constant(value)?));
                }
            }
            "refuses" => {
                let text = rest.get(1).cloned().unwrap_or_else(|| "\"it is bad\"".into());
                let text = text::constant(&text)?.as_str().unwrap_or_default().to_owned();
                self.refuses.push((Selector::read(&first()?), text));
            }
            "names" => self.names.extend(selectors()),
            "scatters" => self.scatters.extend(selectors()),
            "detailed" => self.detailed.extend_from_slice(rest),
            "refresh-before-update" => self.refresh_first.extend_from_slice(rest),
            "answers" => drop(self.answers.insert(first()?, rest.get(1).cloned().unwrap_or_default())),
            "silent" => self.silent.extend_from_slice(rest),
            "fails" | "partial" | "lost" | "dropped" | "unimplemented" => self.fault(verb, rest, line)?,
            "heals" => self.faults.retain(|fault| {
                !(rest.is_empty()
                    || (rest.first() == Some(&fault.call) && rest.get(1).is_none_or(|n| *n == fault.name)))
            }),
            "diff" => self.fixed_diff(rest, line)?,
            "views" => self.views.line(rest)?,
            "drift" => return Ok(Some(Touch::Drift(first()?, pairs(&rest[1..])?))),
            "vanish" => return Ok(Some(Touch::Vanish(first()?))),
            "exists" => return Ok(Some(Touch::Exists(first()?, pairs(&rest[1..])?))),
            "reset" => {
                *self = Behaviour::default();
                return Ok(Some(Touch::Reset));
            }
            other => return Err(format!("no line of a cloud begins with '{other}'")),
        }
        Ok(None)
    }

    fn fault(&mut self, verb: &str, rest: &[String], line: &str) -> Result<(), String> {
        let trouble = match verb {
            "fails" => Trouble::Fails,
            "partial" => Trouble::Partial,
            "lost" => Trouble::Lost,
            "dropped" => Trouble::Dropped,
            _ => Trouble::Unimplemented,
        };
        let [call, name, more @ ..] = rest else {
            return Err(format!("'{line}' names no call and resource"));
        };
        let mut fault = Fault {
            trouble,
            call: call.clone(),
            name: name.clone(),
            text: match trouble {
                Trouble::Fails => "the cloud says no".into(),
                Trouble::Partial => "it never came up".into(),
                _ => "the connection was lost".into(),
            },
            times: None,
        };
        for word in more {
            match word.as_str() {
                "once" => fault.times = Some(1),
                "twice" => fault.times = Some(2),
                text => fault.text = text::constant(text)?.as_str().unwrap_or_default().to_owned(),
            }
        }
        self.faults.push(fault);
        Ok(())
    }

    fn fixed_diff(&mut self, rest: &[String], line: &str) -> Result<(), String> {
        let [name, word, more @ ..] = rest else { return Err(format!("'{line}' says too little")) };
        let mut diff = FixedDiff {
            changes: match word.as_str() {
                "none" => DiffChanges::None,
                "some" => DiffChanges::Some,
                "unknown" => DiffChanges::Unknown,
                other => return Err(format!("a diff is none, some or unknown, not '{other}'")),
            },
            ..FixedDiff::default()
        };
        for word in more {
            match word.split_once('=').unwrap_or((word, "")) {
                ("replaces", keys) => diff.replaces = list(keys),
                ("diffs", keys) => diff.diffs = list(keys),
                ("dbr", _) => diff.first = true,
                ("detailed", paths) => diff.detailed = Some(paths.split(',').filter_map(path_diff).collect()),
                (other, _) => return Err(format!("a diff has no '{other}'")),
            }
        }
        self.diffs.insert(name.clone(), diff);
        Ok(())
    }

    /// Says how components of a type are made.
    pub fn construct(&mut self, ty: &str, lines: &[&str]) -> Result<(), String> {
        let (mut program, outputs) = (Program::default(), PropertyMap::new());
        for line in lines {
            program.items.push(Item::read(line)?);
        }
        self.constructs.insert(ty.to_owned(), (program, outputs));
        Ok(())
    }

    /// How a component is made.
    pub fn constructs(&self, ty: &str) -> Option<&Program> {
        self.constructs.get(ty).map(|(program, _)| program)
    }

    /// What goes wrong with a call, with its text.
    pub fn trouble(&mut self, call: &str, name: &str) -> Option<(Trouble, String)> {
        let fault = self.faults.iter_mut().find(|fault| {
            fault.call == call && (fault.name == name || fault.name == "*") && fault.times != Some(0)
        })?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some((fault.trouble, fault.text.clone()))
    }

    /// What a check fills in.
    pub fn defaults(&self, urn: &Urn, inputs: &mut PropertyMap) {
        for (selector, value) in self.defaults.iter().filter(|(selector, _)| selector.is_of(urn)) {
            inputs.entry(selector.property.clone()).or_insert_with(|| value.clone());
        }
    }

    /// What a check makes up where nothing is given: the old value, else the proposed name, else one
    /// made from the seed, or from a number that is always another one.
    pub fn make_up(&self, args: &CheckArgs, number: &mut usize, inputs: &mut PropertyMap) {
        let urn = &args.urn;
        let missing =
            |selector: &&Selector| selector.is_of(urn) && !args.news.contains_key(&selector.property);
        for selector in self.names.iter().filter(missing) {
            let old = args.olds.get(&selector.property).cloned();
            let seed = args.random_seed.last().copied().unwrap_or_default();
            let value = match (&args.autonaming, old) {
                (Some(told), _) if told.mode == NamingMode::Disable => continue,
                (_, Some(old)) => old,
                (Some(told), None) => PropertyValue::text(&told.name),
                (None, None) => PropertyValue::text(format!("{}-{seed:02x}", urn.name())),
            };
            inputs.insert(selector.property.clone(), value);
        }
        for selector in self.scatters.iter().filter(missing) {
            *number += 1;
            let made_up = PropertyValue::text(format!("{}-{number}", urn.name()));
            let value = args.olds.get(&selector.property).cloned().unwrap_or(made_up);
            inputs.insert(selector.property.clone(), value);
        }
    }

    /// Why a check refuses.
    pub fn refusals(&self, urn: &Urn, inputs: &PropertyMap) -> Vec<(String, String)> {
        let all = self.refuses.iter().filter(|(selector, _)| selector.is_of(urn));
        let all =
            all.filter(|(selector, _)| selector.property == "*" || inputs.contains_key(&selector.property));
        let property = |text: &str| if text == "*" { String::new() } else { text.to_owned() };
        all.map(|(selector, text)| (property(&selector.property), text.clone())).collect()
    }

    /// Whether a resource is to be read before each update.
    pub fn refresh_before_update(&self, urn: &Urn) -> bool {
        self.refresh_first.iter().any(|name| name == urn.name() || name == urn.ty() || name == "*")
    }

    /// The id that a read of an id answers with.
    pub fn answered_id(&self, id: String) -> String {
        self.answers.get(&id).cloned().unwrap_or(id)
    }

    /// Whether a read does not tell the inputs.
    pub fn is_silent(&self, urn: &Urn) -> bool {
        self.silent.iter().any(|name| name == urn.name() || name == urn.ty() || name == "*")
    }

    /// The computed outputs of a resource that is made; in previews they are unknown.
    pub fn compute(&self, urn: &Urn, id: Option<&str>, outputs: &mut PropertyMap) {
        for selector in self.computed.iter().chain(&self.recomputed).filter(|selector| selector.is_of(urn)) {
            let value = match id {
                Some(id) => PropertyValue::String(format!("{id}/{}", selector.property)),
                None => PropertyValue::Unknown,
            };
            outputs.insert(selector.property.clone(), value);
        }
        for (selector, input) in self.keeps.iter().filter(|(selector, _)| selector.is_of(urn)) {
            if let Some(value) = outputs.get(input).cloned() {
                outputs.insert(selector.property.clone(), value);
            }
        }
    }

    /// The computed outputs of a resource that is changed.
    pub fn compute_again(
        &self,
        urn: &Urn,
        old: &PropertyMap,
        turn: Option<usize>,
        outputs: &mut PropertyMap,
    ) {
        for (selector, _) in self.keeps.iter().filter(|(selector, _)| selector.is_of(urn)) {
            if let Some(value) = old.get(&selector.property).cloned() {
                outputs.insert(selector.property.clone(), value);
            }
        }
        for selector in self.computed.iter().filter(|selector| selector.is_of(urn)) {
            let value = old.get(&selector.property).cloned().unwrap_or(PropertyValue::Unknown);
            outputs.insert(selector.property.clone(), value);
        }
        for selector in self.recomputed.iter().filter(|selector| selector.is_of(urn)) {
            let value = match turn {
                Some(turn) => PropertyValue::String(format!("{}/{}/{turn}", urn.name(), selector.property)),
                None => PropertyValue::Unknown,
            };
            outputs.insert(selector.property.clone(), value);
        }
    }

    /// What a diff answers.
    pub fn diff(&self, args: &DiffArgs) -> DiffResult {
        if let Some(fixed) = self.diffs.get(args.urn.name()) {
            return DiffResult {
                changes: fixed.changes,
                replaces: fixed.replaces.clone(),
                diffs: fixed.diffs.clone(),
                detailed: fixed.detailed.clone(),
                delete_before_replace: fixed.first,
            };
        }
        let keys = args.old_inputs.keys().chain(args.new_inputs.keys());
        let plain = |map: &PropertyMap, key: &str| map.get(key).map(PropertyValue::without_secrets);
        let mut diffs: Vec<String> = keys
            .filter(|key| plain(&args.old_inputs, key) != plain(&args.new_inputs, key))
            .cloned()
            .collect();
        diffs.sort();
        diffs.dedup();
        let listed = |selectors: &[Selector], key: &str| {
            selectors.iter().any(|s| (s.property == key || s.property == "*") && s.is_of(&args.urn))
        };
        let first = diffs.iter().any(|key| listed(&self.first, key));
        let replaces: Vec<String> = diffs
            .iter()
            .filter(|key| listed(&self.replaces, key) || listed(&self.first, key))
            .cloned()
            .collect();
        let told = |name: &String| name == args.urn.name() || name == args.urn.ty() || name == "*";
        let detailed = self.detailed.iter().any(told).then(|| {
            let kind = |key: &String| {
                let kind = match (args.old_inputs.contains_key(key), args.new_inputs.contains_key(key)) {
                    (false, _) => DiffKind::Add,
                    (_, false) => DiffKind::Delete,
                    _ => DiffKind::Update,
                };
                if replaces.contains(key) { kind.as_replace() } else { kind }
            };
            diffs.iter().map(|key| (key.clone(), PathDiff { kind: kind(key), input_diff: true })).collect()
        });
        DiffResult {
            changes: if diffs.is_empty() { DiffChanges::None } else { DiffChanges::Some },
            delete_before_replace: first,
            replaces,
            diffs,
            detailed,
        }
    }
}

/// `path:kind`, the kind as events spell it.
fn path_diff(text: &str) -> Option<(String, PathDiff)> {
    let (path, kind) = text.rsplit_once(':').unwrap_or((text, "update"));
    let all = [
        DiffKind::Add,
        DiffKind::AddReplace,
        DiffKind::Delete,
        DiffKind::DeleteReplace,
        DiffKind::Update,
        DiffKind::UpdateReplace,
    ];
    let kind = all.into_iter().find(|known| known.as_str() == kind)?;
    Some((path.to_owned(), PathDiff { kind, input_diff: true }))
}
