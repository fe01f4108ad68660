//! What the schemas say about the values of a program.

mod access;
mod assign;

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_project::yaml::Location;
use purlin_schema::{ObjectSchema, PackageSchema, Type};

use super::bind::{Bindings, BoundFunction, BoundResource};
use super::graph::NameTable;
use crate::parse::did_you_mean;
use crate::program::YamlProgram;
use crate::syntax::{Expr, ExprKind, Function, Invoke, Properties, ResourceDecl, Text};

/// How many variables that only name other variables are followed.
const MAX_CHAIN: usize = 64;

/// Checks all properties, references and calls. Gives errors and warnings in the order of the file.
pub(crate) fn check_types(
    program: &YamlProgram,
    bindings: &Bindings,
    names: &NameTable<'_>,
) -> Vec<Diagnostic> {
    let mut checker = Checker { program, bindings, names, problems: Vec::new() };
    for (resource, bound) in program.resources.iter().zip(&bindings.resources) {
        for expr in resource.expressions() {
            checker.check_references(expr);
        }
        if let Some(bound) = bound {
            checker.resource(resource, bound);
        }
    }
    for (invoke, bound) in program.invokes.iter().zip(&bindings.functions) {
        let options = [&invoke.options.depends_on, &invoke.options.parent, &invoke.options.provider];
        let arguments = invoke.arguments.iter().flat_map(|field| [&field.key, &field.value]);
        for expr in arguments.chain(options.into_iter().flatten()) {
            checker.check_references(expr);
        }
        if let Some(bound) = bound {
            checker.invoke(invoke, bound);
        }
    }
    let variables = program.variables.iter().map(|decl| &decl.value);
    for expr in variables.chain(program.outputs.iter().map(|decl| &decl.value)) {
        checker.check_references(expr);
    }
    let mut problems = checker.problems;
    problems.sort_by_key(|p| p.span.as_ref().map_or((0, 0), |span| (span.line, span.column)));
    problems
}

/// What is known about the type of an expression.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing.
    Any,
    /// A type of a package.
    Of(Type, Arc<PackageSchema>),
    /// A type that needs no package to be understood.
    Plain(Type),
    /// A resource of the program.
    Resource(usize),
    /// The result of a function.
    Result(usize),
}

struct Checker<'a, 'p> {
    program: &'p YamlProgram,
    bindings: &'a Bindings,
    names: &'a NameTable<'p>,
    problems: Vec<Diagnostic>,
}

impl Checker<'_, '_> {
    fn error(&mut self, code: &'static str, at: &Location, message: String, hint: String) {
        let problem = Diagnostic::error(code, message).with_span(at.span());
        let problem = if hint.is_empty() { problem } else { problem.with_hint(hint) };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn resource(&mut self, resource: &ResourceDecl, bound: &BoundResource) {
        let token = &bound.token;
        match &resource.properties {
            Properties::Fields(fields) => {
                let given: Vec<(&Text, &Expr)> = fields.iter().map(|(name, value)| (name, value)).collect();
                self.fields(&given, &bound.schema.inputs, &bound.package, token, "");
                if !resource.is_stack_reference() {
                    let names: Vec<&str> = fields.iter().map(|(name, _)| name.value.as_str()).collect();
                    self.required(&resource.key.at, &names, &bound.schema.inputs, token, "");
                }
            }
            Properties::Value(_) | Properties::Absent => {}
        }
        if let Some(get) = &resource.get {
            let given: Vec<(&Text, &Expr)> = get.state.iter().map(|(name, value)| (name, value)).collect();
            self.fields(&given, &bound.schema.outputs, &bound.package, token, "");
            self.assign(&get.id, &Type::String, &bound.package, "the id of get");
        }
    }

    /// Checks the properties that are given against those that there are.
    fn fields(
        &mut self,
        given: &[(&Text, &Expr)],
        schema: &ObjectSchema,
        package: &Arc<PackageSchema>,
        token: &str,
        prefix: &str,
    ) {
        for (name, value) in given {
            match schema.properties.get(&name.value) {
                Some(property) => {
                    let what = format!("the property \"{prefix}{}\" of {token}", name.value);
                    self.assign(value, &property.ty, package, &what);
                }
                None => {
                    let message = format!("{token} has no property \"{prefix}{}\"", name.value);
                    let hint = did_you_mean(&name.value, schema.properties.keys().map(String::as_str));
                    self.error("yaml-unknown-property", &name.at, message, hint);
                }
            }
        }
    }

    /// Complains about properties that must be given and aren't. Those with a value of their own
    /// needn't be.
    fn required(&mut self, at: &Location, given: &[&str], schema: &ObjectSchema, token: &str, prefix: &str) {
        for (name, property) in &schema.properties {
            let optional =
                !property.required || property.constant.is_some() || property.default.value.is_some();
            if !optional && !given.contains(&name.as_str()) {
                let message = format!("the property \"{prefix}{name}\" of {token} is missing");
                let hint = format!("it is required and must be {}", access::kind(&property.ty));
                self.error("yaml-missing-property", at, message, hint);
            }
        }
    }

    fn invoke(&mut self, invoke: &Invoke, bound: &BoundFunction) {
        let token = &bound.token;
        let known = &bound.schema.inputs.properties;
        for field in &invoke.arguments {
            let Some(name) = field.key.as_text() else { continue };
            if !known.contains_key(name) {
                let message = format!("{token} has no argument \"{name}\"");
                let hint = did_you_mean(name, known.keys().map(String::as_str));
                self.problems.push(
                    Diagnostic::warning("yaml-unknown-argument", message)
                        .with_span(field.key.at.span())
                        .with_hint(hint),
                );
            }
        }
        let Some(wanted) = &invoke.returns else { return };
        match &bound.schema.outputs {
            Some(outputs) if outputs.properties.contains_key(&wanted.value) => {}
            Some(outputs) => {
                let message = format!("the result of {token} has no property \"{}\"", wanted.value);
                let hint = did_you_mean(&wanted.value, outputs.properties.keys().map(String::as_str));
                self.error("yaml-unknown-property", &wanted.at, message, hint);
            }
            None if bound.schema.return_type.is_some() => {
                let message = format!("the result of {token} is no object");
                let hint = "take out the key return".to_owned();
                self.error("yaml-unknown-property", &wanted.at, message, hint);
            }
            None => {}
        }
    }

    /// The type of an expression, as far as it can be told.
    fn type_of(&mut self, expr: &Expr, chain: usize) -> Known {
        match &expr.kind {
            ExprKind::Bool(_) => Known::Plain(Type::Bool),
            ExprKind::Number(_) => Known::Plain(Type::Number),
            ExprKind::Text(_) | ExprKind::Interpolate(_) => Known::Plain(Type::String),
            ExprKind::AssetArchive(_) => Known::Plain(Type::Archive),
            ExprKind::Symbol(access) => self.type_of_access(&expr.at, access, chain, false),
            ExprKind::Invoke(number) => Known::Result(*number),
            ExprKind::Call(function, arguments) => match function {
                Function::Secret | Function::Unsecret => {
                    arguments.first().map_or(Known::Any, |argument| self.type_of(argument, chain))
                }
                Function::Select | Function::SingleOrNone => Known::Any,
                Function::Split => Known::Plain(Type::Array(Box::new(Type::String))),
                Function::Length => Known::Plain(Type::Integer),
                Function::StringAsset | Function::FileAsset | Function::RemoteAsset => {
                    Known::Plain(Type::Asset)
                }
                Function::FileArchive | Function::RemoteArchive => Known::Plain(Type::Archive),
                _ => Known::Plain(Type::String),
            },
            ExprKind::Null | ExprKind::List(_) | ExprKind::Object(_) | ExprKind::StackOutput(..) => {
                Known::Any
            }
        }
    }
}
