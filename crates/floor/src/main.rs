//! What programs and providers cost by themselves, without an engine in between.
//!
//! `floor program <runtime> <folder> <parallel> <key=value>...` runs a program against a monitor
//! that answers at once. `floor provider <package> <count> <parallel>` sends a provider the calls
//! that the phases of a stack's life make. Both print one line: seconds for the first, seconds of
//! each phase for the second. The benchmark (`cargo xtask bench`) sets these beside what it measured.
//! `floor proxy <http|postgres> <host:port>` is the way to a store, slower than it is.

mod program;
mod provider;
mod proxy;

use std::process::ExitCode;

/// Why something can't be measured.
type Problem = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: floor program <runtime> <folder> <parallel> <key=value>...
       floor provider <package> <count> <parallel>
       floor proxy <http|postgres> <host:port>";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["program", runtime, folder, parallel, config @ ..] => {
            program::measure(runtime, folder, parallel, config).await
        }
        ["provider", package, count, parallel] => provider::measure(package, count, parallel).await,
        ["proxy", protocol, server] => {
            return match proxy::serve(protocol, server) {
                Ok(()) => ExitCode::SUCCESS,
                Err(problem) => failed(&problem),
            };
        }
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &Problem) -> ExitCode {
    eprintln!("floor: {problem}");
    ExitCode::FAILURE
}
