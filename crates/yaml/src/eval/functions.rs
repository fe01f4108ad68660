//! The functions of the language.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_model::{Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource};
use purlin_project::yaml::Location;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{Scope, Stop, format};
use crate::parse::function_name;
use crate::syntax::{Accessor, Expr, Function, Text};
use crate::value::{Origin, Tracked, Value, as_member, kind_of};

impl Scope<'_> {
    pub(super) fn call(
        &self,
        at: &Location,
        function: Function,
        arguments: &[Expr],
    ) -> Result<Tracked, Stop> {
        let [first, rest @ ..] = arguments else {
            return Err(Stop::problem("yaml-function", at, "the function has no argument"));
        };
        let argument = self.eval(first)?;
        match function {
            Function::Secret => {
                // What is inside a secret needs no mark of its own.
                let mut origin = argument.origin();
                origin.secret = true;
                return Ok(origin.result(argument.stripped()));
            }
            Function::Unsecret => {
                let mut origin = argument.origin();
                origin.secret = false;
                let unknown = matches!(argument.value, Value::Unknown);
                return Ok(origin.result(if unknown { Value::Unknown } else { argument.stripped() }));
            }
            Function::ResourceName | Function::ResourceType => {
                let Value::Resource(handle) = &argument.value else {
                    return Err(wrong_argument(first, function, "a resource", &argument.value));
                };
                let text = if function == Function::ResourceName { &handle.name } else { &handle.ty };
                return Ok(Tracked::text(text.clone()));
            }
            _ => {}
        }
        let second = rest.first().map(|expr| Ok((expr, self.eval(expr)?))).transpose()?;
        let mut origin = Origin::default();
        origin.add(&argument);
        if let Some((_, second)) = &second {
            origin.add(second);
        }
        if origin.unknown {
            return Ok(origin.result(Value::Unknown));
        }
        let value = match (function, &second) {
            (Function::Join, Some((expr, list))) => join(first, &argument.value, expr, &list.value)?,
            (Function::Split, Some((expr, text))) => {
                let delimiter = text_of(first, function, &argument.value)?;
                let text = text_of(expr, function, &text.value)?;
                Value::List(split(text, delimiter).map(Tracked::text).collect())
            }
            (Function::Select, Some((expr, list))) => {
                let index = index_of(first, &argument.value)?;
                let part = self.of_value(&expr.at, list, &[Accessor::Index(index)], "fn::select")?;
                origin.add(&part);
                part.stripped()
            }
            _ => self.unary(at, function, first, &argument)?,
        };
        let value = origin.result(value);
        self.weigh(at, &value)?;
        Ok(value)
    }

    fn unary(
        &self,
        at: &Location,
        function: Function,
        expr: &Expr,
        argument: &Tracked,
    ) -> Result<Value, Stop> {
        let value = &argument.value;
        Ok(match function {
            Function::Length => Value::Number(match value {
                Value::List(items) => items.len() as f64,
                Value::Object(fields) => fields.len() as f64,
                Value::Text(text) => text.graphemes(true).count() as f64,
                other => return Err(wrong_argument(expr, function, "a list, an object or a string", other)),
            }),
            Function::SingleOrNone => match value {
                Value::List(items) => match items.as_slice() {
                    [] => Value::Null,
                    [one] => one.stripped(),
                    more => {
                        let message =
                            format!("fn::singleOrNone takes a list of at most one, not {}", more.len());
                        return Err(Stop::problem("yaml-argument", &expr.at, message));
                    }
                },
                other => return Err(wrong_argument(expr, function, "a list", other)),
            },
            Function::ToJson => {
                let mut text = String::new();
                format::json(&mut text, value).map_err(|kind| {
                    Stop::problem("yaml-json", at, format!("fn::toJSON can't write {kind} as JSON"))
                        .with_hint("name a property, such as ${name.id}")
                })?;
                Value::Text(text)
            }
            Function::ToBase64 => Value::Text(STANDARD.encode(bytes_of(expr, function, value)?)),
            Function::FromBase64 => Value::Text(from_base64(expr, text_of(expr, function, value)?)?),
            Function::Sha1 => Value::Text(hex::encode(Sha1::digest(bytes_of(expr, function, value)?))),
            Function::ReadFile => {
                let bytes = self.read(expr, text_of(expr, function, value)?)?;
                Value::Text(String::from_utf8(bytes).map_err(|_| {
                    Stop::problem("yaml-file", &expr.at, "the file is not text in UTF-8")
                        .with_hint("use fn::filebase64, or fn::fileAsset to pass the file itself")
                })?)
            }
            Function::FileBase64 => {
                Value::Text(STANDARD.encode(self.read(expr, text_of(expr, function, value)?)?))
            }
            Function::FileBase64Sha256 => {
                let bytes = self.read(expr, text_of(expr, function, value)?)?;
                Value::Text(STANDARD.encode(Sha256::digest(bytes)))
            }
            _ => asset(function, text_of(expr, function, value)?),
        })
    }

    fn read(&self, expr: &Expr, path: &str) -> Result<Vec<u8>, Stop> {
        std::fs::read(self.folder.join(path)).map_err(|error| {
            let message = format!("the file \"{path}\" can't be read: {error}");
            Stop::problem("yaml-file", &expr.at, message)
                .with_hint("relative paths start from the program's folder")
        })
    }

    pub(super) fn asset_archive(&self, members: &[(Text, Expr)]) -> Result<Tracked, Stop> {
        let mut origin = Origin::default();
        let mut found: BTreeMap<String, AssetOrArchive> = BTreeMap::new();
        for (name, expr) in members {
            let member = self.eval(expr)?;
            origin.add(&member);
            match as_member(&member.value) {
                Some(member) => drop(found.insert(name.value.clone(), member)),
                None if origin.unknown => {}
                None => {
                    let message =
                        format!("the member must be an asset or an archive, not {}", kind_of(&member.value));
                    return Err(Stop::problem("yaml-argument", &expr.at, message));
                }
            }
        }
        let unknown = origin.unknown;
        let archive = Archive { hash: String::new(), source: ArchiveSource::Assets(found) };
        Ok(origin.result(if unknown { Value::Unknown } else { Value::Archive(archive) }))
    }
}

fn asset(function: Function, text: &str) -> Value {
    let text = text.to_owned();
    let hash = String::new();
    match function {
        Function::FileArchive => Value::Archive(Archive { hash, source: ArchiveSource::Path(text) }),
        Function::RemoteArchive => Value::Archive(Archive { hash, source: ArchiveSource::Uri(text) }),
        Function::FileAsset => Value::Asset(Asset { hash, source: AssetSource::Path(text) }),
        Function::RemoteAsset => Value::Asset(Asset { hash, source: AssetSource::Uri(text) }),
        _ => Value::Asset(Asset { hash, source: AssetSource::Text(text) }),
    }
}

fn wrong_argument(expr: &Expr, function: Function, wanted: &str, found: &Value) -> Stop {
    let name = function_name(function);
    Stop::problem("yaml-argument", &expr.at, format!("{name} takes {wanted}, not {}", kind_of(found)))
}

fn text_of<'v>(expr: &Expr, function: Function, value: &'v Value) -> Result<&'v str, Stop> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_argument(expr, function, "a string", other)),
    }
}

fn bytes_of<'v>(expr: &Expr, function: Function, value: &'v Value) -> Result<&'v [u8], Stop> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => text_of(expr, function, other).map(str::as_bytes),
    }
}

fn join(delimiter: &Expr, by: &Value, expr: &Expr, list: &Value) -> Result<Value, Stop> {
    let by = match by {
        Value::Null => "",
        Value::Text(text) => text,
        other => {
            let message = format!("the delimiter of fn::join must be a string, not {}", kind_of(other));
            return Err(Stop::problem("yaml-argument", &delimiter.at, message));
        }
    };
    let Value::List(items) = list else { return Err(wrong_argument(expr, Function::Join, "a list", list)) };
    let mut text = String::new();
    for (at, item) in items.iter().enumerate() {
        let Value::Text(piece) = &item.value else {
            let message = format!(
                "fn::join takes a list of strings, but there is {} at index {at}",
                kind_of(&item.value)
            );
            return Err(Stop::problem("yaml-argument", &expr.at, message));
        };
        if at > 0 {
            text.push_str(by);
        }
        text.push_str(piece);
    }
    Ok(Value::Text(text))
}

/// The pieces of a text; without a delimiter, its characters.
fn split<'t>(text: &'t str, delimiter: &'t str) -> Box<dyn Iterator<Item = &'t str> + 't> {
    if delimiter.is_empty() {
        let ends = text.char_indices().map(move |(at, c)| &text[at..at + c.len_utf8()]);
        return Box::new(ends);
    }
    Box::new(text.split(delimiter))
}

fn index_of(expr: &Expr, value: &Value) -> Result<usize, Stop> {
    match value {
        Value::Number(index) if *index >= 0.0 && index.fract() == 0.0 => Ok(*index as usize),
        Value::Number(index) => {
            let message = format!("the index of fn::select must be a whole number from zero, not {index}");
            Err(Stop::problem("yaml-argument", &expr.at, message))
        }
        other => {
            let message = format!("the index of fn::select must be a number, not {}", kind_of(other));
            Err(Stop::problem("yaml-argument", &expr.at, message))
        }
    }
}

fn from_base64(expr: &Expr, text: &str) -> Result<String, Stop> {
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = STANDARD.decode(clean).map_err(|_| {
        Stop::problem("yaml-argument", &expr.at, "the argument of fn::fromBase64 is not base64")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Stop::problem("yaml-argument", &expr.at, "what fn::fromBase64 decodes is not text in UTF-8")
    })
}
