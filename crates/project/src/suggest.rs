//! Guesses which known word was meant by a misspelt one.

/// How many letters may be wrong in a guess.
const MAX_DISTANCE: usize = 2;

/// The known word nearest to `word`, ignoring case, if at most two letters differ. Of equally near
/// words the alphabetically first wins.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= MAX_DISTANCE)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out or exchanged to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_word() {
        let known = ["name", "path", "version"];
        assert_eq!(nearest("nome", known), Some("name"));
        assert_eq!(nearest("NAME", known), Some("name"));
        assert_eq!(nearest("vresion", known), Some("version"));
        assert_eq!(nearest("displayName", known), None);
        assert_eq!(nearest("ab", ["ac", "aa"]), Some("aa"));
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
