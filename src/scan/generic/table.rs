//! Passwords in a column that is named for them: of comma-separated values, and of tables in Markdown.
//!
//! The first line of a file says what its columns are, and in Markdown the line above the dashes does.

use std::ops::Range;

use super::name::{self, Kind};
use super::{Candidate, Confidence, Detector, Hit, Reach, RuleIndex, Ruleset, Text, password};

/// Finds what stands in such columns.
#[derive(Debug)]
pub struct Tables {
    rule: Option<RuleIndex>,
}

/// Ends of names in a first line, and beginnings of the lines of dashes.
const KEYWORDS: &[&str] = &[
    ",password",
    ";password",
    "\tpassword",
    ",passwd",
    ";passwd",
    ",passwort",
    ";passwort",
    "\tpasswort",
    ",pwd",
    ";pwd",
    "|--",
    "| --",
    "|:-",
    "| :-",
];

/// From here on keywords are those of Markdown.
const MARKDOWN: usize = 10;

/// Rows are read as far behind the header as this.
const REACH: usize = 4096;

/// No longer header is one.
const HEADER: usize = 512;

impl Tables {
    /// One for the rules in force.
    pub fn new(rules: &Ruleset) -> Self {
        Self { rule: rules.index("generic-password") }
    }
}

impl Detector for Tables {
    fn keywords(&self) -> &[&str] {
        KEYWORDS
    }

    fn reach(&self) -> Reach {
        Reach::Window(REACH + HEADER)
    }

    fn find(&self, text: &Text<'_>, hits: &[Hit], found: &mut Vec<Candidate>) {
        let Some(rule) = self.rule.filter(|_| text.depth == 0) else { return };
        let bytes = text.bytes;
        let mut done = 0;
        for hit in hits.iter().filter(|hit| hit.end <= bytes.len()) {
            if hit.start < done {
                continue;
            }
            let Some(line) = line_at(bytes, hit.start) else { continue };
            done = line.end;
            let (header, mark) = if hit.keyword < MARKDOWN {
                (line.clone(), bytes[hit.start])
            } else {
                let is_rule = bytes[line.clone()].iter().all(|byte| b"|-: \t\r".contains(byte));
                match line.start.checked_sub(1).filter(|_| is_rule).and_then(|end| line_at(bytes, end)) {
                    Some(header) => (header, b'|'),
                    None => continue,
                }
            };
            // Of comma-separated values only the first line names columns.
            if mark != b'|' && header.start > 0 || header.len() > HEADER {
                continue;
            }
            let columns = columns(bytes, header, mark);
            let rows_end = bytes.len().min(line.end + REACH);
            let mut at = line.end + 1;
            while at < rows_end && !columns.is_empty() {
                let end = memchr::memchr(b'\n', &bytes[at..rows_end]).map_or(rows_end, |end| at + end);
                // A row that is cut off is not read, and a table ends with the first line that is none of its.
                if end == rows_end && rows_end < bytes.len() || mark == b'|' && !bytes[at..end].contains(&b'|') {
                    break;
                }
                let cells = cells(bytes, at..end, mark);
                let of_columns = columns.iter().filter_map(|column| cells.get(*column));
                found.extend(of_columns.filter_map(|cell| candidate(rule, bytes, cell.clone())));
                at = end + 1;
            }
        }
    }
}

/// Which columns a header says are of passwords; none where it is no header.
fn columns(bytes: &[u8], header: Range<usize>, mark: u8) -> Vec<usize> {
    let cells = cells(bytes, header, mark);
    let is_name = |cell: &Range<usize>| {
        cell.len() <= 40
            && bytes[cell.clone()].iter().all(|byte| byte.is_ascii_alphanumeric() || b" _-./".contains(byte))
    };
    if cells.len() < 2 || !cells.iter().all(is_name) {
        return Vec::new();
    }
    let is_password = |cell: &Range<usize>| {
        let name: Vec<u8> = bytes[cell.clone()].iter().map(|byte| if *byte == b' ' { b'_' } else { *byte }).collect();
        name::kind(&name) == Some(Kind::Password)
    };
    cells.iter().enumerate().filter(|(_, cell)| is_password(cell)).map(|(column, _)| column).collect()
}

/// The cells of a row, without blanks and the quotes or marks around them.
fn cells(bytes: &[u8], row: Range<usize>, mark: u8) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let (mut start, mut is_quoted) = (row.start, false);
    for at in row.clone() {
        match bytes[at] {
            b'"' if mark != b'|' => is_quoted = !is_quoted,
            byte if byte == mark && !is_quoted => {
                cells.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    cells.push(start..row.end);
    let trim = |cell: Range<usize>| {
        let (mut start, mut end) = (cell.start, cell.end);
        let around = |byte: u8| byte.is_ascii_whitespace() || b"\"`*".contains(&byte);
        while start < end && around(bytes[start]) {
            start += 1;
        }
        while start < end && around(bytes[end - 1]) {
            end -= 1;
        }
        start..end
    };
    cells.into_iter().map(trim).collect()
}

fn candidate(rule: RuleIndex, bytes: &[u8], cell: Range<usize>) -> Option<Candidate> {
    let value = &bytes[cell.clone()];
    let sure = password(value).filter(|_| value.len() >= 6 && value.len() <= 80)?;
    // A word alone is a type, a default or a remark.
    (sure == Confidence::Medium).then(|| Candidate::at(rule, cell, sure))
}

/// The line that a place is in, without its end; none where it is longer than any header.
fn line_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let from = at.saturating_sub(HEADER);
    let start =
        memchr::memrchr(b'\n', &bytes[from..at]).map(|line| from + line + 1).or_else(|| (from == 0).then_some(0))?;
    let to = bytes.len().min(at + HEADER);
    let end =
        memchr::memchr(b'\n', &bytes[at..to]).map(|line| at + line).or_else(|| (to == bytes.len()).then_some(to))?;
    Some(start..end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::Engine;
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let rules = Ruleset::built_in().unwrap();
        let generic = rules.iter().filter(|(_, rule)| rule.id == "generic-password").map(|(_, rule)| rule.clone());
        let rules = Ruleset::new(generic.collect()).unwrap();
        let tables = Tables::new(&rules);
        let mut found = Vec::new();
        Engine::new(rules, vec![Box::new(tables)]).unwrap().scan(text.as_bytes(), &mut found);
        found.into_iter().map(|found| text[found.secret].to_owned()).collect()
    }

    #[test]
    fn what_stands_in_the_column_is_found_in_each_row() {
        assert_eq!(
            found("host,user,password,note\na,ada,\"Ferry!Lamp88\",x\nb,bob,W0ol-Mitten,\n"),
            ["Ferry!Lamp88", "W0ol-Mitten"]
        );
        assert_eq!(found("host;Password\na;Ferry!Lamp88"), ["Ferry!Lamp88"]);
        let table = "# Hosts\n\n| host | user | password |\n|------|:----:|---|\n| a | ada | `Ferry!Lamp88` |\n| b | bob | otter_violin_442 |\n\n| x | y | Z00-later |\n";
        assert_eq!(found(table), ["Ferry!Lamp88", "otter_violin_442"]);
    }

    #[test]
    fn other_columns_and_remarks_are_not() {
        for text in [
            "host,user,password\na,ada,\nb,bob,secret\n",
            "x\nhost,user,password\na,ada,Ferry!Lamp88\n",
            "| option | type | default |\n|---|---|---|\n| password | string | Ferry!Lamp88 |\n",
            "| password | meaning |\n|---|---|\n| required | words that nobody guesses |\n| $PASSWORD | x |\n",
            "host,password policy\na,Ferry!Lamp88\n",
            "f(host,password)\nx(a,Ferry!Lamp88)\n",
            "a|--",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        let header = "a,password\n".repeat(20_000);
        let dashes = format!("|password|x|\n{}", "|--|--|\n|password|x|\n".repeat(20_000));
        for text in [header, dashes, "|--".repeat(60_000), ",password".repeat(60_000)] {
            let begun = std::time::Instant::now();
            found(&text);
            assert!(begun.elapsed().as_secs() < 20);
        }
    }
}
