//! Group descriptors (group_descr.rst): where the inode tables lie. A damaged descriptor is replaced by its
//! backup copy.

use zerocopy::FromBytes;

use super::{
    blocks::{Blocks, Span},
    checksum, features,
    format::{RawGroup, RawGroupHigh, join},
    superblock::Superblock,
};
use crate::{bytes::is_sound, error::FormatError, limits, num};

const STRUCTURE: &str = "ext4 group descriptor";

/// The first block of each group's inode table, 0 where no copy of the descriptor is sound.
pub(super) struct Groups {
    tables: Vec<u64>,
    /// The same tables as few, sorted spans.
    spans: Vec<Span>,
    /// What is to be said about damaged descriptors.
    pub(super) notes: Vec<FormatError>,
}

impl Groups {
    /// Reads and checks all descriptors.
    pub(super) fn read(superblock: &Superblock, blocks: &Blocks) -> Self {
        let mut groups = Self { tables: Vec::new(), spans: Vec::new(), notes: Vec::new() };
        let per_block = descriptors_per_block(superblock);
        let count = superblock.groups().div_ceil(per_block);
        let mut damaged: u64 = 0;
        let mut lost: u64 = 0;
        let mut first: Option<FormatError> = None;
        for (number, bytes) in (0..count).zip(primary(superblock, blocks, count)) {
            let mut copies: Option<Vec<Vec<u8>>> = None;
            let start = number.saturating_mul(per_block);
            let end = start.saturating_add(per_block).min(superblock.groups());
            for (group, index) in (start..end).zip(0..) {
                let offset = superblock.offset(location(superblock, number));
                let table = match table_in(superblock, bytes.as_deref(), group, index, offset) {
                    Ok(table) => table,
                    Err(error) => {
                        damaged = damaged.saturating_add(1);
                        first.get_or_insert(error);
                        let few = damaged <= limits::EXT4_BACKUP_DESCRIPTORS;
                        let copies = copies.get_or_insert_with(|| match few {
                            true => backups(superblock, blocks, number),
                            false => Vec::new(),
                        });
                        let sound = |copy: &Vec<u8>| table_in(superblock, Some(copy), group, index, 0).ok();
                        copies.iter().find_map(sound).unwrap_or_else(|| {
                            lost = lost.saturating_add(1);
                            0
                        })
                    }
                };
                groups.tables.push(table);
            }
        }
        if let Some(error) = first {
            let offset = error.offset().unwrap_or(0);
            let problem = format!(
                "{damaged} damaged, {lost} without a sound backup copy; the first: {}",
                error.detail()
            );
            groups.notes.push(FormatError::corrupt(STRUCTURE, offset, problem));
        }
        groups.spans = spans(&groups.tables, table_blocks(superblock));
        groups
    }

    /// The inode table of a group.
    pub(super) fn inode_table(&self, group: u64) -> Result<u64, FormatError> {
        match self.tables.get(num::to_usize(group)) {
            None | Some(0) => Err(FormatError::corrupt(STRUCTURE, 0, format!("of group {group} is damaged"))),
            Some(table) => Ok(*table),
        }
    }

    /// Whether blocks are those of an inode table: no file lies there.
    pub(super) fn overlaps(&self, blocks: Span) -> bool {
        let after = self.spans.partition_point(|table| table.end() <= blocks.start);
        self.spans.get(after).is_some_and(|table| table.start < blocks.end())
    }
}

/// Tables side by side (as `flex_bg` puts them) as one span.
fn spans(tables: &[u64], length: u64) -> Vec<Span> {
    let mut tables: Vec<u64> = tables.iter().copied().filter(|table| *table != 0).collect();
    tables.sort_unstable();
    let mut spans: Vec<Span> = Vec::new();
    for start in tables {
        match spans.last_mut() {
            Some(last) if start <= last.end() => {
                last.count = start.saturating_add(length).saturating_sub(last.start);
            }
            _ => spans.push(Span { start, count: length }),
        }
    }
    spans
}

/// Blocks of one inode table.
fn table_blocks(superblock: &Superblock) -> u64 {
    let inodes = u64::from(superblock.inodes_per_group.get());
    let bytes = inodes.saturating_mul(u64::from(superblock.inode_size));
    bytes.div_ceil(u64::from(superblock.block_size))
}

fn descriptors_per_block(superblock: &Superblock) -> u64 {
    let size = u32::from(superblock.descriptor_size);
    u64::from(superblock.block_size.checked_div(size).unwrap_or(1).max(1))
}

/// All blocks of the table in order; those that lie side by side are fetched in few reads.
fn primary(superblock: &Superblock, blocks: &Blocks, count: u64) -> impl Iterator<Item = Option<Vec<u8>>> {
    const AHEAD: u64 = 64;
    let size = num::index(superblock.block_size);
    let mut ahead: (u64, Vec<u8>) = (0, Vec::new());
    (0..count).map(move |number| {
        let block = location(superblock, number);
        let within = |ahead: &(u64, Vec<u8>)| {
            let start = num::to_usize(block.checked_sub(ahead.0)?).checked_mul(size)?;
            ahead.1.get(start..start.checked_add(size)?).map(<[u8]>::to_vec)
        };
        within(&ahead).or_else(|| {
            let rest = count.saturating_sub(number).min(AHEAD);
            let side_by_side = (0..rest)
                .take_while(|n| location(superblock, number.saturating_add(*n)) == block.saturating_add(*n));
            let span = Span { start: block, count: num::to_u64(side_by_side.count()) };
            let single = || blocks.read_span(Span { count: 1, ..span });
            let bytes = blocks.read_span(span).or_else(|_| single()).ok()?;
            ahead = (block, bytes);
            within(&ahead)
        })
    })
}

/// The block that holds the `number`-th block of the descriptor table (super.rst, "meta_bg").
fn location(superblock: &Superblock, number: u64) -> u64 {
    let superblock_block = u64::from(superblock.block_size == 1024);
    if !in_meta_group(superblock, number) {
        return superblock_block.saturating_add(1).saturating_add(number);
    }
    let group = descriptors_per_block(superblock).saturating_mul(number);
    // With blocks of 1 KiB and bigalloc, block 0 is data and the superblock is block 1.
    let shifted = superblock.block_size == 1024 && superblock.first_data_block == 0 && number == 0;
    in_group(superblock, group).saturating_add(u64::from(shifted))
}

fn in_meta_group(superblock: &Superblock, number: u64) -> bool {
    superblock.features.incompat(features::META_BG) && number >= u64::from(superblock.first_meta_group)
}

/// The first block of a group after the superblock's copy that it may hold.
fn in_group(superblock: &Superblock, group: u64) -> u64 {
    superblock.group_start(group).saturating_add(u64::from(superblock.has_copy(group)))
}

/// The copies of the `number`-th block of the descriptor table that can be read.
fn backups(superblock: &Superblock, blocks: &Blocks, number: u64) -> Vec<Vec<u8>> {
    const COPIES: usize = 4;
    let groups = superblock.groups();
    let wanted: Vec<u64> = if in_meta_group(superblock, number) {
        let per_block = descriptors_per_block(superblock);
        let first = per_block.saturating_mul(number);
        let last = first.saturating_add(per_block).saturating_sub(1);
        [first.saturating_add(1), last]
            .into_iter()
            .filter(|group| *group < groups)
            .map(|group| in_group(superblock, group))
            .collect()
    } else {
        // Powers of 3, 5 and 7 are sparse: the bound keeps a broken geometry from reading all groups.
        (1..groups.min(4096))
            .filter(|group| superblock.has_copy(*group))
            .map(|group| in_group(superblock, group).saturating_add(number))
            .take(COPIES)
            .collect()
    };
    let read = |start| blocks.read_span(Span { start, count: 1 }).ok();
    wanted.into_iter().filter_map(read).collect()
}

fn table_in(
    superblock: &Superblock,
    block: Option<&[u8]>,
    group: u64,
    index: usize,
    offset: u64,
) -> Result<u64, FormatError> {
    let size = usize::from(superblock.descriptor_size);
    let at = index.saturating_mul(size);
    let corrupt = |problem| FormatError::corrupt(STRUCTURE, offset.saturating_add(num::to_u64(at)), problem);
    let bytes = block.and_then(|block| block.get(at..at.saturating_add(size)));
    let bytes = bytes.ok_or_else(|| corrupt(format!("of group {group} cannot be read")))?;
    let Ok((raw, rest)) = RawGroup::ref_from_prefix(bytes) else {
        return Err(corrupt(format!("{size} bytes")));
    };
    if let Some(sum) = checksum_of(superblock, group, bytes)
        && !is_sound(sum == raw.bg_checksum.get())
    {
        let seen = raw.bg_checksum;
        return Err(corrupt(format!("checksum of group {group} {seen:#06x} instead of {sum:#06x}")));
    }
    let wide = superblock.features.incompat(features::SIXTY_FOUR_BIT);
    let high = match RawGroupHigh::ref_from_prefix(rest) {
        Ok((high, _)) if wide => high.bg_inode_table_hi.get(),
        _ => 0,
    };
    let table = join(high, raw.bg_inode_table_lo);
    match superblock.contains(table, table_blocks(superblock)) {
        true => Ok(table),
        false => Err(corrupt(format!("bg_inode_table {table} of group {group}"))),
    }
}

/// The checksum that a descriptor should have, if it has one (checksums.rst; `uninit_bg` for crc16).
fn checksum_of(superblock: &Superblock, group: u64, bytes: &[u8]) -> Option<u16> {
    let number = u32::try_from(group).ok()?.to_le_bytes();
    let (before, rest) = bytes.split_at_checked(0x1e)?;
    let (_, after) = rest.split_at_checked(2)?;
    if let Some(seed) = superblock.seed {
        let sum = checksum::crc32c_parts(seed, &[&number, before, &[0, 0], after]);
        let [low, high, ..] = sum.to_le_bytes();
        return Some(u16::from_le_bytes([low, high]));
    }
    if !superblock.features.ro_compat(features::GDT_CSUM) {
        return None;
    }
    let wide = superblock.features.incompat(features::SIXTY_FOUR_BIT);
    let parts = [&superblock.uuid[..], &number, before, if wide { after } else { &[] }];
    Some(parts.iter().fold(!0, |sum, part| checksum::crc16(sum, part)))
}
