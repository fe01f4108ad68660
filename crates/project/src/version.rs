//! Version ranges: `requiredPulumiVersion`.

use purlin_diag::Diagnostic;
use semver::Version;

/// Complains unless a version is within a range such as `>=3.5.0 !3.7.7` or `<3.4.0 || >3.8.0`.
///
/// Conditions that follow each other must all hold; `||` separates alternatives. An `x` stands for
/// any number.
pub fn check_required_version(range: &str, version: &str) -> Result<(), Diagnostic> {
    let problem = |message| Err(Diagnostic::error("required-version", message));
    let alternatives = match parse_range(range) {
        Ok(alternatives) => alternatives,
        Err(reason) => return problem(format!("parsing CLI version range \"{range}\": {reason}")),
    };
    let plain = version.trim().trim_start_matches('v');
    let Ok(parsed) = Version::parse(plain) else {
        return problem(format!("parsing CLI version \"{version}\""));
    };
    let holds = |conditions: &Vec<Condition>| conditions.iter().all(|condition| condition.holds(&parsed));
    if alternatives.iter().any(holds) {
        return Ok(());
    }
    problem(format!("Pulumi CLI version {plain} does not satisfy the version range \"{range}\""))
}

#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A comparison with all versions from `first` up to, but not including, `beyond`.
struct Condition {
    comparison: Comparison,
    first: Version,
    /// `None` if `first` is meant alone.
    beyond: Option<Version>,
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        let below = version.cmp_precedence(&self.first).is_lt();
        let above = match &self.beyond {
            None => version.cmp_precedence(&self.first).is_gt(),
            Some(beyond) => version.cmp_precedence(beyond).is_ge(),
        };
        match self.comparison {
            Comparison::Equal => !below && !above,
            Comparison::NotEqual => below || above,
            Comparison::Greater => above,
            Comparison::GreaterOrEqual => !below,
            Comparison::Less => below,
            Comparison::LessOrEqual => !above,
        }
    }
}

fn parse_range(range: &str) -> Result<Vec<Vec<Condition>>, String> {
    let alternatives = range.split("||").map(|part| {
        let conditions = conditions(part);
        if conditions.is_empty() {
            return Err("an alternative is empty".to_owned());
        }
        conditions.iter().map(|text| parse_condition(text)).collect()
    });
    alternatives.collect()
}

/// Splits at blanks; an operator may stand apart from its version.
fn conditions(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match found.last_mut() {
            Some(last) if last.chars().all(|c| "<>=!".contains(c)) => last.push_str(word),
            _ => found.push(word.to_owned()),
        }
    }
    found
}

fn parse_condition(text: &str) -> Result<Condition, String> {
    let end = text.find(|c: char| !"<>=!".contains(c)).unwrap_or(text.len());
    let comparison = match &text[..end] {
        "" | "=" | "==" => Comparison::Equal,
        "!" | "!=" => Comparison::NotEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        other => return Err(format!("unknown operator \"{other}\"")),
    };
    let version = &text[end..];
    if let Ok(first) = Version::parse(version) {
        return Ok(Condition { comparison, first, beyond: None });
    }
    let unreadable = || format!("\"{version}\" is not a version");
    let wild = |part: &str| matches!(part, "x" | "X" | "*");
    let numbers: Vec<&str> = version.split('.').collect();
    let known = numbers.iter().take_while(|part| !wild(part)).count();
    if known == 0 || known == numbers.len() || numbers.len() > 3 || !numbers[known..].iter().all(|p| wild(p))
    {
        return Err(unreadable());
    }
    let number = |index: usize| numbers[index].parse::<u64>().map_err(|_| unreadable());
    let major = number(0)?;
    let (first, beyond) = if known == 1 {
        (Version::new(major, 0, 0), Version::new(major.saturating_add(1), 0, 0))
    } else {
        let minor = number(1)?;
        (Version::new(major, minor, 0), Version::new(major, minor.saturating_add(1), 0))
    };
    Ok(Condition { comparison, first, beyond: Some(beyond) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let table = [
            (">=3.0.0", "3.0.0", true),
            (">=3.0.0", "2.9.9", false),
            (">= 3.5.0 !3.7.7", "v3.7.7", false),
            (">=3.5.0 !3.7.7", "3.7.8", true),
            ("<3.4.0 || >3.8.0", "3.5.0", false),
            ("<3.4.0||>3.8.0", "3.9.0", true),
            ("3.1.2", "3.1.2", true),
            ("=3.1.2", "3.1.3", false),
            ("3.x", "3.99.0", true),
            ("3.1.x", "3.2.0", false),
            (">3.1.x", "3.1.9", false),
            (">3.1.x", "3.2.0", true),
            ("<=3.1.x", "3.1.9", true),
            ("!3.x", "4.0.0", true),
            (">=3.0.0", "3.0.0-alpha.1", false),
            (">=3.0.0", "3.0.0+build", true),
        ];
        for (range, version, expected) in table {
            assert_eq!(check_required_version(range, version).is_ok(), expected, "{range} {version}");
        }
    }

    #[test]
    fn complaints() {
        let message = |range| check_required_version(range, "3.1.0").unwrap_err().message;
        assert_eq!(
            message("=3.1.2"),
            "Pulumi CLI version 3.1.0 does not satisfy the version range \"=3.1.2\""
        );
        assert_eq!(message("~3.1"), "parsing CLI version range \"~3.1\": \"~3.1\" is not a version");
        assert_eq!(message(">=3 ||"), "parsing CLI version range \">=3 ||\": \"3\" is not a version");
        assert_eq!(message("=>3.0.0"), "parsing CLI version range \"=>3.0.0\": unknown operator \"=>\"");
    }
}
