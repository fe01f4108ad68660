//! `stack rename`.

use purlin_diag::Diagnostic;

use crate::args::StackRenameArgs;
use crate::context::Context;
use crate::exit::CommandError;

/// Gives a stack another name: in the state, and in the project's settings.
pub(crate) async fn rename(
    context: &Context,
    named: Option<&str>,
    args: &StackRenameArgs,
) -> Result<(), CommandError> {
    let target = context.stack(named)?;
    let new = context.stack_id(target.project.as_ref(), &args.name)?;
    let (old_file, new_file) = match &target.project {
        Some(project) => {
            (project.stack_settings_path(&target.id.name), project.stack_settings_path(&new.name))
        }
        None => Default::default(),
    };
    let moves_settings = old_file != new_file && old_file.exists();
    if moves_settings && new_file.exists() {
        let message = format!("{} exists already", new_file.display());
        let hint = "remove it or choose another name; nothing was renamed";
        return Err(Diagnostic::error("rename-settings", message).with_hint(hint).into());
    }
    target.store.rename(&target.id, &new).await?;
    if moves_settings {
        std::fs::rename(&old_file, &new_file).map_err(|error| {
            let message =
                format!("the stack is renamed, its settings are not: {}: {error}", old_file.display());
            let hint = format!("rename the file to {}", new_file.display());
            Diagnostic::error("rename-settings", message).with_hint(hint)
        })?;
    }
    if let Some(project) = &target.project {
        let name = if project.name == new.project { new.name.clone() } else { new.to_string() };
        context.select(project, target.store.url(), Some(&name))?;
    }
    context.out.line(format!("Renamed {} to {}", target.id.name, new.name));
    Ok(())
}
