//! `config`: shows and edits a stack's configuration.

use std::io::Read as _;

use purlin_diag::Diagnostic;
use purlin_project::StackSettings;
use purlin_project::config::{
    ConfigInput, ConfigMap, ConfigTarget, InputType, Secrets, apply_project, get_row, list_rows,
    refuse_plaintext_secret, row_to_json, rows_to_json,
};

use crate::args::{ConfigArgs, ConfigCommand, ConfigGetArgs, ConfigRmArgs, ConfigSetAllArgs, ConfigSetArgs};
use crate::commands::stack_show::table;
use crate::config_values::ConfigSecrets;
use crate::context::{Context, Target};
use crate::exit::CommandError;

struct Subject<'c> {
    context: &'c Context,
    target: Target,
    settings: StackSettings,
}

/// Runs a command about configuration.
pub(crate) async fn config(context: &Context, args: ConfigArgs) -> Result<(), CommandError> {
    let target = context.stack(args.stack.as_deref())?;
    // Configuration is in a file of the project, and belongs to a stack nevertheless.
    target.store.load(&target.id).await?;
    let file = args.config_file.as_ref().map(|f| context.ambient.cwd.join(f));
    let settings = target.settings(file.as_deref())?;
    for warning in settings.warnings() {
        context.out.error_line(crate::report::render(warning, context.out.colors()));
    }
    let mut subject = Subject { context, target, settings };
    match args.command {
        None => subject.list(args.show_secrets, args.json).await,
        Some(ConfigCommand::Get(get)) => subject.get(get).await,
        Some(ConfigCommand::Set(set)) => subject.set(set).await,
        Some(ConfigCommand::SetAll(set)) => subject.set_all(set).await,
        Some(ConfigCommand::Rm(ConfigRmArgs { key, path })) => subject.remove(&[key], path),
        Some(ConfigCommand::RmAll(rm)) => subject.remove(&rm.keys, rm.path),
    }
}

impl Subject<'_> {
    fn key(&self, text: &str, path: bool) -> Result<ConfigTarget, CommandError> {
        Ok(ConfigTarget::parse(&self.target.project()?.name, text, path)?)
    }

    fn values(&self) -> Result<ConfigMap, CommandError> {
        Ok(apply_project(self.target.project()?, self.settings.config())?)
    }

    async fn list(&self, show_secrets: bool, json: bool) -> Result<(), CommandError> {
        let values = self.values()?;
        let rows = if show_secrets {
            let secrets = ConfigSecrets::open(self.context, &self.target, &self.settings, &values).await?;
            list_rows(&values, Secrets::Shown(&secrets.decrypter()))?
        } else {
            list_rows(&values, Secrets::Hidden)?
        };
        if json {
            self.context.out.line(rows_to_json(&rows).trim_end());
            return Ok(());
        }
        let project = &self.target.project()?.name;
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| vec![row.key.pretty(project), row.text.clone()]).collect();
        for line in table(&["KEY", "VALUE"], &rows) {
            self.context.out.line(line);
        }
        Ok(())
    }

    async fn get(&self, args: ConfigGetArgs) -> Result<(), CommandError> {
        let key = self.key(&args.key, args.path)?;
        let values = self.values()?;
        let secrets = ConfigSecrets::open(self.context, &self.target, &self.settings, &values).await?;
        let (project, stack) = (&self.target.project()?.name, &self.target.id.name);
        let row = get_row(&values, &key, project, stack, Secrets::Shown(&secrets.decrypter()))?;
        if args.json {
            self.context.out.line(row_to_json(&row).trim_end());
        } else {
            self.context.out.line(row.text);
        }
        Ok(())
    }

    async fn set(&mut self, args: ConfigSetArgs) -> Result<(), CommandError> {
        let key = self.key(&args.key, args.path)?;
        let text = match args.value {
            Some(text) => text,
            None => self.ask_value(args.secret, args.raw)?,
        };
        let kind = match &args.kind {
            Some(kind) => InputType::parse(kind)?,
            None => InputType::Guess,
        };
        let input = if args.secret {
            ConfigInput::Secure(
                ConfigSecrets::encrypt(self.context, &self.target, &mut self.settings, &text).await?,
            )
        } else {
            if !args.plaintext {
                refuse_plaintext_secret(&key.key, &text)?;
            }
            ConfigInput::Text(text, kind)
        };
        let mut values = self.settings.config().clone();
        values.set(&key, input)?;
        self.store(&values)
    }

    async fn set_all(&mut self, args: ConfigSetAllArgs) -> Result<(), CommandError> {
        let split = |pair: &str| match pair.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(CommandError::usage("config-pair", format!("'{pair}' is not of the form key=value"))),
        };
        let mut values = self.settings.config().clone();
        for pair in &args.plaintext {
            let (key, value) = split(pair)?;
            values.set(&self.key(&key, args.path)?, ConfigInput::text(value))?;
        }
        for pair in &args.secret {
            let (key, value) = split(pair)?;
            let ciphertext =
                ConfigSecrets::encrypt(self.context, &self.target, &mut self.settings, &value).await?;
            values.set(&self.key(&key, args.path)?, ConfigInput::Secure(ciphertext))?;
        }
        self.store(&values)
    }

    fn remove(&mut self, keys: &[String], path: bool) -> Result<(), CommandError> {
        let mut values = self.settings.config().clone();
        for key in keys {
            values.remove(&self.key(key, path)?)?;
        }
        self.store(&values)
    }

    fn store(&mut self, values: &ConfigMap) -> Result<(), CommandError> {
        self.settings.set_config(values)?;
        Ok(self.settings.save()?)
    }

    fn ask_value(&self, secret: bool, raw: bool) -> Result<String, CommandError> {
        if self.context.ambient.stdin_terminal {
            return match secret {
                true => self.context.ask_secret("value", "a value"),
                false => self.context.ask_text("value", "", "a value"),
            };
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| Diagnostic::error("config-stdin", format!("standard input: {e}")))?;
        if !raw && text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}
