//! Tables as text: fields between separators, in quotes where they hold one (RFC 4180), and a first line that
//! names them.

use std::collections::HashMap;

/// A table whose rows are read one by one.
pub(super) struct Table<'a> {
    rest: &'a str,
    separator: char,
    columns: HashMap<String, usize>,
}

impl<'a> Table<'a> {
    /// A table by its text; the first line names the columns.
    pub(super) fn new(text: &'a str, separator: char) -> Self {
        let mut table =
            Self { rest: text.trim_start_matches('\u{feff}'), separator, columns: HashMap::new() };
        let header = table.next().unwrap_or_default();
        table.columns =
            header.into_iter().enumerate().map(|(at, name)| (name.trim().to_owned(), at)).collect();
        table
    }

    /// Whether it has a column of this name.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// A field of a row by its column; empty if the row, or the table, does not have it.
    pub(super) fn field<'r>(&self, row: &'r [String], column: &str) -> &'r str {
        let at = self.columns.get(column).and_then(|at| row.get(*at));
        at.map_or("", |field| field.trim())
    }
}

impl Iterator for Table<'_> {
    type Item = Vec<String>;

    /// The next row that is not empty.
    fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let row = self.row();
            if row.iter().any(|field| !field.is_empty()) {
                return Some(row);
            }
        }
    }
}

impl Table<'_> {
    fn row(&mut self) -> Vec<String> {
        let mut fields = vec![String::new()];
        let mut quoted = false;
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            let empty = fields.last().is_none_or(String::is_empty);
            match c {
                '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                    push(&mut fields, '"');
                }
                '"' if quoted || empty => quoted = !quoted,
                '\n' if !quoted => {
                    end = at.saturating_add(1);
                    break;
                }
                c if c == self.separator && !quoted => fields.push(String::new()),
                '\r' if !quoted => {}
                c => push(&mut fields, c),
            }
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        fields
    }
}

fn push(fields: &mut [String], c: char) {
    if let Some(field) = fields.last_mut() {
        field.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_what_else_ends_a_field() {
        let mut table = Table::new("id,text\r\n1,\"a, \"\"b\"\"\nc\"\n\n2,5\" wide\n3", ',');
        let row = |table: &mut Table<'_>| {
            let row = table.next().unwrap();
            (table.field(&row, "id").to_owned(), table.field(&row, "text").to_owned())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(row(&mut table), pair("1", "a, \"b\"\nc"));
        assert_eq!(row(&mut table), pair("2", "5\" wide"));
        assert_eq!(row(&mut table), pair("3", ""));
        assert_eq!((table.next(), table.has("id"), table.has("x")), (None, true, false));
        assert_eq!(Table::new("a\tb\n1\t2", '\t').next().unwrap(), ["1", "2"]);
    }
}
