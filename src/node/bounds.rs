//! What the caller does not want to be analyzed: nodes with more or larger disks than it pays for.

use super::NodeFacts;
use crate::gap::{Code, Reason};

/// Bounds that the caller sets; none of them holds unless it is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Disks of a node.
    pub disks: Option<usize>,
    /// Bytes of a disk, as the machine sees it.
    pub disk_bytes: Option<u64>,
}

impl Bounds {
    /// Why a node with these disks, by name and size in bytes, is not analyzed.
    pub fn reasons<'a>(&self, disks: impl ExactSizeIterator<Item = (&'a str, u64)>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let count = disks.len();
        if let Some(most) = self.disks.filter(|most| count > *most) {
            reasons.push(Reason {
                code: Code::TooManyDisks,
                detail: format!("the node has more disks than {most}, the most that the caller allows"),
                evidence: format!("{count} disks"),
            });
        }
        let Some(most) = self.disk_bytes else { return reasons };
        reasons.extend(disks.filter(|(_, size)| *size > most).map(|(name, size)| Reason {
            code: Code::DiskTooLarge,
            detail: format!("a disk is larger than {most} bytes, the most that the caller allows"),
            evidence: format!("disk {name:?} has {size} bytes"),
        }));
        reasons
    }

    /// The same by what the caller knows of the node, before a byte is read.
    pub fn reasons_by_facts(&self, facts: &NodeFacts) -> Vec<Reason> {
        let size = |gib: Option<u64>| gib.unwrap_or_default().saturating_mul(1 << 30);
        let reasons = self.reasons(facts.disks.iter().map(|disk| (disk.name.as_str(), size(disk.size_gib))));
        let of_facts =
            |reason: Reason| Reason { evidence: format!("node facts: {}", reason.evidence), ..reason };
        reasons.into_iter().map(of_facts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_beyond_the_bounds_is_skipped_with_the_disk_that_is() {
        let disks = [("os", 10), ("data", 30)];
        let codes = |bounds: Bounds| -> Vec<(Code, String)> {
            let reasons = bounds.reasons(disks.iter().copied());
            reasons.into_iter().map(|reason| (reason.code, reason.evidence)).collect()
        };
        assert_eq!(codes(Bounds::default()), []);
        assert_eq!(codes(Bounds { disks: Some(2), disk_bytes: Some(30) }), []);
        assert_eq!(
            codes(Bounds { disks: Some(1), disk_bytes: None }),
            [(Code::TooManyDisks, "2 disks".into())]
        );
        let large = (Code::DiskTooLarge, "disk \"data\" has 30 bytes".to_owned());
        assert_eq!(codes(Bounds { disks: None, disk_bytes: Some(29) }), [large]);
        let facts = NodeFacts::parse(br#"{"disks":[{"name":"a","size_gib":5000}]}"#).unwrap();
        let bounds = Bounds { disks: None, disk_bytes: Some(4 << 40) };
        assert_eq!(bounds.reasons_by_facts(&facts)[0].code, Code::DiskTooLarge);
    }
}
