//! From the JSON shapes to the bound ones.

use std::collections::HashSet;

use purlin_diag::Diagnostic;
use purlin_model::{PropertyMap, PropertyValue};
use serde::de::DeserializeOwned;

use crate::json::{
    ComplexTypeJson, ConfigJson, FunctionJson, ObjectJson, PropertiesJson, PropertyJson, ResourceJson,
    TypeJson,
};
use crate::shapes::{
    EnumSchema, EnumValue, FunctionSchema, ObjectSchema, PropertyDefault, PropertySchema, ResourceAlias,
    ResourceSchema, Type, TypeDefinition,
};
use crate::token::percent_decoded;

fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Diagnostic> {
    serde_json::from_str(text).map_err(|error| {
        Diagnostic::error("schema-invalid", format!("the schema of {what} can't be read: {error}"))
            .with_hint("the plugin's schema is damaged or made for another version; install the plugin again")
    })
}

pub(crate) fn resource(token: &str, text: &str) -> Result<ResourceSchema, Diagnostic> {
    let json: ResourceJson = read(token, text)?;
    Ok(ResourceSchema {
        token: token.to_owned(),
        inputs: object(json.input_properties, &json.required_inputs),
        outputs: object(json.properties, &json.required),
        state_inputs: json.state_inputs.map(plain_object),
        is_component: json.is_component,
        is_provider: false,
        aliases: json
            .aliases
            .into_iter()
            .map(|alias| ResourceAlias { ty: alias.ty, name: alias.name, project: alias.project })
            .collect(),
        methods: json.methods,
        deprecation: json.deprecation_message,
    })
}

pub(crate) fn function(token: &str, text: &str) -> Result<FunctionSchema, Diagnostic> {
    let json: FunctionJson = read(token, text)?;
    let (outputs, return_type) = match json.return_type.or(json.outputs) {
        None => (None, None),
        Some(value) if value.get("properties").is_some() => {
            let shape: ObjectJson = serde_json::from_value(value).unwrap_or_default();
            (Some(plain_object(shape)), None)
        }
        Some(value) => {
            let shape: TypeJson = serde_json::from_value(value).unwrap_or_default();
            (None, Some(bind_type(&shape)))
        }
    };
    Ok(FunctionSchema {
        token: token.to_owned(),
        inputs: json.inputs.map(plain_object).unwrap_or_default(),
        outputs,
        return_type,
        multi_argument_inputs: json.multi_argument_inputs,
        deprecation: json.deprecation_message,
    })
}

pub(crate) fn definition(token: &str, text: &str) -> Result<TypeDefinition, Diagnostic> {
    let json: ComplexTypeJson = read(token, text)?;
    Ok(match json.values {
        None => TypeDefinition::Object(object(json.properties, &json.required)),
        Some(values) => TypeDefinition::Enum(EnumSchema {
            ty: json.ty.as_deref().map_or(Type::String, primitive),
            values: values
                .into_iter()
                .map(|value| EnumValue {
                    name: value.name,
                    value: property_value(value.value),
                    deprecation: value.deprecation_message,
                })
                .collect(),
        }),
    })
}

pub(crate) fn config(text: &str) -> Result<ObjectSchema, Diagnostic> {
    let json: ConfigJson = read("the package's configuration", text)?;
    let optional: HashSet<String> = json.defaults.into_iter().collect();
    let required: Vec<String> =
        json.variables.keys().filter(|name| !optional.contains(*name)).cloned().collect();
    Ok(object(json.variables, &required))
}

fn plain_object(json: ObjectJson) -> ObjectSchema {
    object(json.properties, &json.required)
}

fn object(properties: PropertiesJson, required: &[String]) -> ObjectSchema {
    let required: HashSet<&str> = required.iter().map(String::as_str).collect();
    ObjectSchema {
        properties: properties
            .into_iter()
            .map(|(name, json)| {
                let needed = required.contains(name.as_str());
                (name, property(json, needed))
            })
            .collect(),
    }
}

fn property(json: PropertyJson, required: bool) -> PropertySchema {
    PropertySchema {
        ty: bind_type(&json.ty),
        required,
        secret: json.secret,
        replace_on_changes: json.replace_on_changes,
        will_replace_on_changes: json.will_replace_on_changes,
        plain: json.ty.plain,
        constant: json.constant.map(property_value),
        default: PropertyDefault {
            value: json.default.map(property_value),
            environment: json.default_info.map(|info| info.environment).unwrap_or_default(),
        },
        deprecation: json.deprecation_message,
    }
}

fn bind_type(json: &TypeJson) -> Type {
    if let Some(reference) = &json.reference {
        return bind_reference(reference);
    }
    if let Some(alternatives) = json.one_of.as_ref().filter(|alternatives| !alternatives.is_empty()) {
        return Type::Union(alternatives.iter().map(bind_type).collect());
    }
    match json.ty.as_deref() {
        Some("array") => Type::Array(Box::new(json.items.as_deref().map_or(Type::Any, bind_type))),
        Some("object") => {
            Type::Map(Box::new(json.additional_properties.as_deref().map_or(Type::String, bind_type)))
        }
        Some(name) => primitive(name),
        None => Type::Any,
    }
}

fn primitive(name: &str) -> Type {
    match name {
        "boolean" => Type::Bool,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "string" => Type::String,
        _ => Type::Any,
    }
}

fn bind_reference(reference: &str) -> Type {
    match reference {
        "pulumi.json#/Archive" => return Type::Archive,
        "pulumi.json#/Asset" => return Type::Asset,
        "pulumi.json#/Json" => return Type::Json,
        "#/provider" => return Type::Provider,
        _ => {}
    }
    if let Some(token) = reference.strip_prefix("#/types/") {
        return Type::Named(percent_decoded(token));
    }
    match reference.strip_prefix("#/resources/") {
        Some(token) => Type::Resource(percent_decoded(token)),
        None => Type::Any,
    }
}

fn property_value(json: serde_json::Value) -> PropertyValue {
    match json {
        serde_json::Value::Null => PropertyValue::Null,
        serde_json::Value::Bool(value) => PropertyValue::Bool(value),
        serde_json::Value::Number(value) => PropertyValue::Number(value.as_f64().unwrap_or_default()),
        serde_json::Value::String(value) => PropertyValue::String(value),
        serde_json::Value::Array(items) => {
            PropertyValue::Array(items.into_iter().map(property_value).collect())
        }
        serde_json::Value::Object(fields) => PropertyValue::Object(
            fields.into_iter().map(|(key, value)| (key, property_value(value))).collect::<PropertyMap>(),
        ),
    }
}
