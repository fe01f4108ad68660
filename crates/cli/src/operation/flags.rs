//! The flags of an operation, settled: command line over environment over defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use purlin_model::Urn;
use purlin_plan::{Targets, UrnSet};

use crate::args::{CommonOperationArgs, UpdateFlags};
use crate::context::Context;
use crate::exit::CommandError;
use crate::operation::Notes;

/// The flags of an operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) common: CommonOperationArgs,
    pub(crate) json: bool,
    /// How many operations may run at once; zero for no limit.
    pub(crate) parallel: usize,
    pub(crate) refresh_first: Option<bool>,
    pub(crate) continue_on_error: bool,
    pub(crate) ignore_protect: bool,
    pub(crate) exclude_protected: bool,
    /// Which resources the operation is about.
    pub(crate) targets: Targets,
    pub(crate) clear_pending_creates: bool,
    /// Pending creates that the user said came to nothing.
    pub(crate) cleared_creates: BTreeSet<Urn>,
    /// The ids of what pending creates have made, as the user knows them.
    pub(crate) import_pending_creates: BTreeMap<Urn, String>,
    pub(crate) run_program: bool,
    /// Whether refreshes compare outputs only.
    pub(crate) legacy_refresh_diff: bool,
    /// The file from which the update plan to follow is read.
    pub(crate) plan_file: Option<PathBuf>,
    /// The file to which the preview's update plan is written.
    pub(crate) save_plan: Option<PathBuf>,
    /// Whether the update follows the plan of the preview before it.
    pub(crate) strict: bool,
    /// Who wants to know why things would happen.
    pub(crate) why: Option<Notes>,
    /// Whether nothing but a preview is asked for.
    pub(crate) preview_only: bool,
    /// The policy packs that judge, each with the file that configures it.
    pub(crate) policy_packs: Vec<(PathBuf, Option<PathBuf>)>,
    /// Whether what policies put right is shown resource by resource.
    pub(crate) show_policy_remediations: bool,
}

/// What the ecosystem takes for "no limit".
const UNLIMITED: usize = 2_147_483_647;

/// Each pack with the file that configures it. Either all packs have one or none.
fn policy_packs(update: &UpdateFlags) -> Result<Vec<(PathBuf, Option<PathBuf>)>, CommandError> {
    let (packs, configs) = (&update.policy_pack, &update.policy_pack_config);
    let message = match (packs.len(), configs.len()) {
        (_, 0) => return Ok(packs.iter().map(|pack| (pack.clone(), None)).collect()),
        (a, b) if a == b => {
            return Ok(packs.iter().cloned().zip(configs.iter().cloned().map(Some)).collect());
        }
        (0, _) => "\"--policy-pack-config\" must be specified with \"--policy-pack\"",
        _ => "the number of \"--policy-pack-config\" flags must match the number of \"--policy-pack\" flags",
    };
    Err(super::at_odds("policy-flags", message))
}

fn targets_of(common: &CommonOperationArgs) -> Targets {
    Targets {
        only: UrnSet::new(&common.target),
        with_dependents: common.target_dependents,
        except: UrnSet::new(&common.exclude),
        except_dependents: common.exclude_dependents,
        replace: UrnSet::default(),
    }
}

impl Flags {
    /// Settles the flags that operations share, and refuses those that do nothing yet.
    pub(crate) fn of(context: &Context, common: CommonOperationArgs) -> Result<Flags, CommandError> {
        let refresh_first = match common.refresh.as_deref() {
            None => None,
            Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Some(true),
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Some(false),
            Some(other) => {
                return Err(CommandError::usage(
                    "refresh-flag",
                    format!("--refresh is true or false, not '{other}'"),
                ));
            }
        };
        let parallel = match common.parallel {
            Some(parallel) => parallel,
            None => match context.ambient.non_empty("PULUMI_PARALLEL") {
                Some(text) => text.parse().map_err(|_| {
                    CommandError::usage(
                        "parallel",
                        format!("PULUMI_PARALLEL is '{text}', which is no number"),
                    )
                })?,
                None => 4 * std::thread::available_parallelism().map_or(4, usize::from),
            },
        };
        let parallel = if parallel >= UNLIMITED { 0 } else { parallel };
        let run_program = common.run_program || context.ambient.is_on("PULUMI_RUN_PROGRAM");
        let legacy_refresh_diff = context.ambient.is_on("PULUMI_ENABLE_LEGACY_REFRESH_DIFF");
        let flags = Flags {
            json: common.json,
            parallel,
            refresh_first,
            run_program,
            legacy_refresh_diff,
            targets: targets_of(&common),
            common,
            ..Flags::default()
        };
        flags.refuse(flags.common.client.is_some(), "--client")?;
        flags.refuse(flags.common.remote, "--remote")?;
        Ok(flags)
    }

    /// Settles the flags that only an update and its preview have.
    pub(crate) fn update(&mut self, update: &UpdateFlags) -> Result<(), CommandError> {
        self.policy_packs = policy_packs(update)?;
        self.show_policy_remediations = update.show_policy_remediations;
        self.ignore_protect = update.ignore_protect;
        let targets = self.common.target.iter().chain(&update.target_replace);
        self.targets.only = UrnSet::new(targets);
        self.targets.replace = UrnSet::new(update.replace.iter().chain(&update.target_replace));
        Ok(())
    }

    /// Refuses a flag that is declared and does nothing yet.
    pub(crate) fn refuse(&self, given: bool, what: &str) -> Result<(), CommandError> {
        if given { Err(CommandError::unsupported(what)) } else { Ok(()) }
    }

    /// The parallelism as SDKs are told.
    pub(crate) fn parallel_for_program(&self) -> i32 {
        if self.parallel == 0 { i32::MAX } else { i32::try_from(self.parallel).unwrap_or(i32::MAX) }
    }
}
