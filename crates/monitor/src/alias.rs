//! Aliases, also in the forms that old SDKs send.

use purlin_model::{Alias, AliasParent};
use purlin_wire::pulumirpc::Alias as WireAlias;
use purlin_wire::pulumirpc::alias::spec::Parent;
use purlin_wire::pulumirpc::alias::{Alias as Kind, Spec};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::status;

/// Whether a call comes from Node: the language host's mark says so or, where there is none, the
/// name of the gRPC library.
pub(crate) fn from_node(metadata: &MetadataMap) -> bool {
    if let Some(runtime) = metadata.get("pulumi-runtime") {
        return runtime == "nodejs";
    }
    metadata
        .get("user-agent")
        .is_some_and(|agent| agent.to_str().is_ok_and(|agent| agent.starts_with("grpc-node-js/")))
}

/// What an alias of an old Node SDK means: it left the parent empty to say "no parent", and said
/// "no parent" where neither alias nor resource had one.
pub(crate) fn from_old_node(mut alias: WireAlias) -> WireAlias {
    if let Some(Kind::Spec(spec)) = &mut alias.alias {
        spec.parent = match spec.parent.take() {
            None => Some(Parent::NoParent(true)),
            Some(Parent::ParentUrn(urn)) if urn.is_empty() => Some(Parent::NoParent(true)),
            Some(Parent::NoParent(true)) => None,
            other => other,
        };
    }
    alias
}

/// The alias of a URN.
pub(crate) fn of_urn(urn: String) -> WireAlias {
    WireAlias { alias: Some(Kind::Urn(urn)) }
}

/// Reads an alias.
pub(crate) fn parse(alias: WireAlias) -> Result<Alias, Status> {
    match alias.alias {
        Some(Kind::Spec(spec)) => parse_spec(spec),
        Some(Kind::Urn(urn)) => Ok(Alias::Urn(status::urn("alias", &urn)?)),
        None => Err(Status::invalid_argument("an alias is empty")),
    }
}

fn parse_spec(spec: Spec) -> Result<Alias, Status> {
    let parent = match spec.parent {
        None | Some(Parent::NoParent(false)) => AliasParent::Same,
        Some(Parent::NoParent(true)) => AliasParent::None,
        Some(Parent::ParentUrn(urn)) if urn.is_empty() => AliasParent::Same,
        Some(Parent::ParentUrn(urn)) => AliasParent::Urn(status::urn("parent of an alias", &urn)?),
    };
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Alias::Spec {
        name: given(spec.name),
        ty: given(spec.r#type),
        stack: given(spec.stack),
        project: given(spec.project),
        parent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent_of(parent: Option<Parent>, old_node: bool) -> AliasParent {
        let mut alias = WireAlias { alias: Some(Kind::Spec(Spec { parent, ..Spec::default() })) };
        if old_node {
            alias = from_old_node(alias);
        }
        match parse(alias).unwrap() {
            Alias::Spec { parent, .. } => parent,
            Alias::Urn(urn) => AliasParent::Urn(urn),
        }
    }

    #[test]
    fn old_node_aliases_swap_no_parent_and_same_parent() {
        let urn = "urn:pulumi:dev::shop::a:b:C::x";
        let named = AliasParent::Urn(purlin_model::Urn::parse(urn).unwrap());
        for (parent, ordinary, old_node) in [
            (None, AliasParent::Same, AliasParent::None),
            (Some(Parent::ParentUrn(String::new())), AliasParent::Same, AliasParent::None),
            (Some(Parent::NoParent(true)), AliasParent::None, AliasParent::Same),
            (Some(Parent::NoParent(false)), AliasParent::Same, AliasParent::Same),
            (Some(Parent::ParentUrn(urn.to_owned())), named.clone(), named),
        ] {
            assert_eq!(parent_of(parent.clone(), false), ordinary, "{parent:?}");
            assert_eq!(parent_of(parent.clone(), true), old_node, "{parent:?}");
        }
    }

    #[test]
    fn callers_are_told_apart_by_mark_and_then_by_library() {
        let metadata = |pairs: &[(&'static str, &'static str)]| {
            let mut map = MetadataMap::new();
            for (key, value) in pairs {
                map.insert(*key, value.parse().unwrap());
            }
            map
        };
        assert!(from_node(&metadata(&[("user-agent", "grpc-node-js/1.9.0")])));
        assert!(!from_node(&metadata(&[("user-agent", "grpc-python/1.60")])));
        assert!(from_node(&metadata(&[("pulumi-runtime", "nodejs"), ("user-agent", "grpc-go/1")])));
        assert!(!from_node(&metadata(&[("pulumi-runtime", "bun"), ("user-agent", "grpc-node-js/1")])));
    }
}
