//! A comparison of values in which secretness counts: where a state must be written anew because a
//! value became secret.

use purlin_model::{PropertyMap, PropertyValue};

/// Whether two values are equal, secretness included. Assets and archives count by hash.
pub(crate) fn identical(a: &PropertyValue, b: &PropertyValue) -> bool {
    match (a, b) {
        (PropertyValue::Secret(a), PropertyValue::Secret(b)) => identical(a, b),
        (PropertyValue::Array(a), PropertyValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| identical(x, y))
        }
        (PropertyValue::Object(a), PropertyValue::Object(b)) => identical_maps(a, b),
        (PropertyValue::Asset(a), PropertyValue::Asset(b)) => a.same_content(b),
        (PropertyValue::Archive(a), PropertyValue::Archive(b)) => a.same_content(b),
        (a, b) => a == b,
    }
}

fn identical_maps(a: &PropertyMap, b: &PropertyMap) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((j, x), (k, y))| j == k && identical(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn becoming_secret_counts_at_any_depth() {
        let plain = PropertyValue::Array(vec!["a".into()]);
        let secret = PropertyValue::Array(vec![PropertyValue::from("a").into_secret()]);
        assert!(identical(&plain, &plain) && identical(&secret, &secret));
        assert!(!identical(&plain, &secret) && !identical(&secret, &plain));
    }
}
