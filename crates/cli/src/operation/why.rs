//! `why`, and `preview --why`: what leads to what an update would do.

use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_formats::why_json;
use purlin_model::event::{EngineEvent, OperationResult};
use purlin_model::{Causes, Urn};
use purlin_plan::Mode;

use crate::args::{UpdateFlags, WhyArgs};
use crate::context::Context;
use crate::events::DisplaySettings;
use crate::exit::{CommandError, Failure};
use crate::operation::flags::Flags;
use crate::operation::prepare::Prepared;
use crate::operation::run::Purpose;

/// What a display notes for those who ask why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    causes: Arc<Mutex<Causes>>,
    /// Whether nothing else is shown.
    pub(crate) alone: bool,
}

impl Notes {
    pub(crate) fn note(&self, event: &EngineEvent) {
        if let EngineEvent::ResourcePre { step, .. } | EngineEvent::ResourceOutputs { step, .. } = event {
            self.with(|causes| causes.note(step));
        }
    }

    fn with<T>(&self, what: impl FnOnce(&mut Causes) -> T) -> T {
        what(&mut self.causes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The section of a preview that explains replacements and deletes.
    pub(crate) fn section(&self, prepared: &Prepared<'_>) -> String {
        let settings = DisplaySettings::of(prepared, true);
        self.with(|causes| purlin_display::explanations(settings.options(), causes))
    }
}

/// Says what an update would do to a resource, and why.
pub(crate) async fn why(context: &Context, args: WhyArgs) -> Result<(), CommandError> {
    let notes = Notes { alone: true, ..Notes::default() };
    let mut flags = Flags::of(context, args.common)?;
    let (replace, target_replace) = (args.replace, args.target_replace);
    let ignore_protect = args.ignore_protect;
    flags.update(&UpdateFlags { ignore_protect, replace, target_replace, ..UpdateFlags::default() })?;
    flags.preview_only = true;
    flags.why = Some(notes.clone());
    let prepared = Prepared::new(context, flags, Mode::Update).await?;
    let ran = prepared.run(Purpose::Look).await?;
    let told = notes.with(|causes| {
        let urn = find(causes, &args.urn)?.clone();
        Ok::<_, CommandError>(match prepared.flags.json {
            true => format!("{}\n", why_json(causes, &urn)),
            false => {
                let settings = DisplaySettings::of(&prepared, true);
                purlin_display::explanation(settings.options(), causes, &urn)
            }
        })
    });
    match (told, ran.result) {
        (Ok(text), result) => {
            context.out.write(&text);
            match result {
                OperationResult::Succeeded => Ok(()),
                _ => Err(CommandError::told(Failure::General)),
            }
        }
        // What stopped the preview has been told, and may be why the resource did not come up.
        (Err(_), OperationResult::Failed | OperationResult::Canceled) => {
            Err(CommandError::told(Failure::General))
        }
        (Err(problem), OperationResult::Succeeded) => Err(problem),
    }
}

/// The one resource that is meant by a URN, a name, or a type and a name.
fn find<'c>(causes: &'c Causes, text: &str) -> Result<&'c Urn, CommandError> {
    if let Some(urn) = causes.urns().find(|urn| urn.as_str() == text) {
        return Ok(urn);
    }
    let ends = |urn: &&Urn| urn.name() == text || urn.as_str().ends_with(&format!("::{text}"));
    let typed = |urn: &&Urn| urn.as_str().ends_with(&format!("${text}"));
    let found: Vec<&Urn> = causes.urns().filter(|urn| ends(urn) || typed(urn)).collect();
    match found.as_slice() {
        [urn] => Ok(urn),
        [] => {
            let message = format!("neither the program nor the state has a resource '{text}'");
            let hint = "give its URN or its name; `stack --show-urns` lists those that the state has";
            Err(Diagnostic::error("no-such-resource", message).with_hint(hint).into())
        }
        several => {
            let list: Vec<String> = several.iter().map(|urn| format!("\n  {urn}")).collect();
            let message = format!("'{text}' is the name of several resources:{}", list.concat());
            let hint = "give the URN of the one that you mean, in quotes";
            Err(Diagnostic::error("ambiguous-resource", message).with_hint(hint).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use purlin_model::event::{StepOp, StepView};

    use super::*;

    fn causes(urns: &[&str]) -> Causes {
        let mut causes = Causes::default();
        for urn in urns {
            causes.note(&StepView {
                op: StepOp::Same,
                urn: Urn::parse(urn).unwrap(),
                old: None,
                new: None,
                replace_keys: Vec::new(),
                diff_keys: Vec::new(),
                detailed_diff: None,
                logical: true,
                provider: String::new(),
                cause: None,
            });
        }
        causes
    }

    #[test]
    fn a_resource_is_found_by_any_part_that_only_it_has() {
        let (first, second, third) = (
            "urn:pulumi:dev::shop::a:b:C::pet",
            "urn:pulumi:dev::shop::a:b:C$d:e:F::pet",
            "urn:pulumi:dev::shop::d:e:F::one::two",
        );
        let causes = causes(&[first, second, third]);
        let found = |text: &str| find(&causes, text).map(|urn| urn.as_str().to_owned());
        assert_eq!(found(second).unwrap(), second);
        assert_eq!(found("d:e:F::pet").unwrap(), second);
        assert_eq!(found("a:b:C::pet").unwrap(), first);
        assert_eq!(found("one::two").unwrap(), third);
        let problem = |text: &str| found(text).unwrap_err().diagnostics[0].code;
        assert_eq!(problem("pet"), "ambiguous-resource");
        assert_eq!(problem("pe"), "no-such-resource");
    }
}
