//! What the monitor says it can do.

use purlin_wire::pulumirpc::ResourceMonitorFeature as Feature;

/// Each feature that works, with the name that older SDKs ask for it by. Later ones have none.
const FEATURES: [(Feature, &str); 16] = [
    (Feature::Secrets, "secrets"),
    (Feature::ResourceReferences, "resourceReferences"),
    (Feature::OutputValues, "outputValues"),
    (Feature::AliasSpecs, "aliasSpecs"),
    (Feature::ReplacementTrigger, "replacementTrigger"),
    (Feature::DeletedWith, "deletedWith"),
    (Feature::ReplaceWith, "replaceWith"),
    (Feature::Transforms, "transforms"),
    (Feature::InvokeTransforms, "invokeTransforms"),
    (Feature::Parameterization, "parameterization"),
    (Feature::ResourceHooks, "resourceHooks"),
    (Feature::ErrorHooks, "errorHooks"),
    (Feature::SendsOptionsToHooks, "sendsOptionsToHooks"),
    (Feature::ByteString, ""),
    (Feature::InvokeDependsOn, ""),
    (Feature::InvokeParent, ""),
];

/// Whether a feature works, by its old name.
pub(crate) fn supports(name: &str) -> bool {
    !name.is_empty() && FEATURES.iter().any(|(_, known)| *known == name)
}

/// All features that work, by number.
pub(crate) fn numbers() -> Vec<i32> {
    FEATURES.iter().map(|(feature, _)| i32::from(*feature)).collect()
}
