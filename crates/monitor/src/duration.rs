//! Durations as Go writes them: `1h30m`, `2.5s`, `300ms`.

/// Reads a duration; the result is in seconds. `None` if the text isn't one.
///
/// The grammar and the limit (that of 64-bit nanoseconds, some 292 years) are Go's.
pub(crate) fn parse_seconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Some(0.0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        if !whole.is_empty() {
            nanoseconds += whole.parse::<u64>().ok().map(u128::from)? * unit;
        }
        nanoseconds += part(fraction, unit);
        if nanoseconds > 1 << 63 {
            return None;
        }
        rest = after;
    }
    if sign > 0.0 && nanoseconds == 1 << 63 {
        return None;
    }
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    Some(sign * (seconds as f64 + rest as f64 / 1e9))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// A decimal fraction of a unit, in nanoseconds, rounded down. Digits beyond a nanosecond's reach
/// don't count.
fn part(fraction: &str, unit: u128) -> u128 {
    let digits = &fraction[..fraction.len().min(18)];
    let scale = 10u128.pow(u32::try_from(digits.len()).unwrap_or_default());
    digits.parse::<u128>().map_or(0, |value| value * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in [
            ("0", Some(0.0)),
            ("-0", Some(0.0)),
            ("5m", Some(300.0)),
            ("1h30m", Some(5400.0)),
            ("1h15m30.918s", Some(4530.918)),
            ("300ms", Some(0.3)),
            (".5s", Some(0.5)),
            ("5.s", Some(5.0)),
            ("-1.5h", Some(-5400.0)),
            ("10us", Some(0.000_01)),
            ("10\u{b5}s", Some(0.000_01)),
            ("1m1m", Some(120.0)),
            ("0.3333333333333333333h", Some(1_199.999_999_999)),
            ("", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("1d", None),
            ("1 h", None),
            ("+", None),
            ("--1s", None),
            ("3000000h", None),
            ("9223372036854775808ns", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(parse_seconds(text), seconds, "{text}");
        }
    }
}
