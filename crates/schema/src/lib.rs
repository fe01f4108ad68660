//! Package schemas: parse, bind, look up.
//!
//! A schema may be a hundred megabytes of JSON, of which a program uses a few resources. So
//! [`PackageSchema::parse`] only finds out where each resource, function and type begins and ends;
//! what is asked for is bound then, once.

mod bind;
mod builtin;
mod index;
mod json;
mod package;
mod shapes;
mod source;
mod token;

pub use builtin::pulumi_package;
pub use package::{PackageSchema, SchemaParameterization};
pub use shapes::{
    EnumSchema, EnumValue, FunctionSchema, ObjectSchema, PropertyDefault, PropertySchema, ResourceAlias,
    ResourceSchema, Type, TypeDefinition,
};
pub use source::SchemaSource;
