//! `login`, `logout`, `whoami`.

use purlin_diag::Diagnostic;
use purlin_project::{Account, BackendSettings};

use crate::args::{LoginArgs, LogoutArgs, WhoamiArgs};
use crate::context::Context;
use crate::exit::CommandError;

/// The URL of the backend in the user's home directory.
const LOCAL: &str = "file://~";

fn chosen(
    url: Option<&String>,
    cloud_url: Option<&String>,
    local: bool,
) -> Result<Option<String>, CommandError> {
    let given = [url.cloned(), cloud_url.cloned(), local.then(|| LOCAL.to_owned())];
    let mut given = given.into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        let hint = "give a URL, --cloud-url or --local";
        let problem = Diagnostic::error("login-url", "only one backend may be named").with_hint(hint);
        return Err(problem.into());
    }
    Ok(first)
}

/// Chooses where state lives.
pub(crate) async fn login(context: &Context, args: &LoginArgs) -> Result<(), CommandError> {
    let url = match chosen(args.url.as_ref(), args.cloud_url.as_ref(), args.local)? {
        Some(url) => url,
        None => match context.ambient.non_empty("PULUMI_BACKEND_URL") {
            Some(url) => url.to_owned(),
            None => match context.find_project()?.and_then(|p| p.backend_url) {
                Some(url) => url,
                None => context.ask_text("Where is the state to live?", LOCAL, "the backend's URL")?,
            },
        },
    };
    let store = context.open_store(&url)?;
    store.list(None).await?;
    let url = store.url().to_owned();
    let mut credentials = context.credentials()?;
    credentials.set(&url, Account::with_token(""), true);
    credentials.save()?;
    if let Some(organization) = &args.default_org {
        let mut settings = BackendSettings::load(&context.ambient.pulumi_home())?;
        settings.set_default_organization(&url, Some(organization));
        settings.save()?;
    }
    let (host, user) = (context.ambient.host_name(), context.ambient.user_name());
    context.out.line(format!("Logged in to {host} as {user} ({url})"));
    Ok(())
}

/// Forgets where state lives.
pub(crate) fn logout(context: &Context, args: &LogoutArgs) -> Result<(), CommandError> {
    let mut credentials = context.credentials()?;
    let named = chosen(args.url.as_ref(), args.cloud_url.as_ref(), args.local)?;
    if args.all {
        if named.is_some() {
            let hint = "leave out --all, or the backend";
            return Err(Diagnostic::error("logout", "--all goes without a backend").with_hint(hint).into());
        }
        credentials.clear();
        credentials.save()?;
        context.out.line("Logged out of everything");
        return Ok(());
    }
    let url = match named {
        Some(url) => match context.open_store(&url) {
            Ok(store) => store.url().to_owned(),
            Err(_) => url,
        },
        None => match credentials.current() {
            Some(url) => url.to_owned(),
            // Whoever is logged in nowhere is logged out already.
            None => {
                context.out.line("You are not logged in to any backend");
                return Ok(());
            }
        },
    };
    credentials.remove(&url);
    credentials.save()?;
    context.out.line(format!("Logged out of {url}"));
    Ok(())
}

/// Shows who the user is to the backend.
pub(crate) fn whoami(context: &Context, args: &WhoamiArgs) -> Result<(), CommandError> {
    let project = context.find_project()?;
    let store = context.store(project.as_ref())?;
    let user = context.ambient.user_name();
    if args.json {
        let answer = serde_json::json!({ "user": user, "url": store.url() });
        context.out.line(serde_json::to_string_pretty(&answer).unwrap_or_default());
    } else if args.details || context.global.verbose.is_some() {
        context.out.line(format!("User: {user}\nOrganizations: \nBackend URL: {}", store.url()));
        context.out.line("Token type: personal");
    } else {
        context.out.line(user);
    }
    Ok(())
}
