//! Chunks: which places on which devices a range of logical addresses has ("On-disk format", chunk tree;
//! "Profiles").

use std::collections::BTreeMap;

use zerocopy::FromBytes;

use super::{
    format::{RawChunk, RawKey, RawStripe},
    key::{CHUNK_ITEM, Key},
    superblock::Device,
};
use crate::{error::FormatError, limits, num};

pub(super) const STRUCTURE: &str = "btrfs chunk";
/// Bytes that lie side by side on one device, in all file systems.
const STRIPE: u64 = 64 << 10;

/// How a chunk's bytes are spread: the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    /// Whole copies: single (one), DUP and RAID1.
    Copies,
    Raid0,
    Raid10 {
        copies: u16,
    },
    /// RAID5 and RAID6, by how many devices have parity.
    Parity {
        devices: u16,
    },
}

/// The profiles by their bits, with how many stripes they have at least and at most.
const PROFILES: &[(u64, Profile, u16, u16)] = &[
    (0, Profile::Copies, 1, 1),
    (1 << 3, Profile::Raid0, 1, u16::MAX),
    (1 << 4, Profile::Copies, 2, 2),
    (1 << 5, Profile::Copies, 2, 2),
    (1 << 6, Profile::Raid10 { copies: 2 }, 2, u16::MAX),
    (1 << 7, Profile::Parity { devices: 1 }, 2, u16::MAX),
    (1 << 8, Profile::Parity { devices: 2 }, 3, u16::MAX),
    (1 << 9, Profile::Copies, 3, 3),
    (1 << 10, Profile::Copies, 4, 4),
];
/// All bits of profiles; below them are data, system and metadata.
const PROFILE_BITS: u64 = 0x7f8;

/// Where a stripe begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stripe {
    pub(super) device: Device,
    pub(super) offset: u64,
}

/// Bytes that lie side by side on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) device: Device,
    /// Where they begin there.
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// A range of logical addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    length: u64,
    profile: Profile,
    stripes: Vec<Stripe>,
}

impl Chunk {
    /// The chunk in an item and how many bytes of it were used; `offset` is where the item lies.
    pub(super) fn parse(key: Key, bytes: &[u8], offset: u64) -> Result<(Self, usize), FormatError> {
        let corrupt = |problem: String| FormatError::corrupt(STRUCTURE, offset, format!("{key}: {problem}"));
        let Ok((raw, rest)) = RawChunk::ref_from_prefix(bytes) else {
            return Err(corrupt(format!("{} bytes", bytes.len())));
        };
        let count = raw.num_stripes.get();
        let kind = raw.kind.get() & PROFILE_BITS;
        let Some((_, profile, least, most)) = PROFILES.iter().find(|(bits, ..)| *bits == kind).copied()
        else {
            return Err(corrupt(format!("type {:#x}", raw.kind)));
        };
        if count < least || count > most {
            return Err(corrupt(format!("{count} stripes, type {:#x}", raw.kind)));
        }
        if let Profile::Raid10 { copies } = profile
            && (raw.sub_stripes.get() != copies || !count.is_multiple_of(copies))
        {
            return Err(corrupt(format!("{count} stripes, {} sub-stripes", raw.sub_stripes)));
        }
        let length = raw.length.get();
        if raw.stripe_len.get() != STRIPE {
            return Err(corrupt(format!("stripe_len {}", raw.stripe_len)));
        }
        if length == 0 || key.offset.checked_add(length).is_none() {
            return Err(corrupt(format!("length {length:#x}")));
        }
        let Ok((stripes, _)) = <[RawStripe]>::ref_from_prefix_with_elems(rest, usize::from(count)) else {
            return Err(corrupt(format!("{count} stripes in {} bytes", bytes.len())));
        };
        let used = size_of::<RawChunk>().saturating_add(size_of_val(stripes));
        let stripe = |raw: &RawStripe| Stripe {
            device: Device { id: raw.devid.get(), uuid: raw.dev_uuid },
            offset: raw.offset.get(),
        };
        Ok((Self { length, profile, stripes: stripes.iter().map(stripe).collect() }, used))
    }

    /// How many ways there are to read it.
    fn copies(&self) -> usize {
        match self.profile {
            Profile::Copies => self.stripes.len(),
            Profile::Raid0 | Profile::Parity { .. } => 1,
            Profile::Raid10 { copies } => usize::from(copies),
        }
    }

    /// The bytes from `at` on, as far as they lie side by side, in the given copy.
    fn segment(&self, at: u64, copy: usize) -> Option<Segment> {
        let left = self.length.checked_sub(at).filter(|left| *left > 0)?;
        if self.profile == Profile::Copies {
            let stripe = self.stripes.get(copy)?;
            return Some(Segment {
                device: stripe.device,
                offset: stripe.offset.checked_add(at)?,
                length: left,
            });
        }
        let count = num::to_u64(self.stripes.len());
        let (number, within) = (at.checked_div(STRIPE)?, at.checked_rem(STRIPE)?);
        let (row, index) = match self.profile {
            Profile::Copies | Profile::Raid0 => (number.checked_div(count)?, number.checked_rem(count)?),
            Profile::Raid10 { copies } => {
                let copies = u64::from(copies);
                let groups = count.checked_div(copies)?;
                let first = number.checked_rem(groups)?.checked_mul(copies)?;
                (number.checked_div(groups)?, first.checked_add(num::to_u64(copy))?)
            }
            // Parity moves by one device with each row.
            Profile::Parity { devices } => {
                let data = count.checked_sub(u64::from(devices))?;
                let row = number.checked_div(data)?;
                (row, number.checked_rem(data)?.checked_add(row)?.checked_rem(count)?)
            }
        };
        let stripe = self.stripes.get(num::to_usize(index))?;
        let offset = stripe.offset.checked_add(row.checked_mul(STRIPE)?)?.checked_add(within)?;
        Some(Segment { device: stripe.device, offset, length: left.min(STRIPE.saturating_sub(within)) })
    }
}

/// All chunks, by their first logical address.
#[derive(Debug, Default, Clone)]
pub(super) struct Chunks(BTreeMap<u64, Chunk>);

impl Chunks {
    /// The chunks of the superblock, with which the chunk tree is read.
    pub(super) fn of_system(array: &[u8], offset: u64) -> Result<Self, FormatError> {
        let mut chunks = Self::default();
        let mut rest = array;
        while !rest.is_empty() {
            let Ok((raw, after)) = RawKey::ref_from_prefix(rest) else {
                return Err(FormatError::corrupt(STRUCTURE, offset, "sys_chunk_array ends in a key"));
            };
            let key = Key::from(*raw);
            if key.kind != CHUNK_ITEM {
                return Err(FormatError::corrupt(STRUCTURE, offset, format!("{key} in sys_chunk_array")));
            }
            let (chunk, used) = Chunk::parse(key, after, offset)?;
            chunks.add(key.offset, chunk, offset)?;
            rest = after.get(used..).unwrap_or_default();
        }
        Ok(chunks)
    }

    /// Adds a chunk that begins at a logical address; one that overlaps another is an error.
    pub(super) fn add(&mut self, logical: u64, chunk: Chunk, offset: u64) -> Result<(), FormatError> {
        let end = logical.saturating_add(chunk.length);
        let other = self.0.range(..end).next_back();
        if let Some((start, other)) = other
            && start.saturating_add(other.length) > logical
        {
            if *start == logical && *other == chunk {
                return Ok(());
            }
            let problem = format!("{logical:#x} overlaps {start:#x}");
            return Err(FormatError::corrupt(STRUCTURE, offset, problem));
        }
        if self.0.len() >= limits::BTRFS_CHUNKS {
            return Err(FormatError::limit(format!("more than {} chunks", limits::BTRFS_CHUNKS)));
        }
        self.0.insert(logical, chunk);
        Ok(())
    }

    fn find(&self, logical: u64) -> Option<(u64, &Chunk)> {
        let (start, chunk) = self.0.range(..=logical).next_back()?;
        let at = logical.checked_sub(*start).filter(|at| *at < chunk.length)?;
        Some((at, chunk))
    }

    /// How many ways there are to read a logical address: 0 if no chunk has it.
    pub(super) fn copies(&self, logical: u64) -> usize {
        self.find(logical).map_or(0, |(_, chunk)| chunk.copies())
    }

    /// The bytes from a logical address on, as far as they lie side by side.
    pub(super) fn segment(&self, logical: u64, copy: usize) -> Option<Segment> {
        let (at, chunk) = self.find(logical)?;
        chunk.segment(at, copy)
    }

    /// The devices that chunks lie on.
    pub(super) fn devices(&self) -> impl Iterator<Item = Device> {
        self.0.values().flat_map(|chunk| chunk.stripes.iter().map(|stripe| stripe.device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(profile: Profile, stripes: u64) -> Chunk {
        let stripe = |id| Stripe { device: Device { id, uuid: [0; 16] }, offset: 1 << 20 };
        Chunk { length: 1 << 30, profile, stripes: (1..=stripes).map(stripe).collect() }
    }

    fn places(chunk: &Chunk, stripes: std::ops::Range<u64>, copy: usize) -> Vec<(u64, u64)> {
        let place = |number: u64| {
            let segment = chunk.segment(number * STRIPE + 5, copy).unwrap();
            (segment.device.id, (segment.offset - (1 << 20) - 5) / STRIPE)
        };
        stripes.map(place).collect()
    }

    #[test]
    fn stripes_lie_as_the_profiles_say() {
        let raid0 = chunk(Profile::Raid0, 3);
        assert_eq!(places(&raid0, 0..4, 0), [(1, 0), (2, 0), (3, 0), (1, 1)]);
        let raid10 = chunk(Profile::Raid10 { copies: 2 }, 4);
        assert_eq!(places(&raid10, 0..3, 0), [(1, 0), (3, 0), (1, 1)]);
        assert_eq!(places(&raid10, 0..3, 1), [(2, 0), (4, 0), (2, 1)]);
        let raid5 = chunk(Profile::Parity { devices: 1 }, 3);
        assert_eq!(places(&raid5, 0..6, 0), [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (1, 2)]);
        let raid6 = chunk(Profile::Parity { devices: 2 }, 4);
        assert_eq!(places(&raid6, 0..4, 0), [(1, 0), (2, 0), (2, 1), (3, 1)]);
        assert_eq!(chunk(Profile::Copies, 2).segment(7, 1).unwrap().offset, (1 << 20) + 7);
        assert_eq!(raid0.segment(1 << 30, 0), None);
    }

    #[test]
    fn chunks_that_overlap_are_refused() {
        let mut chunks = Chunks::default();
        chunks.add(1 << 30, chunk(Profile::Raid0, 1), 0).unwrap();
        chunks.add(1 << 30, chunk(Profile::Raid0, 1), 0).unwrap();
        for logical in [1 << 30, (1 << 30) + 1, (1 << 30) - 1, 4096] {
            assert!(chunks.add(logical, chunk(Profile::Raid0, 2), 0).is_err(), "{logical}");
        }
        chunks.add(2 << 30, chunk(Profile::Copies, 2), 0).unwrap();
        assert_eq!((chunks.copies(4096), chunks.copies(1 << 30), chunks.copies(2 << 30)), (0, 1, 2));
    }
}
