//! Expressions and function calls.

use purlin_project::yaml::{Entry, Location, Node, Resolved};

use super::record::{Unknown, article, text_at};
use super::{Parser, did_you_mean, interpolate};
use crate::syntax::{Expr, ExprKind, Function, Invoke, InvokeOptions, Property, StackReference, Text};

/// The functions that take one argument of any shape, or a list of two.
const FUNCTIONS: &[(&str, Function)] = &[
    ("fn::join", Function::Join),
    ("fn::select", Function::Select),
    ("fn::split", Function::Split),
    ("fn::length", Function::Length),
    ("fn::singleOrNone", Function::SingleOrNone),
    ("fn::toJSON", Function::ToJson),
    ("fn::toBase64", Function::ToBase64),
    ("fn::fromBase64", Function::FromBase64),
    ("fn::secret", Function::Secret),
    ("fn::unsecret", Function::Unsecret),
    ("fn::readFile", Function::ReadFile),
    ("fn::filebase64", Function::FileBase64),
    ("fn::filebase64sha256", Function::FileBase64Sha256),
    ("fn::sha1", Function::Sha1),
    ("fn::pulumiResourceName", Function::ResourceName),
    ("fn::pulumiResourceType", Function::ResourceType),
    ("fn::stringAsset", Function::StringAsset),
    ("fn::fileAsset", Function::FileAsset),
    ("fn::remoteAsset", Function::RemoteAsset),
    ("fn::fileArchive", Function::FileArchive),
    ("fn::remoteArchive", Function::RemoteArchive),
];

const SPECIAL: &[&str] = &["fn::invoke", "fn::stackReference", "fn::assetArchive"];

/// The name of a function as messages give it.
pub(crate) fn function_name(function: Function) -> &'static str {
    FUNCTIONS.iter().find(|(_, f)| *f == function).map_or("fn", |(name, _)| name)
}

impl Parser {
    pub(crate) fn expr(&mut self, node: &Node) -> Expr {
        let at = &node.location;
        if let Some(items) = node.items() {
            let items = items.iter().map(|item| self.expr(item)).collect();
            return Expr { kind: ExprKind::List(items), at: at.clone() };
        }
        if let Some(entries) = node.entries() {
            return self.object_or_call(node, entries);
        }
        let kind = match node.resolve() {
            None | Some(Resolved::Null) => ExprKind::Null,
            Some(Resolved::Bool(value)) => ExprKind::Bool(value),
            Some(Resolved::Int(value)) => ExprKind::Number(value as f64),
            Some(Resolved::Uint(value)) => ExprKind::Number(value as f64),
            Some(Resolved::Float(value)) => ExprKind::Number(value),
            Some(Resolved::Str(text)) => return self.text_expr(text, at),
        };
        Expr { kind, at: at.clone() }
    }

    pub(crate) fn text_expr(&mut self, text: &str, at: &Location) -> Expr {
        let kind = interpolate::text(text).unwrap_or_else(|problem| {
            let hint = "references look like ${name.property}; write $$ for a single $";
            self.error_with_hint("yaml-reference", at, problem, hint);
            ExprKind::Null
        });
        Expr { kind, at: at.clone() }
    }

    fn object_or_call(&mut self, node: &Node, entries: &[Entry]) -> Expr {
        if let [entry] = entries
            && let Some(name) = entry.name()
            && is_function(name)
        {
            if !is_foreign(name) {
                return self.call(node, name, entry);
            }
            let message = format!("\"{name}\" is taken as a key: there is no such function");
            let hint = "functions begin with a small fn::";
            self.warning("yaml-function", &entry.key.location, message, hint);
        }
        let mut fields = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(name) = entry.name() else {
                self.error("yaml-key", &entry.key.location, "keys must be texts");
                continue;
            };
            if name.starts_with("fn::") {
                let message = format!("\"{name}\" must be alone in its object");
                let hint = "a function call is an object with one key, the function's name";
                self.error_with_hint("yaml-function", &entry.key.location, message, hint);
            }
            let key = self.text_expr(name, &entry.key.location);
            fields.push(Property { key, value: self.expr(&entry.value) });
        }
        Expr { kind: ExprKind::Object(fields), at: node.location.clone() }
    }

    fn call(&mut self, node: &Node, name: &str, entry: &Entry) -> Expr {
        let at = &entry.key.location;
        let argument = &entry.value;
        let known = FUNCTIONS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        let kind = if let Some((own, function)) = known {
            self.check_casing(at, name, own);
            self.simple_call(own, *function, argument)
        } else if let Some(own) = SPECIAL.iter().find(|own| own.eq_ignore_ascii_case(name)) {
            self.check_casing(at, name, own);
            match *own {
                "fn::invoke" => self.invoke(node, argument),
                "fn::stackReference" => self.stack_reference(at, argument),
                _ => self.asset_archive(argument),
            }
        } else {
            let token = &name[4..];
            if token.split(':').count() < 2 {
                let message = format!("there is no function \"{name}\"");
                let names = FUNCTIONS.iter().map(|(own, _)| *own).chain(SPECIAL.iter().copied());
                self.error_with_hint("yaml-function", at, message, did_you_mean(name, names));
                ExprKind::Null
            } else {
                self.short_invoke(node, text_at(token, at), argument)
            }
        };
        Expr { kind, at: node.location.clone() }
    }

    fn simple_call(&mut self, name: &str, function: Function, argument: &Node) -> ExprKind {
        if !matches!(function, Function::Join | Function::Select | Function::Split) {
            return ExprKind::Call(function, vec![self.expr(argument)]);
        }
        match argument.items() {
            Some([first, second]) => {
                let arguments = vec![self.expr(first), self.expr(second)];
                ExprKind::Call(function, arguments)
            }
            _ => {
                let shape = match function {
                    Function::Join => "[delimiter, list of strings]",
                    Function::Select => "[index, list]",
                    _ => "[delimiter, string]",
                };
                let message = format!("{name} takes a list of two values");
                self.error_with_hint("yaml-function", &argument.location, message, format!("write {shape}"));
                ExprKind::Null
            }
        }
    }

    fn asset_archive(&mut self, argument: &Node) -> ExprKind {
        let mut members = Vec::new();
        for (name, node) in self.mapping(argument, "the argument of fn::assetArchive") {
            let value = self.expr(node);
            let fits = match &value.kind {
                ExprKind::AssetArchive(_) | ExprKind::Null => true,
                ExprKind::Call(function, _) => matches!(
                    function,
                    Function::StringAsset
                        | Function::FileAsset
                        | Function::RemoteAsset
                        | Function::FileArchive
                        | Function::RemoteArchive
                ),
                _ => false,
            };
            if !fits {
                let message = format!("the member \"{}\" must be an asset or an archive", name.value);
                let hint = "use fn::stringAsset, fn::fileAsset, fn::remoteAsset, fn::fileArchive, \
                            fn::remoteArchive or fn::assetArchive";
                self.error_with_hint("yaml-function", &node.location, message, hint);
            }
            members.push((name, value));
        }
        ExprKind::AssetArchive(members)
    }

    fn stack_reference(&mut self, at: &Location, argument: &Node) -> ExprKind {
        self.warning(
            "yaml-deprecated",
            at,
            "fn::stackReference is deprecated",
            "declare a resource of the type pulumi:pulumi:StackReference and use its outputs",
        );
        let Some([stack, output]) = argument.items() else {
            self.error_with_hint(
                "yaml-function",
                &argument.location,
                "fn::stackReference takes a list of two values",
                "write [stack, name of the output]",
            );
            return ExprKind::Null;
        };
        let output = self.expr(output);
        let Some(stack) = self.literal(stack, "the stack of fn::stackReference") else {
            return ExprKind::Null;
        };
        let number = match self.stacks.iter().position(|known| known.stack.value == stack.value) {
            Some(number) => number,
            None => {
                self.stacks.push(StackReference { stack });
                self.stacks.len() - 1
            }
        };
        ExprKind::StackOutput(number, Box::new(output))
    }

    fn short_invoke(&mut self, node: &Node, token: Text, argument: &Node) -> ExprKind {
        let arguments = match self.expr(argument).kind {
            ExprKind::Object(fields) => fields,
            ExprKind::Null => Vec::new(),
            _ => {
                let message = format!(
                    "the arguments of {} must be an object, not {}",
                    token.value,
                    article(argument.kind())
                );
                self.error("yaml-function", &argument.location, message);
                Vec::new()
            }
        };
        self.add_invoke(Invoke {
            token,
            arguments,
            returns: None,
            options: InvokeOptions::default(),
            at: node.location.clone(),
        })
    }

    fn invoke(&mut self, node: &Node, argument: &Node) -> ExprKind {
        const KEYS: &[&str] = &["function", "arguments", "options", "return"];
        if argument.entries().is_none() {
            let message = format!("fn::invoke takes an object, not {}", article(argument.kind()));
            let hint = "write it with the keys function, arguments, options and return";
            self.error_with_hint("yaml-function", &argument.location, message, hint);
            return ExprKind::Null;
        }
        let mut token = None;
        let mut arguments = Vec::new();
        let mut options = InvokeOptions::default();
        let mut returns = None;
        let mut named = false;
        for (key, entry) in self.record(argument, "fn::invoke", KEYS, Unknown::Warn) {
            let value = &entry.value;
            match key {
                "function" => {
                    named = true;
                    token = self.literal(value, "the function of fn::invoke");
                }
                "arguments" => match self.expr(value).kind {
                    ExprKind::Object(fields) => arguments = fields,
                    ExprKind::Null => {}
                    _ => {
                        let message = format!(
                            "the arguments of fn::invoke must be an object, not {}",
                            article(value.kind())
                        );
                        self.error("yaml-function", &value.location, message);
                    }
                },
                "options" => options = self.invoke_options(value),
                _ => returns = self.literal(value, "the return of fn::invoke"),
            }
        }
        if !named {
            let hint = "name the function to call with the key function";
            self.error_with_hint("yaml-function", &argument.location, "fn::invoke names no function", hint);
        }
        let Some(token) = token else { return ExprKind::Null };
        self.add_invoke(Invoke { token, arguments, returns, options, at: node.location.clone() })
    }

    fn add_invoke(&mut self, invoke: Invoke) -> ExprKind {
        self.invokes.push(invoke);
        ExprKind::Invoke(self.invokes.len() - 1)
    }

    fn invoke_options(&mut self, node: &Node) -> InvokeOptions {
        const KEYS: &[&str] = &["dependsOn", "parent", "provider", "version", "pluginDownloadURL"];
        let mut options = InvokeOptions::default();
        for (key, entry) in self.record(node, "the options of fn::invoke", KEYS, Unknown::Error) {
            let value = &entry.value;
            match key {
                "dependsOn" => options.depends_on = Some(self.expr(value)),
                "parent" => options.parent = Some(self.expr(value)),
                "provider" => options.provider = Some(self.expr(value)),
                "version" => options.version = self.version(value),
                _ => options.plugin_download_url = self.literal(value, "pluginDownloadURL"),
            }
        }
        options
    }
}

/// Whether a key is meant as a function's name.
fn is_function(name: &str) -> bool {
    name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("fn::"))
}

/// Whether a key only looks like a function: templates of CloudFormation are full of `Fn::GetAtt` and
/// the like. With a small `fn::` it is a mistake.
fn is_foreign(name: &str) -> bool {
    let mut known = FUNCTIONS.iter().map(|(own, _)| *own).chain(SPECIAL.iter().copied());
    !name.starts_with("fn::") && !name[4..].contains(':') && !known.any(|own| own.eq_ignore_ascii_case(name))
}
