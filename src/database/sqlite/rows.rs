//! A table's b-tree, walked in the order of its keys: section 1.6 of the file format. Each page is part of
//! one tree or chain only, so a page that is met twice is damage, and a walk is never longer than the file.

use std::collections::HashSet;

use super::{
    header,
    pager::Pager,
    record::{Row, varint},
};
use crate::{bytes::part, database::order::Order, error::FormatError, limits, num};

const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;
const PAGE: &str = "sqlite b-tree page";
const CELL: &str = "sqlite cell";

/// The rows of one table.
pub struct Rows<'a> {
    pager: &'a Pager,
    root: Option<u32>,
    stack: Vec<Node>,
    visited: HashSet<u32>,
}

/// A page on the way from the root, and how far it has been read.
struct Node {
    number: u32,
    page: Vec<u8>,
    leaf: bool,
    /// Where the cell pointers are.
    pointers: usize,
    cells: u16,
    next: u16,
    /// What the cells that are not read yet may take of the page: more would be cells that overlap.
    budget: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(pager: &'a Pager, root: u32) -> Self {
        Self { pager, root: Some(root), stack: Vec::new(), visited: HashSet::new() }
    }

    fn visit(&mut self, number: u32, structure: &'static str) -> Result<Vec<u8>, FormatError> {
        if !self.visited.insert(number) {
            let problem = format!("page {number} is used twice");
            return Err(FormatError::corrupt(structure, self.pager.offset(number), problem));
        }
        if self.visited.len() > limits::SQLITE_PAGES {
            self.stack.clear();
            return Err(FormatError::limit(format!("a table of more than {} pages", limits::SQLITE_PAGES)));
        }
        self.pager.page(number)
    }

    fn enter(&mut self, number: u32) -> Result<(), FormatError> {
        if self.stack.len() >= limits::SQLITE_DEPTH {
            let what = format!("a sqlite b-tree deeper than {}", limits::SQLITE_DEPTH);
            return Err(FormatError::limit(what));
        }
        let page = self.visit(number, PAGE)?;
        let node = Node::new(number, page, self.pager.offset(number))?;
        self.stack.push(node);
        Ok(())
    }

    /// Reads the leaf cell at `at` of the page on top of the stack, and its overflow pages.
    fn read_cell(&mut self, at: usize) -> Result<Row, FormatError> {
        let pager = self.pager;
        let Some(node) = self.stack.last_mut() else {
            return Err(FormatError::corrupt(CELL, 0, "no page"));
        };
        let offset = pager.offset(node.number).saturating_add(num::to_u64(at));
        let corrupt = |problem: &str| FormatError::corrupt(CELL, offset, problem);
        let cell = Cell::parse(&node.page, at, pager.usable())
            .ok_or_else(|| corrupt("it passes the end of its page"))?;
        let Some(budget) = node.budget.checked_sub(cell.taken) else {
            node.next = node.cells;
            return Err(corrupt("cells overlap"));
        };
        node.budget = budget;
        if cell.length > limits::SQLITE_ROW_BYTES {
            let what = format!("a row of {} bytes, more than {}", cell.length, limits::SQLITE_ROW_BYTES);
            return Err(FormatError::limit(what));
        }
        let mut payload = cell.local.to_vec();
        let (id, length, mut next) = (cell.id, num::to_usize(cell.length), cell.overflow);
        while payload.len() < length {
            let page = self.visit(next, "sqlite overflow page")?;
            let rest = page.get(4..).unwrap_or_default();
            payload.extend(rest.iter().take(length.saturating_sub(payload.len())));
            next = Order::Big.u32(&page, 0).unwrap_or_default();
        }
        Ok(Row { id, payload, encoding: pager.encoding(), offset })
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(root) = self.root.take()
            && let Err(error) = self.enter(root)
        {
            return Some(Err(error));
        }
        loop {
            let step = self.stack.last_mut()?.step(self.pager);
            let entered = match step {
                Ok(Step::Done) => {
                    self.stack.pop();
                    Ok(())
                }
                Ok(Step::Child(number)) => self.enter(number),
                Ok(Step::Cell(at)) => return Some(self.read_cell(at)),
                Err(error) => Err(error),
            };
            if let Err(error) = entered {
                return Some(Err(error));
            }
        }
    }
}

enum Step {
    Child(u32),
    Cell(usize),
    Done,
}

impl Node {
    fn new(number: u32, page: Vec<u8>, offset: u64) -> Result<Self, FormatError> {
        let start = if number == 1 { header::LENGTH } else { 0 };
        let kind = page.get(start).copied().unwrap_or_default();
        let (leaf, header) = match kind {
            LEAF => (true, 8),
            INTERIOR => (false, 12),
            0x02 | 0x0a => return Err(FormatError::unsupported("a sqlite table without row ids")),
            other => return Err(FormatError::corrupt(PAGE, offset, format!("type {other}"))),
        };
        let pointers = start.saturating_add(header);
        let cells = Order::Big.u16(&page, start.saturating_add(3)).unwrap_or_default();
        if part(&page, pointers, usize::from(cells).saturating_mul(2)).is_none() {
            return Err(FormatError::corrupt(PAGE, offset, format!("{cells} cells")));
        }
        let budget = page.len();
        Ok(Self { number, page, leaf, pointers, cells, next: 0, budget })
    }

    /// What comes next on this page; an interior page has one child more than cells.
    fn step(&mut self, pager: &Pager) -> Result<Step, FormatError> {
        let n = self.next;
        self.next = n.saturating_add(1);
        if n < self.cells {
            let at = self.pointers.saturating_add(usize::from(n).saturating_mul(2));
            let at = usize::from(Order::Big.u16(&self.page, at).unwrap_or_default());
            if self.leaf {
                return Ok(Step::Cell(at));
            }
            let child = Order::Big.u32(&self.page, at);
            let offset = pager.offset(self.number).saturating_add(num::to_u64(at));
            let corrupt = || FormatError::corrupt(CELL, offset, "it passes the end of its page");
            return child.map(Step::Child).ok_or_else(corrupt);
        }
        if n == self.cells && !self.leaf {
            let right = Order::Big.u32(&self.page, self.pointers.saturating_sub(4)).unwrap_or_default();
            return Ok(Step::Child(right));
        }
        self.next = n;
        Ok(Step::Done)
    }
}

/// A cell of a table's leaf page.
struct Cell<'a> {
    id: i64,
    length: u64,
    local: &'a [u8],
    /// The first overflow page, 0 if all of the payload is local.
    overflow: u32,
    /// Bytes of the page that it takes.
    taken: usize,
}

impl<'a> Cell<'a> {
    fn parse(page: &'a [u8], at: usize, usable: usize) -> Option<Self> {
        let bytes = page.get(at..)?;
        let (length, first) = varint(bytes)?;
        let (id, second) = varint(bytes.get(first..)?)?;
        let start = first.checked_add(second)?;
        let size = local_size(length, usable)?;
        let local = part(bytes, start, size)?;
        let end = start.checked_add(size)?;
        let spilled = num::to_u64(size) < length;
        let overflow = if spilled { Order::Big.u32(bytes, end)? } else { 0 };
        let taken = end.checked_add(if spilled { 4 } else { 0 })?;
        Some(Self { id: id.cast_signed(), length, local, overflow, taken })
    }
}

/// How many bytes of a payload of `length` are on the leaf page itself (section 1.6, table b-trees).
fn local_size(length: u64, usable: usize) -> Option<usize> {
    let usable = num::to_u64(usable);
    let most = usable.checked_sub(35)?;
    if length <= most {
        return Some(num::to_usize(length));
    }
    let least = usable.checked_sub(12)?.checked_mul(32)?.checked_div(255)?.checked_sub(23)?;
    let spill = length.checked_sub(least)?.checked_rem(usable.checked_sub(4)?)?;
    let kept = least.checked_add(spill)?;
    Some(num::to_usize(if kept <= most { kept } else { least }))
}
