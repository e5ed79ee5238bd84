//! Blocks of `Name: value` lines with an empty line between them: the form that dpkg (deb-control(5)), apk
//! (its v2 index) and Python's metadata (RFC 822 headers) share. A line that begins with a blank continues
//! the field before it; the fields that are asked for have one line each.

use super::{
    Extraction, Owner,
    lines::{Line, Lines},
};
use crate::error::FormatError;

/// One block: the fields that were asked for, and the first thing wrong with it.
pub(super) struct Block {
    /// Where it begins in the file.
    pub offset: u64,
    /// The first line that is no field, or a field given twice.
    pub problem: Option<FormatError>,
    /// Whether the file ends within its last line: it may have been cut there.
    pub unended: bool,
    /// The files that the block lists, if it is one of a package that does.
    pub owner: Owner,
    fields: Vec<(&'static str, String)>,
}

impl Block {
    /// The value of a field that was asked for, `None` if it is absent or empty. Bytes that are not UTF-8
    /// are replaced.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.fields.iter().position(|(field, _)| *field == name)?;
        Some(self.fields.remove(at).1).filter(|value| !value.is_empty())
    }

    /// The values of a field that may stand several times, in their order.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<String> {
        let all = self.fields.extract_if(.., |(field, _)| *field == name);
        all.map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }

    /// What is wrong with a block of a database whose every line has an end.
    pub(super) fn problem_or_cut(&mut self, structure: &'static str) -> Option<FormatError> {
        let cut =
            self.unended.then(|| FormatError::corrupt(structure, self.offset, "the file ends within a line"));
        self.problem.take().or(cut)
    }
}

/// How the names of fields compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// As bytes.
    Exact,
    /// Without case.
    AnyCase,
}

/// Reads blocks from front to back.
pub(super) struct Blocks<'a> {
    lines: Lines<'a>,
    structure: &'static str,
    names: Names,
    wanted: &'static [&'static str],
    repeated: Option<&'static str>,
    list: Option<List>,
}

/// How a block lists files: the field of a directory, and that of a file in the directory before it.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) dir: u8,
    pub(super) file: u8,
}

impl<'a> Blocks<'a> {
    /// The blocks of `lines` with the `wanted` fields; errors call each a `structure`.
    pub(super) fn new(
        lines: Lines<'a>,
        structure: &'static str,
        names: Names,
        wanted: &'static [&'static str],
    ) -> Self {
        Self { lines, structure, names, wanted, repeated: None, list: None }
    }

    /// With one of the wanted fields as often as a block has it.
    pub(super) fn repeating(self, repeated: &'static str) -> Self {
        Self { repeated: Some(repeated), ..self }
    }

    /// With the files that blocks list.
    pub(super) fn listing(self, list: List) -> Self {
        Self { list: Some(list), ..self }
    }

    /// Hands every block to `record` until that has enough (false). An unreadable rest is lost, what was found
    /// stays.
    pub(super) fn read_into(
        mut self,
        found: &mut Extraction,
        mut record: impl FnMut(Block, &mut Extraction) -> bool,
    ) {
        loop {
            match self.next() {
                Ok(Some(block)) => {
                    if !record(block, found) {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return found.lose(error),
            }
        }
    }

    /// The next block that is not empty, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Block>, FormatError> {
        let mut block: Option<Block> = None;
        let mut dir = Vec::new();
        while let Some(line) = self.lines.next()? {
            if line.bytes.is_empty() {
                if block.is_some() {
                    break;
                }
                continue;
            }
            let block = block.get_or_insert_with(|| Block {
                offset: line.offset,
                problem: None,
                unended: false,
                owner: Owner::default(),
                fields: Vec::with_capacity(self.wanted.len()),
            });
            if let (Some(List { dir: of_dir, file }), [field, b':', value @ ..]) = (self.list, line.bytes) {
                if *field == of_dir {
                    dir = [value, b"/"].concat();
                } else if *field == file && !line.cut {
                    block.owner.take_in(&dir, value);
                }
            }
            block.unended |= line.unended;
            if let Err(problem) = read_line(block, &line, self.names, self.wanted, self.repeated) {
                block.problem.get_or_insert(FormatError::corrupt(self.structure, line.offset, problem));
            }
        }
        Ok(block)
    }
}

fn read_line(
    block: &mut Block,
    line: &Line<'_>,
    names: Names,
    wanted: &'static [&'static str],
    repeated: Option<&str>,
) -> Result<(), String> {
    if line.bytes.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        return Ok(());
    }
    let colon = line.bytes.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0);
    let (name, value) = colon
        .and_then(|colon| line.bytes.split_at_checked(colon))
        .ok_or_else(|| format!("a line without a field: {}", excerpt(line.bytes)))?;
    let same = |field: &&&str| match names {
        Names::Exact => field.as_bytes() == name,
        Names::AnyCase => field.as_bytes().eq_ignore_ascii_case(name.trim_ascii_end()),
    };
    let Some(field) = wanted.iter().find(same) else { return Ok(()) };
    if line.cut {
        return Err(format!("{field} is longer than {} bytes", line.bytes.len()));
    }
    if Some(*field) != repeated && block.fields.iter().any(|(known, _)| known == field) {
        return Err(format!("{field} is given twice"));
    }
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    block.fields.push((field, String::from_utf8_lossy(value).into_owned()));
    Ok(())
}

/// The beginning of a line, for messages.
fn excerpt(line: &[u8]) -> String {
    line.get(..40).unwrap_or(line).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Memory;

    type Seen = (u64, Option<String>, Option<String>, Option<String>);

    fn blocks(text: &str, names: Names) -> Vec<Seen> {
        let source = Memory::new(text.as_bytes());
        let lines = Lines::new(&source, "text", 16, 1 << 20);
        let mut blocks = Blocks::new(lines, "stanza", names, &["Package", "V"]);
        let mut found = Vec::new();
        while let Some(mut block) = blocks.next().unwrap() {
            let problem = block.problem.as_ref().map(FormatError::detail);
            found.push((block.offset, block.take("Package"), block.take("V"), problem));
        }
        found
    }

    #[test]
    fn fields_continuations_and_blocks() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            blocks("\npackage: a \nD: x\n V: no\nV:1\n\n\n\nPackage:b\nV:\n", Names::AnyCase),
            [(1, some("a"), some("1"), None), (32, some("b"), None, None)]
        );
        assert_eq!(blocks("package:a\nV:1\n", Names::Exact), [(0, None, some("1"), None)]);
    }

    #[test]
    fn what_is_wrong_with_a_block_is_said_once_and_where() {
        let problem = |text| blocks(text, Names::Exact).remove(0).3.unwrap_or_default();
        assert_eq!(problem("V:1\nV:2\nx\n"), "stanza at offset 0x4: V is given twice");
        assert_eq!(problem("V:1\nx\u{1}\n"), "stanza at offset 0x4: a line without a field: x\\x01");
        assert_eq!(problem(":1\n"), "stanza at offset 0x0: a line without a field: :1");
    }
}
