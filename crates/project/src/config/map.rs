//! The configuration values of a stack.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;

use super::input::ConfigInput;
use super::key::{ConfigKey, ConfigTarget};
use super::path::{self, Refusal};
use crate::value::Value;

/// Configuration values by key. A secret is `{secure: <ciphertext>}`, at any depth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigMap(BTreeMap<ConfigKey, Value>);

impl FromIterator<(ConfigKey, Value)> for ConfigMap {
    fn from_iter<I: IntoIterator<Item = (ConfigKey, Value)>>(entries: I) -> Self {
        ConfigMap(entries.into_iter().collect())
    }
}

impl ConfigMap {
    /// No values.
    pub fn new() -> ConfigMap {
        ConfigMap::default()
    }

    /// Keys and values in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigKey, &Value)> {
        self.0.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any value holds a ciphertext.
    pub fn contains_secure(&self) -> bool {
        self.0.values().any(Value::contains_secure)
    }

    /// All ciphertexts, so that they can be decrypted in one call.
    pub fn ciphertexts(&self) -> Vec<&str> {
        fn collect<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
            match (value.as_secure(), value) {
                (Some(ciphertext), _) => into.push(ciphertext),
                (None, Value::Array(items)) => items.iter().for_each(|item| collect(item, into)),
                (None, Value::Object(fields)) => fields.values().for_each(|field| collect(field, into)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        self.0.values().for_each(|value| collect(value, &mut found));
        found
    }

    /// Replaces every ciphertext, as when the secrets provider changes. `change` is called once for
    /// each, in the order of [`ConfigMap::ciphertexts`].
    pub fn recrypt(
        &self,
        mut change: impl FnMut(&str) -> Result<String, Diagnostic>,
    ) -> Result<ConfigMap, Diagnostic> {
        fn walk(
            value: &Value,
            change: &mut impl FnMut(&str) -> Result<String, Diagnostic>,
        ) -> Result<Value, Diagnostic> {
            if let Some(ciphertext) = value.as_secure() {
                return change(ciphertext).map(Value::secure);
            }
            Ok(match value {
                Value::Array(items) => {
                    Value::Array(items.iter().map(|item| walk(item, change)).collect::<Result<_, _>>()?)
                }
                Value::Object(fields) => {
                    let fields = fields.iter().map(|(name, field)| Ok((name.clone(), walk(field, change)?)));
                    Value::Object(fields.collect::<Result<_, Diagnostic>>()?)
                }
                plain => plain.clone(),
            })
        }
        let entries = self.0.iter().map(|(key, value)| Ok((key.clone(), walk(value, &mut change)?)));
        entries.collect::<Result<BTreeMap<_, _>, Diagnostic>>().map(ConfigMap)
    }

    /// The value at a target.
    pub fn get(&self, target: &ConfigTarget) -> Option<&Value> {
        path::get(self.0.get(&target.key)?, &target.inner.0)
    }

    /// Stores a value at a target. Inside another value, lists and objects are made on the way, and
    /// an index may be at most the current length of its list.
    pub fn set(&mut self, target: &ConfigTarget, input: ConfigInput) -> Result<(), Diagnostic> {
        if target.inner.is_empty() {
            let value = input.into_whole_value()?;
            self.0.insert(target.key.clone(), value);
            return Ok(());
        }
        let new = input.into_inner_value()?;
        let mut root = self.0.get(&target.key).cloned().unwrap_or(Value::Null);
        path::set(&mut root, &target.inner.0, 0, new).map_err(|refusal| explain(target, &refusal))?;
        self.0.insert(target.key.clone(), root);
        Ok(())
    }

    /// Removes what is at a target; there being nothing is fine.
    pub fn remove(&mut self, target: &ConfigTarget) -> Result<(), Diagnostic> {
        if target.inner.is_empty() {
            self.0.remove(&target.key);
            return Ok(());
        }
        let Some(root) = self.0.get(&target.key) else { return Ok(()) };
        let mut root = root.clone();
        path::remove(&mut root, &target.inner.0, 0).map_err(|refusal| explain(target, &refusal))?;
        self.0.insert(target.key.clone(), root);
        Ok(())
    }

    /// Brings in values from an environment, under those of the stack: where both have an object,
    /// fields are merged and the stack's win.
    pub fn merge_under(&mut self, environment: &ConfigMap) {
        for (key, base) in &environment.0 {
            let merged = match self.0.get(key) {
                Some(own) => merge(own, base),
                None => base.clone(),
            };
            self.0.insert(key.clone(), merged);
        }
    }
}

fn merge(own: &Value, base: &Value) -> Value {
    match (own, base) {
        _ if own.as_secure().is_some() || base.as_secure().is_some() => own.clone(),
        (Value::Object(own), Value::Object(base)) => {
            let mut merged = base.clone();
            for (name, value) in own {
                let value = base.get(name).map_or_else(|| value.clone(), |base| merge(value, base));
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        _ => own.clone(),
    }
}

fn explain(target: &ConfigTarget, refusal: &Refusal) -> Diagnostic {
    let message = match refusal.segments {
        0 if refusal.reason.starts_with("maps") => refusal.reason.to_owned(),
        segments => format!("{}: {}", target.prefix(segments), refusal.reason),
    };
    Diagnostic::error("config-path", message)
}
