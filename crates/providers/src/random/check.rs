//! Which inputs are refused, and why.

use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::CheckFailure;

use super::planned::{as_flag, as_integer, planned};
use super::spec::{Fallback, Resource, Spec};

/// Why inputs are refused; empty if they aren't. Properties that the resource doesn't know are
/// taken and count for nothing, as with the official plugin.
pub(super) fn failures(spec: &Spec, news: &PropertyMap) -> Vec<CheckFailure> {
    let mut failures = Vec::new();
    let mut map = PropertyMap::new();
    for input in spec.inputs {
        match planned(input, news) {
            Ok(Some(value)) => {
                map.insert(input.name.to_owned(), value);
            }
            Ok(None) if input.fallback == Fallback::Required => {
                failures.push(failure(input.name, "missing required property".to_owned()));
            }
            Ok(None) => {}
            Err(reason) => failures.push(failure(input.name, reason)),
        }
    }
    for name in news.keys().filter(|name| spec.is_read_only(name)) {
        failures.push(failure(name, "is made by the provider and can't be given".to_owned()));
    }
    if failures.is_empty() {
        match spec.resource {
            Resource::String | Resource::Password => check_text(&map, news, &mut failures),
            Resource::Integer => check_range(&map, &mut failures),
            _ => {}
        }
    }
    failures
}

fn failure(property: &str, reason: String) -> CheckFailure {
    let reason = format!("property \"{property}\" of the resource: {reason}");
    CheckFailure { property: property.to_owned(), reason }
}

fn check_text(map: &PropertyMap, news: &PropertyMap, failures: &mut Vec<CheckFailure>) {
    let given = |name: &str| news.get(name).map(PropertyValue::plain).filter(|v| **v != PropertyValue::Null);
    if let (Some(PropertyValue::Bool(number)), Some(PropertyValue::Bool(numeric))) =
        (given("number"), given("numeric"))
        && number != numeric
    {
        let reason = "differs from \"number\", its deprecated other name; give only \"numeric\"";
        failures.push(failure("numeric", reason.to_owned()));
    }
    let classes = ["special", "upper", "lower", "numeric"];
    if classes.iter().all(|name| as_flag(map, name) == Some(false)) {
        let reason = "at least one of special, upper, lower and numeric must be true";
        failures.push(failure("numeric", reason.to_owned()));
    }
    let least = ["minUpper", "minLower", "minNumeric", "minSpecial"].map(|name| as_integer(map, name));
    if let Some(length) = as_integer(map, "length") {
        let sum: i64 = least.iter().flatten().sum();
        if length < sum {
            let reason = format!(
                "must be at least the sum of minUpper, minLower, minNumeric and minSpecial, {sum}; got {length}"
            );
            failures.push(failure("length", reason));
        }
    }
}

fn check_range(map: &PropertyMap, failures: &mut Vec<CheckFailure>) {
    if let (Some(min), Some(max)) = (as_integer(map, "min"), as_integer(map, "max"))
        && max < min
    {
        failures.push(failure("max", format!("must be at least min, {min}; got {max}")));
    }
}
