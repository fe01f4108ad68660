//! Destroys without the program: what has hooks around its deletion can't be deleted then.

use purlin_diag::Diagnostic;

use crate::rule::Rule;
use crate::settings::Mode;
use crate::table::Planner;

impl Planner {
    /// Refuses a destroy without the program where the state names hooks that only the program has.
    /// Whether it was refused.
    pub(crate) fn refuse_delete_hooks(&mut self) -> bool {
        if self.settings.mode != Mode::Destroy || self.settings.run_program {
            return false;
        }
        let problems: Vec<Diagnostic> = self
            .slots
            .iter()
            .filter_map(|entry| {
                let hooks = &entry.state.resource_hooks;
                let names = [hooks.of("BeforeDelete"), hooks.of("AfterDelete")].concat();
                let urn = entry.state.urn.as_str();
                let message =
                    format!("{urn} has delete hooks, and the program is not running: {}", names.join(", "));
                (!names.is_empty()).then(|| {
                    Diagnostic::error("delete-hooks", message).with_urn(urn).with_hint(
                        "You must run with the `--run-program` flag to use delete hooks during destroy.",
                    )
                })
            })
            .collect();
        let refused = !problems.is_empty();
        problems.into_iter().for_each(|problem| self.say(problem));
        if refused {
            self.fire(Rule::DeleteHooksMissing);
        }
        self.failed |= refused;
        refused
    }
}
