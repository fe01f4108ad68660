//! A policy pack in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PropertyMap;
use purlin_model::policy::PolicyName;
use purlin_ports::{
    Analysis, Enforcement, PackInfo, PolicyInfo, PolicyPack, PolicyResource, PolicyScope, PolicyViolation,
    Remediation, Remedies,
};
use tokio::sync::Barrier;

type Judge = Box<dyn Fn(&PolicyResource) -> Option<String> + Send + Sync>;
type JudgeAll = Box<dyn Fn(&[PolicyResource]) -> Option<String> + Send + Sync>;
type Mend = Box<dyn Fn(&PolicyResource) -> Result<Option<Result<PropertyMap, String>>, String> + Send + Sync>;

/// A pack whose policies are closures, and which notes what it was asked.
#[derive(Default)]
pub struct PolicyDouble {
    info: PackInfo,
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
        let info = PackInfo { name: name.to_owned(), version: "1".to_owned(), policies: Vec::new() };
        PolicyDouble { info, ..PolicyDouble::default() }
    }

    /// With a policy about each resource: why it is violated, if it is.
    #[must_use]
    pub fn policy(
        mut self,
        enforcement: Enforcement,
        judge: impl Fn(&PolicyResource) -> Option<String> + Send + Sync + 'static,
    ) -> PolicyDouble {
        self.policies.push((enforcement, Box::new(judge)));
        self.list(format!("policy-{}", self.policies.len()), PolicyScope::Resource, enforcement);
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
        self.list(format!("stack-policy-{}", self.stack_policies.len()), PolicyScope::Stack, enforcement);
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
        if self.mends.len() == 1 {
            self.list("mends".into(), PolicyScope::Resource, Enforcement::Remediate);
        }
        self
    }

    fn list(&mut self, name: String, scope: PolicyScope, enforcement: Enforcement) {
        self.info.policies.push(PolicyInfo { name, scope, enforcement });
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

    fn named(&self, policy: String) -> PolicyName {
        PolicyName { policy, pack: self.info.name.clone(), version: self.info.version.clone() }
    }

    fn violation(&self, policy: String, enforcement: Enforcement, message: String) -> PolicyViolation {
        PolicyViolation { policy: self.named(policy), message, enforcement, severity: None, urn: None }
    }
}

#[async_trait]
impl PolicyPack for PolicyDouble {
    fn info(&self) -> &PackInfo {
        &self.info
    }

    async fn remediate(&self, resource: &PolicyResource) -> Result<Remedies, Diagnostic> {
        self.note(format!("remediate {}", resource.urn.name()));
        let mut remediations = Vec::new();
        let mut resource = resource.clone();
        for mend in &self.mends {
            let outcome = mend(&resource).map_err(|text| Diagnostic::error("pack", text))?;
            let Some(outcome) = outcome else { continue };
            if let Ok(properties) = &outcome {
                resource.properties = Arc::new(properties.clone());
            }
            remediations.push(Remediation { policy: self.named("mends".into()), outcome });
        }
        Ok(Remedies { remediations, not_applicable: Vec::new() })
    }

    async fn analyze(&self, resource: &PolicyResource) -> Result<Analysis, Diagnostic> {
        self.note(format!("analyze {}", resource.urn.name()));
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
        let all = (1..).zip(&self.policies);
        let found = all.filter_map(|(number, (enforcement, judge))| {
            judge(resource).map(|message| self.violation(format!("policy-{number}"), *enforcement, message))
        });
        Ok(Analysis { violations: found.collect(), not_applicable: vec!["mends".into()] })
    }

    async fn analyze_stack(&self, resources: &[PolicyResource]) -> Result<Analysis, Diagnostic> {
        let names: Vec<&str> = resources.iter().map(|resource| resource.urn.name()).collect();
        self.note(format!("stack {}", names.join(" ")));
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
        let all = (1..).zip(&self.stack_policies);
        let found = all.filter_map(|(number, (enforcement, judge))| {
            let policy = format!("stack-policy-{number}");
            judge(resources).map(|message| self.violation(policy, *enforcement, message))
        });
        Ok(Analysis { violations: found.collect(), not_applicable: Vec::new() })
    }

    async fn cancel(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }
}
