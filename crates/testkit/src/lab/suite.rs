//! Files of cases, run and compared, or rewritten with what came of them.

use std::path::Path;

use super::Lab;
use super::case::{self, Block, Case};
use super::gate::Order;

/// What came of a case: the lines of each operation, and whether something must not have happened.
pub struct Played {
    /// The lines of each operation.
    pub found: Vec<Vec<String>>,
    /// What must not happen and did.
    pub violations: Vec<String>,
}

/// Goes through a case.
pub fn play(case: &Case) -> Result<Played, String> {
    let mut lab = Lab::default();
    let mut played = Played { found: Vec::new(), violations: Vec::new() };
    for (block, text) in &case.blocks {
        let ran = lab.block(block).map_err(|problem| format!("{}: {problem}\n  at: {text}", case.name))?;
        if let (Some(ran), Block::Operation(operation, _)) = (ran, block) {
            played.found.push(lab.lines(operation, &ran));
            played.violations.extend(ran.violations);
        }
    }
    Ok(played)
}

/// Goes through the cases of a file with the answers of each operation in other orders, one for each
/// seed. The results may differ; the error lists what must not happen and did.
pub fn in_any_order(path: &Path, seeds: std::ops::Range<u64>) -> Result<usize, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (_, mut cases) = case::read_file(&text)?;
    let (mut played, mut wrong) = (0, String::new());
    for case in &mut cases {
        for seed in seeds.clone() {
            for (number, (block, _)) in (0..).zip(&mut case.blocks) {
                match block {
                    Block::Operation(operation, _) => {
                        operation.order = Order::Drawn(seed.wrapping_mul(1000) + number);
                    }
                    // Every other time lines wait only for what they mention.
                    Block::Program(program) => program.parallel = seed % 2 == 1,
                    _ => {}
                }
            }
            for violation in play(case)?.violations {
                wrong.push_str(&format!("{}, seed {seed}: {violation}\n", case.name));
            }
            played += 1;
        }
    }
    if wrong.is_empty() { Ok(played) } else { Err(wrong) }
}

/// Runs the cases of a file. With `bless` the file is rewritten. The error lists what is wrong.
pub fn run_file(path: &Path, bless: bool, only: Option<&str>) -> Result<usize, String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let (head, cases) = case::read_file(&text).map_err(|problem| format!("{name}: {problem}"))?;
    let (mut written, mut wrong) = (format!("{head}\n"), String::new());
    for case in &cases {
        if only.is_some_and(|only| !case.name.contains(only)) && !bless {
            continue;
        }
        let played = play(case).map_err(|problem| format!("{name}: {problem}"))?;
        written.push('\n');
        written.push_str(&case::write_case(case, &played.found));
        for violation in &played.violations {
            wrong.push_str(&format!("{name}: {}: {violation}\n", case.name));
        }
        let expected = case.blocks.iter().filter_map(|(block, text)| match block {
            Block::Operation(_, expected) => Some((expected, text)),
            _ => None,
        });
        for (number, ((expected, text), found)) in expected.zip(&played.found).enumerate() {
            if expected != found && !bless {
                let (line, number) = (text.lines().next().unwrap_or_default(), number + 1);
                wrong.push_str(&format!(
                    "{name}: {}: operation {number}, {line}\n--- expected\n{}\n--- found\n{}\n",
                    case.name,
                    expected.join("\n"),
                    found.join("\n")
                ));
            }
        }
    }
    if bless && written != text {
        std::fs::write(path, &written).map_err(|error| format!("{name}: {error}"))?;
    }
    if wrong.is_empty() { Ok(cases.len()) } else { Err(wrong) }
}

/// Runs all files of a folder that end in `.txt`.
pub fn run_folder(folder: &Path, bless: bool, filter: Option<&str>) -> Result<usize, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let (file, only) = match filter.map(|filter| filter.split_once(": ").unwrap_or((filter, ""))) {
        Some((file, only)) => (Some(file), Some(only).filter(|only| !only.is_empty())),
        None => (None, None),
    };
    paths.retain(|path| file.is_none_or(|file| path.to_string_lossy().ends_with(file)));
    let (mut count, mut wrong) = (0, String::new());
    for path in &paths {
        match run_file(path, bless, only) {
            Ok(cases) => count += cases,
            Err(problem) => wrong.push_str(&problem),
        }
    }
    if wrong.is_empty() { Ok(count) } else { Err(wrong) }
}
