//! The `purlin` command line: parse, settle settings, call, render, exit.

mod ambient;
mod args;
mod commands;
mod config_values;
mod context;
mod events;
mod exit;
mod mailbox;
mod operation;
mod output;
mod pace;
mod passphrases;
mod picture;
mod plain;
mod prompt;
mod report;
mod vcs;
mod version;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::ambient::Ambient;
use crate::args::{Cli, Command};
use crate::config_values::Managers;
use crate::context::Context;
use crate::exit::CommandError;
use crate::output::Output;
use crate::pace::Pace;

/// A resource costs hundreds of allocations, most of them small and short-lived.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator does without huge pages, of which most would stay empty. By that it has switched them
    // off for all that this process starts; programs and plugins are to have what the system gives them.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(false);
    let mut ambient = Ambient::read();
    let name = if ambient.invoked_as.is_empty() { "purlin".to_owned() } else { ambient.invoked_as.clone() };
    let arguments = args_with_environment(&ambient);
    let command = Cli::command().name(name.clone()).bin_name(name);
    let parsed = match args::lenient(command.clone()).try_get_matches_from(&arguments) {
        // Help shows switches as they are declared.
        Err(error) if is_help(&error) => command.try_get_matches_from(&arguments),
        parsed => parsed,
    };
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let out =
        Arc::new(Output::new(cli.global.color, ambient.stdout_terminal && ambient.var("NO_COLOR").is_none()));
    if let Some(directory) = cli.global.cwd.clone()
        && let Err(problem) = ambient.change_directory(&directory)
    {
        return finish(&out, Err(problem.into()));
    }
    let pace = Arc::new(Pace::default());
    let context = Context {
        ambient,
        global: cli.global,
        out: Arc::clone(&out),
        managers: Managers::default(),
        pace: Arc::clone(&pace),
    };
    // One thread does what there is to do: programs and plugins, which do the work, are processes of
    // their own, and a call that wanders between threads costs more than what they would share.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || pace.sleep_on())
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let problem = purlin_diag::Diagnostic::error("runtime", format!("no threads to run on: {error}"));
            return finish(&out, Err(problem.into()));
        }
    };
    let result = runtime.block_on(run(&context, cli.command));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    finish(&out, result)
}

async fn run(context: &Context, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Preview(args) => operation::preview(context, args).await,
        Command::Why(args) => operation::why(context, *args).await,
        Command::Up(args) => operation::up(context, *args).await,
        Command::Refresh(args) => operation::refresh(context, args).await,
        Command::Destroy(args) => operation::destroy(context, args).await,
        Command::Cancel(args) => commands::cancel(context, args).await,
        Command::Stack(args) => commands::stack(context, args).await,
        Command::Config(args) => commands::config(context, args).await,
        Command::State(args) => commands::state(context, args).await,
        Command::New(args) => commands::new(context, args).await,
        Command::Install(args) => commands::install(context, args).await,
        Command::Login(args) => commands::login(context, &args).await,
        Command::Logout(args) => commands::logout(context, &args),
        Command::Whoami(args) => commands::whoami(context, &args),
        Command::About(args) => commands::about(context, args).await,
        Command::Version => {
            commands::version(context);
            Ok(())
        }
    }
}

/// Flags may be given by the environment: `PULUMI_OPTION_<FLAG>` in capitals, with underscores.
fn args_with_environment(ambient: &Ambient) -> Vec<String> {
    let mut arguments: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    if let Some(first) = arguments.get_mut(1).filter(|word| *word == "--version") {
        "version".clone_into(first);
    }
    // There, and nowhere else, the flag takes no number.
    if let Some(command) = arguments.iter().position(|word| word == "whoami") {
        let own = |word: &&mut String| word.as_str() == "-v" || word.as_str() == "--verbose";
        arguments[command..].iter_mut().filter(own).for_each(|word| "--details".clone_into(word));
    }
    let command = Cli::command();
    let mut scope = &command;
    for word in arguments.iter().skip(1) {
        match scope.find_subcommand(word) {
            Some(found) => scope = found,
            None if word.starts_with('-') => {}
            None => break,
        }
    }
    let end = arguments.iter().position(|a| a == "--").unwrap_or(arguments.len());
    let mut extra = Vec::new();
    for argument in scope.get_arguments().chain(command.get_arguments()) {
        let Some(long) = argument.get_long() else { continue };
        let variable = format!("PULUMI_OPTION_{}", long.to_uppercase().replace('-', "_"));
        let given = arguments[..end].iter().any(|a| {
            a.strip_prefix("--").is_some_and(|rest| rest == long || rest.starts_with(&format!("{long}=")))
        });
        let Some(value) = ambient.non_empty(&variable) else { continue };
        if given || extra.iter().any(|e: &String| e.starts_with(&format!("--{long}"))) {
            continue;
        }
        if argument.get_action().takes_values() {
            let list = matches!(argument.get_action(), clap::ArgAction::Append);
            let values: Vec<&str> = if list { value.split(',').collect() } else { vec![value] };
            extra.extend(values.into_iter().map(|v| format!("--{long}={v}")));
        } else if ambient.is_on(&variable) {
            extra.push(format!("--{long}"));
        }
    }
    arguments.splice(end..end, extra);
    arguments
}

fn is_help(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand)
}

fn usage(error: &clap::Error) -> ExitCode {
    // A reader that went away is no failure of ours.
    let _ = error.print();
    match error.kind() {
        clap::error::ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ if is_help(error) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

fn finish(out: &Output, result: Result<(), CommandError>) -> ExitCode {
    let written = || out.problem().map_or(Ok(()), |problem| Err(problem.into()));
    match result.and_then(|()| written()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for diagnostic in &error.diagnostics {
                out.error_line(report::render(diagnostic, out.colors()));
            }
            ExitCode::from(error.failure.code())
        }
    }
}
