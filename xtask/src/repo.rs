//! Where things are in this repository.

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The repository that this program was built from.
    pub(crate) fn here() -> Repo {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        Repo { root: manifest.parent().unwrap_or(manifest).to_path_buf() }
    }

    /// Its top folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target"),
        }
    }

    /// The release binary.
    pub(crate) fn release_binary(&self) -> PathBuf {
        self.target().join("release").join(format!("purlin{}", std::env::consts::EXE_SUFFIX))
    }

    /// The folders of the crates, by name, sorted.
    pub(crate) fn crates(&self) -> std::io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.path("crates"))? {
            let path = entry?.path();
            if path.join("Cargo.toml").is_file()
                && let Some(name) = path.file_name()
            {
                found.push((name.to_string_lossy().into_owned(), path.clone()));
            }
        }
        found.sort();
        Ok(found)
    }
}
