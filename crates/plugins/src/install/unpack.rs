//! Unpacking an archive without letting it write outside its folder.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use purlin_diag::Diagnostic;

/// Unpacks a compressed tar stream into an empty folder. Absolute names, names and links that lead
/// out of the folder, and everything but files, folders and links are refused.
pub fn unpack_tar_gz(archive: impl Read, folder: &Path) -> Result<(), Diagnostic> {
    let damaged = |e: std::io::Error| {
        Diagnostic::error("plugin-archive-damaged", format!("the archive can't be unpacked: {e}"))
            .with_hint("it may not have arrived whole, or is no tar.gz archive; try again")
    };
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive));
    tar.set_preserve_mtime(false);
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            continue;
        }
        let name = entry.path().map_err(damaged)?.into_owned();
        let inside = inside(Path::new(""), &name).ok_or_else(|| escape(&name, "its name"))?;
        if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name().map_err(damaged)?.unwrap_or_default().into_owned();
            let from =
                if kind.is_symlink() { inside.parent().unwrap_or(Path::new("")) } else { Path::new("") };
            if self::inside(from, &target).is_none() {
                return Err(escape(&name, "the link"));
            }
        } else if !kind.is_file() && !kind.is_dir() {
            return Err(Diagnostic::error(
                "plugin-archive-entry",
                format!("the archive's entry {} is neither a file nor a folder nor a link", name.display()),
            )
            .with_hint("don't use this archive"));
        }
        // Follows no links that lead out of the folder.
        if !entry.unpack_in(folder).map_err(damaged)? {
            return Err(escape(&name, "its name"));
        }
    }
    Ok(())
}

fn escape(name: &Path, what: &str) -> Diagnostic {
    Diagnostic::error(
        "plugin-archive-escape",
        format!(
            "the archive's entry {} would leave the plugin's folder: {what} leads outside",
            name.display()
        ),
    )
    .with_hint("don't use this archive: it is broken or malicious")
}

/// The path that a relative path means from a folder, if it never leaves the root.
fn inside(from: &Path, path: &Path) -> Option<PathBuf> {
    let mut result = from.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(part) => result.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                if !result.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;
    use tar::{Builder, EntryType, Header};

    fn entry(
        builder: &mut Builder<GzEncoder<Vec<u8>>>,
        name: &str,
        kind: EntryType,
        link: &str,
        data: &[u8],
    ) {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }

    fn unpack(entries: &[(&str, EntryType, &str)]) -> (tempfile::TempDir, Result<(), Diagnostic>) {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, link) in entries {
            let data: &[u8] = if kind.is_file() { b"data" } else { b"" };
            entry(&mut builder, name, *kind, link, data);
        }
        let bytes = builder.into_inner().unwrap().finish().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::create_dir(&target).unwrap();
        let result = unpack_tar_gz(&*bytes, &target);
        (dir, result)
    }

    #[test]
    fn files_folders_and_inner_links_are_unpacked() {
        let (dir, result) = unpack(&[
            ("lib", EntryType::Directory, ""),
            ("./lib/real", EntryType::Regular, ""),
            ("link", EntryType::Symlink, "lib/real"),
            ("lib/up", EntryType::Symlink, "../link"),
            ("hard", EntryType::Link, "lib/real"),
        ]);
        result.unwrap();
        for name in ["lib/real", "link", "lib/up", "hard"] {
            assert_eq!(fs::read(dir.path().join("target").join(name)).unwrap(), b"data", "{name}");
        }
    }

    #[test]
    fn nothing_leaves_the_folder() {
        use EntryType::{Fifo, Link, Regular, Symlink};
        let attempts: [&[(&str, EntryType, &str)]; 8] = [
            &[("../out", Regular, "")],
            &[("a/../../out", Regular, "")],
            &[("/out", Regular, "")],
            &[("link", Symlink, "/etc")],
            &[("link", Symlink, "..")],
            &[("a/link", Symlink, "../../out")],
            &[("hard", Link, "../out")],
            &[("pipe", Fifo, "")],
        ];
        for entries in attempts {
            let (dir, result) = unpack(entries);
            assert!(result.unwrap_err().code.starts_with("plugin-archive-e"), "{entries:?}");
            let outside: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(outside, ["target"], "{entries:?}");
            assert_eq!(fs::read_dir(dir.path().join("target")).unwrap().count(), 0, "{entries:?}");
        }
    }

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(unpack_tar_gz(&b"<html>"[..], dir.path()).unwrap_err().code, "plugin-archive-damaged");
    }
}
