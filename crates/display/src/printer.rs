//! Property values and their differences as indented text.

use purlin_model::value::{PropertyMap, PropertyValue, ReferenceId, ResourceReference, is_internal_key};

use crate::compare::{Change, Entries, Entry};
use crate::lens::{Lens, SECRET, Seen, UNKNOWN, is_blank};
use crate::options::Options;
use crate::style::{Tone, put};
use crate::text;
use crate::textdiff;

/// The mark in front of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    None,
    Add,
    Delete,
    Update,
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Mark::None => "  ",
            Mark::Add => "+ ",
            Mark::Delete => "- ",
            Mark::Update => "~ ",
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Mark::None => Tone::Plain,
            Mark::Add => Tone::Create,
            Mark::Delete => Tone::Delete,
            Mark::Update => Tone::Update,
        }
    }
}

/// A value as displays show it; secrets are masked unless `show_secrets` says otherwise. Lists and
/// objects span lines.
pub fn value_text(value: &PropertyValue, show_secrets: bool) -> String {
    let mut printer = Printer {
        out: String::new(),
        colors: false,
        lens: Lens { show_secrets },
        truncate: false,
        only_changes: false,
    };
    printer.value(0, Tone::Plain, value);
    printer.out
}

/// Writes values and differences.
pub(crate) struct Printer {
    pub(crate) out: String,
    pub(crate) colors: bool,
    pub(crate) lens: Lens,
    truncate: bool,
    only_changes: bool,
}

impl Printer {
    pub(crate) fn new(options: &Options) -> Self {
        Printer {
            out: String::new(),
            colors: options.colors,
            lens: Lens { show_secrets: options.show_secrets },
            truncate: options.truncate,
            only_changes: options.only_changes,
        }
    }

    pub(crate) fn put(&mut self, tone: Tone, text: &str) {
        put(&mut self.out, self.colors, tone, text);
    }

    /// Whether to leave out what doesn't change.
    pub(crate) fn show_only_changes(&mut self, only: bool) {
        self.only_changes = only;
    }

    /// Whether long texts are to be cut short.
    pub(crate) fn truncate_texts(&self) -> bool {
        self.truncate
    }

    /// Begins a line: four columns for each level, the last two of which hold the mark.
    pub(crate) fn begin(&mut self, level: usize, mark: Mark) {
        for _ in 1..level {
            self.out.push_str("    ");
        }
        if level > 0 {
            self.out.push_str("  ");
            self.put(mark.tone(), mark.sign());
        }
    }

    /// Lines that name what was left out.
    pub(crate) fn hidden<'p>(&mut self, level: usize, paths: impl IntoIterator<Item = &'p String>) {
        for path in paths {
            self.begin(level, Mark::Update);
            self.put(Tone::Update, &format!("{} (hidden)\n", text::shown_name(path)));
        }
    }

    /// All properties of a bag; `masked` names those that are hidden whatever they look like.
    pub(crate) fn bag(&mut self, level: usize, tone: Tone, map: &PropertyMap, masked: &dyn Fn(&str) -> bool) {
        let shown = || map.iter().filter(|(key, _)| !is_internal_key(key));
        let widest = shown().map(|(key, _)| text::width(key)).max().unwrap_or(0);
        for (key, value) in shown() {
            self.begin(level, Mark::None);
            self.put(tone, &title(key, widest));
            if masked(key) {
                self.put(tone, SECRET);
            } else {
                self.value(level, tone, value);
            }
            self.out.push('\n');
        }
    }

    /// A value, without a line end.
    pub(crate) fn value(&mut self, level: usize, tone: Tone, value: &PropertyValue) {
        let value = match self.lens.look(value) {
            Seen::Secret => return self.put(tone, SECRET),
            Seen::Unknown => return self.put(tone, UNKNOWN),
            Seen::Value(value) => value,
        };
        match value {
            PropertyValue::Null => self.put(tone, "<null>"),
            PropertyValue::Bool(true) => self.put(tone, "true"),
            PropertyValue::Bool(false) => self.put(tone, "false"),
            PropertyValue::Number(number) => self.put(tone, &number_text(*number)),
            PropertyValue::String(text) => self.string(level, tone, text),
            PropertyValue::Bytes(bytes) => {
                self.put(tone, &format!("({}, not text)", text::counted(bytes.len() as u64, "byte")));
            }
            PropertyValue::Array(items) if items.is_empty() => self.put(tone, "[]"),
            PropertyValue::Array(items) => {
                self.put(tone, "[\n");
                for (index, item) in items.iter().enumerate() {
                    self.begin(level + 1, Mark::None);
                    self.put(tone, &format!("[{index}]: "));
                    self.value(level + 1, tone, item);
                    self.out.push('\n');
                }
                self.close(level, tone, "]");
            }
            PropertyValue::Object(map) if map.is_empty() => self.put(tone, "{}"),
            PropertyValue::Object(map) => {
                self.put(tone, "{\n");
                self.bag(level + 1, tone, map, &|_| false);
                self.close(level, tone, "}");
            }
            PropertyValue::Asset(asset) => self.asset(level, tone, asset),
            PropertyValue::Archive(archive) => self.archive(level, tone, archive),
            PropertyValue::Reference(reference) => self.reference(level, tone, reference),
            // The lens has taken these apart.
            PropertyValue::Secret(_) | PropertyValue::Output(_) | PropertyValue::Unknown => {}
        }
    }

    /// Ends what has its own lines.
    pub(crate) fn close(&mut self, level: usize, tone: Tone, bracket: &str) {
        self.begin(level, Mark::None);
        self.put(tone, bracket);
    }

    fn string(&mut self, level: usize, tone: Tone, text: &str) {
        if let Some(decoded) = textdiff::decode_json(text) {
            self.put(tone, "(json) ");
            return self.value(level, tone, &decoded);
        }
        let shown = if self.truncate { textdiff::truncated(text) } else { text.into() };
        self.put(tone, &text::quoted(&shown));
    }

    fn reference(&mut self, level: usize, tone: Tone, reference: &ResourceReference) {
        self.put(tone, "{\n");
        let id = match &reference.id {
            None => None,
            Some(ReferenceId::Unknown) => Some(UNKNOWN.to_owned()),
            Some(ReferenceId::Known(id)) => Some(text::quoted(id)),
        };
        let version =
            (!reference.package_version.is_empty()).then(|| text::quoted(&reference.package_version));
        let urn = Some(text::quoted(reference.urn.as_str()));
        for (name, value) in [("URN", urn), ("ID", id), ("PackageVersion", version)] {
            if let Some(value) = value {
                self.begin(level + 1, Mark::None);
                self.put(tone, &format!("{name}: {value}\n"));
            }
        }
        self.close(level, tone, "}");
    }

    /// What became of each property.
    pub(crate) fn entries(&mut self, level: usize, entries: &Entries<'_>) {
        let widest = entries
            .iter()
            .filter(|(_, entry)| self.is_worth_a_line(entry))
            .map(|(key, _)| text::width(key))
            .max()
            .unwrap_or(0);
        for (key, entry) in entries {
            self.entry(level, &title(key, widest), entry);
        }
    }

    fn is_worth_a_line(&self, entry: &Entry<'_>) -> bool {
        match &entry.change {
            Change::Same(value) => {
                let blank = matches!(self.lens.look(value), Seen::Value(value) if is_blank(value));
                !self.only_changes && !blank
            }
            _ => !self.only_changes || entry.differs(),
        }
    }

    /// What became of one property.
    pub(crate) fn entry(&mut self, level: usize, title: &str, entry: &Entry<'_>) {
        if !self.is_worth_a_line(entry) {
            return;
        }
        let begun = self.out.len();
        match &entry.change {
            Change::Same(value) => self.whole(level, Mark::None, title, value, entry.masked),
            Change::Add(value) => self.whole(level, Mark::Add, title, value, entry.masked),
            Change::Delete(value) => self.whole(level, Mark::Delete, title, value, entry.masked),
            Change::Update(..) if entry.masked => {
                self.begin(level, Mark::Update);
                self.put(Tone::Update, &format!("{title}{SECRET} => {SECRET}\n"));
            }
            Change::Update(old, new) => self.update(level, title, old, new),
            Change::Object(entries) => {
                let mark = self.open(level, title, entry, "{\n");
                self.entries(level + 1, entries);
                self.close(level, mark.tone(), "}\n");
            }
            Change::List(entries) => {
                let mark = self.open(level, title, entry, "[\n");
                for (index, entry) in entries {
                    self.entry(level + 1, &format!("[{index}]: "), entry);
                }
                self.close(level, mark.tone(), "]\n");
            }
        }
        if entry.replaces {
            let end = self.out[begun..].find('\n').map_or(self.out.len(), |at| begun + at);
            let mut note = String::new();
            put(&mut note, self.colors, Tone::Replace, " (requires replacement)");
            self.out.insert_str(end, &note);
        }
    }

    fn open(&mut self, level: usize, title: &str, entry: &Entry<'_>, bracket: &str) -> Mark {
        let mark = if entry.differs() { Mark::Update } else { Mark::None };
        self.begin(level, mark);
        self.put(mark.tone(), title);
        self.put(mark.tone(), bracket);
        mark
    }

    /// A property with one value.
    pub(crate) fn whole(
        &mut self,
        level: usize,
        mark: Mark,
        title: &str,
        value: &PropertyValue,
        masked: bool,
    ) {
        self.begin(level, mark);
        self.put(mark.tone(), title);
        if masked {
            self.put(mark.tone(), SECRET);
        } else {
            self.value(level, mark.tone(), value);
        }
        self.out.push('\n');
    }

    /// A property whose value has changed as a whole.
    fn update(&mut self, level: usize, title: &str, old: &PropertyValue, new: &PropertyValue) {
        let (a, b) = (self.lens.look(old), self.lens.look(new));
        if let (Seen::Unknown, Seen::Unknown) = (a, b) {
            return self.whole(level, Mark::Update, title, new, false);
        }
        if let (Seen::Value(a), Seen::Value(b)) = (a, b) {
            match (a, b) {
                (PropertyValue::String(a), PropertyValue::String(b)) => {
                    return self.text_update(level, title, a, b);
                }
                (PropertyValue::Asset(a), PropertyValue::Asset(b)) => {
                    return self.asset_update(level, title, a, b);
                }
                (PropertyValue::Archive(a), PropertyValue::Archive(b)) => {
                    return self.archive_update(level, title, a, b);
                }
                (a, b) if is_blank(a) && !is_blank(b) => {
                    return self.whole(level, Mark::Add, title, b, false);
                }
                (a, b) if is_blank(b) && !is_blank(a) => {
                    return self.whole(level, Mark::Delete, title, a, false);
                }
                _ => {}
            }
        }
        if self.is_short(old) && self.is_short(new) {
            self.begin(level, Mark::Update);
            self.put(Tone::Update, title);
            self.value(level, Tone::Delete, old);
            self.put(Tone::Update, " => ");
            self.value(level, Tone::Create, new);
            self.out.push('\n');
            return;
        }
        self.whole(level, Mark::Delete, title, old, false);
        self.whole(level, Mark::Add, title, new, false);
    }

    /// Whether a value takes one line.
    fn is_short(&self, value: &PropertyValue) -> bool {
        match self.lens.look(value) {
            Seen::Value(PropertyValue::String(text)) => textdiff::decode_json(text).is_none(),
            Seen::Value(PropertyValue::Array(items)) => items.is_empty(),
            Seen::Value(PropertyValue::Object(map)) => map.is_empty(),
            Seen::Value(value) => !matches!(
                value,
                PropertyValue::Asset(_) | PropertyValue::Archive(_) | PropertyValue::Reference(_)
            ),
            Seen::Secret | Seen::Unknown => true,
        }
    }
}

/// A property's name, padded, with its colon.
pub(crate) fn title(key: &str, widest: usize) -> String {
    let key = text::shown_name(key);
    let padding = widest.saturating_sub(text::width(&key));
    format!("{key}{:padding$}: ", "")
}

/// A number with all its digits if it is whole; else with an exponent where it is far from one.
fn number_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if number.trunc() == number {
        return format!("{number:.0}");
    }
    let text = format!("{number:e}");
    match text.split_once('e').map(|(digits, exponent)| (digits, exponent.parse::<i32>())) {
        Some((digits, Ok(exponent))) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_far_as_they_are_whole() {
        for (number, text) in [
            (3.0, "3"),
            (-0.0, "-0"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e16, "10000000000000000"),
            (1e21, "1000000000000000000000"),
            (1.5, "1.5"),
            (100_000.5, "100000.5"),
            (1_234_567.5, "1.2345675e+06"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }
}
