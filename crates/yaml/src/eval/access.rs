//! The way from a name into its value: `${name.property[0]["key"]}`.

use purlin_model::{PropertyMap, PropertyValue, ReferenceId};
use purlin_project::yaml::Location;

use super::{Scope, Stop};
use crate::syntax::{Access, Accessor};
use crate::value::{Handle, Origin, Tracked, Value, kind_of};

impl Scope<'_> {
    pub(super) fn access(&self, at: &Location, access: &Access) -> Result<Tracked, Stop> {
        let Some(root) = self.names.named(&access.root) else {
            let message = format!("nothing is named \"{}\"", access.root);
            return Err(Stop::problem("yaml-unknown-name", at, message));
        };
        let shown = format!("${{{access}}}");
        let value = match &root.value {
            Value::Resource(handle) if !access.path.is_empty() => {
                self.of_resource(at, handle, &access.path, &shown)?.with_deps(&root.deps)
            }
            _ => self.of_value(at, root, &access.path, &shown)?,
        };
        self.weigh(at, &value)?;
        Ok(value)
    }

    /// A part of a value. What is secret anywhere in the value makes the part secret, and what the
    /// value was made from, the part was made from.
    pub(super) fn of_value(
        &self,
        at: &Location,
        root: &Tracked,
        path: &[Accessor],
        shown: &str,
    ) -> Result<Tracked, Stop> {
        if !root.has_origin() {
            return self.plain_part(at, root, path, shown);
        }
        let origin = root.origin();
        let part = self.plain_part(at, root, path, shown)?;
        let mut all = Origin { secret: origin.secret, unknown: false, deps: origin.deps };
        all.add(&part);
        Ok(all.result(part.stripped()))
    }

    fn plain_part(
        &self,
        at: &Location,
        root: &Tracked,
        path: &[Accessor],
        shown: &str,
    ) -> Result<Tracked, Stop> {
        let mut here = root;
        for (depth, step) in path.iter().enumerate() {
            here = match (&here.value, step) {
                (Value::Unknown, _) => return Ok(Tracked::plain(Value::Unknown)),
                (Value::Object(fields), Accessor::Name(key) | Accessor::Key(key)) => match fields.get(key) {
                    Some(field) => field,
                    None if here.origin().unknown => return Ok(Tracked::plain(Value::Unknown)),
                    None => return absent(at, shown, &path[depth + 1..]),
                },
                (Value::List(items), Accessor::Index(index)) => {
                    items.get(*index).ok_or_else(|| out_of_bounds(at, shown, *index, items.len()))?
                }
                (Value::Resource(handle), _) => return self.of_resource(at, handle, &path[depth..], shown),
                (Value::Reference(reference), _) => {
                    return self.of_reference(at, reference, &path[depth..], shown);
                }
                (other, step) => return Err(no_such_step(at, shown, kind_of(other), step)),
            };
        }
        Ok(here.clone())
    }

    /// A property of a resource.
    pub(super) fn of_resource(
        &self,
        at: &Location,
        handle: &Handle,
        path: &[Accessor],
        shown: &str,
    ) -> Result<Tracked, Stop> {
        let own = std::slice::from_ref(&handle.urn);
        let Some((first, rest)) = path.split_first() else { return Ok(Tracked::plain(Value::Null)) };
        let name = match first {
            Accessor::Name(name) if name == "urn" => {
                return Ok(Tracked::text(handle.urn.as_str()).with_deps(own));
            }
            Accessor::Name(name) if name == "id" => {
                let id = match &handle.id {
                    Some(ReferenceId::Known(id)) => Value::Text(id.clone()),
                    Some(ReferenceId::Unknown) => Value::Unknown,
                    None => Value::Null,
                };
                return Ok(Tracked::plain(id).with_deps(own));
            }
            Accessor::Name(name) | Accessor::Key(name) => name,
            Accessor::Index(_) => return Err(no_such_step(at, shown, "a resource", first)),
        };
        let found = match handle.outputs.get(name) {
            Some(value) => self.of_property(at, value, rest, shown)?,
            None if self.may_still_come(handle, name) => Tracked::plain(Value::Unknown),
            None => absent(at, shown, rest)?,
        };
        let found = found.with_deps(own);
        Ok(match handle.property_dependencies.get(name) {
            Some(more) => found.with_deps(more),
            None => found,
        })
    }

    /// Whether an output that isn't there may be there once the operation is carried out.
    fn may_still_come(&self, handle: &Handle, name: &str) -> bool {
        if handle.incomplete {
            return true;
        }
        let declared = || handle.schema.as_ref().is_some_and(|s| s.outputs.properties.contains_key(name));
        self.dry_run && (declared() || handle.outputs.values().any(PropertyValue::contains_unknowns))
    }

    fn of_property(
        &self,
        at: &Location,
        value: &PropertyValue,
        path: &[Accessor],
        shown: &str,
    ) -> Result<Tracked, Stop> {
        let mut here = value;
        let mut secret = false;
        let found = |value: Value, secret| Ok(Tracked { value, secret, deps: Vec::new() });
        for (depth, step) in path.iter().enumerate() {
            while let PropertyValue::Secret(inner) = here {
                secret = true;
                here = inner;
            }
            here = match (here, step) {
                (PropertyValue::Unknown, _) => return found(Value::Unknown, secret),
                (PropertyValue::Object(fields), Accessor::Name(key) | Accessor::Key(key)) => {
                    match fields.get(key) {
                        Some(field) => field,
                        None if here.contains_unknowns() => return found(Value::Unknown, secret),
                        None => {
                            let part = absent(at, shown, &path[depth + 1..])?;
                            return Ok(Tracked { secret, ..part });
                        }
                    }
                }
                (PropertyValue::Array(items), Accessor::Index(index)) => {
                    items.get(*index).ok_or_else(|| out_of_bounds(at, shown, *index, items.len()))?
                }
                (PropertyValue::Reference(reference), _) => {
                    let part = self.of_reference(at, reference, &path[depth..], shown)?;
                    return Ok(Tracked { secret: secret || part.secret, ..part });
                }
                (PropertyValue::Output(_), _) => {
                    let part = self.plain_part(at, &Tracked::from_property(here), &path[depth..], shown)?;
                    return Ok(Tracked { secret: secret || part.secret, ..part });
                }
                (other, step) => {
                    return Err(no_such_step(at, shown, kind_of(&Tracked::from_property(other).value), step));
                }
            };
        }
        let part = Tracked::from_property(here);
        Ok(Tracked { secret: secret || part.secret, ..part })
    }

    /// A property of a resource that another resource refers to.
    fn of_reference(
        &self,
        at: &Location,
        reference: &purlin_model::ResourceReference,
        path: &[Accessor],
        shown: &str,
    ) -> Result<Tracked, Stop> {
        let own = std::slice::from_ref(&reference.urn);
        match (path.first(), &reference.id) {
            (Some(Accessor::Name(name)), _) if name == "urn" => {
                return Ok(Tracked::text(reference.urn.as_str()).with_deps(own));
            }
            (Some(Accessor::Name(name)), Some(id)) if name == "id" => {
                let id = match id {
                    ReferenceId::Known(id) => Value::Text(id.clone()),
                    ReferenceId::Unknown => Value::Unknown,
                };
                return Ok(Tracked::plain(id).with_deps(own));
            }
            _ => {}
        }
        let Some(state) = self.references.get(&reference.urn) else {
            return Err(Stop::Reference(reference.clone()));
        };
        let state: &PropertyMap = state;
        let Some((Accessor::Name(name) | Accessor::Key(name), rest)) = path.split_first() else {
            return Err(Stop::problem("yaml-access", at, format!("{shown}: a resource has no list items")));
        };
        let found = match state.get(name) {
            Some(value) => self.of_property(at, value, rest, shown)?,
            None if self.dry_run => Tracked::plain(Value::Unknown),
            None => absent(at, shown, rest)?,
        };
        Ok(found.with_deps(own))
    }
}

fn out_of_bounds(at: &Location, shown: &str, index: usize, length: usize) -> Stop {
    let items = if length == 1 { "1 item".to_owned() } else { format!("{length} items") };
    Stop::problem("yaml-index", at, format!("{shown}: the list has {items}, there is none at index {index}"))
        .with_hint("indexes count from zero")
}

/// What is not there is null, which has no parts.
fn absent(at: &Location, shown: &str, rest: &[Accessor]) -> Result<Tracked, Stop> {
    match rest.first() {
        None => Ok(Tracked::plain(Value::Null)),
        Some(step) => Err(no_such_step(at, shown, kind_of(&Value::Null), step)),
    }
}

fn no_such_step(at: &Location, shown: &str, kind: &str, step: &Accessor) -> Stop {
    if kind == kind_of(&Value::Null) {
        return Stop::problem("yaml-access", at, format!("{shown}: what is before {step} is null"))
            .with_hint("only lists and objects have parts");
    }
    let message = match (kind, step) {
        ("a list", _) => format!("{shown}: a list has items such as [0], not {step}"),
        ("an object" | "a resource", _) => {
            format!("{shown}: {kind} has properties, not items such as {step}")
        }
        _ => format!("{shown}: {kind} has no {step}"),
    };
    Stop::problem("yaml-access", at, message)
}
