//! Hashes against those that the official engine computed for the same contents.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;

use purlin_assets::{Contents, EMPTY_ARCHIVE_HASH, EMPTY_ASSET_HASH, needs_resolving, resolve};
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyMap, PropertyValue,
};

const TREE: &str = "0a365e8e7c5f896c09e04b03e16ba9dc11495f041bfb02b0963708b54aa2fc9b";

fn asset(source: AssetSource) -> Asset {
    Asset { hash: String::new(), source }
}

fn text(text: &str) -> AssetOrArchive {
    AssetOrArchive::Asset(asset(AssetSource::Text(text.into())))
}

fn archive(source: ArchiveSource) -> Archive {
    Archive { hash: String::new(), source }
}

fn path(path: &str) -> Archive {
    archive(ArchiveSource::Path(path.into()))
}

fn listed(members: Vec<(String, AssetOrArchive)>) -> Archive {
    archive(ArchiveSource::Assets(members.into_iter().collect()))
}

fn hash(archive: &Archive, base: &Path) -> String {
    Contents::new(base).archive_hash(archive).unwrap()
}

/// A tree with what walks stumble over: links, bookkeeping folders, names that sort differently.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, content: &str| {
        let file = dir.path().join("tree").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    make("b/x.txt", "x");
    make("b.txt", "b");
    make("a/deep/y", "yy");
    make(".pulumi/secret", "no");
    make("a/.pulumi", "no");
    make("empty", "");
    make("B", "upper");
    make("big", &"0123456789".repeat(1000));
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    link("b.txt", "tree/link.txt");
    link("a", "tree/linkdir");
    link("tree", "treelink");
    dir
}

#[test]
fn names_of_every_length_and_alphabet_hash_like_the_official_engine() {
    let n = |part: &str, times: usize| part.repeat(times);
    let vectors = [
        ("a.txt".to_owned(), "7fc26f2a3b596c970ffa5ffab87ae17e031f25a60260911a3040d8467db7351a"),
        (n("n", 100), "3315f059555a2830dd4c751f288d1a1e64ee53f627d4980f8e53e0838bf5c1fe"),
        (n("n", 101), "98d34f99a5ad75f270b0a8f54cddaa8e0dbb8973269e9f57b17a606ce98185c2"),
        (n("d", 60) + "/" + &n("f", 60), "665780c3df5fa4868b41c59daab37dd642abfd4a863125b4228f72402e0d3724"),
        (
            n("d", 155) + "/" + &n("f", 100),
            "a0fbcbd609cdf543c962f573062f240f3b42b3ba298ceb04e389f30e9bf4cb35",
        ),
        (n("d", 156) + "/f", "81b348b9b378448c4ceb1844bc122d87eefcd01e3720b5e2b1e6411ca7162a6c"),
        (n("p/", 90) + "x", "7d16bdf3cd1158bbb582ab54e93bb5783702bf1f1144d25e76931d5bbe3cd06d"),
        ("sch\u{f6}n.txt".into(), "13c0e24af235da3c6f179b4b9e3ac206eab35c4605c13d341d93ce570ff1ffc4"),
        (
            n("o", 120) + "/" + &n("\u{fc}", 30),
            "c49b82d008149b3d973f28e3fb71642057481c4b50064473f766dfe1fa1cfee2",
        ),
        (
            n("a", 99) + "/\u{fc}" + &n("b", 20),
            "98a0e7d9176fcf53c7facd95904edf8918ec0f0eaae87e4626a4c28efddf4d1a",
        ),
        ("./x//y".into(), "3a7d88fa3a813e19654f35d65dc59e4da6ccf820680cef8c28693e9c9c7841f0"),
        (
            "/abs/".to_owned() + &n("q", 120),
            "56292f3322b428209e1ebe9c5d2e3e55a10b8730e7ad2fedbad3c77f066752c8",
        ),
    ];
    for (name, expected) in vectors {
        let archive = listed(vec![(name.clone(), text("body"))]);
        assert_eq!(hash(&archive, Path::new("/")), expected, "{name}");
    }
    assert_eq!(hash(&listed(vec![]), Path::new("/")), EMPTY_ARCHIVE_HASH);
}

#[test]
fn folders_and_archives_in_archives_hash_like_the_official_engine() {
    let dir = tree();
    assert_eq!(hash(&path("tree"), dir.path()), TREE);
    assert_eq!(hash(&path("treelink"), dir.path()), EMPTY_ARCHIVE_HASH, "a link to a folder is no folder");
    let nested = |inner: &str| {
        listed(vec![("in".into(), AssetOrArchive::Archive(path(inner))), ("z".into(), text("z"))])
    };
    let expected = "ae5a6b550ec9855154fd1c37a0faf05c398797a5073121cecd39f0a03d65e89d";
    assert_eq!(hash(&nested("tree"), dir.path()), expected);

    let mut tar = Vec::new();
    Contents::new(dir.path()).write_tar(&path("tree"), &mut tar).unwrap();
    fs::write(dir.path().join("t.tar"), &tar).unwrap();
    assert_eq!(hash(&path("t.tar"), dir.path()), TREE, "an archive file is hashed as it is");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar).unwrap();
    fs::write(dir.path().join("t.tar.gz"), gz.finish().unwrap()).unwrap();
    let mut zip = zip::ZipWriter::new(fs::File::create(dir.path().join("t.zip")).unwrap());
    Contents::new(dir.path())
        .members(&path("tree"), &mut |name, blob| {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(String::from_utf8(name.to_vec()).unwrap(), options).unwrap();
            blob.copy_to(&mut zip)
        })
        .unwrap();
    zip.finish().unwrap();
    for file in ["t.tar", "t.tar.gz", "t.zip"] {
        assert_eq!(hash(&nested(file), dir.path()), expected, "{file}");
    }
}

#[test]
fn the_first_of_two_members_with_one_name_counts() {
    let dir = tree();
    let inner = || AssetOrArchive::Archive(path("tree"));
    let twice =
        listed(vec![("in".into(), inner()), ("in/b.txt".into(), text("other")), ("k/../in".into(), inner())]);
    assert_eq!(hash(&twice, dir.path()), "4187605a79fc465fa2173bdbb990877729a6d6bf810b9a77cbf4309458b10840");
    assert_eq!(hash(&listed(vec![(".".into(), inner())]), dir.path()), TREE);
}

#[test]
fn hashes_are_filled_in_at_any_depth_and_not_computed_twice() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a b"), "abc").unwrap();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let uri = format!("file://{}/a%20b", dir.path().display());
    let known = Asset { hash: "given".into(), source: AssetSource::Path("missing".into()) };
    let mut map = PropertyMap::from([
        (
            "list".into(),
            PropertyValue::Array(vec![
                PropertyValue::Asset(asset(AssetSource::Path("a b".into()))).into_secret(),
                PropertyValue::Asset(asset(AssetSource::Uri(uri))),
                PropertyValue::Asset(asset(AssetSource::Elided)),
                PropertyValue::Asset(known.clone()),
            ]),
        ),
        (
            "output".into(),
            PropertyValue::Output(Box::new(OutputValue {
                value: Some(
                    PropertyMap::from([(
                        "t".into(),
                        PropertyValue::Asset(asset(AssetSource::Text("abc".into()))),
                    )])
                    .into(),
                ),
                secret: false,
                dependencies: vec![],
            })),
        ),
    ]);
    assert!(needs_resolving(&map));
    resolve(&mut map, dir.path()).unwrap();
    assert!(!needs_resolving(&map));
    let mut hashes = Vec::new();
    for value in map.values() {
        value.any(&mut |v| {
            if let PropertyValue::Asset(asset) = v {
                hashes.push(asset.hash.clone());
            }
            false
        });
    }
    assert_eq!(hashes, [abc, abc, EMPTY_ASSET_HASH, "given", abc]);
}

#[test]
fn what_can_not_be_read_is_said_with_its_place() {
    let dir = tree();
    let failure = |value: PropertyValue| {
        let mut map = PropertyMap::from([("code".to_owned(), value)]);
        let diagnostic = resolve(&mut map, dir.path()).unwrap_err();
        assert!(
            diagnostic.hint.is_some() && diagnostic.message.contains("property \"code\""),
            "{diagnostic}"
        );
        diagnostic.code
    };
    let of_asset = |source| PropertyValue::Asset(asset(source));
    assert_eq!(failure(of_asset(AssetSource::Path("none".into()))), "asset-unreadable");
    assert_eq!(failure(of_asset(AssetSource::Path("tree".into()))), "asset-is-folder");
    assert_eq!(failure(of_asset(AssetSource::Uri("ftp://x/y".into()))), "asset-uri-scheme");
    assert_eq!(failure(of_asset(AssetSource::Uri("https://x.test/y".into()))), "asset-remote");
    assert_eq!(failure(of_asset(AssetSource::Uri("file://other/y".into()))), "asset-uri-invalid");
    assert_eq!(failure(PropertyValue::Archive(path("tree/b.txt"))), "archive-format-unknown");
    fs::write(dir.path().join("bad.zip"), "no zip").unwrap();
    let nested = listed(vec![("in".into(), AssetOrArchive::Archive(path("bad.zip")))]);
    assert_eq!(failure(PropertyValue::Archive(nested)), "archive-damaged");
}

#[test]
fn addresses_are_fetched_by_the_callers_means() {
    let fetch = |uri: &str| match uri {
        "https://x.test/a.zip?v=1" => Ok(b"abc".to_vec()),
        other => Err(format!("no {other}")),
    };
    let contents = Contents::new(Path::new("/")).with_fetch(&fetch);
    let remote = |uri: &str| archive(ArchiveSource::Uri(uri.into()));
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(contents.archive_hash(&remote("https://x.test/a.zip?v=1")).unwrap(), abc);
    assert_eq!(contents.archive_hash(&remote("https://x.test/b.zip")).unwrap_err().code, "asset-remote");
    assert_eq!(
        contents.archive_hash(&remote("https://x.test/b")).unwrap_err().code,
        "archive-format-unknown"
    );
}
