//! RAID 4, 5 and 6: rows of chunks, one or two of them parity.

use std::io;

use super::{
    super::{mapped::Part, runs},
    by_pages, field,
    rotation::{Rotation, Row},
};
use crate::{error::FormatError, num};

/// Bytes that are computed at once, of as many parts as there are.
const PIECE: u64 = 64 << 10;

/// Parts with parity among them.
pub(in crate::volume) struct Parity {
    parts: Vec<Part>,
    chunk: u64,
    rotation: Rotation,
}

/// A range of one chunk: its row, and where it lies on every part.
struct Place {
    row: Row,
    at: u64,
    /// Bytes to the chunk's end.
    left: u64,
}

impl Parity {
    /// Parts in the order of their roles; a chunk is `chunk` bytes.
    pub(in crate::volume) fn new(
        parts: Vec<Part>,
        chunk: u64,
        rotation: Rotation,
    ) -> Result<Self, FormatError> {
        let count = num::to_u64(parts.len());
        if chunk == 0 || count <= rotation.parities() {
            let what = format!("{count} parts with chunks of {chunk} bytes");
            return Err(FormatError::corrupt("RAID with parity", 0, what));
        }
        Ok(Self { parts, chunk, rotation })
    }

    pub(in crate::volume) fn read(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let run = |at, length: u64| {
            let place = self.place(at)?;
            let part = self.part(place.row.data)?;
            // What must be computed takes memory for it.
            let whole = length.min(place.left);
            let length = if part.is_there() { whole } else { whole.min(PIECE) };
            Ok(((place, part), length))
        };
        runs::read(buf, at, run, |(place, part), piece, _| {
            if part.read(piece, place.at).is_err() {
                let mut at = place.at;
                for piece in piece.chunks_mut(num::to_usize(PIECE)) {
                    by_pages(piece, at, |piece, at| self.repaired(piece, &place.row, at))?;
                    at = at.saturating_add(num::to_u64(piece.len()));
                }
            }
            Ok(())
        })
    }

    pub(in crate::volume) fn will_need(&self, at: u64, length: u64) {
        runs::hint(at, length, |at, left| {
            let place = self.place(at).ok()?;
            let here = place.left.min(left).max(1);
            match self.parts.get(place.row.data) {
                Some(part) if part.is_there() => part.will_need(place.at, here),
                _ => self.parts.iter().for_each(|part| part.will_need(place.at, here)),
            }
            Some(here)
        });
    }

    fn place(&self, at: u64) -> io::Result<Place> {
        let count = num::to_u64(self.parts.len());
        let found = (|| {
            let data = count.checked_sub(self.rotation.parities())?;
            let (chunk, inside) = (at.checked_div(self.chunk)?, at.checked_rem(self.chunk)?);
            let (number, within) = (chunk.checked_div(data)?, chunk.checked_rem(data)?);
            let row = self.rotation.row(count, number, within)?;
            let at = number.checked_mul(self.chunk)?.checked_add(inside)?;
            Some(Place { row, at, left: self.chunk.checked_sub(inside)? })
        })();
        found.ok_or_else(|| FormatError::corrupt("RAID with parity", at, "no such row").into())
    }

    fn part(&self, number: usize) -> io::Result<&Part> {
        self.parts.get(number).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Reads a range of a row's data chunk, from the others if its own part fails.
    fn repaired(&self, buf: &mut [u8], row: &Row, at: u64) -> io::Result<()> {
        let target = self.part(row.data)?;
        let failure = match target.read(buf, at) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let mut sum = zeros(buf.len())?;
        let mut powers = if row.q.is_some() { zeros(buf.len())? } else { Vec::new() };
        let mut other = zeros(buf.len())?;
        let mut power = 0;
        let mut lost: Option<(usize, io::Error)> = None;
        for (part, exponent) in self.rotation.powers(self.parts.len(), row) {
            if part == row.data {
                power = exponent;
                continue;
            }
            match self.part(part)?.read(&mut other, at) {
                Ok(()) => {
                    field::add(&mut sum, &other, 1);
                    field::add(&mut powers, &other, field::power(exponent));
                }
                // One lost part needs one parity, two need both.
                Err(error) if lost.is_some() || row.q.is_none() => return Err(both(failure, error)),
                Err(error) => lost = Some((exponent, error)),
            }
        }
        let p = self.part(row.p)?.read(&mut other, at);
        if p.is_ok() {
            field::add(&mut sum, &other, 1);
        }
        match (p, row.q, lost) {
            (Ok(()), _, None) => {}
            (Err(error), None, _) => return Err(both(failure, error)),
            (Err(error), Some(_), Some(_)) => return Err(both(failure, error)),
            (Ok(()), None, Some((_, error))) => return Err(both(failure, error)),
            // Q less what the others add to it is this chunk times its power.
            (Err(_), Some(q), None) => {
                self.part(q)?.read(&mut other, at).map_err(|error| both(failure, error))?;
                field::add(&mut powers, &other, 1);
                field::scale(&mut powers, field::inverse(field::power(power)));
                sum = powers;
            }
            // P leaves x + y, Q leaves gˣ·x + gʸ·y: gʸ·P + Q is (gˣ + gʸ)·x.
            (Ok(()), Some(q), Some((exponent, _))) => {
                self.part(q)?.read(&mut other, at).map_err(|error| both(failure, error))?;
                let (own, others) = (field::power(power), field::power(exponent));
                field::add(&mut powers, &other, 1);
                field::add(&mut powers, &sum, others);
                // Powers repeat after 255 parts; Q then tells nothing.
                let divisor = own ^ others;
                if divisor == 0 {
                    return Err(FormatError::unsupported("RAID 6 of more than 255 data members").into());
                }
                field::scale(&mut powers, field::inverse(divisor));
                sum = powers;
            }
        }
        buf.copy_from_slice(&sum);
        Ok(())
    }
}

/// Why a chunk can neither be read nor computed.
fn both(first: io::Error, second: io::Error) -> io::Error {
    let first = FormatError::reading("RAID chunk", 0)(first);
    let second = FormatError::reading("RAID chunk", 0)(second);
    match (&first, &second) {
        // The same sentence for one part and the other.
        (FormatError::Unsupported { code, .. }, _) | (_, FormatError::Unsupported { code, .. }) => {
            let what = format!("{}; {}", first.detail(), second.detail());
            FormatError::Unsupported { code: *code, what }.into()
        }
        _ => first.into(),
    }
}

fn zeros(length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(length, 0);
    Ok(bytes)
}
