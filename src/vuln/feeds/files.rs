//! The door to feeds on the host: folders, archives (`.tar`, packed or not, and `.zip`) and single files, packed
//! or not, below one directory that the caller named.

use std::{
    io::{self, Read},
    mem,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{FEEDS, Feed, File, Output};
use crate::{
    block,
    error::FormatError,
    limits, num,
    vuln::database::{Builder, FeedSource, Problem},
};

/// What a build read, and what it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The feeds that were read.
    pub sources: Vec<FeedSource>,
    /// Names in the directory that are no feed that is read.
    pub not_read: Vec<String>,
    /// Records that were left out.
    pub problems: Vec<Problem>,
}

/// A build fails if more of a feed is malformed than one record in this many, or than a few, or in any case
/// more than half: that is another format, not a slip.
const MALFORMED_SHARE: u64 = 50;
const MALFORMED_FEW: u64 = 10;

/// Builds a database of the feeds in a directory (or of the one feed that it is): of those that `only` names, by
/// any name of theirs, or of all that are known.
pub fn build(feeds: &Path, only: &[String]) -> Result<(Vec<u8>, Summary), FormatError> {
    let wanted: Vec<_> = only.iter().map(|name| named(name)).collect::<Result<_, _>>()?;
    let mut builder = Builder::default();
    let mut not_read = Vec::new();
    for path in feeds_below(feeds)? {
        let name = file_name(&path);
        if name.ends_with(".md") {
            continue;
        }
        match Feed::of(stem(&name)) {
            Some(feed) if wanted.is_empty() || wanted.contains(&feed.name) => {
                builder.source(feed);
                let mut batch = Batch { feed, builder: &mut builder, files: Vec::new(), bytes: 0 };
                read_path(&mut batch, &path)?;
                batch.flush()?;
            }
            Some(_) => {}
            None => not_read.push(name),
        }
    }
    for (name, feed) in only.iter().zip(&wanted) {
        if !builder.sources().any(|source| source.name == *feed) {
            return Err(FormatError::unsupported(format!("the feeds hold no `{name}`")));
        }
    }
    let sources: Vec<_> = builder.sources().cloned().collect();
    if sources.is_empty() {
        return Err(FormatError::unsupported(format!("no feed is read from {}", feeds.display())));
    }
    if let Some(bad) = sources.iter().find(|source| is_another_format(source)) {
        let first = builder.problems().find(|problem| problem.feed == bad.name);
        let first =
            first.map_or(String::new(), |problem| format!(": {}: {}", problem.record, problem.detail));
        let problem = format!("{} of {} records are malformed{first}", bad.malformed, bad.records);
        return Err(FormatError::malformed("feed", format!("{}: {problem}", bad.name)));
    }
    let problems = builder.problems().cloned().collect();
    Ok((builder.finish()?, Summary { sources, not_read, problems }))
}

/// The name of the feed that has this one among its names.
fn named(name: &str) -> Result<&'static str, FormatError> {
    Feed::of(name).map(|feed| feed.name).ok_or_else(|| {
        let known: Vec<_> = FEEDS.iter().map(|feed| feed.name).collect();
        FormatError::unsupported(format!("no feed `{name}`; there are {}", known.join(", ")))
    })
}

fn is_another_format(source: &FeedSource) -> bool {
    let all = source.records.saturating_add(source.malformed);
    let allowed = (all / MALFORMED_SHARE).max(MALFORMED_FEW).min(all / 2);
    source.malformed > allowed
}

/// The entries of a directory in the order of their names, hidden ones left out; or the directory or file
/// itself if it is a feed.
fn feeds_below(directory: &Path) -> Result<Vec<PathBuf>, FormatError> {
    if directory.is_file() || Feed::named(&file_name(directory)).is_some() {
        return Ok(vec![directory.to_owned()]);
    }
    let mut paths = Vec::new();
    for entry in walkdir::WalkDir::new(directory).min_depth(1).max_depth(1).sort_by_file_name() {
        paths.push(entry.map_err(io::Error::from).map_err(FormatError::reading("feeds", 0))?.into_path());
    }
    paths.retain(|path| !file_name(path).starts_with('.'));
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A name without the endings of archives and files.
fn stem(name: &str) -> &str {
    let mut stem = name;
    for ending in
        [".zst", ".gz", ".xz", ".bz2", ".tgz", ".tar", ".zip", ".json", ".csv", ".tsv", ".yaml", ".xml"]
    {
        stem = stem.strip_suffix(ending).unwrap_or(stem);
    }
    stem
}

/// Files of a feed that wait to be read, in parallel, in the order in which they were found.
struct Batch<'a> {
    feed: &'static Feed,
    builder: &'a mut Builder,
    files: Vec<(String, Vec<u8>)>,
    bytes: usize,
}

/// Bytes of files that wait.
const BATCH: usize = 16 << 20;

impl Batch<'_> {
    /// Takes a file. One that is too large is left out and counted.
    fn read(&mut self, name: String, reader: impl Read) -> Result<(), FormatError> {
        let mut bytes = Vec::new();
        let limit = limits::FEED_FILE_BYTES;
        let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(FormatError::reading("feed", 0))?;
        if num::to_u64(bytes.len()) > limit {
            self.builder.malformed(self.feed, name, format!("more than {limit} bytes"));
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.files.push((name, bytes));
        if self.bytes >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        let files = mem::take(&mut self.files);
        self.bytes = 0;
        let feed = self.feed;
        let outputs = files.into_par_iter().map(|(name, bytes)| {
            let mut output = Output::default();
            let read = feed.read(File { name: &name, bytes: &bytes }, &mut output);
            if let Err(problem) = read {
                output.malformed.push((name, problem));
            }
            output
        });
        for output in outputs.collect::<Vec<_>>() {
            self.builder.add(feed, output)?;
        }
        Ok(())
    }
}

fn read_path(batch: &mut Batch<'_>, path: &Path) -> Result<(), FormatError> {
    if path.is_dir() {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(io::Error::from).map_err(FormatError::reading("feed", 0))?;
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
                read_source(batch, entry.path(), &name.to_string_lossy(), false)?;
            }
        }
        return Ok(());
    }
    read_source(batch, path, &file_name(path), true)
}

/// One file; archives only where they stand for the feed as a whole.
fn read_source(batch: &mut Batch<'_>, path: &Path, name: &str, archives: bool) -> Result<(), FormatError> {
    let source = || block::open(path).map_err(FormatError::reading("feed", 0)).map(block::Stream::new);
    if archives && name.ends_with(".zip") {
        return read_zip(batch, source()?);
    }
    let inner = ["", ".zst", ".gz", ".xz", ".bz2"].iter().find_map(|ending| {
        let inner = name.strip_suffix(ending)?;
        let wanted = batch.feed.wants(inner) || archives && inner.ends_with(".tar");
        wanted.then(|| (inner.to_owned(), *ending))
    });
    let inner = inner.or_else(|| Some((format!("{}.tar", name.strip_suffix(".tgz")?), ".gz")));
    let Some((inner, packing)) = inner else { return Ok(()) };
    let stream = source()?;
    let reader: Box<dyn Read + '_> = match packing {
        ".zst" => {
            let mut decoder = zstd::Decoder::new(stream).map_err(FormatError::reading("feed", 0))?;
            decoder.window_log_max(limits::ZSTD_WINDOW_LOG).map_err(FormatError::reading("feed", 0))?;
            Box::new(decoder)
        }
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, stream))),
        ".bz2" => Box::new(bzip2::read::MultiBzDecoder::new(stream)),
        ".xz" => Box::new(lzma_rust2::XzReader::new(io::BufReader::with_capacity(1 << 16, stream), true)),
        _ => Box::new(stream),
    };
    match inner.ends_with(".tar") {
        true => read_tar(batch, reader),
        false => batch.read(inner, reader),
    }
}

fn read_tar(batch: &mut Batch<'_>, reader: impl Read) -> Result<(), FormatError> {
    let mut archive =
        tar::Archive::new(io::BufReader::with_capacity(1 << 18, reader).take(limits::FEED_BYTES));
    let mut files = 0_u64;
    for entry in archive.entries().map_err(FormatError::reading("feed archive", 0))? {
        let entry = entry.map_err(FormatError::reading("feed archive", 0))?;
        files = one_more(files)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_file() && batch.feed.wants(&name) {
            batch.read(name, entry)?;
        }
    }
    Ok(())
}

fn read_zip(batch: &mut Batch<'_>, stream: block::Stream) -> Result<(), FormatError> {
    let damaged = |error: zip::result::ZipError| FormatError::malformed("feed archive", error.to_string());
    let mut archive = zip::ZipArchive::new(io::BufReader::new(stream)).map_err(damaged)?;
    let (mut files, mut left) = (0_u64, limits::FEED_BYTES);
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(damaged)?;
        files = one_more(files)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        if entry.is_file() && batch.feed.wants(&name) {
            left = left.checked_sub(entry.size()).ok_or_else(|| {
                FormatError::limit(format!("feed of more than {} bytes", limits::FEED_BYTES))
            })?;
            batch.read(name, entry)?;
        }
    }
    Ok(())
}

fn one_more(files: u64) -> Result<u64, FormatError> {
    match files.saturating_add(1) {
        files if files > limits::FEED_FILES => {
            Err(FormatError::limit(format!("feed of more than {} files", limits::FEED_FILES)))
        }
        files => Ok(files),
    }
}
