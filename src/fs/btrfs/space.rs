//! Logical addresses over all devices: what trees and files are read through.

use super::{
    chunks::{Chunks, Segment},
    superblock::Device,
};
use crate::{block::Source, error::FormatError, gap::Code, num};

/// The devices that were given.
pub(super) struct Devices(Vec<(Device, Source)>);

impl Devices {
    pub(super) fn new(devices: Vec<(Device, Source)>) -> Self {
        Self(devices)
    }

    pub(super) fn find(&self, device: Device) -> Option<&Source> {
        self.0.iter().find(|(given, _)| *given == device).map(|(_, source)| source)
    }
}

/// The file system's logical addresses.
pub(super) struct Space {
    pub(super) devices: Devices,
    pub(super) chunks: Chunks,
}

impl Space {
    /// Reads a range of logical addresses in one of its copies.
    pub(super) fn read(
        &self,
        structure: &'static str,
        logical: u64,
        buf: &mut [u8],
        copy: usize,
    ) -> Result<(), FormatError> {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = logical.saturating_add(num::to_u64(filled));
            let segment = self.segment(structure, at, copy)?;
            let length = num::to_usize(segment.length).min(rest.len());
            let part = rest.get_mut(..length).unwrap_or_default();
            self.source(structure, segment.device)?
                .read_at(part, segment.offset)
                .map_err(FormatError::reading(structure, segment.offset))?;
            filled = filled.saturating_add(length);
        }
        Ok(())
    }

    /// Where a logical address lies.
    pub(super) fn segment(
        &self,
        structure: &'static str,
        logical: u64,
        copy: usize,
    ) -> Result<Segment, FormatError> {
        self.chunks
            .segment(logical, copy)
            .ok_or_else(|| FormatError::corrupt(structure, logical, "no chunk has this logical address"))
    }

    pub(super) fn source(&self, structure: &'static str, device: Device) -> Result<&Source, FormatError> {
        self.devices.find(device).ok_or_else(|| FormatError::Unsupported {
            code: Code::MissingDisk,
            what: format!("{structure} on btrfs device {}, which was not given", device.id),
        })
    }

    /// Where a logical address lies on its device, for messages.
    pub(super) fn offset(&self, logical: u64, copy: usize) -> u64 {
        self.chunks.segment(logical, copy).map_or(logical, |segment| segment.offset)
    }

    /// How many copies there are to try; at least one, whose reading then tells what is wrong.
    pub(super) fn copies(&self, logical: u64) -> usize {
        self.chunks.copies(logical).max(1)
    }

    /// A hint that a range is read soon.
    pub(super) fn will_need(&self, logical: u64, length: u64) {
        let mut at = logical;
        let end = logical.saturating_add(length);
        while at < end
            && let Some(segment) = self.chunks.segment(at, 0)
        {
            let length = segment.length.min(end.saturating_sub(at));
            if let Some(source) = self.devices.find(segment.device) {
                source.will_need(segment.offset, length);
            }
            at = at.saturating_add(length);
        }
    }
}
