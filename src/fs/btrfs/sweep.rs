//! Many ranges of a tree at once, level by level, each level in the order of the disk: what directories are
//! listed by.

use std::sync::Arc;

use super::{
    key::Key,
    node::{Node, Pointer},
    nodes::Nodes,
};
use crate::error::FormatError;

/// What is found in a range: an item and where its node lies, or a node that cannot be read.
pub(super) type Found<'a> = Result<(Key, &'a [u8], u64), FormatError>;

/// Calls `each` with the number of a range and what was found in it. The ranges, both ends included, are in
/// order and do not overlap; what is found comes in the order of the disk.
pub(super) fn sweep(
    nodes: &Nodes,
    root: &Pointer,
    ranges: &[(Key, Key)],
    each: &mut dyn FnMut(usize, Found<'_>),
) {
    let mut level = vec![*root];
    // Levels fall by one with each round.
    while !level.is_empty() {
        let mut below = Vec::new();
        nodes.for_each(std::mem::take(&mut level), &mut |pointer, node| match node {
            Ok(node) if node.level == 0 => items(&node, pointer, ranges, each),
            Ok(node) => below.extend((0..node.count).filter_map(|index| {
                let child = node.child(pointer, index)?;
                touched(&child, ranges).next().map(|_| child)
            })),
            Err(error) => lost(nodes, pointer, ranges, error, each),
        });
        level = below;
    }
}

/// The numbers of the ranges that a node may have keys of.
fn touched(pointer: &Pointer, ranges: &[(Key, Key)]) -> std::ops::Range<usize> {
    let start = ranges.partition_point(|(_, to)| pointer.first.is_some_and(|first| *to < first));
    let end = ranges.partition_point(|(from, _)| pointer.end.is_none_or(|end| *from < end));
    start..end.max(start)
}

fn items(node: &Arc<Node>, pointer: &Pointer, ranges: &[(Key, Key)], each: &mut dyn FnMut(usize, Found<'_>)) {
    for number in touched(pointer, ranges) {
        let Some((from, to)) = ranges.get(number) else { continue };
        for index in node.below(*from)..node.count {
            let Some(key) = node.key(index).filter(|key| key <= to) else { break };
            let range = node.range(index).unwrap_or_default();
            each(number, Ok((key, node.bytes.get(range).unwrap_or_default(), node.offset)));
        }
    }
}

/// A node that cannot be read is told in each range that it may belong to.
fn lost(
    nodes: &Nodes,
    pointer: &Pointer,
    ranges: &[(Key, Key)],
    error: FormatError,
    each: &mut dyn FnMut(usize, Found<'_>),
) {
    let mut error = Some(error);
    for number in touched(pointer, ranges) {
        let again = || {
            FormatError::corrupt(super::node::STRUCTURE, nodes.space.offset(pointer.logical, 0), {
                format!("{:#x} cannot be read", pointer.logical)
            })
        };
        each(number, Err(error.take().unwrap_or_else(again)));
    }
}
