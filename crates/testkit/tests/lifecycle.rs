//! Whole operations as text cases over the real engine: each file of `lifecycle` is one theme. How
//! cases are written is said in the module `lab`.
//!
//! With `PURLIN_BLESS=1` in the environment results are rewritten; read them before you keep them.
//! With `PURLIN_CASE=file.txt` or `PURLIN_CASE='file.txt: part of a name'` only those are run.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::Path;

#[test]
fn lifecycle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lifecycle");
    let bless = std::env::var_os("PURLIN_BLESS").is_some();
    let filter = std::env::var("PURLIN_CASE").ok();
    match purlin_testkit::lab::suite::run_folder(&folder, bless, filter.as_deref()) {
        Ok(count) => assert!(count > 0, "there are no cases"),
        Err(wrong) => panic!("\n{wrong}"),
    }
}

#[test]
fn nothing_breaks_in_other_orders_of_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lifecycle");
    let seeds: u64 = std::env::var("PURLIN_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let wrong: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            let wrong = purlin_testkit::lab::suite::in_any_order(path, 0..seeds).err()?;
            Some(format!("{}\n{wrong}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
