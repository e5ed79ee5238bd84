//! What a partition's type says that it holds, where that is nothing of the machine's files by design: a boot loader
//! and its code, reserves, the hashes of another partition.

use super::Signature;

/// A row of types that are alike.
struct Row {
    kinds: &'static [&'static str],
    /// What is on such a partition, where it has no format of its own.
    name: &'static str,
    /// The formats that it has, if it has one.
    holds: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row { kinds: &["21686148-6449-6E6F-744E-656564454649"], name: "BIOS boot", holds: &[] },
    Row { kinds: &["E3C9E316-0B5C-4DB8-817D-F92DF00215AE"], name: "Microsoft reserved", holds: &[] },
    Row { kinds: &["FE3A2A5D-4F32-41A7-B725-ACCC3285A309"], name: "ChromeOS kernel", holds: &[] },
    Row { kinds: &["9E1A2D38-C612-4316-AA26-8B49521E5A8B", "41"], name: "PReP boot", holds: &[] },
    // Bottlerocket's, and those of the root and /usr in the Discoverable Partitions Specification (x86-64, ARM64).
    Row {
        kinds: &[
            "598F10AF-C955-4456-6A99-7720068A6CEA",
            "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5",
            "77FF5F63-E7B6-4633-ACF4-1565B864C0E6",
            "DF3300CE-D69F-4C92-978C-9BFB0F38D820",
            "6E11A4E7-FBCA-4DED-B9E9-E1A512BB664E",
        ],
        name: "dm-verity hashes",
        holds: &["dm-verity hash device"],
    },
];

/// Types of EFI system partitions.
const EFI_SYSTEM: [&str; 2] = ["C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EF"];

/// Whether a partition of this type is where the firmware finds boot loaders.
pub fn is_efi_system(kind: &str) -> bool {
    EFI_SYSTEM.iter().any(|one| one.eq_ignore_ascii_case(kind))
}

/// What a partition of type `kind` holds, whose beginning is like `found`, if its type says that this is nothing to
/// examine.
pub fn by_type(kind: &str, found: Option<Signature>) -> Option<Signature> {
    let row = TABLE.iter().find(|row| row.kinds.iter().any(|one| one.eq_ignore_ascii_case(kind)))?;
    match found {
        None => row.holds.is_empty().then_some(Signature { name: row.name, code: None }),
        Some(found) if row.holds.contains(&found.name) => Some(Signature { code: None, ..found }),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::Code;

    #[test]
    fn a_type_does_not_hide_what_it_does_not_hold() {
        let hashes = Signature { name: "dm-verity hash device", code: Some(Code::UnsupportedVolume) };
        let luks = Signature { name: "LUKS", code: Some(Code::EncryptedVolume) };
        let verity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5";
        let code = |kind, found| by_type(kind, found).map(|found| (found.name, found.code));
        assert_eq!(code(verity, Some(hashes)), Some(("dm-verity hash device", None)));
        assert_eq!(code(verity, Some(luks)), None);
        assert_eq!(code(verity, None), None);
        assert!(is_efi_system("c12a7328-f81f-11d2-ba4b-00a0c93ec93b") && is_efi_system("ef"));
        assert_eq!(code("41", None), Some(("PReP boot", None)));
        assert_eq!(code("0FC63DAF-8483-4772-8E79-3D69D8477DE4", Some(hashes)), None);
        assert_eq!(code("21686148-6449-6E6F-744E-656564454649", Some(hashes)), None);
    }
}
