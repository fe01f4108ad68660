//! Lines on a terminal that are drawn over themselves.
//!
//! Each line is written over the one that is there, and only what is left of that is cleared. Clearing
//! all at once flickers, and where it is the whole screen, terminals keep each picture in their history.

use purlin_display::columns;

/// Clears the rest of a line.
const REST_OF_LINE: &str = "\u{1b}[K";
/// Clears everything from here on.
const REST_OF_SCREEN: &str = "\u{1b}[0J";

/// What was drawn last.
#[derive(Default)]
pub(crate) struct Picture {
    /// How many columns each line takes.
    lines: Vec<usize>,
}

impl Picture {
    /// What draws lines in the place of those that are there, on a terminal with so many columns.
    pub(crate) fn draw(&mut self, lines: &[String], width: u16) -> String {
        let before = self.rows(width);
        let mut text = up(before);
        for line in lines {
            text.push_str(line);
            text.push_str(REST_OF_LINE);
            text.push('\n');
        }
        self.lines = lines.iter().map(|line| columns(line)).collect();
        if self.rows(width) < before {
            text.push_str(REST_OF_SCREEN);
        }
        text
    }

    /// What writes a text of whole lines in the place of the picture, which is then no more.
    pub(crate) fn replace(&mut self, last: &str, width: u16) -> String {
        let before = self.rows(width);
        self.lines.clear();
        if before == 0 {
            return last.to_owned();
        }
        format!("{}{}{REST_OF_SCREEN}", up(before), last.replace('\n', &format!("{REST_OF_LINE}\n")))
    }

    /// How many rows it takes. A terminal that has become narrower has folded its lines.
    fn rows(&self, width: u16) -> usize {
        let width = usize::from(width).max(1);
        self.lines.iter().map(|columns| columns.div_ceil(width).max(1)).sum()
    }
}

fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\u{1b}[{rows}A") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_are_written_over_those_before_and_what_is_left_is_cleared() {
        let mut picture = Picture::default();
        assert_eq!(picture.draw(&lines(&["one", "two"]), 80), "one\u{1b}[K\ntwo\u{1b}[K\n");
        assert_eq!(picture.draw(&lines(&["1", "2"]), 80), "\u{1b}[2A1\u{1b}[K\n2\u{1b}[K\n");
        assert_eq!(picture.draw(&lines(&["1"]), 80), "\u{1b}[2A1\u{1b}[K\n\u{1b}[0J");
        assert_eq!(picture.replace("end\nof it\n", 80), "\u{1b}[1Aend\u{1b}[K\nof it\u{1b}[K\n\u{1b}[0J");
        assert_eq!(picture.replace("end\n", 80), "end\n");
    }

    #[test]
    fn lines_that_were_folded_count_as_often_as_they_were() {
        let mut picture = Picture::default();
        picture.draw(&lines(&["\u{1b}[1mtwenty columns wide!\u{1b}[0m", ""]), 80);
        assert!(picture.draw(&lines(&["x"]), 15).starts_with("\u{1b}[3A"));
    }
}
