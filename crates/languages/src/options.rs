//! Reading the options of a project's `runtime`.

use purlin_diag::Diagnostic;
use purlin_model::{PropertyMap, PropertyValue};

/// A text option; `None` if it isn't set.
pub(crate) fn text<'a>(options: &'a PropertyMap, name: &str) -> Result<Option<&'a str>, Diagnostic> {
    match options.get(name) {
        None | Some(PropertyValue::Null) => Ok(None),
        Some(PropertyValue::String(text)) => Ok(Some(text).filter(|t| !t.is_empty()).map(String::as_str)),
        Some(_) => Err(wrong(name, "a text")),
    }
}

/// A truth value option; `None` if it isn't set.
pub(crate) fn flag(options: &PropertyMap, name: &str) -> Result<Option<bool>, Diagnostic> {
    match options.get(name) {
        None | Some(PropertyValue::Null) => Ok(None),
        Some(PropertyValue::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(wrong(name, "true or false")),
    }
}

/// A text option that must be one of a few.
pub(crate) fn choice<'a>(
    options: &'a PropertyMap,
    name: &str,
    allowed: &[&str],
) -> Result<Option<&'a str>, Diagnostic> {
    let value = text(options, name)?;
    match value {
        Some(value) if !allowed.contains(&value) => Err(Diagnostic::error(
            "runtime-option",
            format!("the runtime option '{name}' must not be '{value}'"),
        )
        .with_hint(format!("use one of {} in the project file", allowed.join(", ")))),
        other => Ok(other),
    }
}

fn wrong(name: &str, wanted: &str) -> Diagnostic {
    Diagnostic::error("runtime-option", format!("the runtime option '{name}' must be {wanted}"))
        .with_hint(format!("correct `runtime.options.{name}` in the project file"))
}

/// Splits a command line into words as a shell would: blanks separate, quotes and backslashes
/// protect.
pub(crate) fn words(text: &str) -> Result<Vec<String>, Diagnostic> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(Diagnostic::error("runtime-option", format!("a quote is not closed in '{text}'")));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(words(r#"--a  "b c" 'd "e' f\ g """#).unwrap(), ["--a", "b c", "d \"e", "f g", ""]);
        assert!(words("'open").is_err());
        assert_eq!(words("  ").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn options_of_the_wrong_kind_are_named() {
        let options = PropertyMap::from([("virtualenv".to_owned(), PropertyValue::Bool(true))]);
        let error = text(&options, "virtualenv").unwrap_err();
        assert!(error.message.contains("virtualenv"), "{error}");
        let options = PropertyMap::from([("toolchain".to_owned(), PropertyValue::from("conda"))]);
        assert!(choice(&options, "toolchain", &["pip", "uv"]).unwrap_err().message.contains("conda"));
        assert_eq!(flag(&PropertyMap::new(), "typescript").unwrap(), None);
    }
}
