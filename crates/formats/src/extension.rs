//! Extensions of packages, as deployments and journals have them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_model::Extension;
use serde_json::value::RawValue;

use crate::reader::{Member, Members, ObjectParser, Text};
use crate::text::{Escape, ObjectWriter, push_on_one_line};

/// Appends an extension without its reference.
pub(crate) fn push_extension(out: &mut String, extension: &Extension) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    object.text("name", &extension.name);
    object.text("version", &extension.version);
    object.text("value", &STANDARD.encode(&extension.value));
    for (key, json) in &extension.unknown_keys {
        push_on_one_line(object.key(key), json);
    }
    object.end();
}

/// Reads an extension. Whoever reads it knows its reference.
#[derive(Default)]
pub(crate) struct ExtensionParser {
    extension: Extension,
}

impl<'s> ObjectParser<'s> for ExtensionParser {
    type Value = Extension;
    const WHAT: &'static str = "an extension of a package";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let extension = &mut self.extension;
        match &**key {
            "name" => extension.name = member.value::<Text>()?.to_string(),
            "version" => extension.version = member.value::<Text>()?.to_string(),
            "value" => {
                let text = member.value::<Option<Text>>()?.map(|text| text.to_string()).unwrap_or_default();
                extension.value = STANDARD.decode(&text).map_err(|e| {
                    serde::de::Error::custom(format!("the value of an extension is not valid base64: {e}"))
                })?;
            }
            other => {
                let json = member.value::<&'s RawValue>()?.get().to_owned();
                extension.unknown_keys.push((other.to_owned(), json));
            }
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Extension, E> {
        Ok(self.extension)
    }
}

/// Reads the extensions of a deployment.
#[derive(Default)]
pub(crate) struct ExtensionsParser {
    found: Vec<Extension>,
}

impl<'s> ObjectParser<'s> for ExtensionsParser {
    type Value = Vec<Extension>;
    const WHAT: &'static str = "the extensions of a deployment";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let extension = member.seeded(Members(ExtensionParser::default()))?;
        self.found.push(Extension { reference: key.to_string(), ..extension });
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Vec<Extension>, E> {
        Ok(self.found)
    }
}
