//! The `purlin` binary from outside: real programs, real plugins, real files.
//!
//! `cargo xtask test` prepares what these tests need and names it in `PURLIN_TEST_ENV`:
//!
//! | Path | Content |
//! |---|---|
//! | `plugins/<name>-<version>/pulumi-resource-<name>` | the test providers |
//! | `python/venv` | a Python with `pulumi` and `pulumi_random` |
//! | `node/node_modules` | `@pulumi/pulumi` and `@pulumi/random` |

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agreed;
mod automation;
mod bad_input;
mod commands;
mod container;
mod hooks;
mod key_services;
mod kill;
mod languages;
mod lifecycle;
mod official;
mod packages;
mod pending;
mod plans;
mod policies;
mod race;
mod random_sdks;
mod sdks;
mod stack_commands;
mod state_edits;
mod support;
mod swap;
mod taken_over;
mod targets;
mod transforms;
mod why;
