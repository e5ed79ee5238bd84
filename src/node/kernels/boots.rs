//! Which kernel a node booted last, as far as its logs tell: the boot records of `wtmp` (utmp(5)), in which systemd writes the
//! kernel's release, and the kernel's banner in the logs of syslog.

use memchr::memmem;

use super::image;
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, Handle, Root},
    limits, num,
};

const LOG: &str = "log";
/// What a record has before the release, after its type and number: the line `~`, the identifier `~~`, and who logged in.
const TYPE_BOOT: [u8; 2] = [2, 0];
const LINE: usize = 8;
const USER: usize = 44;
const HOST: usize = 76;
/// Bytes of a record: of most machines, and of those whose `long` has 64 bits in a record.
const RECORDS: [usize; 2] = [384, 400];
const LOGINS: [&str; 2] = ["var/log/wtmp", "var/log/wtmp.1"];
const LOGS: [&str; 6] = [
    "var/log/kern.log",
    "var/log/kern.log.1",
    "var/log/messages",
    "var/log/syslog",
    "var/log/syslog.1",
    "var/log/dmesg",
];

/// The release of the kernel that was booted last; `None` if no log tells, or logs contradict each other.
pub(super) fn last(root: &Root, damage: &mut Vec<(String, FormatError)>) -> Option<String> {
    match (first(root, &LOGINS, logins, damage), first(root, &LOGS, banner, damage)) {
        (Some(a), Some(b)) if a != b => None,
        (a, b) => a.or(b),
    }
}

/// What the first log that tells of a boot says. After one that was not read, or not to its beginning, older ones say nothing.
fn first(
    root: &Root,
    paths: &[&str],
    find: fn(&[u8]) -> Result<Option<String>, FormatError>,
    damage: &mut Vec<(String, FormatError)>,
) -> Option<String> {
    for path in paths {
        let read = tail(root, path).and_then(|tail| {
            let Some((bytes, is_whole)) = tail else { return Ok((None, true)) };
            find(&bytes).map(|release| (release, is_whole))
        });
        match read {
            Ok((None, true)) => {}
            Ok((release, _)) => return release,
            Err(error) => {
                damage.push(((*path).to_owned(), error));
                return None;
            }
        }
    }
    None
}

/// The end of a log, from the beginning of a record on if it has records, and whether that is all of it.
fn tail(root: &Root, path: &str) -> Result<Option<(Vec<u8>, bool)>, FormatError> {
    let Some(file) = root.find(path.as_bytes())?.filter(is_file) else { return Ok(None) };
    let file = file.open()?;
    let least: usize = RECORDS.iter().product();
    let length = file.size().min(limits::BOOT_LOG_BYTES);
    let from = file.size().saturating_sub(length).next_multiple_of(num::to_u64(least)).min(file.size());
    let length = file.size().saturating_sub(from);
    let bytes = block::read_vec(&file, LOG, from, num::to_usize(length))?;
    Ok(Some((bytes, from == 0)))
}

fn is_file(file: &Handle) -> bool {
    file.stat().is_ok_and(|stat| stat.kind == FileKind::Regular)
}

/// The release in the last boot record.
fn logins(bytes: &[u8]) -> Result<Option<String>, FormatError> {
    let size = RECORDS.into_iter().find(|size| {
        bytes.len().is_multiple_of(*size)
            && bytes.chunks_exact(*size).all(|record| matches!(record, [0..=9, 0, ..]))
    });
    let size = size.ok_or_else(|| FormatError::malformed(LOG, "not records of logins"))?;
    let is_boot = |record: &&[u8]| {
        record.starts_with(&TYPE_BOOT)
            && record.get(LINE..).is_some_and(|line| line.starts_with(b"~\0"))
            && record.get(USER..).is_some_and(|user| user.starts_with(b"reboot\0"))
    };
    let record = bytes.chunks_exact(size).rev().find(is_boot);
    Ok(record.and_then(|record| image::release(record.get(HOST..)?)))
}

/// The release in the kernel's last banner. Others may write to a log, but not as the kernel.
fn banner(bytes: &[u8]) -> Result<Option<String>, FormatError> {
    let text = b"Linux version ";
    let release = memmem::rfind_iter(bytes, text).find_map(|at| {
        let line = bytes.get(..at)?.rsplit(|byte| *byte == b'\n').next()?;
        let by_kernel = match line.trim_ascii_end() {
            [before @ .., b']'] => {
                before.rsplit(|byte| *byte == b'[').nth(1).unwrap_or_default().trim_ascii_end()
            }
            before => before,
        };
        let is_kernels = by_kernel.ends_with(b" kernel:") || by_kernel.is_empty();
        let after = bytes.get(at.checked_add(text.len())?..).filter(|_| is_kernels)?;
        image::release(after)
    });
    Ok(release)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    fn record(size: usize, kind: u8, user: &str, host: &str) -> Vec<u8> {
        let mut record = vec![0; size];
        record[0] = kind;
        record[LINE] = b'~';
        record[USER..USER + user.len()].copy_from_slice(user.as_bytes());
        record[HOST..HOST + host.len()].copy_from_slice(host.as_bytes());
        record
    }

    fn last(files: &[(&str, &[u8])]) -> Option<String> {
        let mut tree = Tree::default();
        files.iter().for_each(|(path, bytes)| tree.file(path, *bytes));
        super::last(&Root::new(tree.build()), &mut Vec::new())
    }

    #[test]
    fn the_last_boot_record_tells() {
        for size in RECORDS {
            let log = [
                record(size, 2, "reboot", "6.1.0-44-amd64"),
                record(size, 2, "reboot", "6.1.0-56-amd64"),
                record(size, 1, "runlevel", "6.1.0-56-amd64"),
                record(size, 7, "reboot", "203.0.113.9"),
            ];
            assert_eq!(last(&[(LOGINS[0], &log.concat())]).as_deref(), Some("6.1.0-56-amd64"));
            assert_eq!(
                last(&[(LOGINS[0], &log[3]), (LOGINS[1], &log[0])]).as_deref(),
                Some("6.1.0-44-amd64")
            );
            assert_eq!(last(&[(LOGINS[0], &log[0][1..])]), None);
            assert_eq!(last(&[(LOGINS[0], &log[0][1..]), (LOGINS[1], &log[0])]), None);
        }
    }

    #[test]
    fn the_kernels_last_banner_tells() {
        let log =
            b"Nov 28 05:08:28 n kernel: [    0.000000] Linux version 6.1.0-44-amd64 (debian-kernel@lists)\n\
            2026-11-28T05:08:28.1+00:00 n kernel: Linux version 6.1.0-56-amd64 (debian-kernel@lists)\n\
            Nov 29 05:08:28 n mallory: Linux version 9.9.9 (x)\n\
            Nov 29 05:08:28 n mallory: [    0.000000] Linux version 9.9.9 (x)\n\
            Nov 29 05:08:28 n kernel: [    0.100000] mallory: Linux version 9.9.9 (x)\n";
        assert_eq!(last(&[(LOGS[0], log)]).as_deref(), Some("6.1.0-56-amd64"));
        assert_eq!(
            last(&[(LOGS[5], b"[    0.000000] Linux version 5.10.0 (x)\n")]).as_deref(),
            Some("5.10.0")
        );
        let boot = record(384, 2, "reboot", "6.1.0-44-amd64");
        assert_eq!(last(&[(LOGS[0], log), (LOGINS[0], &boot)]), None, "they contradict each other");
        assert_eq!(last(&[(LOGS[0], b"")]), None);
        assert_eq!(last(&[(LOGS[0], b"x\n"), (LOGS[1], log)]).as_deref(), Some("6.1.0-56-amd64"));
        let long = [log, &vec![b'x'; 5 << 20][..]].concat();
        assert_eq!(last(&[(LOGS[0], &long), (LOGS[1], log)]), None, "the last boot is before what is read");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..800), text in "(kernel: |\\[ 0\\]|Linux version |1\n| )*") {
            let _ = (logins(&bytes), banner(text.as_bytes()));
        }
    }
}
