//! How the tokens that people write become the tokens of a schema.

/// The spellings to try for a token, in order: as written, with the module `index` where there is
/// no module, and with the type's own name as part of the module. `None` if it is no token.
pub(crate) fn candidates(token: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = token.split(':').collect();
    let (package, module, name) = match parts.as_slice() {
        [package, name] => (*package, "index", *name),
        [package, module, name] => (*package, *module, *name),
        _ => return None,
    };
    let mut found = vec![token.to_owned()];
    if parts.len() == 2 {
        found.push(format!("{package}:index:{name}"));
    }
    found.push(format!("{package}:{module}/{}:{name}", name.to_lowercase()));
    Some(found)
}

/// Undoes percent-encoding. What isn't UTF-8 afterwards is left as it was.
pub(crate) fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_stand_for_the_module_index() {
        assert_eq!(
            candidates("aws:Bucket").unwrap(),
            ["aws:Bucket", "aws:index:Bucket", "aws:index/bucket:Bucket"]
        );
        assert_eq!(candidates("aws:s3:Bucket").unwrap(), ["aws:s3:Bucket", "aws:s3/bucket:Bucket"]);
        assert_eq!(candidates("aws"), None);
        assert_eq!(candidates("a:b:c:d"), None);
    }

    #[test]
    fn references_are_percent_decoded() {
        assert_eq!(percent_decoded("aws:s3%2FBucket:Bucket"), "aws:s3/Bucket:Bucket");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%ff"), "%ff");
    }
}
