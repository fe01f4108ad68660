//! The engine with doubles around it: a cloud in a map, a program that is a closure, a session that
//! checks what it is given.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(unreachable_pub, reason = "each test is a crate of its own")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

pub mod builtin;
pub mod cloud;
pub mod program;
pub mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_engine::{Engine, EnginePorts, EngineSettings, Report};
use purlin_journal::{Entry, check_integrity};
use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::{Bag, PropertyMap, PropertyValue, RawText, ResourceState, SealedValue, Snapshot};
use purlin_plan::{Mode, Settings};
use purlin_ports::{BagCodec, Clock, DeploymentInfo, UpdateSession};
use purlin_testkit::{CollectedEvents, CountingEntropy};
use tokio_util::sync::CancellationToken;

use cloud::{Cloud, Plugins};
use program::Script;
use session::{Session, Trouble};

pub const STACK: &str = "dev";
pub const PROJECT: &str = "shop";

/// What happened, in order, in one line each.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The lines that begin with one of these words.
    pub fn only(&self, words: &[&str]) -> Vec<String> {
        self.lines().into_iter().filter(|line| words.contains(&line.split(' ').next().unwrap())).collect()
    }

    pub fn position(&self, line: &str) -> Option<usize> {
        self.lines().iter().position(|l| l == line)
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> String {
        "2026-01-02T03:04:05Z".into()
    }

    fn unix_seconds(&self) -> i64 {
        1_767_323_045
    }
}

/// Bags by number: the sealed text is the place in a table.
#[derive(Default)]
pub struct Shelf(Mutex<Vec<PropertyValue>>);

impl Shelf {
    fn put(&self, value: PropertyValue) -> RawText {
        let mut shelf = self.0.lock().unwrap();
        shelf.push(value);
        format!("#{}", shelf.len() - 1).into()
    }

    fn get(&self, text: &RawText) -> PropertyValue {
        let place: usize = text.as_str().trim_start_matches('#').parse().unwrap();
        self.0.lock().unwrap()[place].clone()
    }
}

#[async_trait]
impl BagCodec for Shelf {
    async fn open(&self, bag: &Bag) -> Result<Arc<PropertyMap>, Diagnostic> {
        Ok(match bag {
            Bag::Decoded(map) => Arc::clone(map),
            Bag::Raw(text) => Arc::new(self.get(text).as_object().unwrap().clone()),
        })
    }

    async fn seal(&self, properties: &PropertyMap, _: Option<&Bag>) -> Result<RawText, Diagnostic> {
        Ok(self.put(PropertyValue::Object(properties.clone())))
    }

    async fn open_value(&self, value: &SealedValue) -> Result<PropertyValue, Diagnostic> {
        Ok(match value {
            SealedValue::Decoded(value) => value.clone(),
            SealedValue::Raw(text) => self.get(text),
        })
    }

    async fn seal_value(&self, value: &PropertyValue) -> Result<RawText, Diagnostic> {
        Ok(self.put(value.clone()))
    }
}

/// A stack with everything around it.
pub struct Stand {
    pub log: Log,
    pub cloud: Arc<Cloud>,
    pub shelf: Arc<Shelf>,
    pub state: Arc<Snapshot>,
    pub events: Arc<CollectedEvents>,
    pub entries: Vec<Entry>,
    entropy: Arc<CountingEntropy>,
    pub settings: EngineSettings,
    pub trouble: Trouble,
    pub stop: CancellationToken,
    pub abandon: CancellationToken,
    pub packs: Vec<Arc<dyn purlin_ports::PolicyPack>>,
}

impl Stand {
    pub fn new() -> Stand {
        let log = Log::default();
        Stand {
            cloud: Arc::new(Cloud::new(log.clone())),
            log,
            shelf: Arc::default(),
            state: Arc::default(),
            events: Arc::default(),
            entries: Vec::new(),
            entropy: Arc::default(),
            settings: EngineSettings {
                plan: Settings::new(STACK, PROJECT, Mode::Update, false),
                info: DeploymentInfo {
                    organization: "organization".into(),
                    project: PROJECT.into(),
                    stack: STACK.into(),
                    ..DeploymentInfo::default()
                },
                parallel: 0,
                monitor_address: String::new(),
                clear_pending_creates: false,
                cleared_creates: Default::default(),
                legacy_refresh_diff: false,
                shown_config: BTreeMap::new(),
            },
            trouble: Trouble::default(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
            packs: Vec::new(),
        }
    }

    pub fn mode(&mut self, mode: Mode, preview: bool) {
        self.settings.plan.mode = mode;
        self.settings.plan.preview = preview;
        self.settings.info.dry_run = preview;
    }

    /// Runs an operation; its state is that of the next.
    pub async fn run(&mut self, script: Option<Script>) -> Report {
        self.log.clear();
        self.cloud.forget_processes();
        self.events = Arc::default();
        let preview = self.settings.plan.preview;
        let session = Arc::new(Session::new(&self.state, self.log.clone(), self.trouble.clone()));
        let ports = EnginePorts {
            providers: Arc::new(Plugins(Arc::clone(&self.cloud))),
            bags: Arc::clone(&self.shelf) as _,
            events: Arc::clone(&self.events) as _,
            clock: Arc::new(Still),
            entropy: Arc::clone(&self.entropy) as _,
            session: (!preview).then(|| Arc::clone(&session) as Arc<dyn UpdateSession>),
        };
        let engine = Engine::new(self.settings.clone(), ports, Arc::clone(&self.state))
            .with_policies(self.packs.clone());
        let program = script.map(|script| program::program(script, &engine, Arc::clone(&self.events) as _));
        let report = engine.run(program, self.stop.clone(), self.abandon.clone()).await;
        self.entries = session.entries();
        if preview {
            assert!(self.entries.is_empty() && session.finished().is_none(), "a preview changes nothing");
        } else {
            self.every_call_was_announced();
            if let Some(written) = session.finished() {
                assert_eq!(written.resources, report.snapshot.resources);
                self.state = Arc::clone(&written);
            }
        }
        assert_eq!(check_integrity(&report.snapshot), []);
        report
    }

    pub async fn up(&mut self, script: Script) -> Report {
        self.mode(Mode::Update, false);
        self.run(Some(script)).await
    }

    pub async fn preview(&mut self, script: Script) -> Report {
        self.mode(Mode::Update, true);
        self.run(Some(script)).await
    }

    pub async fn destroy(&mut self) -> Report {
        self.mode(Mode::Destroy, false);
        self.run(None).await
    }

    pub async fn refresh(&mut self) -> Report {
        self.mode(Mode::Refresh, false);
        self.run(None).await
    }

    /// Before the cloud is changed it is stored that this is going to happen.
    fn every_call_was_announced(&self) {
        for (call, begin) in [("create", "creating"), ("update", "updating"), ("delete", "deleting")] {
            for line in self.log.only(&[call]) {
                let name = line.split(' ').nth(1).unwrap();
                let stored = self.log.position(&format!("stored {begin} {name}"));
                // What was half created is completed with an update.
                let completes = call == "update" && stored.is_none();
                let stored = stored
                    .or_else(|| self.log.position(&format!("stored creating {name}")).filter(|_| completes));
                assert!(
                    stored < self.log.position(&line) && stored.is_some(),
                    "{line}: {:?}",
                    self.log.lines()
                );
            }
        }
    }

    /// A state by name.
    pub fn get(&self, name: &str) -> Option<&Arc<ResourceState>> {
        self.state.resources.iter().find(|state| state.urn.name() == name && !state.delete)
    }

    pub async fn outputs(&self, name: &str) -> PropertyMap {
        PropertyMap::clone(&self.shelf.open(&self.get(name).unwrap().outputs).await.unwrap())
    }

    pub async fn inputs(&self, name: &str) -> PropertyMap {
        PropertyMap::clone(&self.shelf.open(&self.get(name).unwrap().inputs).await.unwrap())
    }

    /// The names in the state, in order.
    pub fn names(&self) -> Vec<&str> {
        self.state.resources.iter().map(|state| state.urn.name()).collect()
    }

    /// The steps that were shown to end well, `op name`, without the unchanged.
    pub fn steps(&self) -> Vec<String> {
        let all = self.events.all().into_iter().filter_map(|event| match event {
            EngineEvent::ResourceOutputs { step, .. } if step.op != StepOp::Same => {
                Some(format!("{} {}", step.op.as_str(), step.urn.name()))
            }
            _ => None,
        });
        all.collect()
    }

    /// Events of a kind, `kind name`.
    pub fn shown(&self) -> Vec<String> {
        let all = self.events.all().into_iter().filter_map(|event| match event {
            EngineEvent::ResourcePre { step, .. } => Some(format!("pre {}", step.urn.name())),
            EngineEvent::ResourceOutputs { step, .. } => Some(format!("done {}", step.urn.name())),
            EngineEvent::ResourceFailed { step, .. } => Some(format!("failed {}", step.urn.name())),
            _ => None,
        });
        all.collect()
    }
}

/// Properties from pairs.
pub fn map(pairs: &[(&str, &str)]) -> PropertyMap {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), PropertyValue::from(*value))).collect()
}
