//! Assets and archives: by kind, short hash and place.

use std::collections::{BTreeMap, BTreeSet};

use purlin_model::diff::same_member;
use purlin_model::value::{Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, PropertyValue};

use crate::printer::{Mark, Printer, title};
use crate::style::Tone;
use crate::text;

/// What stands for the text of an asset: it is a file, of any size, and nobody has marked its secrets.
const ELIDED: &str = "<contents elided>";

/// As much of a hash as tells two apart.
fn short(hash: &str) -> &str {
    hash.get(..7).unwrap_or(hash)
}

/// Both texts, or the one that they share.
fn both(old: &str, new: &str) -> String {
    if old == new { old.to_owned() } else { format!("{old}->{new}") }
}

fn place_of_asset(asset: &Asset) -> Option<(&'static str, &str)> {
    match &asset.source {
        AssetSource::Path(path) => Some(("file", path)),
        AssetSource::Uri(uri) => Some(("uri", uri)),
        AssetSource::Text(_) | AssetSource::Elided => None,
    }
}

fn place_of_archive(archive: &Archive) -> Option<(&'static str, &str)> {
    match &archive.source {
        ArchiveSource::Path(path) => Some(("file", path)),
        ArchiveSource::Uri(uri) => Some(("uri", uri)),
        ArchiveSource::Assets(_) | ArchiveSource::Elided => None,
    }
}

fn value_of(member: &AssetOrArchive) -> PropertyValue {
    match member {
        AssetOrArchive::Asset(asset) => PropertyValue::Asset(asset.clone()),
        AssetOrArchive::Archive(archive) => PropertyValue::Archive(archive.clone()),
    }
}

impl Printer {
    pub(crate) fn asset(&mut self, level: usize, tone: Tone, asset: &Asset) {
        let hash = short(&asset.hash);
        if let Some((kind, place)) = place_of_asset(asset) {
            return self.put(tone, &format!("asset({kind}:{hash}) {{ {} }}", text::shown_name(place)));
        }
        let AssetSource::Text(_) = &asset.source else {
            return self.put(tone, &format!("asset({hash}) {{ }}"));
        };
        self.put(tone, &format!("asset(text:{hash}) {{\n"));
        self.begin(level + 1, Mark::None);
        self.put(tone, &format!("{ELIDED}\n"));
        self.close(level, tone, "}");
    }

    pub(crate) fn archive(&mut self, level: usize, tone: Tone, archive: &Archive) {
        let hash = short(&archive.hash);
        if let Some((kind, place)) = place_of_archive(archive) {
            return self.put(tone, &format!("archive({kind}:{hash}) {{ {} }}", text::shown_name(place)));
        }
        let ArchiveSource::Assets(members) = &archive.source else {
            return self.put(tone, &format!("archive({hash}) {{ }}"));
        };
        self.put(tone, &format!("archive(assets:{hash}) {{\n"));
        for (name, member) in members {
            self.begin(level + 1, Mark::None);
            self.put(tone, &format!("{}: ", text::quoted(name)));
            self.value(level + 1, tone, &value_of(member));
            self.out.push('\n');
        }
        self.close(level, tone, "}");
    }

    pub(crate) fn asset_update(&mut self, level: usize, title: &str, old: &Asset, new: &Asset) {
        let hashes = both(short(&old.hash), short(&new.hash));
        if let (AssetSource::Text(_), AssetSource::Text(_)) = (&old.source, &new.source) {
            self.begin(level, Mark::Update);
            self.put(Tone::Update, &format!("{title}asset(text:{hashes}) {{\n"));
            self.begin(level + 1, Mark::None);
            self.put(Tone::Plain, &format!("{ELIDED}\n"));
            return self.close(level, Tone::Update, "}\n");
        }
        match (place_of_asset(old), place_of_asset(new)) {
            (Some((kind, a)), Some((other, b))) if kind == other => {
                self.place_update(level, title, &format!("asset({kind}:{hashes})"), &both(a, b));
            }
            _ => {
                self.whole(level, Mark::Delete, title, &PropertyValue::Asset(old.clone()), false);
                self.whole(level, Mark::Add, title, &PropertyValue::Asset(new.clone()), false);
            }
        }
    }

    pub(crate) fn archive_update(&mut self, level: usize, title: &str, old: &Archive, new: &Archive) {
        let hashes = both(short(&old.hash), short(&new.hash));
        if let (ArchiveSource::Assets(a), ArchiveSource::Assets(b)) = (&old.source, &new.source) {
            self.begin(level, Mark::Update);
            self.put(Tone::Update, &format!("{title}archive(assets:{hashes}) {{\n"));
            self.members_update(level + 1, a, b);
            return self.close(level, Tone::Update, "}\n");
        }
        match (place_of_archive(old), place_of_archive(new)) {
            (Some((kind, a)), Some((other, b))) if kind == other => {
                self.place_update(level, title, &format!("archive({kind}:{hashes})"), &both(a, b));
            }
            _ => {
                self.whole(level, Mark::Delete, title, &PropertyValue::Archive(old.clone()), false);
                self.whole(level, Mark::Add, title, &PropertyValue::Archive(new.clone()), false);
            }
        }
    }

    fn place_update(&mut self, level: usize, title: &str, what: &str, place: &str) {
        self.begin(level, Mark::Update);
        self.put(Tone::Update, &format!("{title}{what} {{ {} }}\n", text::shown_name(place)));
    }

    /// The members by which two archives differ.
    fn members_update(
        &mut self,
        level: usize,
        old: &BTreeMap<String, AssetOrArchive>,
        new: &BTreeMap<String, AssetOrArchive>,
    ) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let differs = |name: &&&String| match (old.get(**name), new.get(**name)) {
            (Some(a), Some(b)) => !same_member(a, b),
            _ => true,
        };
        let widest = names.iter().filter(differs).map(|n| text::width(&text::quoted(n))).max().unwrap_or(0);
        for name in names.iter().filter(differs) {
            let title = title(&text::quoted(name), widest);
            match (old.get(*name), new.get(*name)) {
                (Some(AssetOrArchive::Asset(a)), Some(AssetOrArchive::Asset(b))) => {
                    self.asset_update(level, &title, a, b);
                }
                (Some(AssetOrArchive::Archive(a)), Some(AssetOrArchive::Archive(b))) => {
                    self.archive_update(level, &title, a, b);
                }
                (a, b) => {
                    if let Some(a) = a {
                        self.whole(level, Mark::Delete, &title, &value_of(a), false);
                    }
                    if let Some(b) = b {
                        self.whole(level, Mark::Add, &title, &value_of(b), false);
                    }
                }
            }
        }
    }
}
