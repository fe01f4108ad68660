//! `about` and `version`.

use purlin_project::Project;
use serde_json::{Value, json};

use crate::args::AboutArgs;
use crate::commands::stack_show::table;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::version::{COMPATIBLE_VERSION, VERSION};

/// Shows the version: the compatible one to whoever takes this for the ecosystem's own command.
pub(crate) fn version(context: &Context) {
    if context.ambient.invoked_as == "pulumi" {
        context.out.line(format!("v{COMPATIBLE_VERSION}"));
    } else {
        context.out.line(format!("purlin {VERSION} (compatible with {COMPATIBLE_VERSION})"));
    }
}

/// A stack, its resources by type and URN, its pending operations by kind and URN.
struct StackFacts {
    target: Target,
    resources: Vec<Vec<String>>,
    pending: Vec<Vec<String>>,
}

/// A plugin that the project uses: kind, name, version.
type Plugin = (&'static str, String, Option<String>);

struct Facts {
    os: (String, String),
    backend: Option<String>,
    stack: Option<StackFacts>,
    runtime: Option<String>,
    plugins: Option<Vec<Plugin>>,
    errors: Vec<String>,
}

async fn gather(context: &Context, args: &AboutArgs) -> Facts {
    let mut errors = Vec::new();
    let mut note = |error: CommandError| {
        errors.extend(error.diagnostics.iter().map(|d| d.message.clone()));
    };
    let project = context.find_project().unwrap_or_else(|e| {
        note(e);
        None
    });
    let mut plugins = None;
    if let Some(project) = &project {
        match plugins_of(context, project).await {
            Ok(found) => plugins = Some(found),
            Err(error) => note(error),
        }
    }
    let backend = context.store(project.as_ref()).map(|store| store.url().to_owned()).map_err(&mut note).ok();
    let mut stack = None;
    if backend.is_some() {
        match stack_facts(context, args).await {
            Ok(facts) => stack = Some(facts),
            Err(error) => note(error),
        }
    }
    Facts { os: os_release(), backend, stack, runtime: project.map(|p| p.runtime.name), plugins, errors }
}

async fn stack_facts(context: &Context, args: &AboutArgs) -> Result<StackFacts, CommandError> {
    let target = context.stack(args.stack.as_deref())?;
    let loaded = target.store.load(&target.id).await?;
    let snapshot = &loaded.snapshot;
    let resources = snapshot.resources.iter().map(|s| vec![s.ty.to_string(), s.urn.to_string()]).collect();
    let pending = snapshot
        .pending_operations
        .iter()
        .map(|p| vec![p.kind.as_str().to_owned(), p.resource.urn.to_string()])
        .collect();
    Ok(StackFacts { target, resources, pending })
}

/// The language of a project, and what its program's packages ask for.
async fn plugins_of(context: &Context, project: &Project) -> Result<Vec<Plugin>, CommandError> {
    let runtime = project.runtime.name.clone();
    let mut packages = Vec::new();
    // What a YAML program uses is known when it runs.
    if runtime != "yaml" {
        let (host, program) = crate::operation::host_and_program(context, project)?;
        packages = host.required_packages(&program).await?;
    }
    let version = |text: String| (!text.is_empty()).then_some(text);
    let mut plugins: Vec<Plugin> =
        packages.into_iter().map(|package| ("resource", package.name, version(package.version))).collect();
    plugins.push(("language", runtime, None));
    plugins.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(plugins)
}

fn os_release() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    let (id, mut version) = (field("ID"), field("VERSION_ID"));
    if id == "debian" {
        // The other file has the first number only.
        let whole = std::fs::read_to_string("/etc/debian_version").unwrap_or_default();
        if !whole.trim().is_empty() {
            whole.trim().clone_into(&mut version);
        }
    }
    (if id.is_empty() { std::env::consts::OS.to_owned() } else { id }, version)
}

/// Shows what is known about this installation and the project.
pub(crate) async fn about(context: &Context, args: AboutArgs) -> Result<(), CommandError> {
    let facts = gather(context, &args).await;
    let out = &context.out;
    if args.json {
        out.line(serde_json::to_string_pretty(&as_json(context, &facts)).unwrap_or_default());
        return Ok(());
    }
    let section = |title: &str, rows: &[(&str, &str)]| {
        let rows: Vec<Vec<String>> = rows.iter().map(|(k, v)| vec![(*k).into(), (*v).into()]).collect();
        paragraph(context, &table(&[title, ""], &rows));
    };
    section("CLI", &[("Version", VERSION), ("Compatible", COMPATIBLE_VERSION)]);
    if let Some(plugins) = &facts.plugins {
        let row = |(kind, name, version): &Plugin| {
            let version = version.as_deref().unwrap_or("unknown");
            vec![(*kind).to_owned(), name.clone(), version.to_owned()]
        };
        out.line("Plugins");
        paragraph(
            context,
            &table(&["KIND", "NAME", "VERSION"], &plugins.iter().map(row).collect::<Vec<_>>()),
        );
    }
    let (os, version) = &facts.os;
    section("Host", &[("OS", os), ("Version", version), ("Arch", std::env::consts::ARCH)]);
    if let Some(runtime) = &facts.runtime {
        out.line(format!("This project is written in {runtime}\n"));
    }
    if let Some(stack) = &facts.stack {
        show_stack(context, stack);
    }
    if let Some(url) = &facts.backend {
        let (host, user) = (context.ambient.host_name(), context.ambient.user_name());
        let rows = [("Name", host.as_str()), ("URL", url), ("User", &user)];
        section("Backend", &[&rows[..], &[("Organizations", ""), ("Token type", "personal")]].concat());
    }
    let variables: Vec<Vec<String>> = context.ambient.env().iter().filter_map(variable).collect();
    if !variables.is_empty() {
        out.line("Environment Variables:");
        paragraph(context, &table(&["Name", "Value"], &variables));
    }
    for error in &facts.errors {
        out.error_line(format!("warning: {error}"));
    }
    Ok(())
}

/// Lines with an empty one behind.
fn paragraph(context: &Context, lines: &[String]) {
    for line in lines {
        context.out.line(line);
    }
    context.out.line("");
}

fn show_stack(context: &Context, stack: &StackFacts) {
    let name = &stack.target.id.name;
    context.out.line(format!("Current Stack: {}\n", stack.target.id));
    match stack.resources.is_empty() {
        true => context.out.line(format!("Found no resources associated with {name}\n")),
        false => paragraph(context, &table(&["TYPE", "URN"], &stack.resources)),
    }
    match stack.pending.is_empty() {
        true => context.out.line(format!("Found no pending operations associated with {name}\n")),
        false => paragraph(context, &table(&["OPERATION", "URN"], &stack.pending)),
    }
}

/// A variable that may have to do with what is asked about, as it can be shown to others.
fn variable((name, value): (&String, &String)) -> Option<Vec<String>> {
    const HIDDEN: [&str; 5] = ["PASSPHRASE", "PASSWORD", "SECRET", "TOKEN", "KEY"];
    if !name.starts_with("PULUMI_") {
        return None;
    }
    // Programs get all of their configuration by one variable.
    let hidden = name == "PULUMI_CONFIG"
        || (!name.ends_with("_FILE") && HIDDEN.iter().any(|word| name.contains(word)));
    let shown = match value.as_str() {
        "true" | "false" => value.clone(),
        _ if hidden => "[secret]".to_owned(),
        _ => format!("{:?}", without_password(value)),
    };
    Some(vec![name.clone(), shown])
}

/// A URL without the password that it may hold.
fn without_password(text: &str) -> String {
    let whole = || {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (who, host) = rest[..end].rsplit_once('@')?;
        let (user, _) = who.split_once(':')?;
        Some(format!("{scheme}://{user}:[secret]@{host}{}", &rest[end..]))
    };
    whole().unwrap_or_else(|| text.to_owned())
}

fn as_json(context: &Context, facts: &Facts) -> Value {
    let stack = facts.stack.as_ref().map(|stack| {
        let listed = |rows: &[Vec<String>]| -> Vec<Value> {
            rows.iter().map(|row| json!({ "type": row[0], "urn": row[1] })).collect()
        };
        json!({
            "name": stack.target.id.name,
            "fullyQualifiedName": stack.target.id.to_string(),
            "resources": listed(&stack.resources),
            "pendingOps": listed(&stack.pending),
        })
    });
    let backend = facts.backend.as_ref().map(|url| {
        json!({
            "name": context.ambient.host_name(),
            "url": url,
            "user": context.ambient.user_name(),
            "organizations": null,
        })
    });
    let plugins = facts.plugins.as_ref().map(|plugins| {
        let row = |(kind, name, version): &Plugin| json!({ "name": name, "version": version, "kind": kind });
        plugins.iter().map(row).collect::<Vec<_>>()
    });
    json!({
        "plugins": plugins,
        "host": { "os": facts.os.0, "version": facts.os.1, "arch": std::env::consts::ARCH },
        "backend": backend,
        "currentStack": stack,
        "cliAbout": { "version": COMPATIBLE_VERSION, "purlinVersion": VERSION, "goVersion": "", "goCompiler": "" },
        "runtime": facts.runtime.as_ref().map(|r| json!({ "language": r })),
        "dependencies": [],
        "errors": facts.errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_shown_without_their_secrets() {
        let shown = |name: &str, value: &str| {
            variable((&name.to_owned(), &value.to_owned())).map(|row| row[1].clone())
        };
        assert_eq!(shown("HOME", "/root"), None);
        assert_eq!(shown("PULUMI_SKIP_UPDATE_CHECK", "true").unwrap(), "true");
        assert_eq!(shown("PULUMI_BACKEND_URL", "file://~").unwrap(), "\"file://~\"");
        assert_eq!(
            shown("PULUMI_BACKEND_URL", "postgres://u:p@ss@h:1/d?x=y@z").unwrap(),
            "\"postgres://u:[secret]@h:1/d?x=y@z\""
        );
        assert_eq!(shown("PULUMI_CONFIG_PASSPHRASE", "x").unwrap(), "[secret]");
        assert_eq!(shown("PULUMI_CONFIG_PASSPHRASE_FILE", "/p").unwrap(), "\"/p\"");
        assert_eq!(shown("PULUMI_CONFIG", "{}").unwrap(), "[secret]");
        assert_eq!(shown("PULUMI_ACCESS_TOKEN", "pul-1").unwrap(), "[secret]");
    }
}
