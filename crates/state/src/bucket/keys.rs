//! The keys of journals in a bucket.

/// What the keys of all journals of a stack begin with.
pub(crate) fn journals(folder: &str) -> String {
    format!("{folder}/journal.")
}

/// What the keys of a journal begin with. The life of the stack is in them, so that a writer of an
/// earlier stack of the same name is in nobody's way.
pub(crate) fn journal(folder: &str, epoch: u64, incarnation: &str) -> String {
    let life: String = incarnation.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    format!("{folder}/journal.{epoch}.{life}")
}

/// The key of an object of a journal.
pub(crate) fn object(journal: &str, number: u64) -> String {
    format!("{journal}/{number:08}")
}

/// The journal, epoch and number of an object's key.
pub(crate) fn parts<'k>(folder: &str, key: &'k str) -> Option<(&'k str, u64, u64)> {
    let (journal, number) = key.rsplit_once('/')?;
    let rest = journal.strip_prefix(folder)?.strip_prefix("/journal.")?;
    let (epoch, _) = rest.split_once('.')?;
    Some((journal, epoch.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_again() {
        let journal = journal("a/b", 12, "0123-4567-89ab-cdef");
        assert_eq!(journal, "a/b/journal.12.0123456789ab");
        let key = object(&journal, 3);
        assert_eq!(parts("a/b", &key), Some((&*journal, 12, 3)));
        assert_eq!(parts("a/b", "a/b/aside.journal.12.x/00000003"), None);
        assert_eq!(parts("a/b", "a/b/journal.12.jsonl"), None);
    }
}
