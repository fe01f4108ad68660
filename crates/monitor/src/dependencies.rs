//! What properties depend on: as requests say it, and as output values carry it.

use purlin_model::{OutputValue, PropertyDependencies, PropertyMap, PropertyValue, Urn};

/// Adds what the output values inside a value depend on.
pub(crate) fn collect(value: &PropertyValue, into: &mut Vec<Urn>) {
    value.any(&mut |value| {
        if let PropertyValue::Output(output) = value {
            into.extend(output.dependencies.iter().cloned());
        }
        false
    });
}

/// Adds to each property's dependencies what the output values inside it depend on.
pub(crate) fn extend(dependencies: &mut PropertyDependencies, properties: &PropertyMap) {
    for (key, value) in properties {
        match dependencies.get_mut(key) {
            Some(known) => collect(value, known),
            None => {
                let mut found = Vec::new();
                collect(value, &mut found);
                dependencies.insert(key.clone(), found);
            }
        }
    }
    for urns in dependencies.values_mut() {
        urns.sort();
        urns.dedup();
    }
}

/// Makes output values of all properties that depend on something, so that whoever changes them
/// sees and keeps it. Where the output values inside a property say it all, it stays as it is: whoever
/// changes it may look into it.
pub(crate) fn into_outputs(properties: PropertyMap, dependencies: &PropertyDependencies) -> PropertyMap {
    properties
        .into_iter()
        .map(|(key, value)| match dependencies.get(&key) {
            Some(urns) if !says(&value, urns) => {
                let value = into_output(value, urns);
                (key, value)
            }
            _ => (key, value),
        })
        .collect()
}

/// Whether a value itself says that it depends on all of these.
fn says(value: &PropertyValue, urns: &[Urn]) -> bool {
    let mut said = Vec::new();
    collect(value, &mut said);
    urns.iter().all(|urn| said.contains(urn))
}

fn into_output(value: PropertyValue, urns: &[Urn]) -> PropertyValue {
    let mut output = match value {
        PropertyValue::Output(output) => *output,
        PropertyValue::Secret(inner) => {
            OutputValue { value: Some(*inner), secret: true, dependencies: Vec::new() }
        }
        PropertyValue::Unknown => OutputValue { value: None, secret: false, dependencies: Vec::new() },
        other => OutputValue { value: Some(other), secret: false, dependencies: Vec::new() },
    };
    if output.value == Some(PropertyValue::Unknown) {
        output.value = None;
    }
    output.dependencies.extend_from_slice(urns);
    output.dependencies.sort();
    output.dependencies.dedup();
    PropertyValue::Output(Box::new(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_go_into_outputs_and_come_out_again() {
        let urn = |name: &str| Urn::parse(&format!("urn:pulumi:d::p::a:b:C::{name}")).unwrap();
        let properties = PropertyMap::from([
            ("plain".to_owned(), PropertyValue::from("x")),
            ("secret".to_owned(), PropertyValue::from("y").into_secret()),
            ("unknown".to_owned(), PropertyValue::Unknown),
        ]);
        let dependencies = PropertyDependencies::from([
            ("secret".to_owned(), vec![urn("b"), urn("a")]),
            ("unknown".to_owned(), vec![urn("c")]),
        ]);
        let wrapped = into_outputs(properties.clone(), &dependencies);
        assert_eq!(wrapped["plain"], properties["plain"]);
        let mut found = PropertyDependencies::new();
        extend(&mut found, &wrapped);
        assert_eq!(found["secret"], [urn("a"), urn("b")]);
        assert_eq!(found["unknown"], [urn("c")]);
        assert!(found["plain"].is_empty());
        assert_eq!(purlin_model::value::flatten_outputs(wrapped), properties);
    }

    #[test]
    fn what_says_its_dependencies_inside_stays_as_it_is() {
        let urn = |name: &str| Urn::parse(&format!("urn:pulumi:d::p::a:b:C::{name}")).unwrap();
        let inner = into_output(PropertyValue::from("x"), &[urn("a")]);
        let tags =
            PropertyMap::from([("of_a".to_owned(), inner), ("plain".to_owned(), PropertyValue::from("y"))]);
        let properties = PropertyMap::from([("tags".to_owned(), PropertyValue::Object(tags))]);
        let on = |names: &[&str]| {
            PropertyDependencies::from([("tags".to_owned(), names.iter().map(|name| urn(name)).collect())])
        };
        assert_eq!(into_outputs(properties.clone(), &on(&["a"])), properties);
        assert_eq!(into_outputs(properties.clone(), &on(&[])), properties);
        let wrapped = into_outputs(properties, &on(&["a", "b"]));
        assert!(matches!(&wrapped["tags"], PropertyValue::Output(_)), "{wrapped:?}");
    }
}
