//! What a program costs without an engine: runs it against a monitor that answers at once, or
//! after some milliseconds, and prints how long it took.
//!
//! `floor <runtime> <program folder> <count> [<delay in ms> [<parallel>]]`, with the program's
//! dependencies in place (for Python: the interpreter first on `PATH`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use purlin_languages::{HostSettings, host_for};
use purlin_model::PropertyMap;
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::{DeploymentInfo, EventSink, ProgramInfo, ResourceMonitor, RunRequest};
use purlin_testkit::{CollectedEvents, CountingEntropy, NullMonitor};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [runtime, folder, count, rest @ ..] = arguments.as_slice() else {
        return Err("usage: floor <runtime> <folder> <count> [<delay in ms> [<parallel>]]".into());
    };
    let delay = Duration::from_millis(rest.first().map_or(Ok(0), |text| text.parse())?);
    let parallel = rest.get(1).map_or(Ok(16), |text| text.parse())?;
    let folder = PathBuf::from(folder).canonicalize()?;
    let config = BTreeMap::from([("many:count".to_owned(), count.clone())]);
    let info = DeploymentInfo {
        organization: "organization".to_owned(),
        project: "many".to_owned(),
        stack: "dev".to_owned(),
        config: config.clone(),
        parallel,
        ..DeploymentInfo::default()
    };
    let monitor = Arc::new(NullMonitor::new(info).with_delay(delay));
    let settings = MonitorSettings {
        root_directory: folder.clone(),
        program_directory: folder.clone(),
        compatible_version: semver::Version::new(3, 260, 0),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: None,
        fetch: None,
    };
    let server = MonitorServer::start(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>, settings).await?;
    let events = Arc::new(CollectedEvents::default());
    let request = RunRequest {
        program: ProgramInfo {
            root_directory: folder.clone(),
            program_directory: folder,
            entry_point: ".".to_owned(),
            options: PropertyMap::new(),
        },
        project: "many".to_owned(),
        stack: "dev".to_owned(),
        organization: "organization".to_owned(),
        config,
        config_secret_keys: Vec::new(),
        dry_run: false,
        parallel,
        monitor_address: server.address(),
        engine_address: server.address(),
        monitor: Arc::clone(&monitor) as Arc<dyn ResourceMonitor>,
        events: Arc::clone(&events) as Arc<dyn EventSink>,
    };
    let host = host_for(
        runtime,
        Arc::new(HostSettings::new(std::env::vars().collect(), std::env::temp_dir().join("purlin-floor"))),
    )?;
    let start = Instant::now();
    let outcome = host.run(request, CancellationToken::new()).await?;
    println!("{outcome:?} after {:?}, {} registrations", start.elapsed(), monitor.count());
    for text in events.diagnostics() {
        print!("{text}");
    }
    server.shutdown().await;
    Ok(())
}
