//! Policies: what is wanted is put right and looked at before anything is done with it, and all that
//! there is at the end.

use std::sync::Arc;

use futures::future::join_all;
use purlin_diag::Diagnostic;
use purlin_model::value::is_internal_key;
use purlin_model::{PropertyMap, Urn};
use purlin_plan::{Input, ResId};
use purlin_ports::{Enforcement, PolicyPack, PolicyProvider, PolicyResource, PolicyViolation};

use crate::calls::Calls;
use crate::driver::Driver;
use crate::message::Message;

/// The packs of an operation; mostly none.
pub(crate) type Packs = Arc<[Arc<dyn PolicyPack>]>;

/// What policies said.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What is to be told.
    pub(crate) said: Vec<Diagnostic>,
    /// Whether something mandatory is violated.
    pub(crate) violated: bool,
}

impl Verdict {
    fn add(&mut self, violation: &PolicyViolation, urn: &Urn) {
        let text = |mandatory: bool| {
            let level = if mandatory { "mandatory" } else { "advisory" };
            format!(
                "[{level}] {} ({}): {}\n{}",
                violation.policy, violation.pack, violation.description, violation.message
            )
        };
        let diagnostic = match violation.enforcement {
            Enforcement::Disabled => return,
            Enforcement::Advisory => Diagnostic::warning("policy-advisory", text(false)),
            // What is still wrong after everything was put right that could be.
            Enforcement::Mandatory | Enforcement::Remediate => {
                self.violated = true;
                Diagnostic::error("policy-violation", text(true))
            }
        };
        self.said.push(diagnostic.with_urn(urn.as_str()));
    }
}

/// Puts a resource right, pack by pack, each going on from what the last one left.
async fn remediate(
    packs: &Packs,
    resource: &mut PolicyResource,
    verdict: &mut Verdict,
) -> Result<(), Diagnostic> {
    for pack in packs.iter() {
        for remediation in pack.remediate(resource).await? {
            match remediation.outcome {
                Ok(properties) => resource.properties = Arc::new(properties),
                Err(reason) => {
                    let violation = PolicyViolation {
                        policy: remediation.policy,
                        pack: remediation.pack,
                        pack_version: remediation.pack_version,
                        description: remediation.description,
                        message: reason,
                        enforcement: Enforcement::Advisory,
                        urn: None,
                    };
                    verdict.add(&violation, &resource.urn);
                }
            }
        }
    }
    Ok(())
}

/// Has all packs look at a resource at once.
async fn analyze(packs: &Packs, resource: &PolicyResource, verdict: &mut Verdict) -> Result<(), Diagnostic> {
    let shown = resource.properties.iter().filter(|(key, _)| !is_internal_key(key));
    let properties = Arc::new(shown.map(|(key, value)| (key.clone(), value.clone())).collect());
    let seen = PolicyResource { properties, ..resource.clone() };
    for violations in join_all(packs.iter().map(|pack| pack.analyze(&seen))).await {
        for violation in violations? {
            verdict.add(&violation, &resource.urn);
        }
    }
    Ok(())
}

async fn analyze_stack(
    packs: &Packs,
    resources: &[PolicyResource],
    root: &Urn,
) -> Result<Verdict, Diagnostic> {
    let mut verdict = Verdict::default();
    for violations in join_all(packs.iter().map(|pack| pack.analyze_stack(resources))).await {
        for violation in violations? {
            let known = violation.urn.as_ref().filter(|urn| resources.iter().any(|r| r.urn == **urn));
            verdict.add(&violation, known.unwrap_or(root));
        }
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
            parent: goal.parent.clone(),
            dependencies: goal.dependencies.clone(),
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
                verdict.said.iter().for_each(|said| self.say(said));
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
            parent: state.parent.clone(),
            dependencies: state.dependencies.clone(),
            provider,
        });
    }
    Ok(resources)
}
