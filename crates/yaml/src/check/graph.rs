//! The steps of a program and what each waits for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use purlin_diag::Diagnostic;
use purlin_project::yaml::Location;

use crate::parse::did_you_mean;
use crate::program::YamlProgram;
use crate::syntax::{Access, Expr, Need};

/// The name of what the engine knows about the deployment.
pub(crate) const PULUMI: &str = "pulumi";

/// A step of a program: an index into the list that its kind has in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StepKind {
    Variable(usize),
    Resource(usize),
    Invoke(usize),
    Stack(usize),
    Output(usize),
}

/// A step with the steps that it waits for, as indexes into [`Graph::steps`].
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) needs: Vec<usize>,
    at: Location,
}

/// All steps, in the order of the file.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) steps: Vec<Step>,
    /// The provider that serves a resource or call without one of its own, by step.
    pub(crate) default_providers: HashMap<usize, usize>,
    by_kind: HashMap<StepKind, usize>,
}

impl Graph {
    /// The step of a kind and number.
    pub(crate) fn step_of(&self, kind: StepKind) -> Option<usize> {
        self.by_kind.get(&kind).copied()
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Resource(usize),
    Variable(usize),
    Config,
    Pulumi,
}

/// All names of a program.
pub(crate) struct NameTable<'p> {
    own: BTreeMap<&'p str, Named>,
    config: BTreeSet<&'p str>,
    prefix: String,
}

impl<'p> NameTable<'p> {
    /// `config` are the names of the configuration that the run was given.
    pub(crate) fn new(program: &'p YamlProgram, config: &'p BTreeSet<String>, project: &str) -> Self {
        let mut own = BTreeMap::new();
        for (number, variable) in program.variables.iter().enumerate() {
            own.insert(variable.key.value.as_str(), Named::Variable(number));
        }
        for (number, resource) in program.resources.iter().enumerate() {
            own.insert(resource.key.value.as_str(), Named::Resource(number));
        }
        let declared = program.config.iter().map(|decl| decl.key.value.as_str());
        let config = declared.chain(config.iter().map(String::as_str)).collect();
        NameTable { own, config, prefix: format!("{project}:") }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Named> {
        if let Some(named) = self.own.get(name) {
            return Some(*named);
        }
        let short = name.strip_prefix(&self.prefix).unwrap_or(name);
        if self.config.contains(name) || self.config.contains(short) {
            return Some(Named::Config);
        }
        (name == PULUMI).then_some(Named::Pulumi)
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.own.keys().copied().chain(self.config.iter().copied()).chain([PULUMI])
    }
}

/// Names that are used twice, or that are taken.
pub(crate) fn check_names(program: &YamlProgram) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut seen: HashMap<&str, (&str, u32)> = HashMap::new();
    let config = program.config.iter().map(|decl| ("configuration value", &decl.key));
    let resources = program.resources.iter().map(|decl| ("resource", &decl.key));
    let variables = program.variables.iter().map(|decl| ("variable", &decl.key));
    let mut all: Vec<_> = config.chain(resources).chain(variables).collect();
    all.sort_by_key(|(_, key)| (key.at.start.line, key.at.start.column));
    for (what, key) in all {
        let name = key.value.as_str();
        let problem = if name == PULUMI {
            Some(format!("the {what} can't be named \"pulumi\": the name is taken"))
        } else {
            seen.insert(name, (what, key.at.start.line)).map(|(other, line)| {
                format!("the {what} \"{name}\" has the same name as the {other} in line {line}")
            })
        };
        if let Some(problem) = problem {
            problems.push(
                Diagnostic::error("yaml-name", problem)
                    .with_span(key.span())
                    .with_hint("choose another name; the resource's own name can be kept with its key name"),
            );
        }
    }
    problems
}

/// Finds the steps and what each waits for; complains about names that stand for nothing and about
/// cycles.
pub(crate) fn build(program: &YamlProgram, names: &NameTable<'_>) -> Result<Graph, Vec<Diagnostic>> {
    let mut builder = Builder { program, names, problems: Vec::new(), unknown: HashSet::new() };
    let mut steps = builder.steps();
    steps.sort_by_key(|(_, at, _)| at.start.offset);
    let by_kind: HashMap<StepKind, usize> =
        steps.iter().enumerate().map(|(at, (kind, _, _))| (*kind, at)).collect();
    let mut graph = Graph {
        steps: steps
            .into_iter()
            .map(|(kind, at, needs)| {
                let mut needs: Vec<usize> =
                    needs.iter().filter_map(|need| by_kind.get(need).copied()).collect();
                needs.sort_unstable();
                needs.dedup();
                Step { kind, needs, at }
            })
            .collect(),
        default_providers: HashMap::new(),
        by_kind,
    };
    builder.default_providers(&mut graph);
    builder.check_cycles(&graph);
    let mut problems = builder.problems;
    if problems.is_empty() {
        return Ok(graph);
    }
    problems.sort_by_key(|p| p.span.as_ref().map_or((0, 0), |span| (span.line, span.column)));
    Err(problems)
}

struct Builder<'a, 'p> {
    program: &'p YamlProgram,
    names: &'a NameTable<'p>,
    problems: Vec<Diagnostic>,
    unknown: HashSet<(String, usize)>,
}

type RawStep = (StepKind, Location, Vec<StepKind>);

impl Builder<'_, '_> {
    fn steps(&mut self) -> Vec<RawStep> {
        let program = self.program;
        let mut steps: Vec<RawStep> = Vec::new();
        for (number, variable) in program.variables.iter().enumerate() {
            let needs = self.needs([&variable.value]);
            steps.push((StepKind::Variable(number), variable.key.at.clone(), needs));
        }
        for (number, resource) in program.resources.iter().enumerate() {
            let needs = self.needs(resource.expressions());
            steps.push((StepKind::Resource(number), resource.key.at.clone(), needs));
        }
        for (number, invoke) in program.invokes.iter().enumerate() {
            let options = &invoke.options;
            let arguments = invoke.arguments.iter().flat_map(|field| [&field.key, &field.value]);
            let options = [&options.depends_on, &options.parent, &options.provider].into_iter().flatten();
            let needs = self.needs(arguments.chain(options));
            steps.push((StepKind::Invoke(number), invoke.at.clone(), needs));
        }
        for (number, stack) in program.stacks.iter().enumerate() {
            steps.push((StepKind::Stack(number), stack.stack.at.clone(), Vec::new()));
        }
        for (number, output) in program.outputs.iter().enumerate() {
            let needs = self.needs([&output.value]);
            steps.push((StepKind::Output(number), output.key.at.clone(), needs));
        }
        if let Some(version) = &program.required_version {
            self.needs([version]);
        }
        steps
    }

    fn needs<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) -> Vec<StepKind> {
        let mut needs = Vec::new();
        for expr in expressions {
            expr.needs(&mut |need, at| match need {
                Need::Invoke(number) => needs.push(StepKind::Invoke(number)),
                Need::Stack(number) => needs.push(StepKind::Stack(number)),
                Need::Name(access) => match self.names.find(&access.root) {
                    Some(Named::Resource(number)) => needs.push(StepKind::Resource(number)),
                    Some(Named::Variable(number)) => needs.push(StepKind::Variable(number)),
                    Some(Named::Config | Named::Pulumi) => {}
                    None => self.unknown_name(access, at),
                },
            });
        }
        needs
    }

    fn unknown_name(&mut self, access: &Access, at: &Location) {
        if !self.unknown.insert((access.root.clone(), at.start.offset)) {
            return;
        }
        let message = format!("no resource, variable or configuration value is named \"{}\"", access.root);
        let hint = did_you_mean(&access.root, self.names.all());
        self.problems
            .push(Diagnostic::error("yaml-unknown-name", message).with_span(at.span()).with_hint(hint));
    }

    /// Resources and calls without a provider of their own wait for the default provider of their
    /// package, except for those that this provider itself is made from.
    fn default_providers(&mut self, graph: &mut Graph) {
        let mut by_package: HashMap<&str, usize> = HashMap::new();
        for (number, resource) in self.program.resources.iter().enumerate() {
            if resource.is_default_provider()
                && let Some(step) = graph.step_of(StepKind::Resource(number))
                && by_package.insert(resource.package(), step).is_some()
            {
                let message =
                    format!("there is another default provider of the package {}", resource.package());
                self.problems.push(
                    Diagnostic::error("yaml-default-provider", message)
                        .with_span(resource.key.span())
                        .with_hint(
                            "leave one, and name the other with the option provider where it is meant",
                        ),
                );
            }
        }
        if by_package.is_empty() {
            return;
        }
        let made_from: HashMap<usize, HashSet<usize>> =
            by_package.values().map(|step| (*step, reachable(graph, *step))).collect();
        for at in 0..graph.steps.len() {
            let (package, own) = match graph.steps[at].kind {
                StepKind::Resource(number) => {
                    let resource = &self.program.resources[number];
                    if resource.is_provider() {
                        continue;
                    }
                    (resource.package(), resource.options.provider.is_some())
                }
                StepKind::Invoke(number) => {
                    let invoke = &self.program.invokes[number];
                    let package = purlin_model::urn::package_of_type(&invoke.token.value);
                    (package, invoke.options.provider.is_some())
                }
                _ => continue,
            };
            let Some(provider) = by_package.get(package).filter(|_| !own) else { continue };
            if made_from[provider].contains(&at) {
                continue;
            }
            graph.default_providers.insert(at, *provider);
            if !graph.steps[at].needs.contains(provider) {
                graph.steps[at].needs.push(*provider);
            }
        }
    }

    fn check_cycles(&mut self, graph: &Graph) {
        // Take away what waits for nothing, again and again; what is left is in or behind a cycle.
        let mut waiting: Vec<usize> = graph.steps.iter().map(|step| step.needs.len()).collect();
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); graph.steps.len()];
        for (at, step) in graph.steps.iter().enumerate() {
            step.needs.iter().for_each(|need| dependents[*need].push(at));
        }
        let mut free: Vec<usize> = (0..waiting.len()).filter(|at| waiting[*at] == 0).collect();
        let mut left: BTreeSet<usize> = (0..waiting.len()).collect();
        while let Some(at) = free.pop() {
            left.remove(&at);
            for dependent in &dependents[at] {
                waiting[*dependent] -= 1;
                if waiting[*dependent] == 0 {
                    free.push(*dependent);
                }
            }
        }
        while let Some(first) = left.first().copied() {
            let mut path = vec![first];
            let cycle = loop {
                let here = path[path.len() - 1];
                let Some(next) = graph.steps[here].needs.iter().find(|need| left.contains(need)) else {
                    break Vec::new();
                };
                if let Some(start) = path.iter().position(|at| at == next) {
                    break path.split_off(start);
                }
                path.push(*next);
            };
            self.report_cycle(graph, &cycle);
            // One complaint for each group of steps that hang together.
            let related: HashSet<usize> = cycle.iter().chain(&path).copied().collect();
            left.retain(|at| !related.contains(at) && reachable(graph, *at).is_disjoint(&related));
        }
    }

    fn report_cycle(&mut self, graph: &Graph, cycle: &[usize]) {
        let names: Vec<(&str, usize)> =
            cycle.iter().filter_map(|at| Some((self.name_of(graph.steps[*at].kind)?, *at))).collect();
        let Some(start) = (0..names.len()).min_by_key(|n| names[*n].1) else { return };
        let mut shown: Vec<&str> =
            names.iter().cycle().skip(start).take(names.len()).map(|(n, _)| *n).collect();
        shown.push(names[start].0);
        let message = format!("\"{}\" needs itself: {}", names[start].0, shown.join(" → "));
        self.problems.push(
            Diagnostic::error("yaml-cycle", message)
                .with_span(graph.steps[names[start].1].at.span())
                .with_hint("take one of these references out"),
        );
    }

    fn name_of(&self, kind: StepKind) -> Option<&str> {
        match kind {
            StepKind::Variable(number) => Some(&self.program.variables[number].key.value),
            StepKind::Resource(number) => Some(&self.program.resources[number].key.value),
            _ => None,
        }
    }
}

/// All steps that a step needs, directly or not.
fn reachable(graph: &Graph, from: usize) -> HashSet<usize> {
    let mut found = HashSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for need in &graph.steps[at].needs {
            if found.insert(*need) {
                open.push(*need);
            }
        }
    }
    found
}
