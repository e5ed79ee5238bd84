//! The version of a program that no package manager installed, from what it prints about itself.

use memchr::memmem;

use super::{
    program::{Part, Program},
    signatures::{Form, SIGNATURES, Signature},
};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
    limits, num,
};

const TEXT: &str = "constants of a program";
/// Sections of constants: of an ELF, a PE and a Mach-O.
const SECTIONS: &[&[u8]] = &[b".rodata", b".rdata", b"__cstring", b"__const", b".data.rel.ro", b".data"];
/// Bytes that are searched at once, …
const CHUNK: u64 = 1 << 20;
/// … and those at their end that are looked at again with what follows them: all that a row asks for is shorter.
const OVERLAP: u64 = 256;
/// Bytes of a version.
const VERSION_BYTES: usize = 32;
/// Bytes behind a version within which what follows it is.
const AFTER_BYTES: usize = 64;

/// The package that the program of a file is, if the table knows its name and its bytes hold a version.
pub(super) fn find(program: &Program, name: &[u8]) -> Result<Option<Package>, FormatError> {
    let rows: Vec<&Signature> =
        SIGNATURES.iter().filter(|row| row.files.iter().any(|file| fits(file, name))).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut left = limits::SIGNATURE_BYTES;
    for part in constants(program) {
        let mut at = 0u64;
        while at < part.size {
            let chunk = program.piece(part, TEXT, at, CHUNK)?;
            for row in &rows {
                if let Some(version) = version(row, name, &chunk) {
                    return Ok(Some(Package::new(PackageKind::Generic, row.package, version)));
                }
            }
            let read = num::to_u64(chunk.len());
            left = left.saturating_sub(read);
            if left == 0 {
                let bound = limits::SIGNATURE_BYTES;
                return Err(FormatError::limit(format!(
                    "no version within the first {bound} bytes of {TEXT}"
                )));
            }
            let end = at.saturating_add(read);
            at = if end < part.size { end.saturating_sub(OVERLAP) } else { end };
        }
    }
    Ok(None)
}

/// Where constants are: sections by their names, or all that is loaded if nothing has a name.
fn constants(program: &Program) -> impl Iterator<Item = &Part> {
    let named = SECTIONS.iter().filter_map(|name| program.section(&[*name]));
    let unnamed = program.segments.iter().filter(|_| program.sections.is_empty());
    named.chain(unnamed)
}

fn fits(pattern: &str, name: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == pattern.as_bytes(),
    }
}

fn version(row: &Signature, name: &[u8], text: &[u8]) -> Option<String> {
    memmem::find_iter(text, row.before).find_map(|at| {
        // The number that some rows begin with belongs to the version.
        let known = row.before.len().checked_sub(trailing(row.before))?;
        let text = text.get(at.checked_add(known)?..)?;
        let length = length(row.form, text)?;
        let (version, rest) = text.split_at_checked(length)?;
        let rest = rest.get(..AFTER_BYTES).unwrap_or(rest);
        if row.form == Form::OfName && !begins_as(version, name) {
            return None;
        }
        // The rest of its string, or what follows the string's end.
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let (same, next) = rest.split_at_checked(end)?;
        let fits = if row.after.starts_with(b"\0") {
            next.starts_with(row.after)
        } else {
            memmem::find(same, row.after).is_some()
        };
        if !fits {
            return None;
        }
        String::from_utf8(version.to_vec()).ok()
    })
}

/// Bytes at the end of a text that are digits and dots.
fn trailing(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count()
}

/// The length of the version that a text begins with: numbers with at least one dot between them.
fn length(form: Form, text: &[u8]) -> Option<usize> {
    let text = text.get(..VERSION_BYTES).unwrap_or(text);
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let numbers = text.iter().take_while(|byte| is_number(byte)).count();
    let version = text.get(..numbers)?;
    let is_version =
        version.contains(&b'.') && version.split(|byte| *byte == b'.').all(|number| !number.is_empty());
    let rest = text.get(numbers..)?;
    let letters =
        || rest.iter().take_while(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()).count();
    let more = match form {
        Form::Numbers => 0,
        Form::Letters | Form::OfName => letters(),
        Form::Lettered => Some(letters()).filter(|letters| *letters > 0)?,
        Form::Patch => match rest.split_first() {
            Some((b'-', patch)) => {
                patch.iter().take_while(|byte| byte.is_ascii_digit()).count().checked_add(1)?
            }
            _ => 0,
        },
    };
    is_version.then_some(numbers.checked_add(more)?)
}

/// Whether a version has the numbers of a file's name, and at least one more.
fn begins_as(version: &[u8], name: &[u8]) -> bool {
    let name = name
        .split(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .find(|part| !part.is_empty() && *part != b".");
    let wanted = name.unwrap_or_default();
    let wanted = wanted.strip_suffix(b".").unwrap_or(wanted);
    let rest = version.strip_prefix(wanted);
    let more = rest.is_some_and(|rest| rest.starts_with(b"."));
    more && version.iter().filter(|byte| **byte == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(file: &str, text: &str) -> Option<String> {
        let rows = SIGNATURES.iter().filter(|row| row.files.iter().any(|known| fits(known, file.as_bytes())));
        let mut found = rows.filter_map(|row| {
            let version = version(row, file.as_bytes(), text.as_bytes())?;
            Some(format!("{} {version}", row.package))
        });
        found.next()
    }

    #[test]
    fn versions_in_the_words_of_their_programs() {
        for (file, text, expected) in [
            ("nginx", "\0nginx version: nginx/1.22.1\0", Some("nginx 1.22.1")),
            ("nginx", "nginx/1.22.1", None),
            ("openssl", "OpenSSL %s OpenSSL 1.1.1w  11 Sep 2023\0", Some("openssl 1.1.1w")),
            ("libcrypto.so.3", "OpenSSL 3.0.11 19 Sep 2023\0", Some("openssl 3.0.11")),
            ("python3.11", "\x003.2.0\0x\x003.11.2\0", Some("python 3.11.2")),
            ("libpython3.13.so.1.0", "\x003.13.0rc1\0", Some("python 3.13.0rc1")),
            ("libpython3.1.so", "\x003.11.2\0", None),
            ("perl", "\0v5.36.0\0", Some("perl 5.36.0")),
            ("haproxy", "\0 version 2.8.5-aaba8d0, released 2023/12/07\0", Some("haproxy 2.8.5")),
            ("mariadbd", "\x00-1\x0010.11.6-MariaDB-1:10.11.6\x00", Some("mariadb 10.11.6")),
            ("mysqld", "\x008.0.35\x00", None),
            ("redis-server", "\x002.6.0\x00x\x007.2.4\x00c11-builtin\x00", Some("redis 7.2.4")),
            ("postgres", "postgres (PostgreSQL) 17beta1", None),
            ("bash", "@(#)Bash version 5.2.15(1) release GNU\0", Some("bash 5.2.15")),
            ("ruby", "\0ruby 3.1.2p20 (2022-04-12 revision", Some("ruby 3.1.2")),
            ("ssh", "\0OpenSSH_9.2\0OpenSSH_9.2p1 Debian-2\0", Some("openssh 9.2p1")),
            ("magick", "ImageMagick 6.9.11-60 Q16 x86_64", Some("imagemagick 6.9.11-60")),
            ("libtiff-20b7e810.so.6", "LIBTIFF, Version 4.7.2\n", Some("libtiff 4.7.2")),
            ("ffmpeg-linux-x86_64", "FFmpeg version n9.0.2-17-g2a571b6068\0", Some("ffmpeg 9.0.2")),
            ("deno", "Deno/0.80.0 x\0Deno/2.9.6Deno/2.9.6+e518fbd", Some("deno 2.9.6")),
            ("exim4", "<<eximcnumber>>\x004.96\0<<eximversion>>", Some("exim 4.96")),
            ("mariadb", "gnu\x0010.11.19-MariaDB\x00x86_64", Some("mariadb 10.11.19")),
            (
                "firefox-bin",
                "{ec8030f7-c20a-464f-9b0e-13a3a9e97384}&version=153.8.0&buildid=20261117185949",
                Some("firefox 153.8.0"),
            ),
            (
                "thunderbird",
                "{3550f703-e582-4d05-9a08-453d09bdfdc6}&version=153.8.0&buildid=20261120213730",
                Some("thunderbird 153.8.0"),
            ),
            ("libvips-cpp.so.8.18.7", "init: main\x008.18.7\0libvips %s\n", Some("libvips 8.18.7")),
            ("libkrb5-fcafa220.so.3.3", "KRB5_BRAND: krb5-1.15.1-final 1.15.1 ", Some("krb5 1.15.1")),
            ("libkrb5support.so.0", "KRB5_BRAND: krb5-1.15.1-final", None),
            ("libgit2-b9a7920b.so.1.9.7", "\0libgit2 1.9.7\0", Some("libgit2 1.9.7")),
            ("libproj.so.25", "\0PROJ 9.1.1\0 using ", Some("proj 9.1.1")),
            ("mpd", "\0Music Player Daemon 0.23.12\0", Some("mpd 0.23.12")),
            ("liboctave.so.9", "GNU Octave, version 7.3.0\nCopyright", Some("octave 7.3.0")),
            ("pdftocairo", "\x0022.12.0\0pdftocairo version %s", Some("poppler 22.12.0")),
            ("starter", "Starting %sSwan 5.9.8 IPsec [starter]", Some("strongswan 5.9.8")),
            ("tini-static", "tini version 0.19.0 - git.de40ad0\0", Some("tini 0.19.0")),
            ("other", "nginx version: nginx/1.22.1", None),
        ] {
            assert_eq!(find(file, text).as_deref(), expected, "{file}");
        }
    }
}
