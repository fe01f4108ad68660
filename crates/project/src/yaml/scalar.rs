//! What an unquoted scalar means: the dialect of the Go library that the ecosystem reads YAML with.

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved<'a> {
    /// `~`, `null` or nothing.
    Null,
    /// `true` or `false` in one of three spellings.
    Bool(bool),
    /// A whole number that fits 64 signed bits.
    Int(i64),
    /// A whole number beyond the signed range.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A text; dates and times are texts too.
    Str(&'a str),
}

/// Resolves the text of an unquoted scalar.
///
/// `yes`, `no`, `on` and `off` are texts. Numbers may have underscores, a sign, and one of the
/// prefixes `0x`, `0o`, `0b` or a plain `0` for octal.
pub fn resolve_plain(text: &str) -> Resolved<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' if is_decimal(text) => finite(text).map_or(Resolved::Str(text), Resolved::Float),
        b'+' | b'-' | b'0'..=b'9' => {
            let plain = text.replace('_', "");
            match whole(&plain) {
                Some(number) => number,
                None if is_decimal(&plain) => finite(&plain).map_or(Resolved::Str(text), Resolved::Float),
                None => Resolved::Str(text),
            }
        }
        _ => Resolved::Str(text),
    }
}

/// A decimal number, unless it is too large for one.
fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn whole(text: &str) -> Option<Resolved<'static>> {
    let (sign, rest) = match text.as_bytes()[0] {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let lower = rest.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &rest[2..]),
        Some("0o") => (8, &rest[2..]),
        Some("0b") => (2, &rest[2..]),
        _ if rest.len() > 1 && rest.starts_with('0') => (8, &rest[1..]),
        _ => (10, rest),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    if let Ok(value) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(Resolved::Int(value));
    }
    if text.starts_with(['-', '+']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Resolved::Uint)
}

/// Whether a text is `[sign] digits [. digits] [e [sign] digits]`, where one side of the point may
/// be missing.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((before, fraction)) => digits(before) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

/// Whether older parsers would read the text as a truth value or a base-60 number, so that it is
/// quoted on the way out.
pub(crate) fn needs_quotes_for_old_parsers(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    ) || is_base_60(text)
}

fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (parts, fraction) = match text.split_once('.') {
        Some((parts, fraction)) => (parts, fraction),
        None => (text, ""),
    };
    let mut groups = parts.split(':');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<_> = groups.collect();
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && !rest.is_empty()
        && rest.iter().all(|group| match group.as_bytes() {
            [digit] => digit.is_ascii_digit(),
            [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
            _ => false,
        })
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// Whether the Go library would read the unquoted text as a date or time. It stays a text here,
/// but is quoted on the way out.
pub(crate) fn looks_like_timestamp(text: &str) -> bool {
    parse_timestamp(text).is_some()
}

/// The text that a program of the ecosystem is given for an unquoted date or time in its stack
/// settings, or `None` if the text is neither.
pub(crate) fn timestamp_text(text: &str) -> Option<String> {
    let time = parse_timestamp(text)?;
    let [year, month, day, hour, minute, second] = time.fields;
    let fraction = time.fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let zone = if time.offset.is_empty() { "+0000 UTC".to_owned() } else { format!("{0} {0}", time.offset) };
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{point}{fraction} {zone}"))
}

struct Timestamp {
    fields: [u32; 6],
    fraction: String,
    /// Empty for UTC, else `+hhmm`.
    offset: String,
}

fn parse_timestamp(text: &str) -> Option<Timestamp> {
    if text.len() < 8 || !text.is_char_boundary(4) || !text[..4].bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4, 9999)?;
    let month = number(parts.next()?, 2, 12).filter(|m| *m > 0)?;
    let day = number(parts.next()?, 2, days_in(year, month)).filter(|d| *d > 0)?;
    if parts.next().is_some() {
        return None;
    }
    let mut found =
        Timestamp { fields: [year, month, day, 0, 0, 0], fraction: String::new(), offset: String::new() };
    if let Some(time) = time {
        let zoned = !time.starts_with(' ');
        let rest = read_clock(&time[1..], &mut found)?;
        found.offset = read_zone(rest, zoned)?;
    }
    Some(found)
}

/// Reads `h:m:s[.fraction]` and gives what follows it.
fn read_clock<'a>(text: &'a str, into: &mut Timestamp) -> Option<&'a str> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()) => {
            (clock, fraction)
        }
        Some(_) => return None,
        None => (clock, ""),
    };
    let mut parts = clock.split(':');
    into.fields[3] = number(parts.next()?, 2, 23)?;
    into.fields[4] = number(parts.next()?, 2, 59)?;
    into.fields[5] = number(parts.next()?, 2, 59)?;
    into.fraction = fraction.chars().take(9).collect();
    parts.next().is_none().then_some(rest)
}

/// Reads `Z` or `+hh:mm`; a time after a blank has no zone.
fn read_zone(text: &str, zoned: bool) -> Option<String> {
    match (zoned, text) {
        (false, "") | (true, "Z") => Some(String::new()),
        (true, text) if text.len() == 6 && text.starts_with(['+', '-']) && text.is_ascii() => {
            let (hours, minutes) = text[1..].split_once(':')?;
            let ok = hours.len() == 2 && number(hours, 2, 24).is_some() && number(minutes, 2, 59).is_some();
            let digits = format!("{hours}{minutes}");
            ok.then(|| if digits == "0000" { String::new() } else { format!("{}{digits}", &text[..1]) })
        }
        _ => None,
    }
}

fn number(text: &str, longest: usize, largest: u32) -> Option<u32> {
    let ok = !text.is_empty() && text.len() <= longest && text.bytes().all(|b| b.is_ascii_digit());
    let value = if ok { text.parse().ok()? } else { return None };
    (value <= largest).then_some(value)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Resolved::*;
    use super::*;

    #[test]
    fn dialect_table() {
        let table: &[(&str, Resolved<'static>)] = &[
            ("", Null),
            ("~", Null),
            ("null", Null),
            ("Null", Null),
            ("NULL", Null),
            ("nULL", Str("nULL")),
            ("true", Bool(true)),
            ("True", Bool(true)),
            ("TRUE", Bool(true)),
            ("tRUE", Str("tRUE")),
            ("false", Bool(false)),
            ("FALSE", Bool(false)),
            ("yes", Str("yes")),
            ("No", Str("No")),
            ("on", Str("on")),
            ("OFF", Str("OFF")),
            ("y", Str("y")),
            ("0", Int(0)),
            ("-0", Int(0)),
            ("42", Int(42)),
            ("+42", Int(42)),
            ("-42", Int(-42)),
            ("1_000", Int(1000)),
            ("0x1F", Int(31)),
            ("-0x1f", Int(-31)),
            ("0X1f", Int(31)),
            ("0o17", Int(15)),
            ("017", Int(15)),
            ("-0o17", Int(-15)),
            ("0b101", Int(5)),
            ("-0b1_01", Int(-5)),
            ("08", Float(8.0)),
            ("0x", Str("0x")),
            ("0xZZ", Str("0xZZ")),
            ("9223372036854775807", Int(i64::MAX)),
            ("9223372036854775808", Uint(9_223_372_036_854_775_808)),
            ("18446744073709551616", Float(18_446_744_073_709_551_616.0)),
            ("1.5", Float(1.5)),
            ("1.", Float(1.0)),
            (".5", Float(0.5)),
            ("+.5", Float(0.5)),
            ("1e3", Float(1000.0)),
            ("1E-3", Float(0.001)),
            ("1e", Str("1e")),
            ("1e400", Str("1e400")),
            (".inf", Float(f64::INFINITY)),
            ("-.INF", Float(f64::NEG_INFINITY)),
            ("inf", Str("inf")),
            ("nan", Str("nan")),
            (".", Str(".")),
            ("-", Str("-")),
            ("+", Str("+")),
            ("1.2.3", Str("1.2.3")),
            ("12:30", Str("12:30")),
            ("2020-01-02", Str("2020-01-02")),
            ("2020-01-02T03:04:05Z", Str("2020-01-02T03:04:05Z")),
            ("us-west-2", Str("us-west-2")),
            ("1é", Str("1é")),
            ("<<", Str("<<")),
        ];
        for (text, expected) in table {
            assert_eq!(&resolve_plain(text), expected, "{text:?}");
        }
        assert!(matches!(resolve_plain(".NaN"), Float(value) if value.is_nan()));
    }

    #[test]
    fn dates_are_recognised_and_written_as_programs_see_them() {
        let table = [
            ("2020-01-02", Some("2020-01-02 00:00:00 +0000 UTC")),
            ("2020-1-2", Some("2020-01-02 00:00:00 +0000 UTC")),
            ("2020-01-02T03:04:05Z", Some("2020-01-02 03:04:05 +0000 UTC")),
            ("2020-01-02t3:4:5.120Z", Some("2020-01-02 03:04:05.12 +0000 UTC")),
            ("2020-01-02 03:04:05", Some("2020-01-02 03:04:05 +0000 UTC")),
            ("2020-01-02T03:04:05+02:00", Some("2020-01-02 03:04:05 +0200 +0200")),
            ("2020-02-30", None),
            ("2020-13-01", None),
            ("2020-01", None),
            ("2020-01-02 03:04", None),
            ("20200102", None),
            ("2020-01-02T03:04:05", None),
        ];
        for (text, expected) in table {
            assert_eq!(timestamp_text(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn old_truth_values_and_base_60_are_known() {
        for text in ["yes", "OFF", "n", "12:30", "1:20:30.5", "-1_0:05"] {
            assert!(needs_quotes_for_old_parsers(text), "{text}");
        }
        for text in ["yess", "12:60", "a:10", "12", ":10", "1:2:", "::"] {
            assert!(!needs_quotes_for_old_parsers(text), "{text}");
        }
    }
}
