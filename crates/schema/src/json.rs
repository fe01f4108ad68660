//! The shapes of schema JSON. Everything that is large stays a slice of the text.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The outermost object.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackageJson<'a> {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) display_name: Option<String>,
    #[serde(default, rename = "pluginDownloadURL")]
    pub(crate) plugin_download_url: Option<String>,
    #[serde(borrow, default)]
    pub(crate) config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) provider: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) parameterization: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) resources: Entries<'a>,
    #[serde(borrow, default)]
    pub(crate) functions: Entries<'a>,
    #[serde(borrow, default)]
    pub(crate) types: Entries<'a>,
}

/// The members of an object in order, each value as it is written.
#[derive(Default)]
pub(crate) struct Entries<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = Entries<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Entries::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(64));
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_any(Members(PhantomData))
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TypeJson {
    #[serde(rename = "type")]
    pub(crate) ty: Option<String>,
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    pub(crate) items: Option<Box<TypeJson>>,
    pub(crate) additional_properties: Option<Box<TypeJson>>,
    pub(crate) one_of: Option<Vec<TypeJson>>,
    pub(crate) plain: bool,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DefaultJson {
    pub(crate) environment: Vec<String>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PropertyJson {
    #[serde(flatten)]
    pub(crate) ty: TypeJson,
    #[serde(rename = "const")]
    pub(crate) constant: Option<serde_json::Value>,
    pub(crate) default: Option<serde_json::Value>,
    pub(crate) default_info: Option<DefaultJson>,
    pub(crate) deprecation_message: String,
    pub(crate) secret: bool,
    pub(crate) replace_on_changes: bool,
    pub(crate) will_replace_on_changes: bool,
}

pub(crate) type PropertiesJson = BTreeMap<String, PropertyJson>;

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectJson {
    pub(crate) properties: PropertiesJson,
    pub(crate) required: Vec<String>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EnumValueJson {
    pub(crate) name: String,
    pub(crate) value: serde_json::Value,
    pub(crate) deprecation_message: String,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ComplexTypeJson {
    #[serde(rename = "type")]
    pub(crate) ty: Option<String>,
    pub(crate) properties: PropertiesJson,
    pub(crate) required: Vec<String>,
    #[serde(rename = "enum")]
    pub(crate) values: Option<Vec<EnumValueJson>>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct AliasJson {
    #[serde(rename = "type")]
    pub(crate) ty: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) project: Option<String>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResourceJson {
    pub(crate) properties: PropertiesJson,
    pub(crate) required: Vec<String>,
    pub(crate) input_properties: PropertiesJson,
    pub(crate) required_inputs: Vec<String>,
    pub(crate) state_inputs: Option<ObjectJson>,
    pub(crate) aliases: Vec<AliasJson>,
    pub(crate) deprecation_message: String,
    pub(crate) is_component: bool,
    pub(crate) methods: BTreeMap<String, String>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FunctionJson {
    pub(crate) inputs: Option<ObjectJson>,
    pub(crate) outputs: Option<serde_json::Value>,
    pub(crate) return_type: Option<serde_json::Value>,
    pub(crate) multi_argument_inputs: Vec<String>,
    pub(crate) deprecation_message: String,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct ConfigJson {
    pub(crate) variables: PropertiesJson,
    pub(crate) defaults: Vec<String>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BaseProviderJson {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(rename = "pluginDownloadURL")]
    pub(crate) plugin_download_url: String,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ParameterizationJson {
    pub(crate) base_provider: BaseProviderJson,
    pub(crate) parameter: String,
}
