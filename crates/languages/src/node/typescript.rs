//! Whether a program needs the TypeScript compiler, which takes long to load.

use std::path::Path;

/// How many entries to look at before giving up and loading the compiler.
const PATIENCE: usize = 2_000;

/// Whether anything that the program is made of may be TypeScript. When in doubt, it is.
pub(super) fn is_needed(directory: &Path) -> bool {
    let Ok(manifest) = std::fs::read_to_string(directory.join("package.json")) else { return true };
    // Sources outside of the folder can come in as packages of a workspace.
    let linked = ["\"file:", "\"link:", "\"portal:", "\"workspace:", "\"workspaces\""];
    if linked.iter().any(|mark| manifest.contains(mark)) {
        return true;
    }
    let mut left = PATIENCE;
    contains_typescript(directory, &mut left)
}

fn contains_typescript(folder: &Path, left: &mut usize) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    for entry in entries.flatten() {
        if *left == 0 {
            return true;
        }
        *left -= 1;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Ok(kind) = entry.file_type() else { return true };
        if kind.is_symlink() && name != "node_modules" {
            return true;
        }
        if kind.is_dir() && name != "node_modules" && !name.starts_with('.') {
            if contains_typescript(&entry.path(), left) {
                return true;
            }
        } else if name.starts_with("tsconfig")
            || [".ts", ".tsx", ".mts", ".cts"].iter().any(|end| name.ends_with(end))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_javascript_is_recognised_and_anything_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(is_needed(folder.path()), "no manifest");
        write("package.json", r#"{"main":"index.js"}"#);
        write("lib/index.js", "");
        write("node_modules/x/index.ts", "");
        assert!(!is_needed(folder.path()));
        write("lib/more.ts", "");
        assert!(is_needed(folder.path()), "a source");
        std::fs::remove_file(folder.path().join("lib/more.ts")).unwrap();
        write("package.json", r#"{"dependencies":{"own":"file:../own"}}"#);
        assert!(is_needed(folder.path()), "a linked package");
    }
}
