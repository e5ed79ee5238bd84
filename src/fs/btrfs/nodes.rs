//! Reading nodes: through one bounded cache, from whichever copy is sound, near ones together.

use std::sync::Arc;

use super::{
    node::{Common, Node, Pointer, STRUCTURE},
    slots::Slots,
    space::Space,
    superblock::Device,
};
use crate::{
    block::ReadAt,
    error::FormatError,
    fs::blocks::{GAP, LONGEST},
    limits, num,
};

/// Reads that are announced before the first of them is made.
const ANNOUNCED: usize = 64;

/// The nodes of a file system.
pub(super) struct Nodes {
    pub(super) space: Space,
    pub(super) common: Common,
    cache: Slots<Node>,
}

/// What is done with a node, or told of one that cannot be read.
type Each<'a> = dyn FnMut(&Pointer, Result<Arc<Node>, FormatError>) + 'a;

/// A pointer, and where its node lies on which device.
type Placed = (Device, u64, Pointer);

impl Nodes {
    pub(super) fn new(space: Space, common: Common) -> Self {
        let count = limits::BTRFS_CACHE_BYTES.checked_div(num::index(common.size)).unwrap_or(1);
        Self { space, common, cache: Slots::new(count) }
    }

    /// The node that a pointer leads to; the error is of the first copy, if none is sound.
    pub(super) fn read(&self, pointer: &Pointer) -> Result<Arc<Node>, FormatError> {
        if let Some(node) = self.cache.find(pointer.logical) {
            node.check(pointer)?;
            return Ok(node);
        }
        let mut first = None;
        for copy in 0..self.space.copies(pointer.logical) {
            match self.read_copy(pointer, copy) {
                Ok(node) => return Ok(self.keep(node)),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| FormatError::corrupt(STRUCTURE, pointer.logical, "no copy")))
    }

    fn read_copy(&self, pointer: &Pointer, copy: usize) -> Result<Node, FormatError> {
        let mut bytes = vec![0; num::index(self.common.size)];
        self.space.read(STRUCTURE, pointer.logical, &mut bytes, copy)?;
        let offset = self.space.offset(pointer.logical, copy);
        Node::parse(&self.common, pointer, offset, bytes.into())
    }

    fn keep(&self, node: Node) -> Arc<Node> {
        let node = Arc::new(node);
        self.cache.keep(node.logical, &node);
        node
    }

    /// Calls `each` with the node of every pointer, in the order of the disk; near ones are read together.
    pub(super) fn for_each(&self, pointers: Vec<Pointer>, each: &mut Each<'_>) {
        let mut placed: Vec<Placed> = Vec::new();
        for pointer in pointers {
            match self.cache.find(pointer.logical) {
                Some(node) => each(&pointer, node.check(&pointer).map(|()| node)),
                None => match self.space.chunks.segment(pointer.logical, 0) {
                    Some(segment) if segment.length >= u64::from(self.common.size) => {
                        placed.push((segment.device, segment.offset, pointer));
                    }
                    _ => each(&pointer, self.read(&pointer)),
                },
            }
        }
        placed.sort_unstable_by_key(|(device, offset, _)| (device.id, *offset));
        let spans = self.spans(&placed);
        for some in spans.chunks(ANNOUNCED) {
            for (span, length) in some.iter().skip(1) {
                self.announce(span, *length);
            }
            some.iter().for_each(|(span, length)| self.read_span(span, *length, each));
        }
    }

    /// Neighbours, with the bytes from the first's start to the last's end.
    fn spans<'a>(&self, placed: &'a [Placed]) -> Vec<(&'a [Placed], u64)> {
        let size = u64::from(self.common.size);
        let mut spans = Vec::new();
        let mut rest = placed;
        while let Some((device, start, _)) = rest.first() {
            let mut length = size;
            let fits = |(other, offset, _): &&Placed| {
                let end = offset.saturating_sub(*start).saturating_add(size);
                let near = other == device
                    && *offset <= start.saturating_add(length).saturating_add(GAP)
                    && end <= LONGEST.max(length);
                if near {
                    length = length.max(end);
                }
                near
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (span, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            spans.push((span, length));
            rest = after;
        }
        spans
    }

    fn announce(&self, span: &[Placed], length: u64) {
        if let Some((device, start, _)) = span.first()
            && let Some(source) = self.space.devices.find(*device)
        {
            source.will_need(*start, length);
        }
    }

    fn read_span(&self, span: &[Placed], length: u64, each: &mut Each<'_>) {
        let Some((device, start, _)) = span.first() else { return };
        let mut bytes = vec![0; num::to_usize(length)];
        let source = self.space.devices.find(*device);
        let whole = source.is_some_and(|source| source.read_at(&mut bytes, *start).is_ok());
        for (_, offset, pointer) in span {
            let at = num::to_usize(offset.saturating_sub(*start));
            let part = bytes.get(at..at.saturating_add(num::index(self.common.size))).filter(|_| whole);
            let node = part.and_then(|part| Node::parse(&self.common, pointer, *offset, part.into()).ok());
            match node {
                Some(node) => each(pointer, Ok(self.keep(node))),
                // What cannot be read or is not sound may be in another copy.
                None => each(pointer, self.read(pointer)),
            }
        }
    }
}
