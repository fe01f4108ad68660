//! Bags as text in which secrets are numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::{Bag, PropertyMap, PropertyValue, RawText, SealedValue};
use purlin_ports::BagCodec;

use super::text;

#[derive(Default)]
struct Inner {
    /// Secrets by their text.
    secrets: BTreeMap<String, usize>,
    /// What a sealed text stands for.
    sealed: HashMap<String, Arc<PropertyValue>>,
    maps: HashMap<String, Arc<PropertyMap>>,
}

/// Seals bags: the text is what the bag holds, with a number for each secret.
#[derive(Default)]
pub struct Codec(Mutex<Inner>);

fn masked(value: &PropertyValue, secrets: &mut BTreeMap<String, usize>) -> PropertyValue {
    match value {
        PropertyValue::Secret(inner) => {
            let mut key = String::new();
            text::show(inner, &mut key);
            let next = secrets.len();
            let number = *secrets.entry(key).or_insert(next);
            PropertyValue::Secret(Box::new(PropertyValue::String(format!("sealed-{number}"))))
        }
        PropertyValue::Array(items) => {
            PropertyValue::Array(items.iter().map(|item| masked(item, secrets)).collect())
        }
        PropertyValue::Object(map) => PropertyValue::Object(
            map.iter().map(|(key, item)| (key.clone(), masked(item, secrets))).collect(),
        ),
        other => other.clone(),
    }
}

impl Codec {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals a value.
    pub fn put(&self, value: &PropertyValue) -> RawText {
        let mut inner = self.lock();
        let mut text = String::new();
        text::show(&masked(value, &mut inner.secrets), &mut text);
        if !inner.sealed.contains_key(&text) {
            inner.sealed.insert(text.clone(), Arc::new(value.clone()));
        }
        text.into()
    }

    /// Seals properties.
    pub fn bag(&self, map: &PropertyMap) -> Bag {
        let mut inner = self.lock();
        let masked = map
            .iter()
            .map(|(key, item)| (key.clone(), masked(item, &mut inner.secrets)))
            .collect::<PropertyMap>();
        let text = text::map_line(&masked);
        if !inner.maps.contains_key(&text) {
            inner.maps.insert(text.clone(), Arc::new(map.clone()));
        }
        Bag::Raw(text.into())
    }

    /// What a bag holds; empty if it was never sealed here.
    pub fn map(&self, bag: &Bag) -> Arc<PropertyMap> {
        match bag {
            Bag::Decoded(map) => Arc::clone(map),
            Bag::Raw(text) => self.lock().maps.get(text.as_str()).cloned().unwrap_or_default(),
        }
    }

    /// What a sealed value is.
    pub fn value(&self, value: &SealedValue) -> PropertyValue {
        match value {
            SealedValue::Decoded(value) => value.clone(),
            SealedValue::Raw(text) => {
                let sealed = self.lock().sealed.get(text.as_str()).cloned();
                sealed.map_or(PropertyValue::Null, |value| PropertyValue::clone(&value))
            }
        }
    }
}

#[async_trait]
impl BagCodec for Codec {
    async fn open(&self, bag: &Bag) -> Result<Arc<PropertyMap>, Diagnostic> {
        Ok(self.map(bag))
    }

    async fn seal(&self, properties: &PropertyMap, _: Option<&Bag>) -> Result<RawText, Diagnostic> {
        match self.bag(properties) {
            Bag::Raw(text) => Ok(text),
            Bag::Decoded(_) => Err(Diagnostic::error("seal", "nothing was sealed")),
        }
    }

    async fn open_value(&self, value: &SealedValue) -> Result<PropertyValue, Diagnostic> {
        Ok(self.value(value))
    }

    async fn seal_value(&self, value: &PropertyValue) -> Result<RawText, Diagnostic> {
        Ok(self.put(value))
    }
}
