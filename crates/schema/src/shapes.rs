//! What a bound schema consists of.

use std::collections::BTreeMap;

use purlin_model::PropertyValue;

/// The type of a property, as far as the package itself describes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Anything; also what another package describes.
    Any,
    /// A truth value.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A text.
    String,
    /// JSON as a text.
    Json,
    /// A blob.
    Asset,
    /// A tree of blobs.
    Archive,
    /// A list.
    Array(Box<Type>),
    /// An object with arbitrary keys.
    Map(Box<Type>),
    /// One of several types.
    Union(Vec<Type>),
    /// A type of the package, to be looked up with
    /// [`PackageSchema::definition`](crate::PackageSchema::definition).
    Named(String),
    /// A resource of the package.
    Resource(String),
    /// The package's provider.
    Provider,
}

/// A value that a property gets where none is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyDefault {
    /// The value itself.
    pub value: Option<PropertyValue>,
    /// Environment variables that may hold the value, in order.
    pub environment: Vec<String>,
}

/// A property of a resource, a function or an object.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertySchema {
    /// Its type.
    pub ty: Type,
    /// Whether it must be given (an input) or is always there (an output).
    pub required: bool,
    /// Whether its value is secret.
    pub secret: bool,
    /// Whether a change of it replaces the resource, by the package's own account.
    pub replace_on_changes: bool,
    /// Whether the provider says that a change of it replaces the resource.
    pub will_replace_on_changes: bool,
    /// Whether it may not be an output in generated code.
    pub plain: bool,
    /// The only value that it may have.
    pub constant: Option<PropertyValue>,
    /// What it is where nothing is given.
    pub default: PropertyDefault,
    /// Why it should not be used any more; empty if it may.
    pub deprecation: String,
}

/// An object: properties by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectSchema {
    /// The properties.
    pub properties: BTreeMap<String, PropertySchema>,
}

impl ObjectSchema {
    /// The names of the properties whose values are secret, in order.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().filter(|(_, p)| p.secret).map(|(name, _)| name.as_str())
    }

    /// The properties that may have one value only, with this value.
    pub fn constants(&self) -> impl Iterator<Item = (&str, &PropertyValue)> {
        self.properties.iter().filter_map(|(name, p)| Some((name.as_str(), p.constant.as_ref()?)))
    }
}

/// A value of an enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumValue {
    /// Its name; empty if it has none of its own.
    pub name: String,
    /// The value.
    pub value: PropertyValue,
    /// Why it should not be used any more; empty if it may.
    pub deprecation: String,
}

/// A type with a list of values.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumSchema {
    /// The type below.
    pub ty: Type,
    /// The values.
    pub values: Vec<EnumValue>,
}

/// A type that a package defines.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeDefinition {
    /// An object.
    Object(ObjectSchema),
    /// An enumeration.
    Enum(EnumSchema),
}

/// An earlier name of a resource type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceAlias {
    /// The earlier type token, if the type changed.
    pub ty: Option<String>,
    /// The earlier name, if the name changed.
    pub name: Option<String>,
    /// The earlier project, if that changed.
    pub project: Option<String>,
}

/// A resource type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceSchema {
    /// The type token.
    pub token: String,
    /// What a program gives.
    pub inputs: ObjectSchema,
    /// What the resource shows.
    pub outputs: ObjectSchema,
    /// What helps to look a resource up, if the package says.
    pub state_inputs: Option<ObjectSchema>,
    /// Whether a plugin constructs it from other resources.
    pub is_component: bool,
    /// Whether it is the package's provider.
    pub is_provider: bool,
    /// Earlier names of the type.
    pub aliases: Vec<ResourceAlias>,
    /// The tokens of its methods by name.
    pub methods: BTreeMap<String, String>,
    /// Why it should not be used any more; empty if it may.
    pub deprecation: String,
}

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSchema {
    /// The token.
    pub token: String,
    /// The arguments.
    pub inputs: ObjectSchema,
    /// The result, if it is an object.
    pub outputs: Option<ObjectSchema>,
    /// The type of the result, if it is none.
    pub return_type: Option<Type>,
    /// The order of the arguments where they are positional.
    pub multi_argument_inputs: Vec<String>,
    /// Why it should not be used any more; empty if it may.
    pub deprecation: String,
}
