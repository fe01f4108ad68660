//! Values that come from the command line: their types, and whether one looks like a secret.

use purlin_diag::Diagnostic;

use super::key::ConfigKey;
use crate::value::Value;

/// The type that a value from the command line is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputType {
    /// Inside a value, `true`, `false` and whole numbers are what they look like; all else, and what
    /// stands under a key by itself, is a text.
    #[default]
    Guess,
    /// A text, whatever it looks like.
    String,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// A number.
    Float,
}

impl InputType {
    /// Reads the argument of `--type`.
    pub fn parse(text: &str) -> Result<InputType, Diagnostic> {
        match text {
            "string" => Ok(InputType::String),
            "int" => Ok(InputType::Int),
            "bool" => Ok(InputType::Bool),
            "float" => Ok(InputType::Float),
            _ => Err(Diagnostic::error(
                "config-type",
                format!("invalid type \"{text}\"; must be one of string, int, bool, or float"),
            )),
        }
    }
}

/// What to store.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigInput {
    /// A text from the command line with the type that it is to have.
    Text(String, InputType),
    /// A ciphertext.
    Secure(String),
    /// Data as it is.
    Value(Value),
}

impl ConfigInput {
    /// A text without a type of its own.
    pub fn text(text: impl Into<String>) -> ConfigInput {
        ConfigInput::Text(text.into(), InputType::Guess)
    }

    /// The value as it is stored inside another one.
    pub(super) fn into_inner_value(self) -> Result<Value, Diagnostic> {
        match self {
            ConfigInput::Secure(ciphertext) => Ok(Value::secure(ciphertext)),
            ConfigInput::Value(value) => Ok(value),
            ConfigInput::Text(text, kind) => typed(text, kind),
        }
    }

    /// The value as it is stored under a key: what it looks like doesn't count there.
    pub(super) fn into_whole_value(self) -> Result<Value, Diagnostic> {
        match self {
            ConfigInput::Text(text, InputType::Guess) => Ok(Value::String(text)),
            other => other.into_inner_value(),
        }
    }
}

fn typed(text: String, kind: InputType) -> Result<Value, Diagnostic> {
    let value = match kind {
        InputType::Guess => return Ok(guess(text)),
        InputType::String => return Ok(Value::String(text)),
        InputType::Int => text.parse().ok().map(Value::Int),
        InputType::Float => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float),
        InputType::Bool => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
    };
    let name = match kind {
        InputType::Int => "an int",
        InputType::Float => "a float",
        _ => "a bool",
    };
    value.ok_or_else(|| {
        Diagnostic::error("config-type", format!("could not set config: \"{text}\" is not {name}"))
    })
}

fn guess(text: String) -> Value {
    match text.as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if leading_zero {
        return Value::String(text);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Int(number);
    }
    match text.parse::<u64>() {
        Ok(number) if !text.starts_with('+') => Value::Uint(number),
        _ => Value::String(text),
    }
}

/// Whether a value that is to be stored in plaintext looks like a secret: its key is named like one
/// and its text is hard to guess. Such a value should be refused unless plaintext was asked for.
pub fn looks_like_secret(key: &ConfigKey, text: &str) -> bool {
    const WORDS: [&str; 5] = ["pass", "pwd", "secret", "token", "passwd"];
    const CONSIDERED: usize = 16;
    let name = key.name().to_lowercase();
    if !WORDS.iter().any(|word| name.contains(word)) {
        return false;
    }
    let start: String = text.chars().take(CONSIDERED).collect();
    let bits = guessing_bits(&start);
    bits >= 80.0 || (bits >= 40.0 && bits / start.chars().count() as f64 >= 3.0)
}

/// Complains about a value that [`looks_like_secret`].
pub fn refuse_plaintext_secret(key: &ConfigKey, text: &str) -> Result<(), Diagnostic> {
    if !looks_like_secret(key, text) {
        return Ok(());
    }
    Err(Diagnostic::error(
        "config-plaintext-secret",
        format!(
            "config value for '{key}' looks like a secret; rerun with --secret to encrypt it, or --plaintext if \
             you meant to store in plaintext"
        ),
    ))
}

/// An estimate of how many bits a guesser must find. Runs that read like words count little, other
/// characters as much as the set of characters in use is large.
fn guessing_bits(text: &str) -> f64 {
    let used: f64 = [
        (text.contains(|c: char| c.is_ascii_lowercase()), 26.0),
        (text.contains(|c: char| c.is_ascii_uppercase()), 26.0),
        (text.contains(|c: char| c.is_ascii_digit()), 10.0),
        (text.contains(|c: char| !c.is_ascii_alphanumeric()), 33.0),
    ]
    .iter()
    .filter_map(|(occurs, size)| occurs.then_some(size))
    .sum();
    let per_char = used.max(1.0).log2();
    runs(text).iter().map(|run| run_bits(run, per_char)).sum()
}

fn run_bits(run: &[char], per_char: f64) -> f64 {
    let length = run.len() as f64;
    let same = run.iter().all(|c| c == &run[0]);
    let steps = run.windows(2).all(|pair| pair == ['9', '0'] || (pair[1] as i64 - pair[0] as i64).abs() <= 1);
    if run.len() > 2 && (same || steps) {
        return per_char + length.log2();
    }
    if matches!(run, ['-' | '_' | '.' | '/' | ':' | ' ']) {
        return 2.0;
    }
    if run.len() > 1 && reads_like_a_word(run) {
        return (2.2 * length).min(per_char * length);
    }
    per_char * length
}

/// Splits a text where letters, digits and other characters meet, and before a capital.
fn runs(text: &str) -> Vec<Vec<char>> {
    let class = |c: char| (c.is_alphabetic(), c.is_ascii_digit());
    let mut runs: Vec<Vec<char>> = Vec::new();
    for c in text.chars() {
        match runs.last_mut() {
            Some(run)
                if run.last().is_some_and(|last| {
                    class(*last) == class(c) && !(last.is_lowercase() && c.is_uppercase())
                }) =>
            {
                run.push(c);
            }
            _ => runs.push(vec![c]),
        }
    }
    runs
}

/// Whether letters have vowels about as often as words do.
fn reads_like_a_word(run: &[char]) -> bool {
    let vowel = |c: &char| "aeiouyAEIOUY".contains(*c);
    let longest = |is_break: &dyn Fn(&char) -> bool| run.split(is_break).map(<[char]>::len).max();
    let vowels = run.iter().filter(|c| vowel(c)).count();
    run.iter().all(|c| c.is_alphabetic())
        && longest(&vowel).is_none_or(|consonants| consonants <= 3)
        && longest(&|c| !vowel(c)).is_none_or(|vowels| vowels <= 3)
        && vowels * 5 >= run.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_inside_others_are_what_they_look_like() {
        let table = [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("True", Value::from("True")),
            ("10", Value::Int(10)),
            ("0", Value::Int(0)),
            ("-1", Value::Int(-1)),
            ("00", Value::from("00")),
            ("0123", Value::from("0123")),
            ("9223372036854775808", Value::Uint(9_223_372_036_854_775_808)),
            ("1.5", Value::from("1.5")),
            ("", Value::from("")),
        ];
        for (text, expected) in table {
            assert_eq!(ConfigInput::text(text).into_inner_value().unwrap(), expected, "{text}");
            assert_eq!(ConfigInput::text(text).into_whole_value().unwrap(), Value::from(text));
        }
    }

    #[test]
    fn forced_types_are_checked() {
        let typed = |text: &str, kind| ConfigInput::Text(text.to_owned(), kind);
        for (text, kind, value) in [
            ("10", InputType::String, Value::from("10")),
            ("010", InputType::Int, Value::Int(10)),
            ("1", InputType::Bool, Value::Bool(true)),
            ("1.50", InputType::Float, Value::Float(1.5)),
            ("1e3", InputType::Float, Value::Float(1000.0)),
        ] {
            assert_eq!(typed(text, kind).into_inner_value().unwrap(), value, "{text}");
            assert_eq!(typed(text, kind).into_whole_value().unwrap(), value, "{text}");
        }
        let bad = ConfigInput::Text("x".to_owned(), InputType::Int).into_whole_value();
        assert_eq!(bad.unwrap_err().message, "could not set config: \"x\" is not an int");
        assert_eq!(
            InputType::parse("number").unwrap_err().message,
            "invalid type \"number\"; must be one of string, int, bool, or float"
        );
    }

    #[test]
    fn hard_to_guess_values_under_telling_names_look_like_secrets() {
        let looks = |name: &str, text: &str| looks_like_secret(&ConfigKey::new("p", name), text);
        for secret in ["7f8c2b1e9d4a6053", "ghp_16C7e42F292c6912E7", "qXk9!vZ2#mWp", "AKIAIOSFODNN7EXAMPLE9"]
        {
            assert!(looks("apiToken", secret), "{secret}");
            assert!(!looks("region", secret), "{secret}");
        }
        for harmless in [
            "",
            "true",
            "changeme",
            "my-token-name",
            "supersecretvalue",
            "us-west-2",
            "12345678901234567890",
            "aaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!looks("dbPassword", harmless), "{harmless}");
        }
        assert_eq!(
            refuse_plaintext_secret(&ConfigKey::new("p", "dbPwd"), "7f8c2b1e9d4a6053").unwrap_err().message,
            "config value for 'p:dbPwd' looks like a secret; rerun with --secret to encrypt it, or --plaintext if \
             you meant to store in plaintext"
        );
    }
}
