//! `docs/engine-rules.md`: its rows are counted, the tests that they name exist, and the table at
//! its top says how many rows each section has. `cargo xtask rules` writes that table.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::repo::Repo;

const PAGE: &str = "docs/engine-rules.md";

/// What stands around the table at the top.
const BEGIN: &str = "<!-- written by `cargo xtask rules` -->";
const END: &str = "<!-- end of what is written -->";

/// Where text cases live, by the short name that rows use.
const CASES: [(&str, &str); 2] =
    [("lifecycle/", "crates/testkit/tests/lifecycle/"), ("plan/", "crates/plan/tests/cases/")];

/// From how many rows on it is checked that at most a tenth is left out.
const ENOUGH_ROWS: usize = 200;

/// Writes the table at the top of the page.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let path = repo.path(PAGE);
    let text = std::fs::read_to_string(&path).context(PAGE)?;
    let sections = sections(&text);
    let new = with_table(&text, &table(&sections));
    if new != text {
        std::fs::write(&path, new).context(PAGE)?;
    }
    let (rows, left_out) = totals(&sections);
    println!("rules: {rows} behaviours, {} covered, {left_out} left out", rows - left_out);
    Ok(())
}

/// Checks the page.
pub(crate) fn check(repo: &Repo) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(repo.path(PAGE)).context(PAGE)?;
    let sections = sections(&text);
    let mut tests = Tests { repo, texts: HashMap::new() };
    let mut problems = Vec::new();
    for section in &sections {
        let mut seen = BTreeSet::new();
        for row in &section.rows {
            let place = format!("{PAGE}:{}", row.line);
            if !seen.insert(row.key.as_str()) {
                problems.push(format!("{place}: {} has this behaviour twice", section.name));
            }
            problems.extend(row.problems(&mut tests)?.into_iter().map(|p| format!("{place}: {p}")));
        }
    }
    let (rows, left_out) = totals(&sections);
    if rows >= ENOUGH_ROWS && left_out * 10 > rows {
        problems.push(format!("{PAGE}: {left_out} of {rows} behaviours are left out, more than a tenth"));
    }
    if with_table(&text, &table(&sections)) != text {
        problems.push(format!("{PAGE}: the table at the top is out of date: run `cargo xtask rules`"));
    }
    Ok(problems)
}

/// A part of the page.
#[derive(Debug, Default)]
struct Section {
    name: String,
    /// The file of the official engine that pins these behaviours, if it is about one.
    file: Option<String>,
    rows: Vec<Row>,
}

/// A row of a table whose last column is the test.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    /// All but the last cell.
    key: String,
    test: String,
}

impl Section {
    fn left_out(&self) -> usize {
        self.rows.iter().filter(|row| row.is_left_out()).count()
    }
}

impl Row {
    fn is_left_out(&self) -> bool {
        self.test.starts_with("left out")
    }

    fn problems(&self, tests: &mut Tests<'_>) -> Result<Vec<String>> {
        if self.test.is_empty() {
            return Ok(vec!["names no test".to_owned()]);
        }
        if let Some(reason) = self.test.strip_prefix("left out") {
            let reason = reason.trim_start_matches(':').trim();
            return Ok(if reason.is_empty() {
                vec!["doesn't say why it is left out".to_owned()]
            } else {
                Vec::new()
            });
        }
        let mut problems = Vec::new();
        for named in names(&self.test) {
            problems.extend(tests.problem(&named)?);
        }
        Ok(problems)
    }
}

/// The tests that a cell names.
fn names(cell: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in cell.replace("<br>", ";").split(';') {
        let part = part.trim().trim_matches('`').trim();
        let starts = CASES.iter().map(|(short, _)| *short).chain(["crates/", "xtask/"]);
        match found.last_mut() {
            // The name of a case may hold a semicolon.
            Some(last) if !starts.into_iter().any(|start| part.starts_with(start)) => {
                last.push_str("; ");
                last.push_str(part);
            }
            _ => found.push(part.to_owned()),
        }
    }
    found
}

/// Reads the files that rows name, each once.
struct Tests<'a> {
    repo: &'a Repo,
    texts: HashMap<String, Option<String>>,
}

impl Tests<'_> {
    /// What is wrong with `file: test`.
    fn problem(&mut self, named: &str) -> Result<Option<String>> {
        let Some((file, test)) = named.split_once(": ") else {
            return Ok(Some(format!("`{named}` is no `file: test`")));
        };
        let test = test.trim().trim_matches('`');
        let (file, case) = match CASES.iter().find(|(short, _)| file.starts_with(short)) {
            Some((short, folder)) => (format!("{folder}{}", &file[short.len()..]), true),
            None => (file.to_owned(), false),
        };
        let Some(text) = self.text(&file)? else {
            return Ok(Some(format!("{file} doesn't exist")));
        };
        let found = if case {
            text.lines().any(|line| {
                let title = line.strip_prefix("=== ").or_else(|| line.strip_prefix("== "));
                title.is_some_and(|title| title.trim() == test)
            })
        } else {
            text.contains(&format!("fn {test}("))
        };
        Ok((!found).then(|| format!("{file} has no test `{test}`")))
    }

    fn text(&mut self, file: &str) -> Result<Option<&str>> {
        if !self.texts.contains_key(file) {
            let path = self.repo.path(file);
            let text = match path.is_file() {
                true => Some(std::fs::read_to_string(&path).context(file.to_owned())?),
                false => None,
            };
            self.texts.insert(file.to_owned(), text);
        }
        Ok(self.texts.get(file).and_then(Option::as_deref))
    }
}

/// The sections of the page, with the rows of those tables whose last column is the test.
fn sections(text: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let mut in_tests = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("## ") {
            found.push(Section { name: name.trim().to_owned(), ..Section::default() });
            in_tests = false;
        }
        let Some(section) = found.last_mut() else { continue };
        let file = line.strip_prefix('`').and_then(|rest| rest.split('`').next());
        if let Some(file) = file.filter(|file| file.ends_with("_test.go")) {
            section.file.get_or_insert_with(|| file.to_owned());
        }
        let Some(cells) = cells(line) else {
            in_tests = false;
            continue;
        };
        let Some((last, rest)) = cells.split_last() else { continue };
        if last == "Test" {
            in_tests = true;
        } else if in_tests && !last.starts_with("--") {
            section.rows.push(Row { line: number + 1, key: rest.join(" | "), test: last.clone() });
        }
    }
    found
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let escaped = inner.replace("\\|", "\u{1}");
    Some(escaped.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect())
}

/// How many behaviours the official files pin, and how many are left out.
fn totals(sections: &[Section]) -> (usize, usize) {
    let of_files = sections.iter().filter(|section| section.file.is_some());
    of_files.fold((0, 0), |(rows, out), section| (rows + section.rows.len(), out + section.left_out()))
}

fn table(sections: &[Section]) -> String {
    let mut out = "| File | Behaviours | Covered | Left out |\n|---|---:|---:|---:|\n".to_owned();
    let mut line = |name: &str, rows: usize, left_out: usize| {
        let _ = writeln!(out, "| {name} | {rows} | {} | {left_out} |", rows - left_out);
    };
    for section in sections {
        if let Some(file) = &section.file {
            line(&format!("`{file}`"), section.rows.len(), section.left_out());
        }
    }
    let (rows, left_out) = totals(sections);
    line("All", rows, left_out);
    out
}

/// The page with another table at its top.
fn with_table(text: &str, table: &str) -> String {
    let block = format!("{BEGIN}\n\n{table}\n{END}\n");
    let old = text.find(BEGIN).and_then(|start| {
        let end = start + text[start..].find(END)? + END.len();
        Some((start, end + usize::from(text[end..].starts_with('\n'))))
    });
    match old {
        Some((start, end)) => format!("{}{block}{}", &text[..start], &text[end..]),
        None => match text.find("\n## ") {
            Some(at) => format!("{}\n{block}{}", &text[..at], &text[at..]),
            None => format!("{text}\n{block}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Rules\n\nText.\n\n## alias\n\n`alias_test.go`\n\n| Behaviour | Test |\n|---|---|\n\
        | One \\| two | lifecycle/alias.txt: a; b |\n| Three | left out: no such thing |\n\n\
        ## Failures\n\n| Number | Behaviour | Test |\n|---|---|---|\n| 1 | x | crates/plan/tests/cases.rs: basics |\n\n\
        ## Pairs\n\n| a | b |\n|---|---|\n| yes | no |\n";

    #[test]
    fn rows_are_counted_by_section() {
        let sections = sections(TEXT);
        let counts: Vec<(&str, usize, usize)> =
            sections.iter().map(|s| (s.name.as_str(), s.rows.len(), s.left_out())).collect();
        assert_eq!(counts, [("alias", 2, 1), ("Failures", 1, 0), ("Pairs", 0, 0)]);
        assert_eq!(totals(&sections), (2, 1));
        assert_eq!(sections[0].rows[0].key, "One | two");
    }

    #[test]
    fn the_table_is_put_in_and_replaced() {
        let first = with_table(TEXT, &table(&sections(TEXT)));
        assert!(first.contains("Text.\n\n<!--"), "{first}");
        assert!(
            first.contains("| `alias_test.go` | 2 | 1 | 1 |\n| All | 2 | 1 | 1 |\n\n<!-- end"),
            "{first}"
        );
        assert_eq!(with_table(&first, &table(&sections(&first))), first);
        let other = with_table(&first, "other\n");
        assert_eq!(with_table(&other, &table(&sections(&other))), first);
    }

    #[test]
    fn cells_name_one_test_or_several() {
        assert_eq!(names("plan/a.txt: x; y"), ["plan/a.txt: x; y"]);
        assert_eq!(
            names("`plan/a.txt: x`; lifecycle/b.txt: y<br>crates/c.rs: z"),
            ["plan/a.txt: x", "lifecycle/b.txt: y", "crates/c.rs: z"]
        );
    }

    #[test]
    fn tests_that_are_not_there_are_found() {
        let repo = Repo::here();
        let mut tests = Tests { repo: &repo, texts: HashMap::new() };
        let mut problem = |named: &str| tests.problem(named).unwrap();
        assert_eq!(problem("plan/basics.txt: everything is new"), None);
        assert_eq!(problem("crates/plan/tests/it/cases.rs: every_file_is_run"), None);
        let missing = "crates/plan/tests/cases/basics.txt has no test `nothing`";
        assert_eq!(problem("plan/basics.txt: nothing").as_deref(), Some(missing));
        assert!(problem("plan/nowhere.txt: x").is_some());
        assert!(problem("somewhere").is_some());
    }
}
