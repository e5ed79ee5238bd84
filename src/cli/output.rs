//! Standard output, standard error, and files that are whole or not there.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::Context;
use clap::CommandFactory;
use icecore::report;

use super::{
    Done,
    args::{Cli, CompletionsArgs, Schema, SchemaArgs},
    exit::{Exit, Failure},
};

/// The time, RFC 3339 in UTC.
pub(crate) fn now() -> String {
    let now =
        time::OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// Columns of the terminal, or what a pipe is given.
pub(crate) fn width() -> usize {
    let (_, columns) = indicatif_width();
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(columns)
}

fn indicatif_width() -> (u16, usize) {
    let (rows, columns) = console::Term::stdout().size_checked().unwrap_or((24, 100));
    (rows, usize::from(columns))
}

/// Tells what a scan read.
pub(crate) fn tell(stats: &report::Stats) {
    let read =
        stats.bytes_read.map(|bytes| format!("{bytes} bytes read in {} reads, ", stats.reads.unwrap_or(0)));
    let line = format!(
        "{}{} names seen, {} files opened, {} layers, {} images, {} packages, {} findings",
        read.unwrap_or_default(),
        stats.files_seen,
        stats.files_opened,
        stats.layers,
        stats.images,
        stats.packages,
        stats.findings
    );
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "icecore: {line}");
}

/// Tells what went wrong.
pub(crate) fn complain(failure: &Failure) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "icecore: {}", report::clean(&failure.to_string()));
}

/// Writes a file beside its place, syncs it, and renames it.
pub(crate) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let inner = || -> anyhow::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    inner().with_context(|| format!("{} cannot be written", path.display())).map_err(Failure::io)
}

pub(crate) fn schema(args: &SchemaArgs) -> Done {
    let schema = match args.what {
        Schema::Report => report::schema(),
        Schema::Record => report::record_schema(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Complete)
}

pub(crate) fn completions(args: &CompletionsArgs) -> Done {
    clap_complete::generate(args.shell, &mut Cli::command(), "icecore", &mut io::stdout());
    Ok(Exit::Complete)
}

pub(crate) fn man() -> Done {
    clap_mangen::Man::new(Cli::command()).render(&mut io::stdout())?;
    Ok(Exit::Complete)
}
