//! Expressions become values. Nothing here waits: calls of packages' functions are steps of their
//! own, whose results are there already.

mod access;
mod format;
mod functions;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use purlin_diag::Diagnostic;
use purlin_model::{PropertyMap, ResourceReference, Urn};
use purlin_project::yaml::Location;

use crate::syntax::{Access, Expr, ExprKind, Part};
use crate::value::{Origin, Tracked, Value, kind_of};

/// How much all that one step makes may weigh; see [`Tracked::weight`].
const MAX_WEIGHT: usize = 500_000;
/// How deep values may be nested.
const MAX_DEPTH: usize = 512;

/// Why an expression has no value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something is wrong with it.
    Problem(Box<Diagnostic>),
    /// The state of a resource that another one refers to is needed first.
    Reference(ResourceReference),
}

impl Stop {
    pub(crate) fn problem(code: &'static str, at: &Location, message: impl Into<String>) -> Stop {
        Stop::Problem(Box::new(Diagnostic::error(code, message).with_span(at.span())))
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Stop {
        match self {
            Stop::Problem(problem) => Stop::Problem(Box::new(problem.with_hint(hint))),
            other => other,
        }
    }
}

/// What names stand for.
pub(crate) trait Names {
    /// The value behind a name.
    fn named(&self, name: &str) -> Option<&Tracked>;
    /// The result of a call.
    fn invoked(&self, number: usize) -> Option<&Tracked>;
    /// A reference to a stack.
    fn stack(&self, number: usize) -> Option<&Tracked>;
}

/// Where an expression is evaluated.
pub(crate) struct Scope<'a> {
    pub(crate) names: &'a dyn Names,
    /// The states of resources that others refer to, as far as they were asked for.
    pub(crate) references: &'a HashMap<Urn, PropertyMap>,
    /// The folder that relative paths start from.
    pub(crate) folder: &'a Path,
    pub(crate) dry_run: bool,
    weight: Cell<usize>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(
        names: &'a dyn Names,
        references: &'a HashMap<Urn, PropertyMap>,
        folder: &'a Path,
        dry_run: bool,
    ) -> Scope<'a> {
        Scope { names, references, folder, dry_run, weight: Cell::new(0) }
    }

    /// Refuses to make more than a step may: references to references to … can stand for any amount.
    fn weigh(&self, at: &Location, value: &Tracked) -> Result<(), Stop> {
        let weight = self.weight.get().saturating_add(value.weight());
        self.weight.set(weight);
        if weight > MAX_WEIGHT || value.depth() > MAX_DEPTH {
            let message = "the value is too large: it repeats or nests other values too often";
            return Err(Stop::problem("yaml-too-large", at, message)
                .with_hint("values made of values that are made of values multiply; break the chain"));
        }
        Ok(())
    }

    pub(crate) fn eval(&self, expr: &Expr) -> Result<Tracked, Stop> {
        Ok(match &expr.kind {
            ExprKind::Null => Tracked::plain(Value::Null),
            ExprKind::Bool(value) => Tracked::plain(Value::Bool(*value)),
            ExprKind::Number(value) => Tracked::plain(Value::Number(*value)),
            ExprKind::Text(text) => Tracked::text(text.clone()),
            ExprKind::Interpolate(parts) => self.interpolate(&expr.at, parts)?,
            ExprKind::Symbol(access) => self.access(&expr.at, access)?,
            ExprKind::List(items) => Tracked::plain(Value::List(self.eval_all(items)?)),
            ExprKind::Object(fields) => {
                let mut origin = Origin::default();
                let mut object = BTreeMap::new();
                for field in fields {
                    let key = self.eval(&field.key)?;
                    let value = self.eval(&field.value)?;
                    origin.add(&key);
                    match key.value {
                        Value::Text(key) => drop(object.insert(key, value)),
                        Value::Unknown => {}
                        other => {
                            let message = format!("a key must be a string, not {}", kind_of(&other));
                            return Err(Stop::problem("yaml-key-type", &field.key.at, message));
                        }
                    }
                }
                let unknown = origin.unknown;
                origin.result(if unknown { Value::Unknown } else { Value::Object(object) })
            }
            ExprKind::Call(function, arguments) => self.call(&expr.at, *function, arguments)?,
            ExprKind::AssetArchive(members) => self.asset_archive(members)?,
            ExprKind::Invoke(number) => {
                let value = self.names.invoked(*number).cloned().ok_or_else(|| missing(&expr.at))?;
                self.weigh(&expr.at, &value)?;
                value
            }
            ExprKind::StackOutput(number, output) => self.stack_output(&expr.at, *number, output)?,
        })
    }

    pub(crate) fn eval_all(&self, items: &[Expr]) -> Result<Vec<Tracked>, Stop> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    fn interpolate(&self, at: &Location, parts: &[Part]) -> Result<Tracked, Stop> {
        let mut text = String::new();
        let mut origin = Origin::default();
        for part in parts {
            text.push_str(&part.text);
            let Some(access) = &part.value else { continue };
            let value = self.access(at, access)?;
            origin.add(&value);
            format::interpolated(&mut text, &value.value).or_else(|kind| match value.value {
                _ if origin.unknown => Ok(()),
                _ => Err(self.not_a_text(at, access, kind)),
            })?;
        }
        let unknown = origin.unknown;
        let value = origin.result(if unknown { Value::Unknown } else { Value::Text(text) });
        self.weigh(at, &value)?;
        Ok(value)
    }

    fn not_a_text(&self, at: &Location, access: &Access, kind: &str) -> Stop {
        let hint = match kind {
            "a resource" => format!("name a property, such as ${{{access}.id}}"),
            _ => "use it alone, as the whole value".to_owned(),
        };
        Stop::problem("yaml-interpolation", at, format!("${{{access}}} is {kind} and has no text"))
            .with_hint(hint)
    }

    fn stack_output(&self, at: &Location, number: usize, output: &Expr) -> Result<Tracked, Stop> {
        let stack = self.names.stack(number).ok_or_else(|| missing(at))?;
        let name = self.eval(output)?;
        let mut origin = name.origin();
        let Value::Resource(handle) = &stack.value else { return Err(missing(at)) };
        origin.deps.insert(handle.urn.clone());
        if origin.unknown {
            return Ok(origin.result(Value::Unknown));
        }
        let Value::Text(name) = &name.value else {
            let message = format!("the name of the output must be a string, not {}", kind_of(&name.value));
            return Err(Stop::problem("yaml-argument", &output.at, message));
        };
        let path =
            [crate::syntax::Accessor::Name("outputs".to_owned()), crate::syntax::Accessor::Key(name.clone())];
        let found = self.of_resource(at, handle, &path, "the stack's outputs")?;
        origin.secret |= found.secret;
        Ok(origin.result(found.value))
    }
}

/// The steps that an expression needs come before it, so this is not seen.
fn missing(at: &Location) -> Stop {
    Stop::problem("yaml-order", at, "the value is not there yet")
}
