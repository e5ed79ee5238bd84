//! The lines of a file, read in steps: a reader that stops early has not read the rest.

use crate::{
    block::{self, ReadAt},
    error::FormatError,
    limits, num,
};

/// A line without its end (`\n` or `\r\n`).
pub(super) struct Line<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its bytes, at most [`limits::LINE_BYTES`].
    pub bytes: &'a [u8],
    /// Whether it had more bytes than that.
    pub cut: bool,
    /// Whether the file ends before the line does.
    pub unended: bool,
}

/// Reads lines from front to back.
pub(super) struct Lines<'a> {
    source: &'a dyn ReadAt,
    structure: &'static str,
    step: usize,
    limit: u64,
    chunk: Vec<u8>,
    /// Where the next line goes on in `chunk`.
    start: usize,
    /// Where the next chunk begins in the source.
    next: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// The lines of `source`, read `step` bytes at a time; more than `limit` bytes are refused when they are
    /// reached.
    pub(super) fn new(source: &'a dyn ReadAt, structure: &'static str, step: usize, limit: u64) -> Self {
        Self { source, structure, step, limit, chunk: Vec::new(), start: 0, next: 0, line: Vec::new() }
    }

    /// The first bytes of the file, at most one step.
    pub(super) fn peek(&mut self) -> Result<&[u8], FormatError> {
        if self.chunk.is_empty() {
            self.fill()?;
        }
        Ok(&self.chunk)
    }

    /// The next line, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, FormatError> {
        self.line.clear();
        let offset = self.next.saturating_sub(num::to_u64(self.chunk.len().saturating_sub(self.start)));
        let (mut cut, mut any) = (false, false);
        loop {
            let rest = self.chunk.get(self.start..).unwrap_or_default();
            if rest.is_empty() {
                if self.fill()? {
                    continue;
                }
                return Ok(any.then_some(Line { offset, bytes: &self.line, cut, unended: true }));
            }
            any = true;
            let end = rest.iter().position(|byte| *byte == b'\n');
            let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            let room = limits::LINE_BYTES.saturating_sub(self.line.len());
            cut |= part.len() > room;
            self.line.extend_from_slice(part.get(..room).unwrap_or(part));
            self.start = self.start.saturating_add(part.len());
            if end.is_some() {
                self.start = self.start.saturating_add(1);
                if !cut && self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
                return Ok(Some(Line { offset, bytes: &self.line, cut, unended: false }));
            }
        }
    }

    /// Reads the next chunk; false at the end.
    fn fill(&mut self) -> Result<bool, FormatError> {
        let left = self.source.size().saturating_sub(self.next);
        let length = num::to_usize(left.min(num::to_u64(self.step)));
        if length == 0 {
            return Ok(false);
        }
        if self.next >= self.limit {
            return Err(FormatError::limit(format!(
                "{} is longer than {} bytes",
                self.structure, self.limit
            )));
        }
        self.chunk = block::read_vec(self.source, self.structure, self.next, length)?;
        self.start = 0;
        self.next = self.next.saturating_add(num::to_u64(length));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    fn all(text: &[u8], step: usize) -> Vec<(u64, String, bool)> {
        let source = Memory::new(text);
        let mut lines = Lines::new(&source, "text", step, 1 << 20);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.offset, String::from_utf8(line.bytes.to_vec()).unwrap(), line.unended));
        }
        found
    }

    #[test]
    fn lines_do_not_depend_on_the_step() {
        let expected = [
            (0, "ab".to_owned(), false),
            (3, String::new(), false),
            (4, "cde".to_owned(), false),
            (9, "f".to_owned(), true),
        ];
        for step in 1..12 {
            assert_eq!(all(b"ab\n\ncde\r\nf", step), expected, "{step}");
        }
        assert_eq!(all(b"", 4), []);
    }

    #[test]
    fn long_lines_are_cut_and_long_files_refused() {
        let mut text = vec![b'x'; limits::LINE_BYTES + 5];
        text.extend(b"\ny\n");
        let source = Memory::new(text);
        let mut lines = Lines::new(&source, "text", 4096, 1 << 20);
        let line = lines.next().unwrap().unwrap();
        assert!(line.cut && line.bytes.len() == limits::LINE_BYTES);
        let line = lines.next().unwrap().unwrap();
        assert!(!line.cut && line.bytes == b"y");
        assert!(lines.next().unwrap().is_none());
        assert!(Lines::new(&source, "text", 4096, 8192).next().is_err());
    }
}
