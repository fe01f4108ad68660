//! What packs are sent, and what their answers say.

use purlin_model::policy::{PolicyName, PolicySeverity};
use purlin_model::{PropertyMap, Urn};
use purlin_ports::{Enforcement, PolicyProvider, PolicyResource, PolicyScope};
use purlin_wire::calls::analyzer;
use purlin_wire::{CodecError, EncodeOptions, encode_map, pulumirpc as rpc};

fn options(resource: &PolicyResource) -> rpc::AnalyzerResourceOptions {
    let timeouts = resource.custom_timeouts;
    rpc::AnalyzerResourceOptions {
        protect: resource.protect,
        ignore_changes: resource.ignore_changes.clone(),
        delete_before_replace: resource.delete_before_replace.unwrap_or(false),
        delete_before_replace_defined: resource.delete_before_replace.is_some(),
        additional_secret_outputs: resource.additional_secret_outputs.clone(),
        aliases: texts(&resource.aliases),
        custom_timeouts: Some(rpc::analyzer_resource_options::CustomTimeouts {
            create: timeouts.create,
            update: timeouts.update,
            delete: timeouts.delete,
            read: timeouts.read,
        }),
        parent: resource.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn texts(urns: &[Urn]) -> Vec<String> {
    urns.iter().map(ToString::to_string).collect()
}

fn provider(provider: &PolicyProvider) -> Result<rpc::AnalyzerProviderResource, CodecError> {
    Ok(rpc::AnalyzerProviderResource {
        r#type: provider.urn.ty().to_owned(),
        properties: Some(encode_map(&provider.properties, &analyzer::ANALYZE_REQUEST)?),
        urn: provider.urn.to_string(),
        name: provider.urn.name().to_owned(),
    })
}

/// What is sent of a resource to be put right (`REMEDIATE_REQUEST`) or looked at
/// (`ANALYZE_REQUEST`).
pub(crate) fn analyze(
    resource: &PolicyResource,
    encoding: EncodeOptions,
) -> Result<rpc::AnalyzeRequest, CodecError> {
    Ok(rpc::AnalyzeRequest {
        r#type: resource.urn.ty().to_owned(),
        properties: Some(encode_map(&resource.properties, &encoding)?),
        urn: resource.urn.to_string(),
        name: resource.urn.name().to_owned(),
        options: Some(options(resource)),
        provider: resource.provider.as_ref().map(provider).transpose()?,
    })
}

/// What is sent of a resource at the end.
fn at_the_end(resource: &PolicyResource) -> Result<rpc::AnalyzerResource, CodecError> {
    let properties = resource.property_dependencies.iter().filter(|(_, urns)| !urns.is_empty());
    let properties =
        properties.map(|(key, urns)| (key.clone(), rpc::AnalyzerPropertyDependencies { urns: texts(urns) }));
    Ok(rpc::AnalyzerResource {
        r#type: resource.urn.ty().to_owned(),
        properties: Some(encode_map(&resource.properties, &analyzer::ANALYZE_REQUEST)?),
        urn: resource.urn.to_string(),
        name: resource.urn.name().to_owned(),
        options: Some(options(resource)),
        provider: resource.provider.as_ref().map(provider).transpose()?,
        parent: resource.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        dependencies: texts(&resource.dependencies),
        property_dependencies: properties.collect(),
    })
}

/// What is sent of the whole stack.
pub(crate) fn stack(resources: &[PolicyResource]) -> Result<rpc::AnalyzeStackRequest, CodecError> {
    let resources = resources.iter().map(at_the_end).collect::<Result<_, _>>()?;
    Ok(rpc::AnalyzeStackRequest { resources })
}

/// A level; `None` for a number that stands for none.
pub(crate) fn level(number: i32) -> Option<Enforcement> {
    match rpc::EnforcementLevel::try_from(number).ok()? {
        rpc::EnforcementLevel::Advisory => Some(Enforcement::Advisory),
        rpc::EnforcementLevel::Mandatory => Some(Enforcement::Mandatory),
        rpc::EnforcementLevel::Disabled => Some(Enforcement::Disabled),
        rpc::EnforcementLevel::Remediate => Some(Enforcement::Remediate),
    }
}

/// The number of a level.
pub(crate) fn level_number(level: Enforcement) -> i32 {
    let level = match level {
        Enforcement::Advisory => rpc::EnforcementLevel::Advisory,
        Enforcement::Mandatory => rpc::EnforcementLevel::Mandatory,
        Enforcement::Disabled => rpc::EnforcementLevel::Disabled,
        Enforcement::Remediate => rpc::EnforcementLevel::Remediate,
    };
    level.into()
}

/// A severity; `None` where there is none, or one that came later than this.
pub(crate) fn severity(number: i32) -> Option<PolicySeverity> {
    match rpc::PolicySeverity::try_from(number).ok()? {
        rpc::PolicySeverity::Unspecified => None,
        rpc::PolicySeverity::Low => Some(PolicySeverity::Low),
        rpc::PolicySeverity::Medium => Some(PolicySeverity::Medium),
        rpc::PolicySeverity::High => Some(PolicySeverity::High),
        rpc::PolicySeverity::Critical => Some(PolicySeverity::Critical),
    }
}

/// What a policy is about.
pub(crate) fn scope(number: i32) -> PolicyScope {
    match rpc::PolicyType::try_from(number) {
        Ok(rpc::PolicyType::Resource) => PolicyScope::Resource,
        Ok(rpc::PolicyType::Stack) => PolicyScope::Stack,
        _ => PolicyScope::Unknown,
    }
}

/// The policies that had nothing to do with what was asked.
pub(crate) fn not_applicable(list: Vec<rpc::PolicyNotApplicable>) -> Vec<String> {
    list.into_iter().map(|policy| policy.policy_name).collect()
}

/// A policy's name. The version that a manifest gives comes before that of the answer.
pub(crate) fn named(policy: String, pack: String, version: String, manifest: Option<&String>) -> PolicyName {
    PolicyName { policy, pack, version: manifest.cloned().unwrap_or(version) }
}

/// A bag in an answer of `Remediate`.
pub(crate) fn repaired(properties: Option<&purlin_wire::Struct>) -> Result<PropertyMap, CodecError> {
    purlin_wire::decode_optional(properties, &analyzer::REMEDIATE_RESPONSE)
}
