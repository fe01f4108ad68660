//! Policies: what is wanted is put right and looked at before anything is done with it, and all that
//! there is at the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_model::policy::{PolicyPhase, PolicyRepair, PolicyTally, PolicyVerdict};
use purlin_model::value::{is_internal_key, mark_secrets_like};
use purlin_model::{PropertyMap, PropertyValue, Urn};
use purlin_plan::{Input, ResId};
use purlin_ports::{
    Enforcement, PackInfo, PolicyPack, PolicyProvider, PolicyResource, PolicyScope, PolicyViolation,
};

use crate::calls::Calls;
use crate::driver::Driver;
use crate::message::Message;

/// The packs of an operation; mostly none.
pub(crate) type Packs = Arc<[Arc<dyn PolicyPack>]>;

/// What policies said.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What is to be told.
    said: Vec<EngineEvent>,
    /// Whether something mandatory is violated.
    violated: bool,
}

impl Verdict {
    fn add(&mut self, violation: PolicyViolation, urn: &Urn) {
        let mandatory = match violation.enforcement {
            Enforcement::Disabled => return,
            Enforcement::Advisory => false,
            // What is still wrong after everything was put right that could be.
            Enforcement::Mandatory | Enforcement::Remediate => true,
        };
        self.violated |= mandatory;
        self.said.push(EngineEvent::PolicyViolation(Box::new(PolicyVerdict {
            urn: urn.clone(),
            policy: violation.policy,
            message: violation.message,
            mandatory,
            severity: violation.severity,
        })));
    }

    /// Says which policies of a pack found something and which did not.
    fn sum_up(
        &mut self,
        info: &PackInfo,
        phase: PolicyPhase,
        urn: Option<&Urn>,
        mut failed: Vec<String>,
        not_applicable: &[String],
    ) {
        let scope =
            if phase == PolicyPhase::AnalyzeStack { PolicyScope::Stack } else { PolicyScope::Resource };
        failed.sort();
        failed.dedup();
        let asked = info.policies.iter().filter(|policy| {
            (policy.scope == scope || policy.scope == PolicyScope::Unknown)
                && policy.enforcement != Enforcement::Disabled
        });
        let names = asked.map(|policy| &policy.name);
        let mut passed: Vec<String> =
            names.filter(|name| !failed.contains(name) && !not_applicable.contains(name)).cloned().collect();
        passed.sort();
        self.said.push(EngineEvent::PolicySummary(Box::new(PolicyTally {
            phase,
            urn: urn.cloned(),
            pack: info.name.clone(),
            version: info.version.clone(),
            passed,
            failed,
        })));
    }
}

/// Secrets shorter than this are too common as words to be looked for.
const SHORTEST_SECRET: usize = 3;

/// A message without the secrets of the resources that it is about: packs see them in clear.
fn masked<'r>(message: String, bags: impl Iterator<Item = &'r PropertyMap>) -> String {
    let mut secrets = BTreeSet::new();
    bags.flat_map(PropertyMap::values).for_each(|value| gather_secrets(value, false, &mut secrets));
    // The longest first: one may be part of another.
    let mut secrets: Vec<&str> = secrets.into_iter().filter(|text| message.contains(text)).collect();
    secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
    secrets.into_iter().fold(message, |message, secret| message.replace(secret, "[secret]"))
}

fn gather_secrets<'v>(value: &'v PropertyValue, secret: bool, found: &mut BTreeSet<&'v str>) {
    match value {
        PropertyValue::Secret(inner) => gather_secrets(inner, true, found),
        PropertyValue::String(text) if secret && text.chars().count() >= SHORTEST_SECRET => {
            found.insert(text);
        }
        PropertyValue::Array(items) => items.iter().for_each(|item| gather_secrets(item, secret, found)),
        PropertyValue::Object(map) => map.values().for_each(|item| gather_secrets(item, secret, found)),
        _ => {}
    }
}

/// Puts a resource right, pack by pack, each going on from what the last one left. What was secret
/// stays so: packs may not know about secrets.
async fn remediate(
    packs: &Packs,
    resource: &mut PolicyResource,
    verdict: &mut Verdict,
) -> Result<(), Diagnostic> {
    for pack in packs.iter() {
        let remedies = pack.remediate(resource).await?;
        let failed = remedies.remediations.iter().map(|done| done.policy.policy.clone()).collect();
        for remediation in remedies.remediations {
            match remediation.outcome {
                Ok(mut properties) => {
                    mark_secrets_like(&mut properties, &resource.properties);
                    let after = Arc::new(properties);
                    let before = std::mem::replace(&mut resource.properties, Arc::clone(&after));
                    verdict.said.push(EngineEvent::PolicyRemediation(Box::new(PolicyRepair {
                        urn: resource.urn.clone(),
                        policy: remediation.policy,
                        before,
                        after,
                    })));
                }
                Err(reason) => {
                    let violation = PolicyViolation {
                        policy: remediation.policy,
                        message: masked(reason, std::iter::once(&*resource.properties)),
                        enforcement: Enforcement::Advisory,
                        severity: None,
                        urn: None,
                    };
                    verdict.add(violation, &resource.urn);
                }
            }
        }
        let urn = Some(&resource.urn);
        verdict.sum_up(pack.info(), PolicyPhase::Remediate, urn, failed, &remedies.not_applicable);
    }
    Ok(())
}

/// Has all packs look at a resource at once.
async fn analyze(packs: &Packs, resource: &PolicyResource, verdict: &mut Verdict) -> Result<(), Diagnostic> {
    let shown = resource.properties.iter().filter(|(key, _)| !is_internal_key(key));
    let properties = Arc::new(shown.map(|(key, value)| (key.clone(), value.clone())).collect());
    let seen = PolicyResource { properties, ..resource.clone() };
    let analyses = join_all(packs.iter().map(|pack| pack.analyze(&seen))).await;
    for (pack, analysis) in packs.iter().zip(analyses) {
        let analysis = analysis?;
        let failed = analysis.violations.iter().map(|found| found.policy.policy.clone()).collect();
        for mut violation in analysis.violations {
            violation.message = masked(violation.message, std::iter::once(&*resource.properties));
            verdict.add(violation, &resource.urn);
        }
        let urn = Some(&resource.urn);
        verdict.sum_up(pack.info(), PolicyPhase::Analyze, urn, failed, &analysis.not_applicable);
    }
    Ok(())
}

async fn analyze_stack(
    packs: &Packs,
    resources: &[PolicyResource],
    root: &Urn,
) -> Result<Verdict, Diagnostic> {
    let mut verdict = Verdict::default();
    let analyses = join_all(packs.iter().map(|pack| pack.analyze_stack(resources))).await;
    for (pack, analysis) in packs.iter().zip(analyses) {
        let analysis = analysis?;
        let failed = analysis.violations.iter().map(|found| found.policy.policy.clone()).collect();
        for mut violation in analysis.violations {
            violation.message = masked(violation.message, resources.iter().map(|r| &*r.properties));
            let named = violation.urn.clone().filter(|urn| resources.iter().any(|r| r.urn == *urn));
            verdict.add(violation, named.as_ref().unwrap_or(root));
        }
        verdict.sum_up(pack.info(), PolicyPhase::AnalyzeStack, None, failed, &analysis.not_applicable);
    }
    Ok(verdict)
}

impl Driver {
    /// Has policies judge a resource whose inputs were validated. `false` if there are none.
    pub(crate) fn judge(&mut self, res: ResId, inputs: &Arc<PropertyMap>, first: bool) -> bool {
        if self.packs.is_empty() {
            return false;
        }
        let goal = self.planner.goal(res);
        let provider = self.planner.provider(res).map(|reference| PolicyProvider {
            urn: reference.urn().clone(),
            properties: self.calls.pool.inputs(reference).unwrap_or_default(),
        });
        let mut resource = PolicyResource {
            urn: self.planner.urn(res).clone(),
            properties: Arc::clone(inputs),
            protect: goal.protect.unwrap_or(false),
            ignore_changes: goal.ignore_changes.clone(),
            delete_before_replace: goal.delete_before_replace,
            additional_secret_outputs: goal.additional_secret_outputs.clone(),
            custom_timeouts: goal.custom_timeouts,
            aliases: self.planner.claimed_as(res).cloned().into_iter().collect(),
            parent: goal.parent.clone(),
            dependencies: goal.dependencies.clone(),
            property_dependencies: goal.property_dependencies.clone(),
            provider,
        };
        let (packs, inbox) = (Arc::clone(&self.packs), self.inbox.clone());
        tokio::spawn(async move {
            let mut verdict = Verdict::default();
            let mut ended = remediate(&packs, &mut resource, &mut verdict).await;
            if !first {
                // It was looked at when it was validated first.
                verdict = Verdict::default();
            } else if ended.is_ok() {
                ended = analyze(&packs, &resource, &mut verdict).await;
            }
            let verdict = ended.map(|()| verdict);
            let _ = inbox.send(Message::Judged { res, inputs: resource.properties, verdict });
        });
        true
    }

    /// A resource was judged.
    pub(crate) fn judged(
        &mut self,
        res: ResId,
        inputs: Arc<PropertyMap>,
        verdict: Result<Verdict, Diagnostic>,
    ) {
        if self.told(verdict) && !self.calls.info.dry_run {
            return self.feed(Input::Stop);
        }
        self.works.entry(res).or_default().inputs = inputs;
        self.feed(Input::Checked { res, accepted: true });
    }

    /// Tells what policies said. Whether it keeps the operation from going on.
    fn told(&mut self, verdict: Result<Verdict, Diagnostic>) -> bool {
        match verdict {
            Ok(verdict) => {
                verdict.said.into_iter().for_each(|said| self.calls.ports.events.emit(said));
                self.failed |= verdict.violated;
                verdict.violated
            }
            Err(problem) => {
                self.say(&problem);
                self.failed = true;
                self.feed(Input::Stop);
                true
            }
        }
    }

    /// Has policies judge all that there is. `false` if there are none, or nothing to judge.
    pub(crate) fn judge_stack(&mut self, ok: bool) -> bool {
        if self.packs.is_empty() || !ok || self.failed || !self.planner.runs_update() {
            return false;
        }
        let states: Vec<_> = self.planner.all_registered().map(|(_, state)| Arc::clone(state)).collect();
        let pending = self.stack_outputs.clone();
        let root = Urn::root_stack(&self.calls.info.stack, &self.calls.info.project);
        let (packs, calls, inbox) = (Arc::clone(&self.packs), Arc::clone(&self.calls), self.inbox.clone());
        tokio::spawn(async move {
            let verdict = match opened(&calls, &states, pending).await {
                Ok(resources) => analyze_stack(&packs, &resources, &root).await,
                Err(problem) => Err(problem),
            };
            let _ = inbox.send(Message::StackJudged(verdict));
        });
        true
    }

    /// The stack was judged.
    pub(crate) fn stack_judged(&mut self, verdict: Result<Verdict, Diagnostic>) {
        let stands_in_the_way = self.told(verdict);
        self.finished = Some(!stands_in_the_way);
        // Everything was done all the same: its outputs are what they are.
        self.settle_stack_outputs(true);
    }
}

async fn opened(
    calls: &Calls,
    states: &[Arc<purlin_model::ResourceState>],
    pending: Option<(Urn, PropertyMap)>,
) -> Result<Vec<PolicyResource>, Diagnostic> {
    let mut resources = Vec::with_capacity(states.len());
    for state in states {
        let properties = match &pending {
            Some((urn, outputs)) if *urn == state.urn => Arc::new(outputs.clone()),
            _ => calls.ports.bags.open(&state.outputs).await?,
        };
        let provider = state.provider.as_ref().map(|reference| PolicyProvider {
            urn: reference.urn().clone(),
            properties: calls.pool.inputs(reference).unwrap_or_default(),
        });
        resources.push(PolicyResource {
            urn: state.urn.clone(),
            properties,
            protect: state.protect,
            ignore_changes: state.ignore_changes.clone(),
            delete_before_replace: None,
            additional_secret_outputs: state.additional_secret_outputs.clone(),
            custom_timeouts: state.custom_timeouts,
            aliases: state.aliases.clone(),
            parent: state.parent.clone(),
            dependencies: state.dependencies.clone(),
            property_dependencies: state.property_dependencies.clone(),
            provider,
        });
    }
    Ok(resources)
}
