//! `state edit`: the state in an editor, until it is right or given up.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{ParseOptions, SecretForm, export_deployment, find_secrets, parse_deployment};
use purlin_journal::refuse_if_invalid;
use purlin_model::Snapshot;

use super::diff::render;
use super::session::edit as edit_state;
use crate::config_values::write_private;
use crate::context::{Context, Target};
use crate::exit::{CommandError, Failure};
use crate::report;

/// Lets the user edit the state.
pub(crate) async fn edit(context: &Context, target: &Target) -> Result<(), CommandError> {
    if !context.interactive() {
        let problem = Diagnostic::error("non-interactive", "`state edit` needs a terminal")
            .with_hint("in scripts use `stack export`, change the file, and `stack import`");
        return Err(CommandError::new(Failure::General, problem));
    }
    let Some(editor) = context.ambient.non_empty("EDITOR") else {
        let problem = Diagnostic::error("no-editor", "the environment variable EDITOR is not set")
            .with_hint("set it to the command that starts your editor");
        return Err(problem.into());
    };
    let before = Arc::clone(&target.store.load(&target.id).await?.snapshot);
    let original = export_deployment(Some(&before)).map_err(|error| error.diagnostic())?;
    let folder = TemporaryFolder::new()?;
    let path = folder.0.join(format!("{}.json", target.id.name));
    write_private(&path, &original)?;
    loop {
        open(context, editor, &path)?;
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Diagnostic::error("edit-file", format!("{}: {error}", path.display())))?;
        if text == original {
            let warning = Diagnostic::warning("edit-unchanged", "the state was not changed");
            context.out.error_line(report::render(&warning, context.out.colors()));
            return Ok(());
        }
        let (question, choices, edited) = match read(&text) {
            Ok(edited) => {
                context.out.line(format!("Previewing state edit ({}):\n", target.id));
                for line in render(&purlin_edit::diff(&before, &edited, false)?) {
                    context.out.line(line);
                }
                ("Do you want to perform this edit?", vec!["accept", "edit", "reset", "cancel"], Some(edited))
            }
            Err(problem) => {
                context.out.error_line(report::render(&problem, context.out.colors()));
                ("The state is not valid. What would you like to do?", vec!["edit", "reset", "cancel"], None)
            }
        };
        let choices = choices.into_iter().map(str::to_owned).collect();
        match (context.choose(question, choices, "an answer")?.as_str(), edited) {
            ("accept", Some(edited)) => return store(context, target, &before, edited).await,
            ("edit", _) => {}
            ("reset", _) => write_private(&path, &original)?,
            _ => {
                let problem = Diagnostic::error("declined", "the edit was given up; nothing was changed");
                return Err(problem.into());
            }
        }
    }
}

/// The state that a text describes, if it is a valid one.
fn read(text: &str) -> Result<Snapshot, Diagnostic> {
    if !find_secrets(text, SecretForm::Plaintext)?.is_empty() {
        let problem = Diagnostic::error("edit-plaintext", "the text has secrets in clear");
        return Err(problem.with_hint("set secrets by `stack import`, which encrypts what stands in clear"));
    }
    let source: Arc<str> = text.into();
    let parsed = parse_deployment(&source, ParseOptions { check_magic: false })?;
    if !parsed.deployed {
        return Err(Diagnostic::error("edit-empty", "the text has no deployment"));
    }
    refuse_if_invalid(&parsed.snapshot)?;
    Ok(parsed.snapshot)
}

async fn store(
    context: &Context,
    target: &Target,
    before: &Snapshot,
    edited: Snapshot,
) -> Result<(), CommandError> {
    edit_state(context, target, "state edit".to_owned(), |now| {
        if now != before {
            let problem = Diagnostic::error("state-changed", "somebody changed the state meanwhile")
                .with_hint("nothing was changed; edit it again");
            return Err(problem.into());
        }
        // What an export leaves out stays as it was.
        Ok((Snapshot { carried: now.carried.clone(), ..edited }, ()))
    })
    .await?;
    context.out.line("State edited");
    Ok(())
}

/// Runs the editor, which may be given with flags, by way of a shell as git does it.
fn open(context: &Context, editor: &str, path: &Path) -> Result<(), CommandError> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path);
    command.current_dir(&context.ambient.cwd);
    let failed = |what: String| {
        Diagnostic::error("editor", format!("the editor '{editor}' failed: {what}"))
            .with_hint("nothing was changed; set EDITOR to a command that waits until the file is closed")
    };
    let status = command.status().map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(status.to_string()).into());
    }
    Ok(())
}

/// A folder that goes away with its content.
struct TemporaryFolder(std::path::PathBuf);

impl TemporaryFolder {
    fn new() -> Result<TemporaryFolder, Diagnostic> {
        use purlin_ports::Entropy as _;
        let path = std::env::temp_dir().join(format!("state-edit-{}", crate::ambient::SystemEntropy.uuid()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder
            .create(&path)
            .map_err(|error| Diagnostic::error("edit-file", format!("{}: {error}", path.display())))?;
        Ok(TemporaryFolder(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What stays is encrypted and readable by its owner only.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
