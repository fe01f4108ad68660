//! Whether a value fits where it is put.

use std::sync::Arc;

use purlin_model::PropertyValue;
use purlin_schema::{EnumSchema, PackageSchema, Type, TypeDefinition};

use super::access::kind;
use super::{Checker, Known};
use crate::syntax::{Expr, ExprKind, Function, Property, Text};

impl Checker<'_, '_> {
    /// Complains if a value can't be put where `target` is wanted. `what` names the place.
    pub(super) fn assign(&mut self, expr: &Expr, target: &Type, package: &Arc<PackageSchema>, what: &str) {
        match target {
            Type::Any | Type::Provider => return,
            Type::Union(alternatives) => return self.assign_union(expr, alternatives, package, what),
            Type::Named(token) => {
                let Some(Ok(definition)) = package.definition(token) else { return };
                if let TypeDefinition::Enum(values) = &*definition {
                    return self.assign_enum(expr, values, package, what);
                }
            }
            _ => {}
        }
        match &expr.kind {
            ExprKind::Null => {}
            ExprKind::Call(Function::Secret | Function::Unsecret, arguments) => {
                arguments.iter().for_each(|argument| self.assign(argument, target, package, what));
            }
            ExprKind::List(items) => match target {
                Type::Array(item) => {
                    for (at, expr) in items.iter().enumerate() {
                        self.assign(expr, item, package, &format!("item {at} of {what}"));
                    }
                }
                other => self.mismatch(expr, other, "a list", what),
            },
            ExprKind::Object(fields) => self.assign_object(expr, fields, target, package, what),
            _ => {
                let known = self.type_of(expr, 0);
                if let Some(found) = self.clash(&known, target, package) {
                    self.mismatch(expr, target, found, what);
                }
            }
        }
    }

    fn mismatch(&mut self, expr: &Expr, wanted: &Type, found: &str, what: &str) {
        let message = format!("{what} must be {}, not {found}", kind(wanted));
        self.error("yaml-wrong-type", &expr.at, message, String::new());
    }

    fn assign_object(
        &mut self,
        expr: &Expr,
        fields: &[Property],
        target: &Type,
        package: &Arc<PackageSchema>,
        what: &str,
    ) {
        let object = match target {
            Type::Map(value) => {
                for field in fields {
                    let key = field.key.as_text().unwrap_or("…");
                    self.assign(&field.value, value, package, &format!("\"{key}\" in {what}"));
                }
                return;
            }
            Type::Named(token) => match package.definition(token) {
                Some(Ok(definition)) => definition,
                _ => return,
            },
            other => return self.mismatch(expr, other, "an object", what),
        };
        let TypeDefinition::Object(schema) = &*object else { return };
        if fields.iter().any(|field| field.key.as_text().is_none()) {
            return;
        }
        let texts: Vec<Text> = fields
            .iter()
            .filter_map(|f| Some(Text { value: f.key.as_text()?.to_owned(), at: f.key.at.clone() }))
            .collect();
        let given: Vec<(&Text, &Expr)> = texts.iter().zip(fields.iter().map(|field| &field.value)).collect();
        let names: Vec<&str> = texts.iter().map(|text| text.value.as_str()).collect();
        let (token, prefix) = place(what);
        self.fields(&given, schema, package, &token, &prefix);
        self.required(&expr.at, &names, schema, &token, &prefix);
    }

    fn assign_union(&mut self, expr: &Expr, alternatives: &[Type], package: &Arc<PackageSchema>, what: &str) {
        let before = std::mem::take(&mut self.problems);
        let mut best = None;
        for alternative in alternatives {
            self.assign(expr, alternative, package, what);
            let found = std::mem::take(&mut self.problems);
            if found.is_empty() {
                self.problems = before;
                return;
            }
            // For an object the problems with its properties say more than that a string is wanted.
            let shallow = found.len() == 1 && found[0].code == "yaml-wrong-type";
            if best.as_ref().is_none_or(|(other, count, _)| (shallow, found.len()) < (*other, *count)) {
                best = Some((shallow, found.len(), found));
            }
        }
        self.problems = before;
        let Some((shallow, _, found)) = best else { return };
        if shallow {
            let mut kinds: Vec<&str> = alternatives.iter().map(kind).collect();
            kinds.dedup();
            let message = format!("{what} must be {}", kinds.join(" or "));
            self.error("yaml-wrong-type", &expr.at, message, String::new());
        } else {
            for problem in found {
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
            }
        }
    }

    fn assign_enum(&mut self, expr: &Expr, schema: &EnumSchema, package: &Arc<PackageSchema>, what: &str) {
        let before = self.problems.len();
        self.assign(expr, &schema.ty, package, what);
        let given = match &expr.kind {
            ExprKind::Text(text) => PropertyValue::String(text.clone()),
            ExprKind::Number(value) => PropertyValue::Number(*value),
            _ => return,
        };
        if self.problems.len() > before || schema.values.iter().any(|value| value.value == given) {
            return;
        }
        let show = |value: &PropertyValue| match value {
            PropertyValue::String(text) => format!("\"{text}\""),
            PropertyValue::Number(value) => value.to_string(),
            PropertyValue::Bool(value) => value.to_string(),
            _ => "…".to_owned(),
        };
        let all: Vec<String> = schema.values.iter().map(|value| show(&value.value)).collect();
        let message = format!("{what} can't be {}", show(&given));
        self.error("yaml-wrong-value", &expr.at, message, format!("it can be {}", all.join(", ")));
    }

    /// The kind of a value that doesn't fit.
    fn clash(&self, known: &Known, target: &Type, package: &Arc<PackageSchema>) -> Option<&'static str> {
        match known {
            Known::Any => None,
            Known::Resource(number) => {
                let token = self.bindings.resources[*number].as_ref().map(|bound| bound.token.as_str());
                let fits = match target {
                    Type::String | Type::Json | Type::Provider => true,
                    Type::Resource(wanted) => token.is_none_or(|token| token == wanted),
                    _ => false,
                };
                (!fits).then_some("a resource")
            }
            Known::Result(number) => {
                let bound = self.bindings.functions[*number].as_ref()?;
                let ty = match (&bound.schema.outputs, &self.program.invokes[*number].returns) {
                    (Some(outputs), Some(name)) => &outputs.properties.get(&name.value)?.ty,
                    (Some(_), None) => {
                        return (!matches!(target, Type::Map(_) | Type::Named(_))).then_some("an object");
                    }
                    (None, _) => bound.schema.return_type.as_ref()?,
                };
                type_clash(ty, &bound.package, target, package)
            }
            Known::Plain(ty) => type_clash(ty, package, target, package),
            Known::Of(ty, from) => type_clash(ty, from, target, package),
        }
    }
}

/// The kind of a type that doesn't fit where another is wanted.
fn type_clash(
    from: &Type,
    from_package: &Arc<PackageSchema>,
    to: &Type,
    to_package: &Arc<PackageSchema>,
) -> Option<&'static str> {
    let inner = |from: &Type, to: &Type| type_clash(from, from_package, to, to_package);
    match from {
        Type::Any | Type::Provider => return None,
        Type::Union(alternatives) => {
            // Only what can't fit at all is refused.
            return alternatives.iter().map(|from| inner(from, to)).min_by_key(Option::is_some).flatten();
        }
        Type::Named(token) => {
            if let Some(Ok(definition)) = from_package.definition(token)
                && let TypeDefinition::Enum(values) = &*definition
            {
                return inner(&values.ty, to);
            }
        }
        _ => {}
    }
    let fits = match to {
        Type::Any | Type::Provider => true,
        Type::Union(alternatives) => alternatives.iter().any(|to| inner(from, to).is_none()),
        Type::Bool => matches!(from, Type::Bool),
        Type::Integer | Type::Number => matches!(from, Type::Integer | Type::Number),
        Type::String | Type::Json => matches!(
            from,
            Type::String | Type::Json | Type::Bool | Type::Integer | Type::Number | Type::Resource(_)
        ),
        Type::Asset => matches!(from, Type::Asset | Type::Archive),
        Type::Archive => matches!(from, Type::Archive),
        Type::Array(to) => match from {
            Type::Array(from) => return inner(from, to).map(|_| "a list of other values"),
            _ => false,
        },
        Type::Map(to) => match from {
            Type::Map(from) => return inner(from, to).map(|_| "an object with other values"),
            Type::Named(_) => true,
            _ => false,
        },
        Type::Named(token) => match to_package.definition(token) {
            Some(Ok(definition)) => match &*definition {
                TypeDefinition::Enum(values) => return inner(from, &values.ty),
                TypeDefinition::Object(_) => matches!(from, Type::Named(_) | Type::Map(_)),
            },
            _ => true,
        },
        Type::Resource(wanted) => match from {
            Type::Resource(token) => token == wanted,
            _ => false,
        },
    };
    (!fits).then(|| kind(from))
}

/// Splits `the property "a.b" of token` into the token and the path with a point behind it.
fn place(what: &str) -> (String, String) {
    let parsed = what.strip_prefix("the property \"").and_then(|rest| rest.split_once("\" of "));
    match parsed {
        Some((path, token)) => (token.to_owned(), format!("{path}.")),
        None => (what.to_owned(), String::new()),
    }
}
