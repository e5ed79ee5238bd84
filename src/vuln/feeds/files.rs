//! The door to feeds on the host: folders, archives (`.tar`, `.tar.zst`, `.tar.gz`) and single files, packed
//! or not, below one directory that the caller named.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{FEEDS, Feed};
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

/// Builds a database of the feeds in a directory (or of the one feed that it is): of those that `only` names,
/// or of all that are known.
pub fn build(feeds: &Path, only: &[String]) -> Result<(Vec<u8>, Summary), FormatError> {
    for name in only {
        if Feed::named(name).is_none() {
            let known: Vec<_> = FEEDS.iter().map(|feed| feed.name).collect();
            return Err(FormatError::unsupported(format!(
                "no feed `{name}`; there are {}",
                known.join(", ")
            )));
        }
    }
    let mut builder = Builder::default();
    let mut not_read = Vec::new();
    for path in feeds_below(feeds)? {
        let name = file_name(&path);
        if name.ends_with(".md") {
            continue;
        }
        match Feed::of(stem(&name)) {
            Some(feed) if only.is_empty() || only.iter().any(|name| name == feed.name) => {
                builder.source(feed);
                read_path(feed, &mut builder, &path)?;
            }
            Some(_) => {}
            None => not_read.push(name),
        }
    }
    for name in only {
        if !builder.sources().any(|source| source.name == *name) {
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
    for ending in [".zst", ".gz", ".tgz", ".tar", ".json", ".csv", ".yaml"] {
        stem = stem.strip_suffix(ending).unwrap_or(stem);
    }
    stem
}

fn read_path(feed: &Feed, builder: &mut Builder, path: &Path) -> Result<(), FormatError> {
    if path.is_dir() {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(io::Error::from).map_err(FormatError::reading("feed", 0))?;
            if entry.file_type().is_file() {
                read_source(feed, builder, entry.path(), false)?;
            }
        }
        return Ok(());
    }
    read_source(feed, builder, path, true)
}

/// One file; archives only where they stand for the feed as a whole.
fn read_source(feed: &Feed, builder: &mut Builder, path: &Path, archives: bool) -> Result<(), FormatError> {
    let name = file_name(path);
    let inner = ["", ".zst", ".gz"].iter().find_map(|ending| {
        let inner = name.strip_suffix(ending)?;
        let wanted = is_of(feed, inner) || archives && inner.ends_with(".tar");
        wanted.then(|| (inner.to_owned(), *ending))
    });
    let inner = inner.or_else(|| Some((format!("{}.tar", name.strip_suffix(".tgz")?), ".gz")));
    let Some((inner, packing)) = inner else { return Ok(()) };
    let source = block::open(path).map_err(FormatError::reading("feed", 0))?;
    let stream = block::Stream::new(source);
    let reader: Box<dyn Read + '_> = match packing {
        ".zst" => {
            let mut decoder = zstd::Decoder::new(stream).map_err(FormatError::reading("feed", 0))?;
            decoder.window_log_max(limits::ZSTD_WINDOW_LOG).map_err(FormatError::reading("feed", 0))?;
            Box::new(decoder)
        }
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, stream))),
        _ => Box::new(stream),
    };
    match inner.ends_with(".tar") {
        true => read_archive(feed, builder, reader),
        false => {
            let bytes = read_bounded(reader, &name)?;
            read_file(feed, builder, &inner, &bytes);
            Ok(())
        }
    }
}

fn read_archive(feed: &Feed, builder: &mut Builder, reader: impl Read) -> Result<(), FormatError> {
    let mut archive =
        tar::Archive::new(io::BufReader::with_capacity(1 << 18, reader).take(limits::FEED_BYTES));
    let mut files = 0_u64;
    for entry in archive.entries().map_err(FormatError::reading("feed archive", 0))? {
        let entry = entry.map_err(FormatError::reading("feed archive", 0))?;
        files = files.saturating_add(1);
        if files > limits::FEED_FILES {
            return Err(FormatError::limit(format!("feed of more than {} files", limits::FEED_FILES)));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_file() && is_of(feed, &name) {
            let bytes = read_bounded(entry, &name)?;
            read_file(feed, builder, &name, &bytes);
        }
    }
    Ok(())
}

fn is_of(feed: &Feed, name: &str) -> bool {
    let yml = feed.extension == "yaml" && name.ends_with(".yml");
    yml || name.rsplit_once('.').is_some_and(|(_, extension)| extension == feed.extension)
}

fn read_bounded(reader: impl Read, name: &str) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    let limit = limits::FEED_FILE_BYTES;
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FormatError::reading("feed", 0))?;
    match num::to_u64(bytes.len()) > limit {
        true => Err(FormatError::limit(format!("{name} has more than {limit} bytes"))),
        false => Ok(bytes),
    }
}

fn read_file(feed: &Feed, builder: &mut Builder, name: &str, bytes: &[u8]) {
    if let Err(problem) = feed.read(builder, bytes) {
        builder.malformed(feed, name, problem);
    }
}
