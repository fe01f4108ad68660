//! Ranges of versions as programs write them: `>=3.0.0 <4.0.0 || 5.x`.

use semver::Version;

/// Whether a version lies in a range.
///
/// Alternatives are separated by `||`, conditions that hold together by blanks. A condition is a
/// version after one of `<`, `<=`, `>`, `>=`, `=`, `==`, `!`, `!=` or nothing; its minor and patch
/// numbers may be `x`.
pub(crate) fn contains(range: &str, version: &Version) -> Result<bool, String> {
    let mut result = false;
    for alternative in range.split("||") {
        let mut conditions = conditions(alternative)?.into_iter().peekable();
        if conditions.peek().is_none() {
            return Err("an alternative is empty".to_owned());
        }
        let mut all = true;
        for (operator, wanted) in conditions {
            all &= holds(&operator, &wanted, version)?;
        }
        result |= all;
    }
    Ok(result)
}

/// The operators and versions of an alternative. Blanks may stand between the two.
fn conditions(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut operator = String::new();
    for word in text.split_whitespace() {
        let start = word.find(|c| !"<>=!".contains(c)).unwrap_or(word.len());
        operator.push_str(&word[..start]);
        if start < word.len() {
            found.push((std::mem::take(&mut operator), word[start..].to_owned()));
        }
    }
    if operator.is_empty() { Ok(found) } else { Err(format!("nothing follows '{operator}'")) }
}

fn holds(operator: &str, wanted: &str, version: &Version) -> Result<bool, String> {
    let (from, below) = bounds(wanted)?;
    // Without a wildcard a condition is about the one version; with one, about all from the lower
    // to just below the upper bound.
    let (before, after) = match &below {
        Some(below) => (version < &from, version >= below),
        None => (version < &from, version > &from),
    };
    match operator {
        "" | "=" | "==" => Ok(!before && !after),
        "!" | "!=" => Ok(before || after),
        "<" => Ok(before),
        "<=" => Ok(!after),
        ">" => Ok(after),
        ">=" => Ok(!before),
        other => Err(format!("'{other}' is no comparison")),
    }
}

/// The version meant, or with a wildcard the lowest of those meant and the lowest above them.
fn bounds(text: &str) -> Result<(Version, Option<Version>), String> {
    let wrong = || format!("'{text}' is no version");
    let parts: Vec<&str> = text.split('.').collect();
    let wild = parts.iter().position(|part| matches!(*part, "x" | "X" | "*"));
    let Some(wild) = wild else {
        return Ok((Version::parse(text).map_err(|_| wrong())?, None));
    };
    if wild == 0 || parts.len() > 3 || parts[wild..].iter().any(|part| !matches!(*part, "x" | "X" | "*")) {
        return Err(wrong());
    }
    let number = |index: usize| parts[index].parse::<u64>().map_err(|_| wrong());
    let major = number(0)?;
    if wild == 1 {
        return Ok((Version::new(major, 0, 0), Some(Version::new(major + 1, 0, 0))));
    }
    let minor = number(1)?;
    Ok((Version::new(major, minor, 0), Some(Version::new(major, minor + 1, 0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_with_all_their_operators() {
        let version = Version::new(3, 260, 1);
        for (range, inside) in [
            (">=3.0.0", true),
            (">=3.0.0 <4.0.0", true),
            (">= 3.0.0 < 3.260.1", false),
            ("<3.0.0 || >=3.200.0", true),
            ("3.x", true),
            ("3.260.x", true),
            (">3.260.x", false),
            ("<=3.260.x", true),
            ("<3.260.x", false),
            ("!=3.x.x", false),
            ("!3.260.0", true),
            ("==3.260.1", true),
            ("3.260.0", false),
        ] {
            assert_eq!(contains(range, &version), Ok(inside), "{range}");
        }
        for range in ["", ">=", "3", "^3.0.0", "x", "3.x.1", ">=3.0.0 ||", "=<3.0.0"] {
            assert!(contains(range, &version).is_err(), "{range}");
        }
    }
}
