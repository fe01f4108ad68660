//! Scenarios as text.
//!
//! ```text
//! settings <mode update|refresh|destroy> [preview] [refresh-first] [run-program] [continue] [ignore-protect] [exclude-protected]
//! only <names>                 --target: names of the file, URNs, patterns, by commas
//! except <names>               --exclude
//! replaces <names>             --replace
//! disable <package>            no default provider for it
//! package <name> <version>     what the program's dependencies need
//! base                         what follows is the state, in order
//! program                      what follows is what the program does, in order
//! stack                        the root component
//! component <name> [options]
//! custom <name> [options]
//! provider <name> [options]    of package `t`
//! read <name> id=<id> [options]
//! invoke <name> [package=] [provider=] [parent=]
//! fails                        the program fails at the end
//! check <name> refused [replacing]
//! diff <name> update|replace <keys>|dbr <keys>|failed|inputs
//! ask <name> goes              a dependent would be replaced
//! step <op> <name> failed|partial|unknown|gone|changed
//! stop <op> <name>             the user stops when this step begins
//! pending <name> <id>          the create of the last state of the base was cut off; it made this id
//! late <label>                 what begins with the label happens after all else
//! order lifo                   the newest answer first
//! planned <name> <op,op,…>     the steps that an update plan has for a resource named above
//! why                          what led to each step is shown
//! rules                        how often each rule decided something is shown, and what was left alone
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::update_plan::ResourcePlan;
use purlin_model::{
    Alias, AliasParent, Goal, OperationKind, PackageDescriptor, PendingOperation, PropertyMap, ProviderRef,
    ResourceState, Snapshot, Urn,
};
use purlin_plan::{DiffFacts, Mode, ProviderQuery, Registration, Settings, Step, UrnSet};

use super::{
    Act, Ending, Item, PROJECT, STACK, Scenario, World, replace_facts, same_facts, update_facts, urn,
};

/// What is scripted.
#[derive(Debug, Default)]
pub struct Script {
    refused: Vec<(String, String)>,
    diffs: HashMap<String, Option<DiffFacts>>,
    goes: Vec<String>,
    steps: HashMap<String, Ending>,
    stops: Vec<String>,
    late: Vec<String>,
    lifo: bool,
}

impl World for Script {
    fn check(&mut self, urn: &Urn, for_replacement: bool) -> bool {
        let refused = |name: &str, when: &str| name == urn.name() && (when.is_empty() || for_replacement);
        !self.refused.iter().any(|(name, when)| refused(name, when))
    }

    fn diff(&mut self, urn: &Urn) -> Option<DiffFacts> {
        self.diffs.get(urn.name()).cloned().unwrap_or_else(|| Some(same_facts()))
    }

    fn dependent(&mut self, urn: &Urn, properties: &[String]) -> Vec<String> {
        if self.goes.iter().any(|name| name == urn.name()) { properties.to_vec() } else { Vec::new() }
    }

    fn step(&mut self, step: &Step) -> Ending {
        self.steps.get(&label(step)).copied().unwrap_or(Ending::Done)
    }

    fn pick(&mut self, labels: &[String], acts: usize) -> usize {
        if acts > 0 {
            return 0;
        }
        let late = |label: &String| self.late.iter().any(|late| label.starts_with(late.as_str()));
        let mut prompt = (0..labels.len()).filter(|index| !late(&labels[*index]));
        let picked = if self.lifo { prompt.next_back() } else { prompt.next() };
        picked.unwrap_or(0)
    }

    fn stops_at(&mut self, step: &Step) -> bool {
        self.stops.contains(&label(step))
    }
}

fn label(step: &Step) -> String {
    format!("{} {}", step.op.as_str(), step.urn.name())
}

/// Reads a case.
pub fn read(text: &str) -> (Scenario, Script) {
    let mut reader = Reader {
        scenario: Scenario {
            settings: Settings::new(STACK, PROJECT, Mode::Update, false),
            base: Snapshot::default(),
            program: Vec::new(),
            program_ok: true,
            explained: false,
            counted: false,
        },
        script: Script::default(),
        in_program: false,
        names: HashMap::new(),
        root: None,
        targets: Vec::new(),
    };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        if !words.is_empty() {
            reader.line(&words);
        }
    }
    reader.set_targets();
    (reader.scenario, reader.script)
}

struct Reader {
    scenario: Scenario,
    script: Script,
    in_program: bool,
    /// What a name means where it is referred to: the latest of that name.
    names: HashMap<String, (Urn, String)>,
    root: Option<Urn>,
    /// Names that the operation is about, which may come before what they name.
    targets: Vec<(String, String)>,
}

impl Reader {
    fn line(&mut self, words: &[&str]) {
        let rest = &words[1..];
        match words[0] {
            "settings" => rest.iter().for_each(|word| self.setting(word)),
            "only" | "except" | "replaces" => self.targets.push((words[0].to_owned(), rest[0].to_owned())),
            "disable" => {
                self.scenario.settings.disabled_default_providers.insert(rest[0].to_owned());
            }
            "package" => {
                let package = PackageDescriptor::new(rest[0], rest[1]);
                self.scenario.settings.default_packages.insert(rest[0].to_owned(), package);
            }
            "base" => self.in_program = false,
            "program" => self.in_program = true,
            "stack" | "component" | "custom" | "provider" | "read" if self.in_program => self.register(words),
            "stack" | "component" | "custom" | "provider" => self.state(words),
            "invoke" => self.invoke(rest),
            "fails" => self.scenario.program_ok = false,
            "check" => {
                let when = rest.get(2).copied().unwrap_or_default();
                self.script.refused.push((rest[0].to_owned(), when.to_owned()));
            }
            "diff" => self.diff(rest),
            "ask" => self.script.goes.push(rest[0].to_owned()),
            "step" => {
                let ending = match rest[2] {
                    "failed" => Ending::Failed,
                    "partial" => Ending::Partial,
                    "unknown" => Ending::Unknown,
                    "gone" => Ending::Gone,
                    "changed" => Ending::Changed,
                    other => panic!("no ending {other}"),
                };
                self.script.steps.insert(format!("{} {}", rest[0], rest[1]), ending);
            }
            "planned" => self.planned(rest),
            "pending" => self.pending(rest),
            "stop" => self.script.stops.push(rest.join(" ")),
            "late" => self.script.late.push(rest.join(" ")),
            "why" => self.scenario.explained = true,
            "rules" => self.scenario.counted = true,
            "order" => self.script.lifo = rest[0] == "lifo",
            other => panic!("no directive {other}"),
        }
    }

    fn planned(&mut self, rest: &[&str]) {
        let steps = rest[1].split(',').map(|word| StepOp::from_word(word).unwrap()).collect();
        let urn = self.urn_of(rest[0]);
        let plan = Arc::make_mut(self.scenario.settings.update_plan.get_or_insert_default());
        plan.resources.insert(urn, ResourcePlan { steps, ..ResourcePlan::default() });
    }

    /// The state of this name moves from the list to the pending creates.
    fn pending(&mut self, rest: &[&str]) {
        let base = &mut self.scenario.base;
        let at = base.resources.iter().rposition(|state| state.urn.name() == rest[0]).unwrap();
        let mut state = ResourceState::clone(&base.resources.remove(at));
        state.id = String::new();
        self.scenario.settings.import_pending.insert(state.urn.clone(), rest[1].to_owned());
        let pending = PendingOperation { kind: OperationKind::Creating, resource: state.into() };
        base.pending_operations.push(pending);
    }

    fn setting(&mut self, word: &str) {
        let settings = &mut self.scenario.settings;
        match word {
            "update" => settings.mode = Mode::Update,
            "refresh" if settings.mode == Mode::Update => settings.mode = Mode::Refresh,
            "destroy" => settings.mode = Mode::Destroy,
            "preview" => settings.preview = true,
            "refresh-first" => settings.refresh_first = true,
            "run-program" => settings.run_program = true,
            "continue" => settings.continue_on_error = true,
            "ignore-protect" => settings.ignore_protect = true,
            "target-dependents" => settings.targets.with_dependents = true,
            "exclude-dependents" => settings.targets.except_dependents = true,
            "exclude-protected" => settings.exclude_protected = true,
            other => panic!("no setting {other}"),
        }
    }

    fn set_targets(&mut self) {
        for (kind, names) in std::mem::take(&mut self.targets) {
            let full = |name: &str| match name.contains('*') || name.starts_with("urn:") {
                true => name.to_owned(),
                false => self.urn_of(name).to_string(),
            };
            let set = UrnSet::new(names.split(',').map(full).collect::<Vec<_>>());
            let targets = &mut self.scenario.settings.targets;
            match kind.as_str() {
                "only" => targets.only = set,
                "except" => targets.except = set,
                _ => targets.replace = set,
            }
        }
    }

    fn diff(&mut self, rest: &[&str]) {
        let keys: Vec<String> =
            rest.get(2).map(|keys| keys.split(',').map(str::to_owned).collect()).unwrap_or_default();
        let facts = match rest[1] {
            "update" => Some(update_facts(&keys)),
            "replace" => Some(replace_facts(&keys, false)),
            "dbr" => Some(replace_facts(&keys, true)),
            "inputs" => Some(DiffFacts::default()),
            "failed" => None,
            other => panic!("no diff {other}"),
        };
        self.script.diffs.insert(rest[0].to_owned(), facts);
    }

    fn urn_of(&self, name: &str) -> Urn {
        Urn::parse(name).unwrap_or_else(|| {
            self.names.get(name).unwrap_or_else(|| panic!("nothing is called {name}")).0.clone()
        })
    }

    fn urns(&self, names: &str) -> Vec<Urn> {
        names.split(',').map(|name| self.urn_of(name)).collect()
    }

    fn provider_of(&self, name: &str) -> ProviderRef {
        let (name, id) = name.split_once('/').unwrap_or((name, ""));
        let (urn, known) = &self.names[name];
        ProviderRef::new(urn.clone(), if id.is_empty() { known.as_str() } else { id })
    }

    /// Type, name, parent and the rest of a line that makes a resource.
    fn head<'a>(&self, words: &[&'a str]) -> (String, String, Option<Urn>, Vec<(&'a str, &'a str)>) {
        let (kind, mut rest) = (words[0], &words[1..]);
        let mut name = format!("{PROJECT}-{STACK}");
        if kind != "stack" {
            rest[0].clone_into(&mut name);
            rest = &rest[1..];
        }
        let options: Vec<(&str, &str)> =
            rest.iter().map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        let option = |key: &str| options.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
        let ty = option("type").map(str::to_owned).unwrap_or_else(|| match kind {
            "stack" => purlin_model::urn::STACK_TYPE.to_owned(),
            "component" => "t:m:C".to_owned(),
            "provider" => "pulumi:providers:t".to_owned(),
            _ => "t:m:R".to_owned(),
        });
        let parent = match option("parent") {
            Some("none") => None,
            Some(parent) => Some(self.urn_of(parent)),
            None => self.root.clone(),
        };
        let parent = parent.filter(|_| kind != "stack" && name != "default");
        (ty, name, parent, options)
    }

    fn state(&mut self, words: &[&str]) {
        let (ty, name, parent, options) = self.head(words);
        let own = urn(parent.as_ref(), &ty, &name);
        let custom = !matches!(words[0], "stack" | "component");
        let mut state = ResourceState::new(own.clone(), custom);
        state.parent = parent;
        if custom {
            state.id = format!("{name}0");
        }
        if words[0] == "custom" && self.names.contains_key("default") {
            state.provider = Some(self.provider_of("default"));
        }
        let mut inputs = PropertyMap::new();
        for (key, value) in options {
            match key {
                "type" | "parent" => {}
                "id" => value.clone_into(&mut state.id),
                "delete" => state.delete = true,
                "pending" => state.pending_replacement = true,
                "protect" => state.protect = true,
                "taint" => state.taint = true,
                "external" => state.external = true,
                "retain" => state.retain_on_delete = true,
                "init-error" => state.init_errors = vec!["half".into()],
                "eager" => state.refresh_before_update = true,
                "imported" => value.clone_into(&mut state.import_id),
                "deps" => state.dependencies = self.urns(value),
                "with" => state.deleted_with = Some(self.urn_of(value)),
                "replace-with" => state.replace_with = self.urns(value),
                "provider" => state.provider = Some(self.provider_of(value)),
                property => {
                    state.property_dependencies.insert(property.to_owned(), self.urns(value));
                    state.dependencies.extend(self.urns(value));
                    inputs.insert(property.to_owned(), true.into());
                }
            }
        }
        state.inputs = inputs.into();
        if words[0] == "stack" {
            self.root = Some(own.clone());
        }
        self.names.insert(name, (own, state.id.clone()));
        self.scenario.base.resources.push(state.into());
    }

    fn register(&mut self, words: &[&str]) {
        let (ty, name, parent, options) = self.head(words);
        let own = urn(parent.as_ref(), &ty, &name);
        let custom = !matches!(words[0], "stack" | "component");
        let mut goal = Goal::new(ty, name.clone(), custom, PropertyMap::new());
        goal.parent.clone_from(&parent);
        let (mut inputs, mut read_id, mut early, mut package) = (PropertyMap::new(), None, false, "t");
        let mut providers = std::collections::BTreeMap::new();
        for (key, value) in options {
            match key {
                "type" | "parent" => {}
                "id" => read_id = Some(value.to_owned()),
                "early" => early = true,
                "import" => value.clone_into(&mut goal.import_id),
                "package" => package = value,
                "protect" => goal.protect = Some(value != "false"),
                "retain" => goal.retain_on_delete = Some(true),
                "dbr" => goal.delete_before_replace = Some(value != "false"),
                "ignore" => goal.ignore_changes = vec![value.to_owned()],
                "deps" => goal.dependencies = self.urns(value),
                "with" => goal.deleted_with = Some(self.urn_of(value)),
                "replace-with" => goal.replace_with = self.urns(value),
                "provider" => goal.provider = Some(self.provider_of(value)),
                "providers" => {
                    for name in value.split(',') {
                        let provider = self.provider_of(name);
                        providers.insert(provider.package().to_owned(), provider);
                    }
                }
                "alias" => goal.aliases.push(self.alias(value)),
                property => {
                    goal.property_dependencies.insert(property.to_owned(), self.urns(value));
                    goal.dependencies.extend(self.urns(value));
                    inputs.insert(property.to_owned(), true.into());
                }
            }
        }
        goal.inputs = inputs.into();
        goal.dependencies.sort();
        goal.dependencies.dedup();
        if words[0] == "stack" {
            self.root = Some(own.clone());
        }
        let id = self.names.get(&name).map(|(_, id)| id.clone()).unwrap_or_default();
        self.names.insert(name.clone(), (own, id));
        let after = if early { Vec::new() } else { references(&goal) };
        let package = PackageDescriptor::new(package, "");
        let registration = Registration { goal, providers, package, read_id };
        self.scenario.program.push(Item { name, after, act: Act::Register(Box::new(registration)) });
    }

    /// `urn:…`, or parts such as `name:old`, `type:a:b:C` (with `+` for what follows), `parent:p`, `noparent`.
    fn alias(&self, text: &str) -> Alias {
        if let Some(urn) = Urn::parse(text) {
            return Alias::Urn(urn);
        }
        let (mut name, mut ty, mut parent) = (None, None, AliasParent::Same);
        for part in text.split('+') {
            match part.split_once(':').unwrap_or((part, "")) {
                ("name", value) => name = Some(value.to_owned()),
                ("type", value) => ty = Some(value.to_owned()),
                ("parent", value) => parent = AliasParent::Urn(self.urn_of(value)),
                ("noparent", _) => parent = AliasParent::None,
                other => panic!("no alias part {other:?}"),
            }
        }
        Alias::Spec { name, ty, stack: None, project: None, parent }
    }

    fn invoke(&mut self, rest: &[&str]) {
        let option = |key: &str| rest.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let parent = option("parent").map(|name| self.urn_of(name));
        let explicit = option("provider").map(|name| self.provider_of(name));
        let after = parent.iter().cloned().chain(explicit.iter().map(|p| p.urn().clone())).collect();
        let package = PackageDescriptor::new(option("package").unwrap_or("t"), "");
        let query =
            ProviderQuery { explicit, parent, providers: Default::default(), package, function: true };
        self.scenario.program.push(Item { name: rest[0].to_owned(), after, act: Act::Ask(Box::new(query)) });
    }
}

/// Everything that a program must have been told before it can say this.
pub fn references(goal: &Goal) -> Vec<Urn> {
    let parts = goal.parent.iter().chain(&goal.dependencies).chain(&goal.deleted_with);
    let more = goal.property_dependencies.values().flatten().chain(&goal.replace_with);
    parts.chain(more).chain(goal.provider.iter().map(ProviderRef::urn)).cloned().collect()
}
