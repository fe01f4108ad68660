//! When it is worth to wake up.
//!
//! Some programs register a resource every few milliseconds, and register on while they are waited on.
//! Each message then finds us asleep, with every cache cold: waking up costs more than what there is to
//! do. Where that is so, sleep goes on for a moment, and what has come by then is done together. A
//! program that waits for each answer before it goes on must not be kept waiting: now and then one
//! registration is taken slowly, and what the program does meanwhile tells which kind it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long sleep goes on.
const PAUSE: Duration = Duration::from_millis(2);

/// How far apart registrations are for which that is worth it. Closer ones come together by
/// themselves; of those further apart none would come.
const GAPS: std::ops::Range<Duration> = Duration::from_micros(500)..Duration::from_millis(12);

/// With more registrations under way than this there is always something to do, and others wait for it.
const FEW: usize = 8;

/// Of so many registrations that came alone one is taken slowly.
const TRIED: u32 = 32;

/// How many registrations have to come alone for a program to count as one that waits.
const PATIENCE: u32 = 4;

/// The registrations of a run's program, as far as they say when to wake up.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Flow>);

/// A registration under way.
pub(crate) struct Passing(Arc<Pace>);

impl Pace {
    /// A registration has come. It is under way until the result is dropped.
    pub(crate) fn arrived(self: &Arc<Self>) -> Passing {
        self.lock().arrived(Instant::now());
        Passing(Arc::clone(self))
    }

    /// Sleeps on for a moment if that is worth it. To be called when there is nothing to do.
    pub(crate) fn sleep_on(&self) {
        let pause = self.lock().pause();
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.lock().answered();
    }
}

#[derive(Debug, Default)]
struct Flow {
    under_way: usize,
    last: Option<Instant>,
    /// How far apart registrations have been of late.
    gap: Option<Duration>,
    /// How many more may come alone before the program counts as one that waits.
    goes_on: u32,
    /// How many have come alone since one was taken slowly.
    alone: u32,
    /// Whether one is being taken slowly.
    tries: bool,
}

impl Flow {
    fn arrived(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let gap = now.saturating_duration_since(last).min(GAPS.end * 2);
            self.gap = Some(self.gap.map_or(gap, |before| (before * 7 + gap) / 8));
        }
        if self.under_way > 0 {
            self.goes_on = PATIENCE;
        } else {
            self.goes_on = self.goes_on.saturating_sub(1);
            self.alone += 1;
            self.tries = self.alone.is_multiple_of(TRIED);
        }
        self.under_way += 1;
    }

    fn answered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.tries &= self.under_way > 0;
    }

    fn pause(&self) -> Option<Duration> {
        let few = (1..=FEW).contains(&self.under_way);
        (few && self.gap.is_some_and(|gap| GAPS.contains(&gap)) && (self.goes_on > 0 || self.tries))
            .then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Registrations at a distance, each answered after some time, or at the latest before the next one
    /// if the program waits. How many were taken slowly.
    fn slow_ones(gap: u64, answer: u64, waits: bool) -> usize {
        let (start, mut flow) = (Instant::now(), Flow::default());
        let mut due: Vec<u64> = Vec::new();
        let mut slow = 0;
        for number in 0..1000 {
            let now = number * gap;
            while due.first().is_some_and(|due| *due <= now) {
                due.remove(0);
                flow.answered();
            }
            flow.arrived(start + Duration::from_micros(now));
            let pauses = flow.pause().is_some();
            slow += usize::from(pauses);
            // Three things have to be done for each, and each may begin late.
            let takes = answer + if pauses { 3 * 2000 } else { 0 };
            if waits {
                flow.answered();
            } else {
                due.push(now + takes);
                due.sort_unstable();
            }
        }
        slow
    }

    #[test]
    fn a_program_that_registers_on_is_dealt_with_together() {
        assert!(slow_ones(2200, 1000, false) > 900);
    }

    #[test]
    fn a_program_that_waits_is_hardly_kept_waiting() {
        assert!(slow_ones(1000, 1000, true) <= 1000 / TRIED as usize);
    }

    #[test]
    fn what_comes_close_together_or_far_apart_is_not_waited_for() {
        assert_eq!(slow_ones(100, 1000, false), 0);
        assert_eq!(slow_ones(50_000, 1000, false), 0);
        assert_eq!(slow_ones(50_000, 200_000, false), 0);
    }

    #[test]
    fn with_much_under_way_nothing_is_put_off() {
        assert!(slow_ones(2200, 100_000, false) < 20);
    }
}
