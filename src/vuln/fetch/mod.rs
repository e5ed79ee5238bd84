//! Feeds from their publishers into a directory, from which a database is built: what has not changed is left as
//! it is, what was cut is continued, and a file is the old or the new one, never a part.

mod checksum;
mod files;
mod sources;

use std::{io, path::Path};

use rayon::prelude::*;

pub use sources::{Job, Source, table};

use crate::{
    block::{self, Counter, Download, Outcome, Sink, Version},
    limits,
};

use self::files::Place;

/// Downloads at a time.
pub const AT_ONCE: usize = 4;

/// How a file of a feed was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// It has not changed since the last time.
    Same,
    /// It is new, of so many bytes.
    New(u64),
}

/// Gets the files of feeds, in parallel on the threads that the caller has; `done` is told of each. The answers
/// are in the order of the jobs.
pub fn fetch<'a>(
    directory: &Path,
    jobs: &'a [Job],
    counter: &Counter,
    done: impl Fn(&Job) + Sync,
) -> io::Result<Vec<(&'a Job, io::Result<Got>)>> {
    files::directory(directory)?;
    let got = jobs.par_iter().map(|job| {
        let got = one(directory, job, counter);
        done(job);
        (job, got)
    });
    Ok(got.collect())
}

fn one(directory: &Path, job: &Job, counter: &Counter) -> io::Result<Got> {
    let latest = job.latest.as_ref().map(|url| named(&text(url, counter)?)).transpose()?;
    let filled = |url: &str| match &latest {
        Some(latest) => url.replace("{latest}", latest),
        None => url.to_owned(),
    };
    let url = filled(&job.url);
    let place = Place::new(directory, &job.file)?;
    // A second try from the beginning, if the file and its checksum are of two versions.
    let mut tries = 0_u32;
    loop {
        let known = place.known(&url);
        let mut part = place.part(&url)?;
        let ask = Download { url: &url, known: known.as_ref(), limit: limits::FEED_DOWNLOAD_BYTES };
        if block::download(ask, &mut part, counter)? == Outcome::Same {
            part.forget();
            return Ok(Got::Same);
        }
        let expected =
            job.checksum.as_ref().map(|url| checksum::parse(&text(&filled(url), counter)?)).transpose()?;
        match expected {
            Some(expected) if place.checksum(job.unpacked)? != expected => {
                part.forget();
                tries = tries.saturating_add(1);
                if tries > 1 {
                    return Err(io::Error::other("its checksum is not the one that its publisher tells"));
                }
            }
            _ => return part.keep(&url).map(Got::New),
        }
    }
}

/// A short document.
fn text(url: &str, counter: &Counter) -> io::Result<String> {
    let mut memory = Memory::default();
    let ask = Download { url, known: None, limit: limits::FEED_DOCUMENT_BYTES };
    block::download(ask, &mut memory, counter)?;
    String::from_utf8(memory.bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The name of a file in a text: one name in one folder.
fn named(text: &str) -> io::Result<String> {
    let name = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !name.is_empty() && name.len() < 200 && name.chars().all(plain) && !name.starts_with('.') {
        true => Ok(name.to_owned()),
        false => Err(io::Error::other(format!("`{name:.80}` is no name of the newest file"))),
    }
}

#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    version: Version,
}

impl Sink for Memory {
    fn held(&self) -> (u64, Version) {
        (crate::num::to_u64(self.bytes.len()), self.version.clone())
    }

    fn begin(&mut self, version: &Version) -> io::Result<()> {
        self.bytes.clear();
        self.version = version.clone();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
