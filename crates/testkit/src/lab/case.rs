//! Cases: a name and blocks, as text.

use super::operation::Operation;
use super::program::{Item, Program};

/// One block of a case.
#[derive(Clone, Debug)]
pub enum Block {
    /// The state to start from; replaces what is there.
    State(Vec<String>),
    /// How the cloud behaves from now on.
    Cloud(Vec<String>),
    /// How components of a type are made.
    Construct(String, Vec<String>),
    /// The program from now on.
    Program(Program),
    /// An edit of the state.
    Edit(String),
    /// What results show from now on.
    Show(Vec<String>),
    /// An operation with the result that is expected.
    Operation(Box<Operation>, Vec<String>),
}

/// A case: its name, and blocks with the lines that they were read from.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Its blocks; texts are without expected lines.
    pub blocks: Vec<(Block, String)>,
}

/// Cuts a file into cases.
pub fn read_file(text: &str) -> Result<(String, Vec<Case>), String> {
    let mut parts = format!("\n{text}")
        .replace("\n== ", "\n=== ")
        .split("\n=== ")
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter();
    let head = parts.next().unwrap_or_default().trim().to_owned();
    let cases = parts.map(|part| {
        let (name, rest) = part.split_once('\n').unwrap_or((&part, ""));
        let case = read_case(name.trim(), rest).map_err(|problem| format!("{}: {problem}", name.trim()))?;
        Ok(case)
    });
    Ok((head, cases.collect::<Result<Vec<_>, String>>()?))
}

/// Reads the blocks of a case.
pub fn read_case(name: &str, text: &str) -> Result<Case, String> {
    let mut case = Case { name: name.to_owned(), blocks: Vec::new() };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            if !case.blocks.is_empty() || line.trim_start().starts_with('#') {
                push_text(&mut case, line);
            }
            continue;
        }
        let mut body = Vec::new();
        let mut text = line.to_owned();
        while let Some(next) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            text.push('\n');
            text.push_str(next);
            if !next.trim_start().starts_with('#') && !next.trim().is_empty() {
                body.push(next.trim().to_owned());
            }
        }
        let mut expected = Vec::new();
        while let Some(next) = lines.next_if(|next| next.starts_with('>')) {
            expected.push(next.trim_end().to_owned());
        }
        let block = read_block(line, body, expected)?;
        case.blocks.push((block, text));
    }
    Ok(case)
}

/// Comments and empty lines go with the block before.
fn push_text(case: &mut Case, line: &str) {
    match case.blocks.last_mut() {
        Some((_, text)) if !line.trim().is_empty() => {
            text.push('\n');
            text.push_str(line);
        }
        Some(_) => {}
        None => case.blocks.push((Block::Show(Vec::new()), line.to_owned())),
    }
}

fn read_block(line: &str, body: Vec<String>, expected: Vec<String>) -> Result<Block, String> {
    let line = line.split(" #").next().unwrap_or_default();
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    Ok(match word {
        "state" => Block::State(body),
        "cloud" => Block::Cloud(body),
        "construct" => Block::Construct(rest.trim().to_owned(), body),
        "program" => {
            let mut program = Program { items: Vec::new(), parallel: rest.trim() == "parallel" };
            for line in &body {
                program.items.push(Item::read(line)?);
            }
            Block::Program(program)
        }
        "import" => {
            let items = body.iter().map(|line| Item::read(line)).collect::<Result<Vec<_>, _>>()?;
            let mut operation = Operation::read(line)?;
            operation.import_list = items;
            Block::Operation(Box::new(operation), expected)
        }
        "edit" => Block::Edit(rest.trim().to_owned()),
        "show" => Block::Show(rest.split_whitespace().map(str::to_owned).collect()),
        _ => Block::Operation(Box::new(Operation::read(line)?), expected),
    })
}

/// The text of a case with what came of it.
pub fn write_case(case: &Case, found: &[Vec<String>]) -> String {
    let mut text = format!("=== {}\n", case.name);
    let mut found = found.iter();
    for (block, own) in &case.blocks {
        let (own, comment) = match block {
            // What is said after an operation stands after its result.
            Block::Operation(operation, _) if operation.import_list.is_empty() => {
                own.split_once('\n').unwrap_or((own, ""))
            }
            _ => (own.as_str(), ""),
        };
        text.push_str(own);
        text.push('\n');
        if let Block::Operation(..) = block {
            for line in found.next().into_iter().flatten() {
                text.push_str(line);
                text.push('\n');
            }
        }
        if !comment.is_empty() {
            text.push_str(comment);
            text.push('\n');
        }
    }
    text
}
