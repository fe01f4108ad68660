//! `about` and `version`.

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

/// A stack, its resources by type and URN, its pending operations.
type StackFacts = (Target, Vec<(String, String)>, Vec<String>);

struct Facts {
    os: (String, String),
    backend: Option<String>,
    stack: Option<StackFacts>,
    runtime: Option<String>,
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
    let backend = context.store(project.as_ref()).map(|store| store.url().to_owned()).map_err(&mut note).ok();
    let mut stack = None;
    if backend.is_some() {
        match context.stack(args.stack.as_deref()) {
            Ok(target) => match target.store.load(&target.id).await {
                Ok(loaded) => {
                    let row = |s: &purlin_model::ResourceState| (s.ty.to_string(), s.urn.to_string());
                    let resources = loaded.snapshot.resources.iter().map(|s| row(s)).collect();
                    let pending = loaded
                        .snapshot
                        .pending_operations
                        .iter()
                        .map(|p| format!("{} {}", p.kind.as_str(), p.resource.urn))
                        .collect();
                    stack = Some((target, resources, pending));
                }
                Err(error) => note(error.into()),
            },
            Err(error) => note(error),
        }
    }
    Facts { os: os_release(), backend, stack, runtime: project.map(|p| p.runtime.name), errors }
}

fn os_release() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    let id = field("ID");
    (if id.is_empty() { std::env::consts::OS.to_owned() } else { id }, field("VERSION_ID"))
}

/// Shows what is known about this installation and the project.
pub(crate) async fn about(context: &Context, args: AboutArgs) -> Result<(), CommandError> {
    let facts = gather(context, &args).await;
    if args.json {
        let text = serde_json::to_string_pretty(&as_json(context, &facts)).unwrap_or_default();
        context.out.line(text);
        return Ok(());
    }
    let out = &context.out;
    out.line(format!("CLI\nVersion     {VERSION}\nCompatible  {COMPATIBLE_VERSION}\n"));
    out.line(format!(
        "Host\nOS       {}\nVersion  {}\nArch     {}\n",
        facts.os.0,
        facts.os.1,
        std::env::consts::ARCH
    ));
    if let Some(runtime) = &facts.runtime {
        out.line(format!("This project is written in {runtime}\n"));
    }
    if let Some((target, resources, pending)) = &facts.stack {
        out.line(format!("Current Stack: {}\n", target.id));
        let rows: Vec<Vec<String>> =
            resources.iter().map(|(ty, urn)| vec![ty.clone(), urn.clone()]).collect();
        for line in table(&["TYPE", "URN"], &rows) {
            out.line(line);
        }
        out.line("");
        match pending.len() {
            0 => out.line(format!("Found no pending operations associated with {}\n", target.id.name)),
            n => out.line(format!("{n} pending operations:\n  {}\n", pending.join("\n  "))),
        }
    }
    if let Some(url) = &facts.backend {
        out.line(format!(
            "Backend\nName  {}\nURL   {url}\nUser  {}",
            context.ambient.host_name(),
            context.ambient.user_name()
        ));
    }
    for error in &facts.errors {
        out.error_line(format!("warning: {error}"));
    }
    Ok(())
}

fn as_json(context: &Context, facts: &Facts) -> Value {
    let stack = facts.stack.as_ref().map(|(target, resources, pending)| {
        let resources: Vec<Value> =
            resources.iter().map(|(ty, urn)| json!({ "type": ty, "urn": urn })).collect();
        json!({
            "name": target.id.name,
            "fullyQualifiedName": target.id.to_string(),
            "resources": resources,
            "pendingOps": pending,
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
    json!({
        "plugins": [],
        "host": { "os": facts.os.0, "version": facts.os.1, "arch": std::env::consts::ARCH },
        "backend": backend,
        "currentStack": stack,
        "cliAbout": { "version": COMPATIBLE_VERSION, "purlinVersion": VERSION, "goVersion": "", "goCompiler": "" },
        "runtime": facts.runtime.as_ref().map(|r| json!({ "language": r })),
        "dependencies": [],
        "errors": facts.errors,
    })
}
