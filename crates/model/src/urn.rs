//! Names of resources (URNs) and of provider instances.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The id of a provider that a preview has planned and not created. It is the wire's sentinel for
/// an unknown string.
pub const UNKNOWN_ID: &str = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/// The type of the root resource of every stack.
pub const STACK_TYPE: &str = "pulumi:pulumi:Stack";

/// The prefix of the types of provider resources.
pub const PROVIDER_TYPE_PREFIX: &str = "pulumi:providers:";

/// A uniform resource name: `urn:pulumi:<stack>::<project>::<qualified type>::<name>`.
///
/// Cloning is cheap. A value of this type has the right prefix and at least three `::`
/// separators; the name is all that follows the third and may itself contain `::`.
#[derive(Clone, Eq, PartialOrd, Ord)]
pub struct Urn(Arc<str>);

impl PartialEq for Urn {
    fn eq(&self, other: &Self) -> bool {
        // Names are mostly compared with themselves.
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Hash for Urn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Urn {
    /// Takes a text as a URN, if it has the form of one.
    pub fn parse(text: &str) -> Option<Urn> {
        let rest = text.strip_prefix("urn:pulumi:")?;
        let parts = (0..3).try_fold(rest, |rest, _| after_separator(rest).map(|(_, after)| after));
        parts.map(|_| Urn(text.into()))
    }

    /// Makes the URN of a resource. `parent` contributes its qualified type, unless it is the
    /// root stack.
    pub fn new(stack: &str, project: &str, parent: Option<&Urn>, ty: &str, name: &str) -> Urn {
        match parent.map(Urn::qualified_type).filter(|t| *t != STACK_TYPE && !t.is_empty()) {
            Some(parent_type) => {
                Urn(format!("urn:pulumi:{stack}::{project}::{parent_type}${ty}::{name}").into())
            }
            None => Urn(format!("urn:pulumi:{stack}::{project}::{ty}::{name}").into()),
        }
    }

    /// The URN of the root resource of a stack.
    pub fn root_stack(stack: &str, project: &str) -> Urn {
        Urn::new(stack, project, None, STACK_TYPE, &format!("{project}-{stack}"))
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> &str {
        let mut rest = &self.0["urn:pulumi:".len()..];
        for _ in 0..index {
            rest = after_separator(rest).map_or("", |(_, after)| after);
        }
        match after_separator(rest) {
            // The name is all of the rest.
            Some((part, _)) if index < 3 => part,
            _ => rest,
        }
    }

    /// The name of the stack.
    pub fn stack(&self) -> &str {
        self.part(0)
    }

    /// The name of the project.
    pub fn project(&self) -> &str {
        self.part(1)
    }

    /// The types of all ancestors and the resource's own, joined by `$`.
    pub fn qualified_type(&self) -> &str {
        self.part(2)
    }

    /// The resource's own type.
    pub fn ty(&self) -> &str {
        let qualified = self.qualified_type();
        qualified.rsplit('$').next().unwrap_or(qualified)
    }

    /// The resource's name.
    pub fn name(&self) -> &str {
        self.part(3)
    }

    /// The same URN in another stack, as a rename of the stack needs it.
    #[must_use]
    pub fn with_stack(&self, stack: &str, project: &str) -> Urn {
        Urn(format!("urn:pulumi:{stack}::{project}::{}::{}", self.qualified_type(), self.name()).into())
    }
}

impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands before the first `::` of a text, and what stands after it. A general search would take
/// longer to set up than these few bytes take to look at.
fn after_separator(text: &str) -> Option<(&str, &str)> {
    let at = text.as_bytes().windows(2).position(|pair| pair == b"::")?;
    Some((&text[..at], &text[at + 2..]))
}

/// A reference to one provider instance: `<provider urn>::<id>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProviderRef {
    urn: Urn,
    id: Arc<str>,
}

impl ProviderRef {
    /// The reference of an instance.
    pub fn new(urn: Urn, id: impl Into<Arc<str>>) -> Self {
        ProviderRef { urn, id: id.into() }
    }

    /// Reads `<provider urn>::<id>`; the id is what follows the last `::`.
    pub fn parse(text: &str) -> Option<ProviderRef> {
        let (urn, id) = text.rsplit_once("::")?;
        let urn = Urn::parse(urn)?;
        urn.ty().starts_with(PROVIDER_TYPE_PREFIX).then(|| ProviderRef { urn, id: id.into() })
    }

    /// The provider resource.
    pub fn urn(&self) -> &Urn {
        &self.urn
    }

    /// The id of the instance; [`UNKNOWN_ID`] if it doesn't exist yet.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The package that the instance serves.
    pub fn package(&self) -> &str {
        self.urn.ty().strip_prefix(PROVIDER_TYPE_PREFIX).unwrap_or_default()
    }

    /// Whether the instance exists only in a plan.
    pub fn is_unknown(&self) -> bool {
        &*self.id == UNKNOWN_ID
    }
}

impl fmt::Display for ProviderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.urn, self.id)
    }
}

/// Whether a type token is that of a provider resource.
pub fn is_provider_type(ty: &str) -> bool {
    ty.starts_with(PROVIDER_TYPE_PREFIX)
}

/// The package of a type token: `aws` of `aws:s3/bucket:Bucket`, and of `pulumi:providers:aws`.
pub fn package_of_type(ty: &str) -> &str {
    if let Some(package) = ty.strip_prefix(PROVIDER_TYPE_PREFIX) {
        return package;
    }
    ty.split(':').next().unwrap_or(ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_urn_apart() {
        let urn = Urn::parse("urn:pulumi:dev::shop::a:b:C$d:e:F::na::me").unwrap();
        assert_eq!(urn.stack(), "dev");
        assert_eq!(urn.project(), "shop");
        assert_eq!(urn.qualified_type(), "a:b:C$d:e:F");
        assert_eq!(urn.ty(), "d:e:F");
        assert_eq!(urn.name(), "na::me");
    }

    #[test]
    fn refuses_what_is_no_urn() {
        for text in ["", "urn:pulumi:", "urn:pulumi:a::b::c", "arn:pulumi:a::b::c::d"] {
            assert_eq!(Urn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_root_stack_adds_nothing_to_its_children() {
        let root = Urn::root_stack("dev", "shop");
        assert_eq!(root.as_str(), "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev");
        let child = Urn::new("dev", "shop", Some(&root), "x:y:Z", "n");
        assert_eq!(child.as_str(), "urn:pulumi:dev::shop::x:y:Z::n");
        let grandchild = Urn::new("dev", "shop", Some(&child), "x:y:W", "m");
        assert_eq!(grandchild.as_str(), "urn:pulumi:dev::shop::x:y:Z$x:y:W::m");
    }

    #[test]
    fn a_provider_reference_goes_there_and_back() {
        let text = "urn:pulumi:dev::shop::pulumi:providers:random::default::1b9d";
        let reference = ProviderRef::parse(text).unwrap();
        assert_eq!(reference.package(), "random");
        assert_eq!(reference.id(), "1b9d");
        assert_eq!(reference.to_string(), text);
        assert_eq!(ProviderRef::parse("urn:pulumi:dev::shop::random:index:X::n::id"), None);
    }
}
