//! Doing things that don't need each other: at once where each takes long, one after the other where
//! it doesn't.

use std::thread;

use purlin_ports::StateError;

use super::medium::Medium;

/// Does two things. Both are done, even if one of them fails.
pub(crate) fn both<A: Send, B: Send>(
    medium: &dyn Medium,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if !medium.is_far() {
        return (first(), second());
    }
    thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        (first, second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Something to be done.
pub(crate) type Task<'a> = Box<dyn FnOnce() -> Result<(), StateError> + Send + 'a>;

/// Does all of them. Gives the first error; where things are done one after the other, none is begun
/// after an error.
pub(crate) fn all(medium: &dyn Medium, mut tasks: Vec<Task<'_>>) -> Result<(), StateError> {
    if !medium.is_far() {
        return tasks.into_iter().try_for_each(|task| task());
    }
    let Some(last) = tasks.pop() else { return Ok(()) };
    let (others, last) = both(medium, || all(medium, tasks), last);
    others.and(last)
}
