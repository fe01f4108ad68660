//! The options of resources and calls, evaluated.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_model::urn::PROVIDER_TYPE_PREFIX;
use purlin_model::{Alias, AliasParent, CustomTimeouts, Goal, PropertyValue, ProviderRef, Urn};

use super::duration;
use crate::eval::{Scope, Stop};
use crate::syntax::{Expr, ExprKind, ResourceOptions, Text, Timeouts};
use crate::value::{Handle, Sender, Tracked, Value, kind_of};

/// A single resource.
pub(super) fn resource(scope: &Scope<'_>, expr: &Expr, option: &str) -> Result<Arc<Handle>, Stop> {
    match scope.eval(expr)?.value {
        Value::Resource(handle) => Ok(handle),
        other => Err(not_a_resource(expr, option, &other)),
    }
}

fn not_a_resource(expr: &Expr, option: &str, found: &Value) -> Stop {
    Stop::problem("yaml-option", &expr.at, format!("{option} must be a resource, not {}", kind_of(found)))
        .with_hint("name a resource of the program, as in ${name}")
}

/// A list of resources; a single one is taken for a list of one.
pub(super) fn resources(scope: &Scope<'_>, expr: &Expr, option: &str) -> Result<Vec<Arc<Handle>>, Stop> {
    match scope.eval(expr)?.value {
        Value::Resource(handle) => Ok(vec![handle]),
        Value::List(items) => items
            .into_iter()
            .enumerate()
            .map(|(number, item)| match item.value {
                Value::Resource(handle) => Ok(handle),
                other => {
                    let at = match &expr.kind {
                        ExprKind::List(items) => &items[number],
                        _ => expr,
                    };
                    Err(not_a_resource(at, &format!("an item of {option}"), &other))
                }
            })
            .collect(),
        other => {
            let message = format!("{option} must be a list of resources, not {}", kind_of(&other));
            Err(Stop::problem("yaml-option", &expr.at, message))
        }
    }
}

/// A resource as a provider.
pub(super) fn provider(scope: &Scope<'_>, expr: &Expr, option: &str) -> Result<ProviderRef, Stop> {
    let handle = resource(scope, expr, option)?;
    handle.provider_ref().ok_or_else(|| not_a_provider(expr, &handle))
}

fn not_a_provider(expr: &Expr, handle: &Handle) -> Stop {
    let message = format!("\"{}\" is a {}, not a provider", handle.name, handle.ty);
    Stop::problem("yaml-option", &expr.at, message)
        .with_hint(format!("providers are resources of a type {PROVIDER_TYPE_PREFIX}<package>"))
}

/// Providers by their packages.
pub(super) fn providers(scope: &Scope<'_>, expr: &Expr) -> Result<BTreeMap<String, ProviderRef>, Stop> {
    let mut found = BTreeMap::new();
    for handle in resources(scope, expr, "providers")? {
        let reference = handle.provider_ref().ok_or_else(|| not_a_provider(expr, &handle))?;
        found.insert(reference.package().to_owned(), reference);
    }
    Ok(found)
}

fn texts(list: &[Text]) -> Vec<String> {
    list.iter().map(|text| text.value.clone()).collect()
}

/// Fills in everything of a goal that the options say, providers apart.
pub(super) fn apply(
    scope: &Scope<'_>,
    options: &ResourceOptions,
    goal: &mut Goal,
    deps: &mut Sender,
) -> Result<(), Stop> {
    goal.ignore_changes = texts(&options.ignore_changes);
    goal.hide_diffs = texts(&options.hide_diffs);
    goal.replace_on_changes = texts(&options.replace_on_changes);
    goal.additional_secret_outputs = texts(&options.additional_secret_outputs);
    goal.delete_before_replace = options.delete_before_replace.as_ref().map(|flag| flag.value);
    goal.retain_on_delete = options.retain_on_delete.as_ref().map(|flag| flag.value);
    if let Some(id) = &options.import {
        goal.import_id.clone_from(&id.value);
    }
    if let Some(expr) = &options.parent {
        goal.parent = Some(resource(scope, expr, "parent")?.urn.clone());
    }
    if let Some(expr) = &options.depends_on {
        deps.deps.extend(resources(scope, expr, "dependsOn")?.iter().map(|handle| handle.urn.clone()));
    }
    if let Some(expr) = &options.deleted_with {
        goal.deleted_with = Some(resource(scope, expr, "deletedWith")?.urn.clone());
    }
    if let Some(expr) = &options.replace_with {
        let handles = resources(scope, expr, "replaceWith")?;
        goal.replace_with = handles.iter().map(|handle| handle.urn.clone()).collect();
    }
    if let Some(expr) = &options.protect {
        goal.protect = Some(flag(scope, expr, "protect")?);
    }
    if let Some(expr) = &options.replacement_trigger {
        goal.replacement_trigger = deps.send(&scope.eval(expr)?);
    }
    for expr in &options.aliases {
        goal.aliases.push(alias(scope, expr)?);
    }
    goal.custom_timeouts = timeouts(scope, &options.custom_timeouts)?;
    Ok(())
}

fn flag(scope: &Scope<'_>, expr: &Expr, option: &str) -> Result<bool, Stop> {
    let value = scope.eval(expr)?;
    match value.value {
        Value::Bool(flag) if value.deps.is_empty() => Ok(flag),
        Value::Bool(_) | Value::Unknown => {
            let message = format!("{option} can't depend on a resource");
            Err(Stop::problem("yaml-option", &expr.at, message)
                .with_hint("it must be known before anything runs"))
        }
        other => {
            let message = format!("{option} must be true or false, not {}", kind_of(&other));
            Err(Stop::problem("yaml-option", &expr.at, message))
        }
    }
}

fn text(value: &Tracked, expr: &Expr, what: &str) -> Result<String, Stop> {
    match &value.value {
        Value::Text(text) => Ok(text.clone()),
        other => {
            let message = format!("{what} must be a string, not {}", kind_of(other));
            Err(Stop::problem("yaml-option", &expr.at, message))
        }
    }
}

fn timeouts(scope: &Scope<'_>, given: &Timeouts) -> Result<CustomTimeouts, Stop> {
    let one = |expr: &Option<Expr>, name: &str| -> Result<f64, Stop> {
        let Some(expr) = expr else { return Ok(0.0) };
        let text = text(&scope.eval(expr)?, expr, &format!("customTimeouts.{name}"))?;
        duration::seconds(&text).ok_or_else(|| {
            Stop::problem("yaml-option", &expr.at, format!("\"{text}\" is not a duration"))
                .with_hint("durations look like 30s, 5m or 1h30m")
        })
    };
    Ok(CustomTimeouts {
        create: one(&given.create, "create")?,
        update: one(&given.update, "update")?,
        delete: one(&given.delete, "delete")?,
        read: one(&given.read, "read")?,
    })
}

fn urn(text: &str, expr: &Expr) -> Result<Urn, Stop> {
    Urn::parse(text).ok_or_else(|| {
        Stop::problem("yaml-option", &expr.at, format!("\"{text}\" is not a URN"))
            .with_hint("URNs look like urn:pulumi:stack::project::package:module:Type::name")
    })
}

fn alias(scope: &Scope<'_>, expr: &Expr) -> Result<Alias, Stop> {
    let value = scope.eval(expr)?;
    let fields = match &value.value {
        Value::Text(text) => return Ok(Alias::Urn(urn(text, expr)?)),
        Value::Object(fields) => fields,
        other => {
            let message = format!("an alias must be a URN or an object, not {}", kind_of(other));
            return Err(Stop::problem("yaml-option", &expr.at, message));
        }
    };
    let (mut name, mut ty, mut stack, mut project) = (None, None, None, None);
    let mut parent = AliasParent::Same;
    for (key, field) in fields {
        if matches!(field.value, Value::Null) {
            continue;
        }
        let what = format!("{key} of an alias");
        match key.as_str() {
            "urn" => return Ok(Alias::Urn(urn(&text(field, expr, &what)?, expr)?)),
            "name" => name = Some(text(field, expr, &what)?),
            "type" => ty = Some(text(field, expr, &what)?),
            "stack" => stack = Some(text(field, expr, &what)?),
            "project" => project = Some(text(field, expr, &what)?),
            "noParent" => match field.value {
                Value::Bool(true) => parent = AliasParent::None,
                Value::Bool(false) => {}
                _ => {
                    let message = "noParent of an alias must be true or false";
                    return Err(Stop::problem("yaml-option", &expr.at, message));
                }
            },
            "parent" => {
                parent = match &field.value {
                    Value::Resource(handle) => AliasParent::Urn(handle.urn.clone()),
                    _ => AliasParent::Urn(urn(&text(field, expr, &what)?, expr)?),
                };
            }
            other => {
                let known = ["name", "noParent", "parent", "project", "stack", "type", "urn"];
                let message = format!("unknown key \"{other}\" in an alias");
                return Err(Stop::problem("yaml-option", &expr.at, message)
                    .with_hint(crate::parse::did_you_mean(other, known)));
            }
        }
    }
    Ok(Alias::Spec { name, ty, stack, project, parent })
}

/// Which variables of the environment a provider gets under other names: an object of texts, kept
/// among what providers are told internally.
pub(super) fn env_var_mappings(scope: &Scope<'_>, expr: &Expr) -> Result<PropertyValue, Stop> {
    let value = scope.eval(expr)?;
    let Value::Object(fields) = &value.value else {
        let message = format!("envVarMappings must be an object, not {}", kind_of(&value.value));
        return Err(Stop::problem("yaml-option", &expr.at, message));
    };
    let mut mappings = purlin_model::PropertyMap::new();
    for (key, field) in fields {
        let name = text(field, expr, &format!("\"{key}\" in envVarMappings"))?;
        mappings.insert(key.clone(), PropertyValue::String(name));
    }
    let internal = purlin_model::PropertyMap::from([("envVarMappings".to_owned(), mappings.into())]);
    Ok(PropertyValue::Object(internal))
}
