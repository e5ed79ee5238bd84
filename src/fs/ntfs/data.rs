//! The bytes of an attribute.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    attribute::{Attribute, Runs, Value},
    boot::Boot,
    lznt1,
    runs::{self, Run},
    volume::Volume,
};
use crate::{
    block::{ReadAt, Source, check_range, read_vec},
    bytes::part,
    error::FormatError,
    limits, num,
};

const STRUCTURE: &str = "NTFS attribute";

/// Fills `buf` from byte `start` of an attribute that is not compressed.
pub(super) fn read_plain(
    source: &Source,
    boot: &Boot,
    attribute: &Attribute,
    buf: &mut [u8],
    start: u64,
) -> Result<(), FormatError> {
    match &attribute.value {
        Value::Here(bytes) => match part(bytes, num::to_usize(start), buf.len()) {
            Some(part) => buf.copy_from_slice(part),
            None => return Err(FormatError::corrupt(STRUCTURE, 0, format!("no byte {start:#x} in it"))),
        },
        Value::Runs(runs) => read_runs(source, boot, runs, buf, start)?,
    }
    Ok(())
}

/// Where byte `start` of an attribute lies in the volume, for messages.
pub(super) fn place(boot: &Boot, attribute: &Attribute, start: u64) -> u64 {
    let Value::Runs(runs) = &attribute.value else { return 0 };
    let first = runs::from(&runs.runs, start.checked_div(boot.cluster).unwrap_or(0)).first();
    let overlap = first.and_then(|run| runs::overlap(run, boot.cluster, start, start.saturating_add(1)));
    overlap.and_then(|(.., physical)| physical).unwrap_or(0)
}

fn read_runs(
    source: &Source,
    boot: &Boot,
    value: &Runs,
    buf: &mut [u8],
    start: u64,
) -> Result<(), FormatError> {
    let end = start.saturating_add(num::to_u64(buf.len()));
    // What was never written reads as zeros, whatever lies there.
    let written = end.min(value.initialized).max(start);
    let (buf, zeros) = buf.split_at_mut(num::to_usize(written.saturating_sub(start)).min(buf.len()));
    zeros.fill(0);
    let mut filled = 0;
    for run in runs::from(&value.runs, start.checked_div(boot.cluster).unwrap_or(0)) {
        let Some((from, to, physical)) = runs::overlap(run, boot.cluster, start, written) else { break };
        let part = buf.get_mut(from..to).unwrap_or_default();
        match physical {
            Some(physical) => {
                source.read_at(part, physical).map_err(FormatError::reading(STRUCTURE, physical))?;
            }
            None => part.fill(0),
        }
        filled = to;
    }
    match filled == buf.len() {
        true => Ok(()),
        false => {
            let problem = format!("its runs end before byte {:#x} of {:#x}", written, value.size);
            Err(FormatError::corrupt(STRUCTURE, 0, problem))
        }
    }
}

/// A file's or stream's data.
pub(super) struct Data {
    volume: Arc<Volume>,
    attribute: Attribute,
    /// The unit that was unpacked last: small reads must not unpack it each time.
    unpacked: Mutex<Option<(u64, Arc<[u8]>)>>,
}

impl Data {
    /// The data of an attribute; an error that names what is not read of it.
    pub(super) fn new(volume: Arc<Volume>, attribute: Attribute, owner: u64) -> Result<Self, FormatError> {
        if let Some(what) = attribute.refused() {
            return Err(FormatError::unsupported(format!("{what} of record {owner}")));
        }
        if let Value::Runs(runs) = &attribute.value
            && attribute.is_compressed()
        {
            let bytes = volume.boot.cluster.checked_shl(runs.unit.into()).unwrap_or(0);
            if runs.unit == 0 || bytes == 0 {
                let problem = format!("record {owner} is compressed in units of 2^{} clusters", runs.unit);
                return Err(FormatError::corrupt(STRUCTURE, 0, problem));
            }
            if bytes > limits::NTFS_UNIT_BYTES {
                return Err(FormatError::limit(format!("NTFS compression unit of {bytes} bytes")));
            }
        }
        Ok(Self { volume, attribute, unpacked: Mutex::default() })
    }

    fn read(&self, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        match &self.attribute.value {
            Value::Runs(runs) if self.attribute.is_compressed() => self.read_units(runs, buf, offset),
            _ => read_plain(&self.volume.source, &self.volume.boot, &self.attribute, buf, offset),
        }
    }

    fn read_units(&self, runs: &Runs, buf: &mut [u8], offset: u64) -> Result<(), FormatError> {
        let size = self.volume.boot.cluster.checked_shl(runs.unit.into()).unwrap_or(0);
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            let number = at.checked_div(size).unwrap_or(0);
            let unit = self.unit(runs, number, size)?;
            let within = unit.get(num::to_usize(at.checked_rem(size).unwrap_or(0))..).unwrap_or_default();
            let length = within.len().min(rest.len());
            let (part, after) = rest.split_at_mut(length);
            part.copy_from_slice(within.get(..length).unwrap_or_default());
            rest = after;
            at = at.saturating_add(num::to_u64(length));
            if length == 0 {
                return Err(FormatError::corrupt(STRUCTURE, 0, "a unit of no bytes"));
            }
        }
        Ok(())
    }

    fn unit(&self, runs: &Runs, number: u64, size: u64) -> Result<Arc<[u8]>, FormatError> {
        let kept = || self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, unit)) = kept().as_ref().filter(|(kept, _)| *kept == number) {
            return Ok(Arc::clone(unit));
        }
        let start = number.saturating_mul(size);
        let mut unit = self.unpack(runs, start, size)?;
        let written = runs.initialized.saturating_sub(start).min(size);
        unit.get_mut(num::to_usize(written)..).unwrap_or_default().fill(0);
        let unit: Arc<[u8]> = unit.into();
        *kept() = Some((number, Arc::clone(&unit)));
        Ok(unit)
    }

    /// A unit: as it is if it has all its clusters, zeros if it has none, else compressed in its first ones.
    fn unpack(&self, value: &Runs, start: u64, size: u64) -> Result<Vec<u8>, FormatError> {
        let cluster = self.volume.boot.cluster;
        let end = start.saturating_add(size);
        let mut packed = Vec::new();
        let (mut first, mut ended) = (0, false);
        for run in runs::from(&value.runs, start.checked_div(cluster).unwrap_or(0)) {
            let Some((from, to, physical)) = runs::overlap(run, cluster, start, end) else { break };
            let Some(physical) = physical else {
                ended = true;
                continue;
            };
            if ended {
                let problem = format!("clusters after a hole of the unit at {start:#x}");
                return Err(FormatError::corrupt(STRUCTURE, physical, problem));
            }
            if packed.is_empty() {
                first = physical;
            }
            packed.extend(read_vec(&self.volume.source, STRUCTURE, physical, to.saturating_sub(from))?);
        }
        let length = num::to_usize(size);
        if packed.is_empty() || packed.len() >= length {
            packed.resize(length, 0);
            return Ok(packed);
        }
        lznt1::unpack(&packed, length).map_err(|problem| {
            FormatError::corrupt(
                "NTFS compression unit",
                first,
                format!("at {start:#x} of its file: {problem}"),
            )
        })
    }

    fn runs(&self) -> &[Run] {
        match &self.attribute.value {
            Value::Here(_) => &[],
            Value::Runs(value) => &value.runs,
        }
    }
}

impl ReadAt for Data {
    fn size(&self) -> u64 {
        self.attribute.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(self.size(), offset, buf.len())?;
        Ok(self.read(buf, offset)?)
    }

    fn will_need(&self, offset: u64, length: u64) {
        // Only what a single read would fetch: a hint must not cost a walk through a large map.
        const LONGEST: u64 = 8 << 20;
        let cluster = self.volume.boot.cluster;
        let end = offset.saturating_add(length.min(LONGEST));
        for run in runs::from(self.runs(), offset.checked_div(cluster).unwrap_or(0)) {
            let Some((from, to, physical)) = runs::overlap(run, cluster, offset, end) else { break };
            if let Some(physical) = physical {
                self.volume.source.will_need(physical, num::to_u64(to.saturating_sub(from)));
            }
        }
    }
}
