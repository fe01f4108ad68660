//! The forms in which scripts write flags.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Command};

/// Takes flags as the ecosystem's scripts write them: any of them more than once, the last one counts;
/// and switches with a value, `--yes=false`.
pub(crate) fn lenient(command: Command) -> Command {
    let command = command.args_override_self(true).mut_args(|arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .hide_default_value(true)
            .value_parser(BoolishValueParser::new()),
        _ => arg,
    });
    command.mut_subcommands(lenient)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use crate::args::{Cli, Command};

    fn preview(line: &str) -> crate::args::PreviewArgs {
        let words = ["purlin", "preview"].into_iter().chain(line.split_whitespace());
        let matches = super::lenient(Cli::command()).try_get_matches_from(words).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Preview(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn switches_take_a_value_and_do_without() {
        assert!(preview("--diff").common.diff);
        assert!(preview("--diff=true").common.diff);
        assert!(!preview("--diff=false").common.diff);
        assert!(!preview("").common.diff);
        assert!(!preview("--diff --diff=0").common.diff);
    }

    #[test]
    fn flags_may_be_given_again_and_lists_grow() {
        assert_eq!(preview("--stack dev -s prod").common.stack.as_deref(), Some("prod"));
        assert!(preview("--diff --diff --parallel 2 --parallel 3").common.diff);
        assert_eq!(preview("-t one --target two --target one").common.target.len(), 3);
    }

    #[test]
    fn every_command_is_still_well_made() {
        super::lenient(Cli::command()).debug_assert();
    }
}
