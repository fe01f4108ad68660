//! Headers and sizes of source files, and what libraries must not touch.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::layers::Rules;
use super::scan::{blanked, functions, without_tests};
use crate::repo::Repo;

/// Names that no crate, module or file may have.
const BANNED_NAMES: [&str; 5] = ["core", "common", "types", "helpers", "util"];

/// What only binaries may do: read arguments, environment, directories, clock and chance, and print.
const AMBIENT: [&str; 16] = [
    "env::args",
    "env::var",
    "env::current_dir",
    "env::set_current_dir",
    "env::current_exe",
    "env::home_dir",
    "env::temp_dir",
    "SystemTime::now",
    "Timestamp::now",
    "getrandom::",
    "SystemRandom",
    "print!(",
    "println!(",
    "dbg!(",
    "stdin()",
    "stdout()",
];

/// Checks all sources of the workspace.
pub(crate) fn check(repo: &Repo, rules: &Rules) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut folders = repo.crates()?;
    folders.push(("xtask".to_owned(), repo.path("xtask")));
    for (name, folder) in folders {
        if BANNED_NAMES.contains(&name.as_str()) {
            problems.push(format!("crates/{name}: a crate's name says what it is for"));
        }
        let mut files = Vec::new();
        rust_files(&folder, &mut files)?;
        files.sort();
        for path in files {
            let shown = path.strip_prefix(repo.root()).unwrap_or(&path).to_string_lossy().into_owned();
            let source = std::fs::read_to_string(&path).with_context(|| shown.clone())?;
            let file = SourceFile { shown: &shown, source: &source, in_crate: &name };
            problems.extend(file.check(rules));
        }
    }
    problems.extend(missing_exceptions(repo, rules));
    Ok(problems)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Exceptions for files that are gone.
fn missing_exceptions(repo: &Repo, rules: &Rules) -> Vec<String> {
    let named = rules.long_files.iter().chain(rules.ambient_files.keys());
    named
        .filter(|file| !repo.path(file).is_file())
        .map(|file| format!("layers.toml: {file} is named as an exception and doesn't exist"))
        .collect()
}

struct SourceFile<'a> {
    shown: &'a str,
    source: &'a str,
    in_crate: &'a str,
}

impl SourceFile<'_> {
    fn check(&self, rules: &Rules) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.source.starts_with("//!") {
            problems.push(format!("{}: doesn't open with a `//!` line that says what it is for", self.shown));
        }
        let stem = Path::new(self.shown).file_stem().map(|s| s.to_string_lossy().into_owned());
        if stem.is_some_and(|stem| BANNED_NAMES.contains(&stem.as_str())) {
            problems.push(format!("{}: a module's name says what it is for", self.shown));
        }
        let blank = blanked(self.source);
        for function in functions(&blank).into_iter().filter(|f| f.lines > rules.function_lines) {
            problems.push(format!(
                "{}:{}: the function {} has {} lines, the most is {}",
                self.shown, function.line, function.name, function.lines, rules.function_lines
            ));
        }
        if self.is_test() {
            return problems;
        }
        let production = without_tests(&blank);
        let lines = production.lines().count();
        if lines > rules.file_lines && !rules.long_files.contains(self.shown) {
            problems.push(format!(
                "{}: has {lines} lines without tests, the most is {}",
                self.shown, rules.file_lines
            ));
        }
        if !rules.ambient.contains(self.in_crate) {
            let excused = rules.ambient_files.get(self.shown);
            for word in AMBIENT {
                if production.contains(word) && !excused.is_some_and(|words| words.contains(word)) {
                    problems.push(format!(
                        "{}: `{word}` is for binaries only; take it as a parameter",
                        self.shown
                    ));
                }
            }
        }
        problems
    }

    fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.shown.split('/').collect();
        parts.contains(&"tests")
            || parts.contains(&"benches")
            || parts.contains(&"examples")
            || parts.last() == Some(&"tests.rs")
            || parts.last() == Some(&"build.rs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules { file_lines: 6, function_lines: 4, ..Rules::default() }
    }

    fn found(shown: &str, source: &str) -> Vec<String> {
        SourceFile { shown, source, in_crate: "plan" }.check(&rules())
    }

    #[test]
    fn files_need_a_header() {
        assert_eq!(found("crates/plan/src/a.rs", "//! What it is for.\n"), Vec::<String>::new());
        assert!(found("crates/plan/src/a.rs", "use x;\n")[0].contains("doesn't open with"));
    }

    #[test]
    fn long_functions_and_files_are_found() {
        let source = "//! A.\nfn a() {\n    b();\n    b();\n    b();\n    b();\n}\n";
        let problems = found("crates/plan/src/a.rs", source);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("a.rs:2: the function a has 6 lines"), "{problems:?}");
        let with_tests =
            "//! A.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n    fn c() {}\n    fn d() {}\n}\n";
        assert_eq!(found("crates/plan/src/a.rs", with_tests), Vec::<String>::new());
    }

    #[test]
    fn libraries_read_nothing_ambient() {
        let source = "//! A.\nfn a() { std::env::var(\"HOME\"); }\n";
        assert!(found("crates/plan/src/a.rs", source)[0].contains("`env::var` is for binaries only"));
        let in_tests = "//! A.\n#[cfg(test)]\nmod tests { fn a() { std::env::var(\"HOME\"); } }\n";
        assert_eq!(found("crates/plan/src/a.rs", in_tests), Vec::<String>::new());
        assert_eq!(found("crates/plan/tests/a.rs", source), Vec::<String>::new());
    }

    #[test]
    fn names_say_what_things_are_for() {
        assert!(found("crates/plan/src/util.rs", "//! A.\n")[0].contains("name says"));
    }
}
