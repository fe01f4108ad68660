//! Checks and diffs: what a resource is to be, and how that differs from what it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::autonaming::Autonaming;
use purlin_model::diff::{self, DetailedDiff, PathDiff};
use purlin_model::path::ignore_changes;
use purlin_model::urn::is_provider_type;
use purlin_model::{
    Cause, DiffKind, PackageDescriptor, PropertyMap, PropertyPath, PropertyValue, ProviderRef, ResourceState,
    Slot, Urn,
};
use purlin_plan::{DiffFacts, ResId};
use purlin_ports::{
    CheckArgs, CheckFailure, CheckResult, DiffArgs, DiffChanges, DiffResult, Provider, ProviderError,
};

use crate::autoname::propose;
use crate::calls::{Calls, provider_problem};
use crate::message::{Message, Opened};
use crate::pool::without_internal;

/// Everything about a registration that checks and diffs need.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) res: ResId,
    pub(crate) urn: Urn,
    pub(crate) custom: bool,
    pub(crate) wanted: Arc<PropertyMap>,
    pub(crate) ignore_changes: Vec<String>,
    pub(crate) replace_on_changes: Vec<String>,
    pub(crate) trigger: PropertyValue,
    pub(crate) provider: Option<ProviderRef>,
    /// The extension that the provider has to know; empty for none.
    pub(crate) extension_ref: String,
    pub(crate) package: PackageDescriptor,
    pub(crate) seed: Vec<u8>,
    pub(crate) autonaming: Option<Arc<Autonaming>>,
}

/// How the old state takes part in a check.
pub(crate) struct CheckPlan {
    /// The old state to be opened, unless it is open already.
    pub(crate) old_state: Option<Arc<ResourceState>>,
    pub(crate) old: Option<Opened>,
    /// Whether the old inputs are passed to the provider.
    pub(crate) with_olds: bool,
    /// Whether `ignoreChanges` does not apply.
    pub(crate) raw: bool,
}

/// Validates a resource's inputs.
pub(crate) async fn check(calls: Arc<Calls>, subject: Subject, plan: CheckPlan) -> Message {
    let res = subject.res;
    match try_check(&calls, &subject, plan).await {
        Ok((old, result)) => {
            let mut problems: Vec<Diagnostic> =
                result.failures.iter().map(|failure| refused(&subject.urn, failure)).collect();
            let inputs = problems.is_empty().then_some(result.inputs);
            problems.extend(result.warnings);
            Message::Checked { res, old, inputs, problems }
        }
        Err(problem) => Message::Checked { res, old: None, inputs: None, problems: vec![problem] },
    }
}

/// What a check came to.
#[derive(Default)]
struct Checked {
    inputs: Arc<PropertyMap>,
    failures: Vec<CheckFailure>,
    warnings: Vec<Diagnostic>,
}

async fn try_check(
    calls: &Calls,
    subject: &Subject,
    plan: CheckPlan,
) -> Result<(Option<Opened>, Checked), Diagnostic> {
    let old = match (plan.old, plan.old_state) {
        (Some(old), _) => Some(old),
        (None, Some(state)) => Some(calls.open(&state).await?),
        (None, None) => None,
    };
    let news = match &old {
        Some(old) if !plan.raw && !subject.ignore_changes.is_empty() => Arc::new(ignore_changes(
            &subject.wanted,
            &old.inputs,
            &patterns(subject, &subject.ignore_changes)?,
        )),
        _ => Arc::clone(&subject.wanted),
    };
    if !subject.custom {
        return Ok((old, Checked { inputs: news, ..Checked::default() }));
    }
    let olds = match &old {
        Some(old) if plan.with_olds => Arc::clone(&old.inputs),
        _ => Arc::default(),
    };
    let is_provider = is_provider_type(subject.urn.ty());
    let autonaming = subject.autonaming.as_ref().filter(|_| !is_provider);
    let args = CheckArgs {
        urn: subject.urn.clone(),
        olds,
        news,
        random_seed: subject.seed.clone(),
        autonaming: autonaming.and_then(|naming| propose(naming, &subject.urn, &subject.seed)),
    };
    let named = |e: ProviderError| provider_problem("check-failed", &subject.urn, "validating", &e);
    if is_provider {
        let wanted = Arc::clone(&args.news);
        let result = check_provider(calls, subject, args).await.map_err(named)?;
        return Ok((old, put_back(&subject.urn, &wanted, result)?));
    }
    let result = check_resource(calls, subject, args).await.map_err(named)?;
    Ok((old, Checked { inputs: Arc::new(result.inputs), failures: result.failures, warnings: Vec::new() }))
}

async fn check_resource(
    calls: &Calls,
    subject: &Subject,
    args: CheckArgs,
) -> Result<CheckResult, ProviderError> {
    let Some(provider) = &subject.provider else {
        return Err(ProviderError::Unavailable("it has no provider".into()));
    };
    let news = Arc::clone(&args.news);
    match calls.pool.get_extended(provider, &subject.extension_ref).await?.check(args).await {
        Err(ProviderError::Unimplemented(_)) => {
            Ok(CheckResult { inputs: PropertyMap::clone(&news), failures: Vec::new() })
        }
        other => other,
    }
}

/// The plugin doesn't see what the engine keeps in a provider's inputs.
async fn check_provider(
    calls: &Calls,
    subject: &Subject,
    args: CheckArgs,
) -> Result<CheckResult, ProviderError> {
    let instance = calls.pool.for_check(&subject.urn, &subject.package, &subject.wanted).await?;
    let news = Arc::new(without_internal(&args.news));
    let args = CheckArgs { olds: Arc::new(without_internal(&args.olds)), news: Arc::clone(&news), ..args };
    match instance.check_config(args).await {
        Err(ProviderError::Unimplemented(_)) => {
            Ok(CheckResult { inputs: PropertyMap::clone(&news), failures: Vec::new() })
        }
        other => other,
    }
}

/// Puts back into a provider's checked inputs what is the engine's: which plugin serves it.
fn put_back(urn: &Urn, wanted: &PropertyMap, result: CheckResult) -> Result<Checked, Diagnostic> {
    let CheckResult { mut inputs, failures } = result;
    let mut warnings = Vec::new();
    if let Some(version) = wanted.get("version") {
        match inputs.get("version") {
            Some(changed) if changed.plain() != version.plain() => {
                let text = |value: &PropertyValue| value.plain().as_str().unwrap_or_default().to_owned();
                let message = format!(
                    "provider \"{}\" attempted to change version from \"{}\" to \"{}\"",
                    urn,
                    text(version),
                    text(changed)
                );
                let hint =
                    "the plugin has a defect: the version says which plugin is used, and is not its to set";
                return Err(Diagnostic::error("provider-version-changed", message)
                    .with_urn(urn.as_str())
                    .with_hint(hint));
            }
            _ => drop(inputs.insert("version".to_owned(), version.clone())),
        }
    }
    if let Some(internal) = wanted.get("__internal")
        && inputs.insert("__internal".to_owned(), internal.clone()).is_some()
    {
        let message = "provider attempted to use __internal key that is reserved by the engine";
        warnings.push(Diagnostic::warning("provider-internal", message).with_urn(urn.as_str()));
    }
    Ok(Checked { inputs: Arc::new(inputs), failures, warnings })
}

pub(crate) fn refused(urn: &Urn, failure: &CheckFailure) -> Diagnostic {
    let (ty, name) = (urn.ty(), urn.name());
    let message = if failure.property.is_empty() {
        format!("{ty} resource '{name}' has a problem: {}", failure.reason)
    } else {
        format!(
            "{ty} resource '{name}' has a problem: {}. Examine values at '{name}.{}'.",
            failure.reason, failure.property
        )
    };
    Diagnostic::error("inputs-refused", message).with_urn(urn.as_str())
}

fn patterns(subject: &Subject, texts: &[String]) -> Result<Vec<PropertyPath>, Diagnostic> {
    texts
        .iter()
        .map(|text| {
            PropertyPath::parse(text).map_err(|e| {
                Diagnostic::error("property-path", format!("'{text}' is no property path: {e}"))
                    .with_urn(subject.urn.as_str())
            })
        })
        .collect()
}

/// Compares a resource with its old state.
pub(crate) async fn diff(
    calls: Arc<Calls>,
    subject: Subject,
    old: Result<Opened, Arc<ResourceState>>,
    inputs: Arc<PropertyMap>,
    old_provider: Option<ProviderRef>,
) -> Message {
    let res = subject.res;
    let old = match old {
        Ok(old) => old,
        Err(state) => match calls.open(&state).await {
            Ok(old) => old,
            Err(problem) => return Message::Diffed { res, old: None, facts: Err(problem) },
        },
    };
    let facts = try_diff(&calls, &subject, &old, inputs, old_provider).await;
    Message::Diffed { res, old: Some(old), facts }
}

async fn try_diff(
    calls: &Calls,
    subject: &Subject,
    old: &Opened,
    inputs: Arc<PropertyMap>,
    old_provider: Option<ProviderRef>,
) -> Result<DiffFacts, Diagnostic> {
    let trigger = trigger(calls, subject, &old.state).await?;
    // A trigger that is now a secret has to be written as one.
    let inputs_equal = old.inputs == inputs && trigger.equal;
    if trigger.fires {
        return Ok(DiffFacts {
            changed: true,
            replace: Some(Vec::new()),
            inputs_equal,
            cause: Some(Arc::new(Cause::Trigger)),
            ..DiffFacts::default()
        });
    }
    if !subject.custom {
        return Ok(DiffFacts { inputs_equal, ..structural(&old.inputs, &inputs) });
    }
    let named = |e: ProviderError| provider_problem("diff-failed", &subject.urn, "comparing", &e);
    if let (Some(old_provider), Some(provider)) = (&old_provider, &subject.provider)
        && provider_replaces(calls, old_provider, provider).await.map_err(named)?
    {
        let replace = Some(vec!["provider".to_owned()]);
        let cause = Some(Arc::new(Cause::Provider(provider.urn().clone())));
        return Ok(DiffFacts { changed: true, replace, inputs_equal, cause, ..DiffFacts::default() });
    }
    let args = DiffArgs {
        urn: subject.urn.clone(),
        id: old.state.id.clone(),
        old_inputs: Arc::clone(&old.inputs),
        old_outputs: Arc::clone(&old.outputs),
        new_inputs: Arc::clone(&inputs),
        ignore_changes: subject.ignore_changes.clone(),
        preview: calls.info.dry_run,
    };
    let result = call_diff(calls, subject, args).await.map_err(named)?;
    let on_changes = patterns(subject, &subject.replace_on_changes)?;
    Ok(DiffFacts {
        inputs_equal,
        ..settle(result, &old.inputs, &inputs, &on_changes, !old.state.init_errors.is_empty())
    })
}

/// What became of the value whose change replaces a resource.
struct Trigger {
    fires: bool,
    /// Whether it is the same to the last byte, secretness included.
    equal: bool,
}

/// Compares the value whose change replaces the resource. Without one on either side nothing is
/// triggered.
async fn trigger(calls: &Calls, subject: &Subject, old: &ResourceState) -> Result<Trigger, Diagnostic> {
    let new = subject.trigger.without_secrets();
    if new.contains_unknowns() {
        if calls.info.dry_run {
            return Ok(Trigger { fires: true, equal: false });
        }
        let message = format!("replacement trigger contains unknowns for {}", subject.urn);
        let hint = "make the trigger from values that are known when the resource is registered";
        return Err(Diagnostic::error("unknown-trigger", message)
            .with_urn(subject.urn.as_str())
            .with_hint(hint));
    }
    let Some(old) = &old.replacement_trigger else {
        return Ok(Trigger { fires: false, equal: new == PropertyValue::Null });
    };
    if new == PropertyValue::Null {
        return Ok(Trigger { fires: false, equal: false });
    }
    let old = calls.ports.bags.open_value(old).await?;
    let bare = old.without_secrets();
    let fires = bare.contains_unknowns() || (bare != PropertyValue::Null && bare != new);
    Ok(Trigger { fires, equal: old == subject.trigger })
}

async fn call_diff(calls: &Calls, subject: &Subject, args: DiffArgs) -> Result<DiffResult, ProviderError> {
    let answer = if is_provider_type(subject.urn.ty()) {
        let instance = calls.pool.for_check(&subject.urn, &subject.package, &subject.wanted).await?;
        let args = DiffArgs {
            old_inputs: Arc::new(without_internal(&args.old_inputs)),
            new_inputs: Arc::new(without_internal(&args.new_inputs)),
            ..args
        };
        instance.diff_config(args).await
    } else {
        let Some(provider) = &subject.provider else {
            return Err(ProviderError::Unavailable("it has no provider".into()));
        };
        calls.pool.get_extended(provider, &subject.extension_ref).await?.diff(args).await
    };
    match answer {
        Err(ProviderError::Unimplemented(_)) => Ok(DiffResult::default()),
        other => other,
    }
}

/// Whether the move from one provider to another replaces resources, as the new one sees it.
async fn provider_replaces(
    calls: &Calls,
    old: &ProviderRef,
    new: &ProviderRef,
) -> Result<bool, ProviderError> {
    let instance = calls.pool.get(new).await?;
    let Some(stored) = calls.pool.stored(old) else { return Ok(false) };
    let open = |problem: Diagnostic| ProviderError::Unavailable(problem.to_string());
    let opened = calls.open(stored).await.map_err(open)?;
    let new_inputs = match calls.pool.inputs(new) {
        Some(inputs) => inputs,
        None => match calls.pool.stored(new) {
            Some(state) => calls.open(state).await.map_err(open)?.inputs,
            None => return Ok(false),
        },
    };
    let args = DiffArgs {
        urn: new.urn().clone(),
        id: old.id().to_owned(),
        old_inputs: Arc::new(without_internal(&opened.inputs)),
        old_outputs: opened.outputs,
        new_inputs: Arc::new(without_internal(&new_inputs)),
        ignore_changes: Vec::new(),
        preview: true,
    };
    match instance.diff_config(args).await {
        Ok(result) => Ok(!result.replaces.is_empty()),
        Err(ProviderError::Unimplemented(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// What a plain comparison of inputs says.
fn structural(old: &PropertyMap, new: &PropertyMap) -> DiffFacts {
    let found = diff::diff_maps(old, new);
    let detailed: DetailedDiff = found
        .paths()
        .into_iter()
        .map(|(path, kind)| (path.to_string(), PathDiff { kind, input_diff: true }))
        .collect();
    DiffFacts {
        changed: found.any(),
        diff_keys: found.changed_keys(),
        detailed: found.any().then_some(detailed),
        ..DiffFacts::default()
    }
}

/// Turns a provider's answer into facts: where it can't tell, inputs are compared; changes of
/// `replaceOnChanges` paths become replacements.
fn settle(
    result: DiffResult,
    old_inputs: &PropertyMap,
    new_inputs: &PropertyMap,
    on_changes: &[PropertyPath],
    has_init_errors: bool,
) -> DiffFacts {
    let mut facts = match result.changes {
        DiffChanges::Unknown => DiffFacts {
            replace: (!result.replaces.is_empty()).then_some(result.replaces),
            ..structural(old_inputs, new_inputs)
        },
        changes => DiffFacts {
            changed: changes == DiffChanges::Some,
            replace: (!result.replaces.is_empty()).then_some(result.replaces),
            diff_keys: result.diffs,
            detailed: result.detailed,
            ..DiffFacts::default()
        },
    };
    facts.delete_before_replace = result.delete_before_replace;
    facts.changed |= facts.replace.is_some();
    if facts.changed {
        apply_replace_on_changes(&mut facts, on_changes);
    }
    let init_error = PropertyPath(vec![purlin_model::PathElement::Key("#initerror".into())]);
    if has_init_errors && on_changes.iter().any(|p| p.covers(&init_error)) {
        facts.changed = true;
        facts.replace.get_or_insert_default().push("#initerror".into());
    }
    facts
}

fn apply_replace_on_changes(facts: &mut DiffFacts, on_changes: &[PropertyPath]) {
    if on_changes.is_empty() {
        return;
    }
    let covered = |text: &str| {
        PropertyPath::parse(text).is_ok_and(|path| on_changes.iter().any(|pattern| pattern.covers(&path)))
    };
    let mut keys: Vec<String> = facts.diff_keys.iter().filter(|key| covered(key)).cloned().collect();
    for (path, found) in facts.detailed.iter_mut().flatten().filter(|(path, _)| covered(path)) {
        found.kind = found.kind.as_replace();
        keys.push(top_key(path));
    }
    if !keys.is_empty() {
        let replace = facts.replace.get_or_insert_default();
        replace.extend(keys);
        replace.sort();
        replace.dedup();
    }
}

fn top_key(path: &str) -> String {
    match PropertyPath::parse(path).map(|p| p.0.into_iter().next()) {
        Ok(Some(purlin_model::PathElement::Key(key))) => key,
        _ => path.to_owned(),
    }
}

/// Whether an old state would be replaced if some of its properties became unknown; says for which.
pub(crate) async fn diff_dependent(
    calls: Arc<Calls>,
    slot: Slot,
    state: Arc<ResourceState>,
    properties: Vec<String>,
) -> Message {
    let replace_keys = try_diff_dependent(&calls, &state, &properties).await;
    Message::DependentDiffed { slot, replace_keys }
}

async fn try_diff_dependent(
    calls: &Calls,
    state: &Arc<ResourceState>,
    properties: &[String],
) -> Result<Vec<String>, Diagnostic> {
    let old = calls.open(state).await?;
    let mut inputs = PropertyMap::clone(&old.inputs);
    let mut substituted = false;
    for property in properties {
        if let Some(value) = inputs.get_mut(property) {
            *value = PropertyValue::Unknown;
            substituted = true;
        }
    }
    if !substituted {
        return Ok(Vec::new());
    }
    let inputs = Arc::new(inputs);
    let args = DiffArgs {
        urn: state.urn.clone(),
        id: state.id.clone(),
        old_inputs: Arc::clone(&old.inputs),
        old_outputs: old.outputs,
        new_inputs: Arc::clone(&inputs),
        ignore_changes: state.ignore_changes.clone(),
        preview: true,
    };
    let reference = state.as_provider().or_else(|| state.provider.clone());
    let named = |e: ProviderError| provider_problem("diff-failed", &state.urn, "comparing", &e);
    let Some(reference) = reference else { return Ok(Vec::new()) };
    let instance = calls.pool.get_extended(&reference, &state.extension_ref).await.map_err(named)?;
    let answer =
        if state.is_provider() { instance.diff_config(args).await } else { instance.diff(args).await };
    let result = match answer {
        Err(ProviderError::Unimplemented(_)) => DiffResult::default(),
        other => other.map_err(named)?,
    };
    let on_changes: Vec<PropertyPath> =
        state.replace_on_changes.iter().filter_map(|text| PropertyPath::parse(text).ok()).collect();
    let facts = settle(result, &old.inputs, &inputs, &on_changes, false);
    Ok(facts.replace.unwrap_or_default())
}

/// How what a refresh read differs from what the state wants, the other way round: what the cloud has
/// more is added. Providers compare the two as if the program wanted the old inputs again.
pub(crate) async fn drift_from_goal(
    provider: &dyn Provider,
    args: DiffArgs,
) -> Result<DiffFacts, ProviderError> {
    let (olds, news) = (Arc::clone(&args.old_inputs), Arc::clone(&args.new_inputs));
    let ignored: Vec<PropertyPath> =
        args.ignore_changes.iter().filter_map(|text| PropertyPath::parse(text).ok()).collect();
    let result = match provider.diff(args).await {
        Err(ProviderError::Unimplemented(_)) => DiffResult::default(),
        other => other?,
    };
    let wanted = match ignored.is_empty() {
        true => news,
        false => Arc::new(ignore_changes(&news, &olds, &ignored)),
    };
    let mut facts = settle(result, &olds, &wanted, &[], false);
    for found in facts.detailed.iter_mut().flat_map(|detailed| detailed.values_mut()) {
        found.kind = found.kind.inverted();
    }
    Ok(facts)
}

/// What a refresh found, path by path.
pub(crate) fn drift(old: &PropertyMap, new: &PropertyMap) -> (Vec<String>, BTreeMap<String, PathDiff>) {
    let found = diff::diff_maps(old, new);
    let paths = found
        .paths()
        .into_iter()
        .map(|(path, kind): (PropertyPath, DiffKind)| {
            (path.to_string(), PathDiff { kind, input_diff: false })
        })
        .collect();
    (found.changed_keys(), paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> PropertyMap {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), PropertyValue::from(*v))).collect()
    }

    #[test]
    fn a_provider_that_cannot_tell_leaves_it_to_the_inputs() {
        let facts = settle(DiffResult::default(), &map(&[("a", "1")]), &map(&[("a", "2")]), &[], false);
        assert!(facts.changed && facts.replace.is_none());
        assert_eq!(facts.diff_keys, ["a"]);
        let facts = settle(DiffResult::default(), &map(&[("a", "1")]), &map(&[("a", "1")]), &[], false);
        assert!(!facts.changed);
    }

    #[test]
    fn replace_on_changes_turns_a_change_into_a_replacement() {
        let result = DiffResult {
            changes: DiffChanges::Some,
            diffs: vec!["a".into(), "b".into()],
            ..Default::default()
        };
        let pattern = [PropertyPath::parse("a").unwrap()];
        let facts = settle(result.clone(), &map(&[]), &map(&[]), &pattern, false);
        assert_eq!(facts.replace, Some(vec!["a".to_owned()]));
        let pattern = [PropertyPath::parse("value.k").unwrap()];
        assert_eq!(settle(result, &map(&[]), &map(&[]), &pattern, false).replace, None);
    }

    fn provider(answer: PropertyMap) -> Result<Checked, Diagnostic> {
        let wanted = PropertyMap::from([
            ("version".into(), "1.0.0".into()),
            ("__internal".into(), map(&[("pluginDownloadURL", "example.com")]).into()),
        ]);
        let urn = Urn::parse("urn:pulumi:dev::shop::pulumi:providers:t::p").unwrap();
        put_back(&urn, &wanted, CheckResult { inputs: answer, failures: Vec::new() })
    }

    #[test]
    fn the_version_that_a_plugin_drops_is_put_back() {
        let checked = provider(map(&[("region", "north")])).unwrap();
        assert_eq!(checked.inputs["version"], "1.0.0".into());
        assert_eq!(checked.inputs["region"], "north".into());
        assert!(checked.warnings.is_empty());
    }

    #[test]
    fn a_plugin_may_not_change_its_version() {
        assert!(provider(map(&[("version", "1.0.0")])).is_ok());
        let problem = provider(map(&[("version", "2.0.0")])).map(|_| ()).unwrap_err();
        assert_eq!(
            problem.message,
            "provider \"urn:pulumi:dev::shop::pulumi:providers:t::p\" attempted to change version from \
             \"1.0.0\" to \"2.0.0\""
        );
    }

    #[test]
    fn what_a_plugin_puts_where_the_engine_keeps_its_own_is_thrown_away_with_a_warning() {
        let answer = PropertyMap::from([("__internal".into(), map(&[("some", "data")]).into())]);
        let checked = provider(answer).unwrap();
        assert_eq!(checked.inputs["__internal"], map(&[("pluginDownloadURL", "example.com")]).into());
        assert_eq!(checked.warnings.len(), 1);
    }
}
