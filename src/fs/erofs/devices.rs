//! The table of further devices. Data on them is not read: each is named where it is needed.

use std::ops::Range;

use zerocopy::FromBytes;

use super::{format::RawDeviceSlot, superblock::Superblock};
use crate::{
    block::{ReadAt, read_vec},
    error::FormatError,
    gap::Code,
    limits,
};

const STRUCTURE: &str = "EROFS device slot";

/// The devices beside the one that is read.
#[derive(Debug, Default)]
pub(super) struct Devices(Vec<Device>);

#[derive(Debug)]
struct Device {
    tag: String,
    /// The bytes that the device has when all devices' blocks are counted as one's; empty if they are not.
    range: Range<u64>,
}

impl Devices {
    pub(super) fn read(source: &dyn ReadAt, superblock: &Superblock) -> Result<Self, FormatError> {
        if superblock.extra_devices > limits::EROFS_DEVICES {
            return Err(FormatError::limit(format!(
                "EROFS volume with {} devices",
                superblock.extra_devices
            )));
        }
        let mut devices = Vec::new();
        let mut at = superblock.devices;
        for _ in 0..superblock.extra_devices {
            let bytes = read_vec(source, STRUCTURE, at, size_of::<RawDeviceSlot>())?;
            let Ok((raw, _)) = RawDeviceSlot::ref_from_prefix(&bytes) else { break };
            let tag: Vec<u8> = raw.tag.into_iter().take_while(|byte| *byte != 0).collect();
            let start = superblock.offset(raw.uniaddr.get().into());
            let end = match start {
                0 => 0,
                _ => start.saturating_add(superblock.offset(raw.blocks.get().into())),
            };
            devices.push(Device { tag: String::from_utf8_lossy(&tag).into_owned(), range: start..end });
            at = at.saturating_add(128);
        }
        Ok(Self(devices))
    }

    /// Checks that bytes of a device lie on the first: number 0, and in nobody else's range.
    pub(super) fn check(&self, device: u16, bytes: &Range<u64>) -> Result<(), FormatError> {
        let number = match device {
            0 => {
                self.0.iter().position(|other| other.range.start < bytes.end && bytes.start < other.range.end)
            }
            // Of the number only as many bits count as the devices need.
            _ => {
                let mask = self.0.len().saturating_add(1).next_power_of_two().saturating_sub(1);
                match usize::from(device) & mask {
                    0 => return self.check(0, bytes),
                    number => Some(number.saturating_sub(1)),
                }
            }
        };
        match number {
            None => Ok(()),
            Some(number) => {
                let tag = self.0.get(number).map_or("unknown", |device| &device.tag);
                let what = format!(
                    "data at {:#x} of EROFS device {} ({tag})",
                    bytes.start,
                    number.saturating_add(1)
                );
                Err(missing(what))
            }
        }
    }

    /// What must be told when a volume is opened.
    pub(super) fn notes(&self) -> Vec<FormatError> {
        let tags: Vec<&str> = self.0.iter().map(|device| device.tag.as_str()).take(8).collect();
        let count = self.0.len();
        let what = || format!("EROFS data on {count} further devices ({}) is not read", tags.join(", "));
        if tags.is_empty() { Vec::new() } else { vec![missing(what())] }
    }
}

fn missing(what: String) -> FormatError {
    FormatError::Unsupported { code: Code::MissingDisk, what }
}
