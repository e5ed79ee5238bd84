//! An array whose reshape is not finished (kernel, `drivers/md/raid5.c` and `raid10.c`: `reshape_request`; `md(4)`, "RESTRIPING";
//! `mdadm(8)`, "--backup-file"). What was moved has the new shape, the rest the old one. What was overwritten before the
//! superblocks tell that it was moved is in no shape: only a backup file of mdadm may hold it.

use std::{io, ops::Range};

use super::{
    super::{mapped::Mapped, raid::Rotation, runs},
    superblock::{Geometry, NAME, Reshape, Shape},
};
use crate::{
    block::{ReadAt, check_range},
    error::FormatError,
};

const SECTOR: u64 = 512;
/// mdadm doubles what it keeps in one of the two parts of a backup while the members are this many times larger, …
const BACKUP_SHARE: u64 = 32;
/// … and it has less than this many bytes.
const BACKUP_BYTES: u64 = 16 << 20;

/// How far a reshape is.
pub(super) struct Progress<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) reshape: Reshape,
    /// The byte of the array up to which, or back to which, it was moved.
    pub(super) position: u64,
    /// By how many bytes the beginning of the members' data moves, where that is the least.
    pub(super) moved: i128,
}

/// An array in two shapes.
pub(super) struct Reshaped {
    id: String,
    size: u64,
    /// What lies before `lost`, and what behind.
    before: Mapped,
    behind: Mapped,
    /// What is in no shape; where the shapes meet, if it is empty.
    lost: Range<u64>,
}

impl Reshaped {
    /// What is to be told of what cannot be read, if anything.
    pub(super) fn lost(&self) -> Option<FormatError> {
        (!self.lost.is_empty()).then(|| {
            let (id, Range { start, end }) = (&self.id, &self.lost);
            FormatError::unsupported(format!(
                "bytes {start:#x} to {end:#x} of MD array {id} that is being reshaped, which only a backup file may hold"
            ))
        })
    }

    fn run(&self, at: u64, length: u64) -> io::Result<(&Mapped, u64)> {
        let left = |end: u64| end.saturating_sub(at).min(length);
        match self.lost() {
            _ if at < self.lost.start => Ok((&self.before, left(self.lost.start))),
            Some(lost) if at < self.lost.end => Err(lost.into()),
            _ => Ok((&self.behind, length)),
        }
    }
}

impl ReadAt for Reshaped {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size, offset, buf.len())?;
        runs::read(buf, offset, |at, length| self.run(at, length), |side, piece, at| side.read_at(piece, at))
    }

    fn will_need(&self, offset: u64, length: u64) {
        let length = length.min(self.size.saturating_sub(offset));
        runs::hint(offset, length, |at, left| {
            let (side, here) = self.run(at, left).ok()?;
            side.will_need(at, here);
            Some(here)
        });
    }
}

impl Progress<'_> {
    /// The array of which `old` and `new` are all that its shapes make of the members.
    pub(super) fn array(&self, id: &str, old: Mapped, new: Mapped) -> Result<Reshaped, FormatError> {
        let Reshape { backwards, .. } = self.reshape;
        let end = old.size().max(new.size());
        if self.position > end {
            let problem = format!("{id} reshaped to byte {:#x} of {end:#x}", self.position);
            return Err(FormatError::corrupt(NAME, 0, problem));
        }
        let (size, lost) = self.size_and_lost(id)?;
        let size = size.min(end);
        let lost = lost.start.min(size)..lost.end.min(size);
        let (before, behind) = if backwards { (old, new) } else { (new, old) };
        Ok(Reshaped { id: id.to_owned(), size, before, behind, lost })
    }

    /// The array's bytes, and which of them may have been overwritten.
    fn size_and_lost(&self, id: &str) -> Result<(u64, Range<u64>), FormatError> {
        let (old, new) = (self.geometry.shape, self.reshape.shape);
        if old.level != new.level {
            let what =
                format!("{id}: MD array that is being reshaped from level {} to {}", old.level, new.level);
            return Err(FormatError::unsupported(what));
        }
        let found = match old.level {
            4..=6 => self.parity()?,
            10 => self.copies(id)?,
            level => {
                return Err(FormatError::unsupported(format!(
                    "{id}: MD array of level {level} that is being reshaped"
                )));
            }
        };
        found.ok_or_else(|| {
            let problem = format!("{id} reshaped from {old:?} to {new:?}, at byte {:#x}", self.position);
            FormatError::corrupt(NAME, 0, problem)
        })
    }

    /// Of RAID 10: the kernel moves its data far enough or not at all, so that nothing is lost. Not so where copies are to lie
    /// elsewhere: of these, Linux 6.1 itself reads other bytes than were written, once it was stopped.
    fn copies(&self, id: &str) -> Result<Option<(u64, Range<u64>)>, FormatError> {
        let (old, new) = (self.geometry.shape, self.reshape.shape);
        if old.layout != new.layout {
            let (old, new) = (old.layout, new.layout);
            let what = format!("{id}: RAID 10 that is being reshaped from layout {old:#x} to {new:#x}");
            return Err(FormatError::unsupported(what));
        }
        let [near, far] = [new.layout & 0xff, new.layout >> 8 & 0xff].map(u64::from);
        let needed = [old, new].map(|shape| u64::from(shape.layout >> 8 & 0xff).saturating_mul(shape.chunk));
        let moved = if self.reshape.backwards { self.moved } else { self.moved.saturating_neg() };
        if needed.into_iter().any(|needed| i128::from(needed) > moved) {
            let what = format!(
                "{id}: RAID 10 that is being reshaped, whose data moves by {} bytes only",
                self.moved
            );
            return Err(FormatError::unsupported(what));
        }
        let size = || {
            let rows = self.geometry.size.checked_div(new.chunk)?.checked_div(far)?;
            let chunks = rows.checked_mul(u64::from(old.disks.min(new.disks)))?.checked_div(near)?;
            chunks.checked_mul(new.chunk)
        };
        Ok(size().map(|size| (size, self.position..self.position)))
    }

    /// Of RAID 4, 5 and 6. An error if a layout is not known, `None` if there is no sense in it.
    fn parity(&self) -> Result<Option<(u64, Range<u64>)>, FormatError> {
        let (old, new) = (self.geometry.shape, self.reshape.shape);
        let data = |shape: Shape| {
            let parities = Rotation::new(shape.level, shape.layout)?.parities();
            Ok::<_, FormatError>(u64::from(shape.disks).checked_sub(parities).filter(|data| *data > 0))
        };
        let (Some(old_data), Some(new_data)) = (data(old)?, data(new)?) else { return Ok(None) };
        let step = old.chunk.max(new.chunk);
        let found = || {
            let of_members = [old, new].iter().try_fold(self.geometry.size, |size, shape| {
                size.checked_sub(size.checked_rem(shape.chunk)?)
            })?;
            let size = of_members.checked_mul(old_data.min(new_data))?;
            let row = step.checked_mul(new_data)?;
            // The kernel moves whole rows.
            let is_sound = self.position.checked_rem(row)? == 0;
            is_sound.then_some(())?;
            let distance = self.distance(old_data, new_data, step)?;
            let position = self.position;
            let lost = match (distance, self.reshape.backwards) {
                (Distance::None, _) => position..position,
                (Distance::Bytes(bytes), false) => position..position.saturating_add(bytes),
                (Distance::Bytes(bytes), true) => position.saturating_sub(bytes)..position,
                (Distance::Before(end), false) => position..end.max(position),
                (Distance::Before(end), true) if position > end => position..position,
                (Distance::Before(_), true) => 0..position,
                (Distance::All, false) => position..u64::MAX,
                (Distance::All, true) => 0..position,
            };
            Some((size, lost))
        };
        Ok(found())
    }

    /// How far the kernel may have moved more than the superblocks tell, over what was not moved then.
    fn distance(&self, old_data: u64, new_data: u64, step: u64) -> Option<Distance> {
        let backwards = self.reshape.backwards;
        let is_in_place = self.moved.unsigned_abs() < u128::from(step);
        if old_data == new_data && is_in_place {
            return Some(Distance::Bytes(self.backup(old_data, new_data)?.checked_mul(2)?));
        }
        // Bytes by which each member's data makes room. The kernel tells of its progress before it overwrites what is
        // behind it if what it reads next, at least `step` behind what it moves, lies beyond what it writes, at most `step`
        // ahead: from then on that room is more than two steps, or the shapes are so far apart.
        let room = if backwards { self.moved } else { self.moved.saturating_neg() };
        let lacking = i128::from(step).checked_mul(2)?.checked_sub(room)?;
        if lacking < 0 {
            return Some(Distance::None);
        }
        if old_data == new_data {
            return Some(Distance::All);
        }
        let apart = i128::from(step).checked_mul(i128::from(old_data.abs_diff(new_data)))?;
        let rows = lacking.checked_mul(i128::from(old_data))?.checked_div(apart)?;
        // One more as it must be more than that, and one as what is read is rounded to whole rows.
        let rows = u64::try_from(rows).ok()?.checked_add(2)?;
        Some(Distance::Before(rows.checked_mul(step)?.checked_mul(new_data)?))
    }

    /// Bytes of each of the two parts of a backup that mdadm makes of an array that is reshaped where it is.
    fn backup(&self, old_data: u64, new_data: u64) -> Option<u64> {
        let [old, new] =
            [(self.geometry.shape, old_data), (self.reshape.shape, new_data)].map(|(shape, data)| {
                shape.chunk.checked_div(SECTOR)?.checked_mul(data).filter(|sectors| *sectors > 0)
            });
        let (old, new) = (old?, new?);
        let (mut divisor, mut rest) = (old, new);
        while rest > 0 {
            (divisor, rest) = (rest, divisor.checked_rem(rest)?);
        }
        let mut bytes = old.checked_div(divisor)?.checked_mul(new)?.checked_mul(SECTOR)?;
        while bytes < BACKUP_BYTES && bytes.checked_mul(BACKUP_SHARE)? < self.geometry.size {
            bytes = bytes.checked_mul(2)?;
        }
        Some(bytes)
    }
}

/// What may have been overwritten.
enum Distance {
    None,
    /// So many bytes from the position on.
    Bytes(u64),
    /// All that was not moved before this byte.
    Before(u64),
    /// All that was not moved.
    All,
}
