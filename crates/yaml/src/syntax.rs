//! What a program consists of, each part with its place in the file.

use std::sync::Arc;

use purlin_diag::Span;
use purlin_project::yaml::Location;

/// A text with its place.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Its place.
    pub at: Location,
}

impl Text {
    /// The place as diagnostics name it.
    pub fn span(&self) -> Span {
        self.at.span()
    }
}

/// A truth value with its place.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The value.
    pub value: bool,
    /// Its place.
    pub at: Location,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub at: Location,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text without references.
    Text(String),
    /// A text with references in it.
    Interpolate(Vec<Part>),
    /// A single reference: the value itself, not its text.
    Symbol(Access),
    /// A list.
    List(Vec<Expr>),
    /// An object.
    Object(Vec<Property>),
    /// A function that needs nothing but its arguments.
    Call(Function, Vec<Expr>),
    /// `fn::assetArchive`: members by name.
    AssetArchive(Vec<(Text, Expr)>),
    /// `fn::invoke`; the call is a step of the program of its own, with this number.
    Invoke(usize),
    /// `fn::stackReference`: an output of the stack reference with this number.
    StackOutput(usize, Box<Expr>),
}

/// A piece of a text with references: some text, then maybe a reference.
#[derive(Clone, Debug)]
pub struct Part {
    /// The text before the reference.
    pub text: String,
    /// The reference.
    pub value: Option<Access>,
}

/// A reference: a name and what of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The resource, variable or configuration value.
    pub root: String,
    /// The way into it.
    pub path: Vec<Accessor>,
}

/// One step of the way into a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Accessor {
    /// `.name`
    Name(String),
    /// `["key"]`
    Key(String),
    /// `[3]`
    Index(usize),
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.root)?;
        self.path.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl std::fmt::Display for Accessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Accessor::Name(name) => write!(f, ".{name}"),
            Accessor::Key(key) => write!(f, "[\"{}\"]", key.replace('"', "\\\"")),
            Accessor::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// One property of an object expression.
#[derive(Clone, Debug)]
pub struct Property {
    /// The key.
    pub key: Expr,
    /// The value.
    pub value: Expr,
}

/// The functions that need nothing but their arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    Join,
    Select,
    Split,
    Length,
    SingleOrNone,
    ToJson,
    ToBase64,
    FromBase64,
    Secret,
    Unsecret,
    ReadFile,
    FileBase64,
    FileBase64Sha256,
    Sha1,
    ResourceName,
    ResourceType,
    StringAsset,
    FileAsset,
    RemoteAsset,
    FileArchive,
    RemoteArchive,
}

/// A call of a package's function.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// The function's token.
    pub token: Text,
    /// The arguments.
    pub arguments: Vec<Property>,
    /// What of the result is wanted.
    pub returns: Option<Text>,
    /// The options.
    pub options: InvokeOptions,
    /// Its place.
    pub at: Location,
}

/// The options of a call.
#[derive(Clone, Debug, Default)]
pub struct InvokeOptions {
    /// Resources that must exist before.
    pub depends_on: Option<Expr>,
    /// The resource whose providers serve.
    pub parent: Option<Expr>,
    /// The provider that serves.
    pub provider: Option<Expr>,
    /// The version of the package.
    pub version: Option<Text>,
    /// Where the plugin is downloaded from.
    pub plugin_download_url: Option<Text>,
}

/// A stack that `fn::stackReference` names.
#[derive(Clone, Debug)]
pub struct StackReference {
    /// The stack's full name.
    pub stack: Text,
}

/// A declared configuration value.
#[derive(Clone, Debug)]
pub struct ConfigDecl {
    /// The name in the program.
    pub key: Text,
    /// The key in the configuration, where it is another.
    pub name: Option<Text>,
    /// The type.
    pub ty: Option<Text>,
    /// The type of the items of a list.
    pub items: Option<Text>,
    /// What it is where the configuration has none.
    pub default: Option<Expr>,
    /// Whether it is secret.
    pub secret: Option<Flag>,
}

/// A variable.
#[derive(Clone, Debug)]
pub struct VariableDecl {
    /// The name.
    pub key: Text,
    /// The value.
    pub value: Expr,
}

/// An output of the stack.
#[derive(Clone, Debug)]
pub struct OutputDecl {
    /// The name.
    pub key: Text,
    /// The value.
    pub value: Expr,
}

/// The properties of a resource.
#[derive(Clone, Debug)]
pub enum Properties {
    /// None are given.
    Absent,
    /// Name by name.
    Fields(Vec<(Text, Expr)>),
    /// As one value.
    Value(Expr),
}

/// A resource.
#[derive(Clone, Debug)]
pub struct ResourceDecl {
    /// The name in the program.
    pub key: Text,
    /// The type token.
    pub ty: Text,
    /// The resource's name where it isn't the name in the program.
    pub name: Option<Text>,
    /// Whether it serves all resources of its package that name no provider.
    pub default_provider: Option<Flag>,
    /// The properties.
    pub properties: Properties,
    /// The options: one for all resources that have none.
    pub options: Arc<ResourceOptions>,
    /// The resource is read, not managed.
    pub get: Option<Get>,
}

impl ResourceDecl {
    /// The name that the resource is registered under.
    pub fn resource_name(&self) -> &str {
        match &self.name {
            Some(name) if !name.value.is_empty() => &name.value,
            _ => &self.key.value,
        }
    }

    /// Whether it is a provider.
    pub fn is_provider(&self) -> bool {
        self.ty.value.starts_with(purlin_model::urn::PROVIDER_TYPE_PREFIX)
    }

    /// Whether it is a reference to another stack.
    pub fn is_stack_reference(&self) -> bool {
        self.ty.value == STACK_REFERENCE_TYPE
    }

    /// The package that the type belongs to.
    pub fn package(&self) -> &str {
        purlin_model::urn::package_of_type(&self.ty.value)
    }

    /// Whether it makes itself the provider of others.
    pub fn is_default_provider(&self) -> bool {
        self.is_provider() && self.default_provider.as_ref().is_some_and(|flag| flag.value)
    }
}

/// The type of references to other stacks.
pub const STACK_REFERENCE_TYPE: &str = "pulumi:pulumi:StackReference";

/// How a resource is found that is not managed.
#[derive(Clone, Debug)]
pub struct Get {
    /// Its id.
    pub id: Expr,
    /// Properties that help to find it.
    pub state: Vec<(Text, Expr)>,
}

/// How long operations may take.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Timeouts {
    pub create: Option<Expr>,
    pub update: Option<Expr>,
    pub delete: Option<Expr>,
    pub read: Option<Expr>,
}

/// The options of a resource; the names are those of the file.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ResourceOptions {
    pub additional_secret_outputs: Vec<Text>,
    pub aliases: Vec<Expr>,
    pub custom_timeouts: Timeouts,
    pub delete_before_replace: Option<Flag>,
    pub depends_on: Option<Expr>,
    pub ignore_changes: Vec<Text>,
    pub import: Option<Text>,
    pub parent: Option<Expr>,
    pub protect: Option<Expr>,
    pub provider: Option<Expr>,
    pub providers: Option<Expr>,
    pub version: Option<Text>,
    pub plugin_download_url: Option<Text>,
    pub replace_on_changes: Vec<Text>,
    pub retain_on_delete: Option<Flag>,
    pub replace_with: Option<Expr>,
    pub deleted_with: Option<Expr>,
    pub hide_diffs: Vec<Text>,
    pub replacement_trigger: Option<Expr>,
    pub env_var_mappings: Option<Expr>,
}

impl ResourceOptions {
    /// The options that are expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let timeouts = &self.custom_timeouts;
        [
            &self.depends_on,
            &self.parent,
            &self.protect,
            &self.provider,
            &self.providers,
            &self.replace_with,
            &self.deleted_with,
            &self.replacement_trigger,
            &self.env_var_mappings,
            &timeouts.create,
            &timeouts.update,
            &timeouts.delete,
            &timeouts.read,
        ]
        .into_iter()
        .flatten()
        .chain(&self.aliases)
    }
}

impl ResourceDecl {
    /// Every expression of the declaration.
    pub fn expressions(&self) -> Vec<&Expr> {
        let mut all: Vec<&Expr> = self.options.expressions().collect();
        match &self.properties {
            Properties::Absent => {}
            Properties::Fields(fields) => all.extend(fields.iter().map(|(_, value)| value)),
            Properties::Value(value) => all.push(value),
        }
        if let Some(get) = &self.get {
            all.push(&get.id);
            all.extend(get.state.iter().map(|(_, value)| value));
        }
        all
    }
}

/// Something that an expression needs before it can be evaluated.
#[derive(Clone, Copy, Debug)]
pub enum Need<'a> {
    /// What has this name.
    Name(&'a Access),
    /// The call with this number.
    Invoke(usize),
    /// The stack reference with this number.
    Stack(usize),
}

impl Expr {
    /// Calls `found` with everything that the expression needs.
    pub fn needs<'a>(&'a self, found: &mut dyn FnMut(Need<'a>, &'a Location)) {
        match &self.kind {
            ExprKind::Null | ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Text(_) => {}
            ExprKind::Interpolate(parts) => {
                parts.iter().filter_map(|p| p.value.as_ref()).for_each(|a| found(Need::Name(a), &self.at));
            }
            ExprKind::Symbol(access) => found(Need::Name(access), &self.at),
            ExprKind::List(items) | ExprKind::Call(_, items) => {
                items.iter().for_each(|item| item.needs(found));
            }
            ExprKind::Object(fields) => {
                for field in fields {
                    field.key.needs(found);
                    field.value.needs(found);
                }
            }
            ExprKind::AssetArchive(members) => members.iter().for_each(|(_, value)| value.needs(found)),
            ExprKind::Invoke(number) => found(Need::Invoke(*number), &self.at),
            ExprKind::StackOutput(number, name) => {
                found(Need::Stack(*number), &self.at);
                name.needs(found);
            }
        }
    }

    /// The text, if it is one without references.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Text(text) => Some(text),
            _ => None,
        }
    }
}
