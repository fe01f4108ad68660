//! References: whether what they name is there, and of what type it is.

use std::sync::Arc;

use purlin_project::yaml::Location;
use purlin_schema::{ObjectSchema, PackageSchema, Type, TypeDefinition};

use super::{Checker, Known, MAX_CHAIN};
use crate::check::graph::Named;
use crate::parse::did_you_mean;
use crate::syntax::{Access, Accessor, Expr, ExprKind};

const PULUMI_KEYS: [&str; 5] = ["cwd", "organization", "project", "rootDirectory", "stack"];

impl Checker<'_, '_> {
    /// Complains about references to what isn't there.
    pub(super) fn check_references(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Symbol(access) => drop(self.type_of_access(&expr.at, access, 0, true)),
            ExprKind::Interpolate(parts) => {
                for access in parts.iter().filter_map(|part| part.value.as_ref()) {
                    self.type_of_access(&expr.at, access, 0, true);
                }
            }
            ExprKind::List(items) | ExprKind::Call(_, items) => {
                items.iter().for_each(|item| self.check_references(item));
            }
            ExprKind::Object(fields) => {
                for field in fields {
                    self.check_references(&field.key);
                    self.check_references(&field.value);
                }
            }
            ExprKind::AssetArchive(members) => {
                members.iter().for_each(|(_, value)| self.check_references(value));
            }
            ExprKind::StackOutput(_, name) => self.check_references(name),
            _ => {}
        }
    }

    /// The type of what a reference names. Complains, if `report`, when there is no such thing.
    pub(super) fn type_of_access(
        &mut self,
        at: &Location,
        access: &Access,
        chain: usize,
        report: bool,
    ) -> Known {
        let before = self.problems.len();
        let known = match self.names.find(&access.root) {
            Some(Named::Resource(number)) => {
                self.walk(at, Known::Resource(number), access.root.clone(), &access.path)
            }
            Some(Named::Variable(number)) if chain < MAX_CHAIN => self.walk_expr(at, number, access, chain),
            Some(Named::Pulumi) => self.pulumi(at, access),
            _ => Known::Any,
        };
        if !report {
            self.problems.truncate(before);
        }
        known
    }

    fn pulumi(&mut self, at: &Location, access: &Access) -> Known {
        match access.path.first() {
            None => Known::Any,
            Some(Accessor::Name(key) | Accessor::Key(key)) if PULUMI_KEYS.contains(&key.as_str()) => {
                Known::Plain(Type::String)
            }
            Some(Accessor::Name(key) | Accessor::Key(key)) => {
                let hint = did_you_mean(key, PULUMI_KEYS);
                self.error("yaml-unknown-property", at, format!("pulumi has no property \"{key}\""), hint);
                Known::Any
            }
            Some(step) => {
                self.error("yaml-access", at, format!("pulumi has no {step}"), String::new());
                Known::Any
            }
        }
    }

    /// Follows a path into the literal value of a variable as far as it is literal.
    fn walk_expr(&mut self, at: &Location, variable: usize, access: &Access, chain: usize) -> Known {
        let program = self.program;
        let mut expr = &program.variables[variable].value;
        let mut shown = access.root.clone();
        for (depth, step) in access.path.iter().enumerate() {
            match (&expr.kind, step) {
                (ExprKind::Object(fields), Accessor::Name(key) | Accessor::Key(key)) => {
                    if fields.iter().any(|field| field.key.as_text().is_none()) {
                        return Known::Any;
                    }
                    let Some(field) = fields.iter().find(|f| f.key.as_text() == Some(key)) else {
                        let names = fields.iter().filter_map(|field| field.key.as_text());
                        let hint = did_you_mean(key, names);
                        let message = format!("{shown} has no property \"{key}\"");
                        self.error("yaml-unknown-property", at, message, hint);
                        return Known::Any;
                    };
                    expr = &field.value;
                }
                (ExprKind::List(items), Accessor::Index(index)) => match items.get(*index) {
                    Some(item) => expr = item,
                    // An index beyond the end is found when the program runs.
                    None => return Known::Any,
                },
                _ => {
                    let known = self.type_of(expr, chain + 1);
                    return self.walk(at, known, shown, &access.path[depth..]);
                }
            }
            shown.push_str(&step.to_string());
        }
        self.type_of(expr, chain + 1)
    }

    fn walk(&mut self, at: &Location, from: Known, mut shown: String, path: &[Accessor]) -> Known {
        let mut known = from;
        for step in path {
            known = match self.step(&known, &shown, step) {
                Ok(next) => next,
                Err((message, hint)) => {
                    self.error("yaml-unknown-property", at, message, hint);
                    return Known::Any;
                }
            };
            shown.push_str(&step.to_string());
        }
        known
    }

    fn step(&self, known: &Known, shown: &str, step: &Accessor) -> Result<Known, (String, String)> {
        let no = |kind: &str| {
            let hint = match kind {
                "a list" => "items have indexes such as [0]".to_owned(),
                _ => String::new(),
            };
            (format!("{shown} is {kind} and has no {step}"), hint)
        };
        match known {
            Known::Any => Ok(Known::Any),
            Known::Resource(number) => {
                let Some(bound) = &self.bindings.resources[*number] else { return Ok(Known::Any) };
                match step {
                    Accessor::Index(_) => Err(no("a resource")),
                    Accessor::Name(name) if name == "urn" => Ok(Known::Plain(Type::String)),
                    Accessor::Name(name) if name == "id" && !bound.schema.is_component => {
                        Ok(Known::Plain(Type::String))
                    }
                    Accessor::Name(name) | Accessor::Key(name) => {
                        let extra: &[&str] =
                            if bound.schema.is_component { &["urn"] } else { &["id", "urn"] };
                        property(&bound.schema.outputs, &bound.package, shown, name, extra)
                    }
                }
            }
            Known::Result(number) => {
                let Some(bound) = &self.bindings.functions[*number] else { return Ok(Known::Any) };
                let (Some(outputs), None) = (&bound.schema.outputs, &self.program.invokes[*number].returns)
                else {
                    return Ok(Known::Any);
                };
                match step {
                    Accessor::Index(_) => Err(no("an object")),
                    Accessor::Name(name) | Accessor::Key(name) => {
                        property(outputs, &bound.package, shown, name, &[])
                    }
                }
            }
            Known::Plain(ty) => self.step_into(ty, None, shown, step).map_err(no_or_own(&no)),
            Known::Of(ty, package) => self.step_into(ty, Some(package), shown, step).map_err(no_or_own(&no)),
        }
    }

    /// One step into a type. An error without message is one of shape.
    fn step_into(
        &self,
        ty: &Type,
        package: Option<&Arc<PackageSchema>>,
        shown: &str,
        step: &Accessor,
    ) -> Result<Known, StepError> {
        let inner = |ty: &Type| match package {
            Some(package) => Known::Of(ty.clone(), Arc::clone(package)),
            None => Known::Plain(ty.clone()),
        };
        match (ty, step) {
            (Type::Any | Type::Resource(_) | Type::Provider | Type::Union(_), _) => Ok(Known::Any),
            (Type::Array(item), Accessor::Index(_)) => Ok(inner(item)),
            (Type::Array(_), _) => Err(StepError::Shape("a list")),
            (Type::Map(value), Accessor::Name(_) | Accessor::Key(_)) => Ok(inner(value)),
            (Type::Map(_), _) => Err(StepError::Shape("an object")),
            (Type::Named(token), step) => {
                let Some(package) = package else { return Ok(Known::Any) };
                let Some(Ok(definition)) = package.definition(token) else { return Ok(Known::Any) };
                match (&*definition, step) {
                    (TypeDefinition::Object(object), Accessor::Name(name) | Accessor::Key(name)) => {
                        property(object, package, shown, name, &[])
                            .map_err(|(message, hint)| StepError::Own(message, hint))
                    }
                    (TypeDefinition::Object(_), _) => Err(StepError::Shape("an object")),
                    (TypeDefinition::Enum(values), step) => self.step_into(&values.ty, None, shown, step),
                }
            }
            (other, _) => Err(StepError::Shape(kind(other))),
        }
    }
}

enum StepError {
    Shape(&'static str),
    Own(String, String),
}

fn no_or_own<'n>(no: &'n dyn Fn(&str) -> (String, String)) -> impl Fn(StepError) -> (String, String) + 'n {
    move |error| match error {
        StepError::Shape(kind) => no(kind),
        StepError::Own(message, hint) => (message, hint),
    }
}

fn property(
    object: &ObjectSchema,
    package: &Arc<PackageSchema>,
    shown: &str,
    name: &str,
    extra: &[&str],
) -> Result<Known, (String, String)> {
    match object.properties.get(name) {
        Some(property) => Ok(Known::Of(property.ty.clone(), Arc::clone(package))),
        None => {
            let names = object.properties.keys().map(String::as_str).chain(extra.iter().copied());
            Err((format!("{shown} has no property \"{name}\""), did_you_mean(name, names)))
        }
    }
}

/// A type in words, with its article.
pub(super) fn kind(ty: &Type) -> &'static str {
    match ty {
        Type::Any => "any value",
        Type::Bool => "a boolean",
        Type::Integer | Type::Number => "a number",
        Type::String | Type::Json => "a string",
        Type::Asset => "an asset",
        Type::Archive => "an archive",
        Type::Array(_) => "a list",
        Type::Map(_) | Type::Named(_) => "an object",
        Type::Union(_) => "one of several kinds",
        Type::Resource(_) | Type::Provider => "a resource",
    }
}
