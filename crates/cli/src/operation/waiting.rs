//! Taking a stack, and waiting for others to let go of it if that was asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use purlin_diag::Diagnostic;
use purlin_ports::{StateError, UpdateInfo, UpdateSession};

use crate::context::{Context, Target};
use crate::exit::CommandError;

/// How often to look again, at most.
const PAUSE: Duration = Duration::from_secs(2);

/// Takes the stack. While others hold it, tries again for as long as `timeout` says, and says who holds
/// it.
pub(crate) async fn begin(
    context: &Context,
    target: &Target,
    info: UpdateInfo,
    timeout: Option<&str>,
) -> Result<Arc<dyn UpdateSession>, CommandError> {
    let timeout = match timeout {
        Some(text) => duration(text).ok_or_else(|| {
            CommandError::usage("lock-timeout", format!("'{text}' is not a duration such as 90s, 10m or 1h"))
        })?,
        None => Duration::ZERO,
    };
    let start = Instant::now();
    let mut said = String::new();
    loop {
        match target.store.begin(&target.id, info.clone()).await {
            Err(StateError::Locked(problem)) if start.elapsed() < timeout => {
                let line = holders(&problem);
                if line != said {
                    context.out.error_line(format!(
                        "Waiting for up to {} s for stack {}: {line}",
                        (timeout - start.elapsed().min(timeout)).as_secs(),
                        target.id.name
                    ));
                    said = line;
                }
                tokio::time::sleep(PAUSE.min(timeout - start.elapsed().min(timeout))).await;
            }
            other => return Ok(other?),
        }
    }
}

/// Who holds a stack since when, on one line.
fn holders(problem: &Diagnostic) -> String {
    let mut lines = problem.message.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let rest: Vec<&str> = lines.collect();
    if rest.is_empty() { first.to_owned() } else { rest.join("; ") }
}

/// A duration such as `90s`, `1m30s`, `10m` or `1h`; a number alone counts seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let seconds = match &rest[digits..unit] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        total = total.checked_add(Duration::from_secs(number.checked_mul(seconds)?))?;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let cases = [("90", 90), ("90s", 90), ("1m30s", 90), ("2h", 7200), ("0", 0)];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "5x", "-1s", "5m3", "1.5h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn says_who_holds_a_stack() {
        let message =
            "the stack is currently locked by 1 lock(s)\n  s3://b/x.json: created by ann@host (pid 1) at t";
        let line = holders(&Diagnostic::error("stack-locked", message));
        assert_eq!(line, "s3://b/x.json: created by ann@host (pid 1) at t");
    }
}
