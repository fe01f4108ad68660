//! What led to a step, as JSON: the links of a chain, each with its depth.

use purlin_model::cause::{Cause, Link, PropertyCause};
use purlin_model::{Causes, Urn};

use crate::text::{Escape, ObjectWriter};

/// What happens to a resource and what led to it, as a list of links in one line. The first is the
/// resource itself; those that a link leads to come after it and are one level deeper.
pub fn why_json(causes: &Causes, urn: &Urn) -> String {
    let links: Vec<String> = causes.chain(urn).iter().map(link).collect();
    format!("[{}]", links.join(","))
}

fn link(link: &Link) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::begin(&mut out, Escape::Html);
    object.text("urn", link.urn.as_str());
    object.text("op", link.op.as_str());
    object.integer("depth", link.depth);
    if let Some(cause) = &link.cause {
        object.text("cause", cause.inner().as_str());
        if let Cause::Cascade { root, .. } = &**cause {
            object.text("cascadeOf", root.as_str());
        }
        match cause.inner() {
            Cause::Properties(properties) => {
                let properties: Vec<String> = properties.iter().map(property).collect();
                object.raw("properties", &format!("[{}]", properties.join(",")));
            }
            Cause::ReplaceWith(urn) | Cause::DeletedWith(urn) | Cause::Provider(urn) => {
                object.text("resource", urn.as_str());
            }
            _ => {}
        }
    }
    object.end();
    out
}

fn property(property: &PropertyCause) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::begin(&mut out, Escape::Html);
    object.text("path", &property.property);
    object.texts_if("from", property.from.iter().map(Urn::as_str));
    object.end();
    out
}
