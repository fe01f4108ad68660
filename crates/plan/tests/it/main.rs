//! The planner's tests, in one program so that they are linked once.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod cases;
mod planned;
mod questions;
mod random;
mod settled;
mod support;
mod views;
