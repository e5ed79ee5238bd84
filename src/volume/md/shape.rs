//! What an array's shape makes of its members.

use super::{
    super::{
        mapped::{Part, Run},
        raid::{Copies, Parity, Rotation, ZoneOrder, zones},
    },
    superblock::{Geometry, NAME, Shape},
};
use crate::{error::FormatError, gap::Code, num};

/// What lies where in the array that a shape makes of its members, each of which tells its own size if it is there.
pub(super) fn runs(
    id: &str,
    geometry: &Geometry,
    shape: &Shape,
    parts: Vec<(Part, Option<u64>)>,
) -> Result<Vec<(u64, Run)>, FormatError> {
    let Shape { level, layout, chunk, .. } = *shape;
    let size = geometry.size;
    let corrupt = |problem: String| FormatError::corrupt(NAME, 0, format!("{id}: {problem}"));
    // Of each member whole chunks are used.
    let whole = |size: u64| match chunk {
        0 => size,
        _ => size.saturating_sub(size.checked_rem(chunk).unwrap_or(0)),
    };
    // As the kernel wants it; less would make a read of a few bytes each.
    let sound = match level {
        0 => chunk > 0 && chunk.is_multiple_of(512),
        4..=6 | 10 => chunk >= 4096 && chunk.is_power_of_two(),
        _ => true,
    };
    if !sound {
        return Err(corrupt(format!("level {level} with chunks of {chunk} bytes")));
    }
    let plain = |parts: Vec<(Part, Option<u64>)>| parts.into_iter().map(|(part, _)| part).collect::<Vec<_>>();
    match level {
        -1 => {
            let mut runs = Vec::new();
            for (part, size) in parts {
                // Where the others begin behind a member that is not there, nobody knows.
                let Some(size) = size else { break };
                runs.push((whole(size), Run::Striped { parts: vec![part], size: 0 }));
            }
            if runs.is_empty() {
                let what = format!("{id}: linear array of which the first member was not given");
                return Err(FormatError::Unsupported { code: Code::MissingDisk, what });
            }
            Ok(runs)
        }
        0 => {
            // Where a zone begins depends on the sizes of all members, which only they tell.
            let sized = parts.into_iter().map(|(part, size)| Some((part, size?)));
            let Some(parts) = sized.collect::<Option<Vec<_>>>() else {
                let what = format!("{id}: RAID 0 of which members were not given");
                return Err(FormatError::Unsupported { code: Code::MissingDisk, what });
            };
            let order = match (geometry.has_zone_order, layout) {
                (true, 1) => ZoneOrder::Original,
                (true, 2) => ZoneOrder::Alternate,
                (true, other) if other != 0 => {
                    return Err(FormatError::unsupported(format!("{id}: RAID 0 of layout {other}")));
                }
                _ => ZoneOrder::Unknown,
            };
            zones(parts, chunk, order)
        }
        1 => Ok(vec![(size, Run::Mirrored { parts: plain(parts) })]),
        4..=6 => {
            let rotation = Rotation::new(level, layout)?;
            let count = num::to_u64(parts.len());
            let parity = Parity::new(plain(parts), chunk, rotation)?;
            let data = count.saturating_sub(rotation.parities());
            let length = whole(size).checked_mul(data);
            let length = length.ok_or_else(|| corrupt(format!("{count} members of {size} bytes")))?;
            Ok(vec![(length, Run::Parity(parity))])
        }
        10 => {
            let (copies, length) = Copies::new(plain(parts), chunk, layout, size)?;
            Ok(vec![(length, Run::Copies(copies))])
        }
        other => {
            let what = format!("{id}: MD array of level {other}");
            Err(FormatError::Unsupported { code: Code::UnsupportedVolume, what })
        }
    }
}
