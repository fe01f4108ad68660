//! Ranges of versions: alternatives separated by `||`, each a list of comparisons that all hold.

use semver::Version;

/// Whether a version is in a range such as `>=3.0.0 <4.0.0 || 4.1.x`. The error says which part of
/// the range can't be read.
pub(crate) fn in_range(version: &Version, range: &str) -> Result<bool, String> {
    let mut found = false;
    for alternative in range.split("||") {
        let mut all = true;
        let mut any = false;
        let mut operator = String::new();
        for word in alternative.split_whitespace() {
            if word.chars().all(|c| "<>=!".contains(c)) {
                operator.push_str(word);
                continue;
            }
            let comparison = format!("{}{word}", std::mem::take(&mut operator));
            all &= compare(version, &comparison)?;
            any = true;
        }
        if !any || !operator.is_empty() {
            return Err(alternative.trim().to_owned());
        }
        found |= all;
    }
    Ok(found)
}

fn compare(version: &Version, comparison: &str) -> Result<bool, String> {
    let wrong = || comparison.to_owned();
    let text = comparison.trim_start_matches(['<', '>', '=', '!']);
    let operator = &comparison[..comparison.len() - text.len()];
    let (low, parts) = lower_bound(text).ok_or_else(wrong)?;
    // With fewer than three parts, the comparison is with the whole stretch of versions.
    let high = match parts {
        1 => Some(Version::new(low.major + 1, 0, 0)),
        2 => Some(Version::new(low.major, low.minor + 1, 0)),
        _ => None,
    };
    let within = match (parts, &high) {
        (0, _) => true,
        (_, Some(high)) => *version >= low && version < high,
        (_, None) => version.cmp_precedence(&low).is_eq(),
    };
    let below = parts > 0 && version.cmp_precedence(&low).is_lt();
    match operator {
        "" | "=" | "==" => Ok(within),
        "!" | "!=" => Ok(!within),
        "<" => Ok(below),
        "<=" => Ok(below || within),
        ">" => Ok(!below && !within),
        ">=" => Ok(!below),
        _ => Err(wrong()),
    }
}

/// The first version that a text stands for and how many of its parts are given.
fn lower_bound(text: &str) -> Option<(Version, usize)> {
    if let Ok(version) = Version::parse(text) {
        return Some((version, 3));
    }
    let mut numbers = [0u64; 3];
    let mut given = 0;
    let mut wild = false;
    for (at, part) in text.split('.').enumerate() {
        if at > 2 || part.is_empty() {
            return None;
        }
        if matches!(part, "x" | "X" | "*") {
            wild = true;
        } else if wild {
            return None;
        } else {
            numbers[at] = part.parse().ok()?;
            given += 1;
        }
    }
    Some((Version::new(numbers[0], numbers[1], numbers[2]), given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_or_not() {
        let version = Version::new(3, 260, 0);
        let table = [
            (">=3.0.0", Ok(true)),
            (">= 3.0.0 <4.0.0", Ok(true)),
            ("<3.0.0 || >3.200.0", Ok(true)),
            ("3.260.0", Ok(true)),
            ("!=3.260.0", Ok(false)),
            ("3.x", Ok(true)),
            (">3", Ok(false)),
            ("<=3.260", Ok(true)),
            ("<3.260", Ok(false)),
            ("*", Ok(true)),
            (">=4.0.0", Ok(false)),
            ("", Err(String::new())),
            (">=", Err(">=".into())),
            ("=>3", Err("=>3".into())),
            ("three", Err("three".into())),
        ];
        for (range, expected) in table {
            assert_eq!(in_range(&version, range), expected, "{range}");
        }
    }
}
