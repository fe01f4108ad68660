//! `config`: shows and edits a stack's configuration.

use std::io::Read as _;

use purlin_diag::Diagnostic;
use purlin_project::config::{
    ConfigInput, ConfigMap, ConfigTarget, InputType, Secrets, apply_project, get_row, list_rows,
    refuse_plaintext_secret, row_to_json, rows_to_json,
};
use purlin_project::{StackSettings, Value};
use serde_json::Value as Json;

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
            ConfigInput::Secure(self.encrypt(&text).await?)
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
        let json = args.json.as_deref().filter(|text| !text.is_empty());
        if json.is_some() && (args.path || !args.plaintext.is_empty() || !args.secret.is_empty()) {
            let message = "--json goes without --plaintext, --secret and --path";
            let hint = "give all values by --json, or none";
            return Err(Diagnostic::error("config-json", message).with_hint(hint).into());
        }
        let mut values = self.settings.config().clone();
        for pair in &args.plaintext {
            let (key, value) = split_pair("--plaintext", pair)?;
            values.set(&self.key(key, args.path)?, ConfigInput::text(value))?;
        }
        for pair in &args.secret {
            let (key, value) = split_pair("--secret", pair)?;
            let target = self.key(key, args.path)?;
            values.set(&target, ConfigInput::Secure(self.encrypt(value).await?))?;
        }
        if let Some(json) = json {
            for (name, given) in read_json(json)? {
                // A value with a structure may go inside another one.
                let target = self.key(&name, given.structured.is_some())?;
                let input = if given.secret {
                    ConfigInput::Secure(self.encrypt(&given.text).await?)
                } else {
                    given.structured.map_or_else(|| ConfigInput::text(given.text), ConfigInput::Value)
                };
                values.set(&target, input)?;
            }
        }
        self.store(&values)
    }

    async fn encrypt(&mut self, text: &str) -> Result<String, CommandError> {
        ConfigSecrets::encrypt(self.context, &self.target, &mut self.settings, text).await
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
                true => self.context.ask_secret("What is the value?", "a value"),
                false => self.context.ask_text("What is the value?", "", "a value"),
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

/// Splits `key=value`, which follows a flag.
pub(crate) fn split_pair<'p>(flag: &str, pair: &'p str) -> Result<(&'p str, &'p str), Diagnostic> {
    pair.split_once('=').ok_or_else(|| {
        Diagnostic::error("config-pair", format!("{flag} '{pair}' is not of the form key=value"))
            .with_hint(format!("write {flag} key=value"))
    })
}

/// A value of `--json`.
struct JsonValue {
    text: String,
    /// What the text stands for, if it is more than a text.
    structured: Option<Value>,
    secret: bool,
}

/// Reads the argument of `--json`.
fn read_json(json: &str) -> Result<Vec<(String, JsonValue)>, Diagnostic> {
    let refused = |message: String| {
        Diagnostic::error("config-json", message)
            .with_hint("`config --json --show-secrets` writes values in the form that is read here")
    };
    let all: Json = serde_json::from_str(json).map_err(|e| refused(format!("--json is no JSON: {e}")))?;
    let Json::Object(all) = all else {
        return Err(refused("--json is not an object of values by key".to_owned()));
    };
    let read = |(key, given): (String, Json)| {
        let of_key = |what: &str| refused(format!("--json: key '{key}': {what}"));
        let Json::Object(fields) = &given else { return Err(of_key("its value is not an object")) };
        let text = match fields.get("value") {
            Some(Json::String(text)) => text.clone(),
            None | Some(Json::Null) => return Err(of_key("it has no `value`")),
            Some(_) => return Err(of_key("its `value` is not a text")),
        };
        let secret = match fields.get("secret") {
            Some(Json::Bool(secret)) => *secret,
            None | Some(Json::Null) => false,
            Some(_) => return Err(of_key("its `secret` is neither true nor false")),
        };
        let structured = match fields.get("objectValue") {
            None | Some(Json::Null) => None,
            Some(_) => {
                let parsed = serde_json::from_str::<Json>(&text)
                    .map_err(|e| of_key(&format!("its `value` is not the JSON of its `objectValue`: {e}")))?;
                Some(Value::from_json(&parsed))
            }
        };
        Ok((key, JsonValue { text, structured, secret }))
    };
    all.into_iter().map(read).collect()
}
