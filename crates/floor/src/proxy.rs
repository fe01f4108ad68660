//! The way to a store: a proxy that delays requests and counts them.
//!
//! `floor proxy <http|postgres> <host:port>` prints where it listens. Then it is told what to do, a
//! line each: `latency <milliseconds>` delays every request from now on and forgets those so far;
//! `report` prints a line for each request since, in the order in which they came in (milliseconds
//! since the delay was set, bytes sent, bytes received, what was asked), and a line `end`. It ends
//! with its input.

use std::io::{BufRead as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use purlin_testkit::proxy::{Protocol, Proxy};

use crate::Problem;

/// Serves until the input ends.
pub(crate) fn serve(protocol: &str, server: &str) -> Result<(), Problem> {
    let protocol = match protocol {
        "http" => Protocol::Http,
        "postgres" => Protocol::Postgres,
        other => return Err(format!("there is no protocol '{other}'; there are http and postgres").into()),
    };
    let proxy = Proxy::start(server, protocol)?;
    let mut start = Instant::now();
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&times);
    proxy.set_rule(move |_| {
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        None
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", proxy.address())?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        match line?.split_once(' ').unwrap_or(("report", "")) {
            ("latency", value) => {
                proxy.set_latency(Duration::from_millis(value.parse()?));
                proxy.forget();
                times.lock().unwrap_or_else(PoisonError::into_inner).clear();
                start = Instant::now();
            }
            _ => {
                let times = times.lock().unwrap_or_else(PoisonError::into_inner);
                for (request, at) in proxy.seen().iter().zip(times.iter()) {
                    let at = at.saturating_duration_since(start).as_millis();
                    let label = request.label.split_whitespace().collect::<Vec<_>>().join(" ");
                    writeln!(out, "{at} {} {} {label}", request.sent, request.received)?;
                }
            }
        }
        writeln!(out, "end")?;
        out.flush()?;
    }
    Ok(())
}
