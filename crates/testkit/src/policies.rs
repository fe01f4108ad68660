//! A policy pack in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PropertyMap;
use purlin_ports::{Enforcement, PolicyPack, PolicyResource, PolicyViolation, Remediation};
use tokio::sync::Barrier;

type Judge = Box<dyn Fn(&PolicyResource) -> Option<String> + Send + Sync>;
type JudgeAll = Box<dyn Fn(&[PolicyResource]) -> Option<String> + Send + Sync>;
type Mend = Box<dyn Fn(&PolicyResource) -> Result<Option<Result<PropertyMap, String>>, String> + Send + Sync>;

/// A pack whose policies are closures, and which notes what it was asked.
#[derive(Default)]
pub struct PolicyDouble {
    name: String,
    policies: Vec<(Enforcement, Judge)>,
    stack_policies: Vec<(Enforcement, JudgeAll)>,
    mends: Vec<Mend>,
    /// Where analyses wait until as many as it takes have come.
    meeting: Option<Arc<Barrier>>,
    asked: Mutex<Vec<String>>,
    cancelled: AtomicUsize,
}

impl PolicyDouble {
    /// A pack without policies.
    pub fn new(name: &str) -> PolicyDouble {
        PolicyDouble { name: name.to_owned(), ..PolicyDouble::default() }
    }

    /// With a policy about each resource: why it is violated, if it is.
    #[must_use]
    pub fn policy(
        mut self,
        enforcement: Enforcement,
        judge: impl Fn(&PolicyResource) -> Option<String> + Send + Sync + 'static,
    ) -> PolicyDouble {
        self.policies.push((enforcement, Box::new(judge)));
        self
    }

    /// With a policy about all resources at once.
    #[must_use]
    pub fn stack_policy(
        mut self,
        enforcement: Enforcement,
        judge: impl Fn(&[PolicyResource]) -> Option<String> + Send + Sync + 'static,
    ) -> PolicyDouble {
        self.stack_policies.push((enforcement, Box::new(judge)));
        self
    }

    /// With something that puts resources right: new inputs, or why it couldn't; an error fails.
    #[must_use]
    pub fn mend(
        mut self,
        mend: impl Fn(&PolicyResource) -> Result<Option<Result<PropertyMap, String>>, String>
        + Send
        + Sync
        + 'static,
    ) -> PolicyDouble {
        self.mends.push(Box::new(mend));
        self
    }

    /// With analyses that wait for each other.
    #[must_use]
    pub fn meeting(mut self, meeting: &Arc<Barrier>) -> PolicyDouble {
        self.meeting = Some(Arc::clone(meeting));
        self
    }

    /// What it was asked, in order: `analyze a`, `remediate a`, `stack a b`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked to give up.
    pub fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn note(&self, line: String) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn violation(&self, number: usize, enforcement: Enforcement, message: String) -> PolicyViolation {
        PolicyViolation {
            policy: format!("policy-{number}"),
            pack: self.name.clone(),
            pack_version: String::new(),
            description: "what it is about".into(),
            message,
            enforcement,
            urn: None,
        }
    }
}

#[async_trait]
impl PolicyPack for PolicyDouble {
    async fn remediate(&self, resource: &PolicyResource) -> Result<Vec<Remediation>, Diagnostic> {
        self.note(format!("remediate {}", resource.urn.name()));
        let mut done = Vec::new();
        let mut resource = resource.clone();
        for mend in &self.mends {
            let outcome = mend(&resource).map_err(|text| Diagnostic::error("pack", text))?;
            let Some(outcome) = outcome else { continue };
            if let Ok(properties) = &outcome {
                resource.properties = Arc::new(properties.clone());
            }
            done.push(Remediation {
                policy: "mends".into(),
                pack: self.name.clone(),
                pack_version: String::new(),
                description: "what it is about".into(),
                outcome,
            });
        }
        Ok(done)
    }

    async fn analyze(&self, resource: &PolicyResource) -> Result<Vec<PolicyViolation>, Diagnostic> {
        self.note(format!("analyze {}", resource.urn.name()));
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
        let all = (1..).zip(&self.policies);
        let found = all.filter_map(|(number, (enforcement, judge))| {
            judge(resource).map(|message| self.violation(number, *enforcement, message))
        });
        Ok(found.collect())
    }

    async fn analyze_stack(&self, resources: &[PolicyResource]) -> Result<Vec<PolicyViolation>, Diagnostic> {
        let names: Vec<&str> = resources.iter().map(|resource| resource.urn.name()).collect();
        self.note(format!("stack {}", names.join(" ")));
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
        let all = (1..).zip(&self.stack_policies);
        let found = all.filter_map(|(number, (enforcement, judge))| {
            judge(resources).map(|message| self.violation(number, *enforcement, message))
        });
        Ok(found.collect())
    }

    async fn cancel(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }
}
