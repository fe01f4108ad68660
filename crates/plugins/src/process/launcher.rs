//! The thread that starts processes.

use std::process::Stdio;
use std::sync::{Arc, mpsc};

use purlin_diag::Diagnostic;
use purlin_ports::EventSink;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{LaunchSpec, PluginProcess, ProcessEvent, ProcessObserver, Spawned, attach, parent_death};

/// What the thread is asked to do.
struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<std::io::Result<Child>>,
}

/// Starts plugins.
///
/// On Linux plugins are killed when the *thread* that started them ends. So a thread of its own
/// starts them all; it lives until the launcher, its copies and all its plugins are gone.
#[derive(Clone)]
pub struct Launcher {
    orders: mpsc::Sender<Order>,
    events: Arc<dyn EventSink>,
    observer: Option<ProcessObserver>,
}

impl Launcher {
    /// A launcher whose plugins say what they print to `events`.
    pub fn new(
        events: Arc<dyn EventSink>,
        observer: Option<ProcessObserver>,
    ) -> Result<Launcher, Diagnostic> {
        let (orders, todo) = mpsc::channel::<Order>();
        let work = move || {
            for mut order in todo {
                let _runtime = order.runtime.enter();
                let _ = order.reply.send(order.command.spawn());
            }
        };
        std::thread::Builder::new().name("plugin-launcher".into()).spawn(work).map_err(|e| {
            Diagnostic::error("plugin-launcher", format!("the thread that starts plugins can't be made: {e}"))
                .with_hint("the system may have run out of threads or memory")
        })?;
        Ok(Launcher { orders, events, observer })
    }

    /// Where what plugins print goes.
    pub fn events(&self) -> &Arc<dyn EventSink> {
        &self.events
    }

    /// Starts a plugin and waits until it has named its port.
    pub async fn launch(&self, spec: LaunchSpec) -> Result<PluginProcess, Diagnostic> {
        let child = self.spawn(command(&spec)).await.map_err(|e| {
            Diagnostic::error(
                "plugin-start",
                format!("{} can't be started: {}: {e}", spec.label, spec.program.display()),
            )
            .with_hint("check that the file is there, is executable and is built for this machine")
        })?;
        let pid = child.id().unwrap_or_default();
        self.observe(ProcessEvent::Started { pid, label: spec.label.clone() });
        // A task of its own: if the caller gives up, the process is still seen to its end.
        let label = spec.label.clone();
        let attached = tokio::spawn(attach(spec, Spawned { child, pid, launcher: self.clone() }));
        attached.await.unwrap_or_else(|e| {
            Err(Diagnostic::error("plugin-start", format!("{label} can't be started: {e}"))
                .with_hint("this happens when the program itself is being ended"))
        })
    }

    /// Tells the observer what has become of a process.
    pub(super) fn observe(&self, event: ProcessEvent) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }

    async fn spawn(&self, command: Command) -> std::io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        let gone = || std::io::Error::other("the thread that starts plugins has ended");
        self.orders.send(Order { command, runtime: Handle::current(), reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn command(spec: &LaunchSpec) -> Command {
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .current_dir(&spec.folder)
        .env_clear()
        .envs(spec.env.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    parent_death::arm(&mut command);
    command
}
