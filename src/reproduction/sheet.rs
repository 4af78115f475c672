//! A table for readers, on the terminal and in Markdown.

use crate::report;
use std::fmt::Write as _;

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What stands above it.
    pub heading: String,
    /// Names of the columns, with units.
    pub header: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// What stands below it.
    pub notes: Vec<String>,
}

impl Sheet {
    /// A table without rows.
    pub fn new(heading: impl Into<String>, header: &[&str]) -> Self {
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Self { heading: heading.into(), header, ..Self::default() }
    }

    /// As the terminal shows it.
    pub fn text(&self) -> String {
        let header: Vec<&str> = self.header.iter().map(String::as_str).collect();
        let mut text = format!("{}\n{}\n", self.heading, report::table(&header, self.rows.clone()));
        for note in &self.notes {
            writeln!(text, "{note}").expect("writing to a string does not fail");
        }
        text
    }

    /// As Markdown; columns of numbers to the right.
    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.heading);
        line(&mut text, &self.header);
        let rule = |column| if self.is_numeric(column) { "---:" } else { "---" };
        line(&mut text, &(0..self.header.len()).map(|column| rule(column).to_owned()).collect::<Vec<_>>());
        for row in &self.rows {
            line(&mut text, row);
        }
        for note in &self.notes {
            write!(text, "\n{note}\n").expect("writing to a string does not fail");
        }
        text
    }

    fn is_numeric(&self, column: usize) -> bool {
        let is_number = |cell: &String| {
            let digits: String = cell.chars().filter(|c| !matches!(c, ',' | '*')).collect();
            cell == "-" || digits.parse::<f64>().is_ok()
        };
        !self.rows.is_empty() && self.rows.iter().filter_map(|row| row.get(column)).all(is_number)
    }
}

fn line(text: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(text, "| {} |", cells.join(" | ")).expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_numbers_stand_to_the_right() {
        let mut sheet = Sheet::new("What is where", &["name", "words"]);
        sheet.rows.push(vec!["a|b".into(), "1,024".into()]);
        sheet.rows.push(vec!["c".into(), "-".into()]);
        sheet.notes.push("A note.".into());
        let expected =
            "What is where\n\n| name | words |\n| --- | ---: |\n| a\\|b | 1,024 |\n| c | - |\n\nA note.\n";
        assert_eq!(sheet.markdown(), expected);
        assert!(sheet.text().starts_with("What is where\n"), "{}", sheet.text());
    }
}
