//! Standard output, standard error, and files that are whole or not there.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use icecore::{
    gap::Code,
    newfile::{self, NewFile},
    report,
};

use super::{
    Done,
    args::{self, CompletionsArgs, ManArgs, Schema, SchemaArgs},
    exit::{Exit, Failure},
    secrets::hidden,
};

/// The time, RFC 3339 in UTC.
pub(crate) fn now() -> String {
    let now =
        time::OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// Columns of the terminal, or what a pipe is given.
pub(crate) fn width() -> usize {
    let terminal = || console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns));
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or_else(terminal)
}

/// Tells what a scan read.
pub(crate) fn tell(stats: &report::Stats) {
    let read =
        stats.bytes_read.map(|bytes| format!("{bytes} bytes read in {} reads, ", stats.reads.unwrap_or(0)));
    let line = format!(
        "{}{} names seen, {} files opened, {} layers, {} images{}{}",
        read.unwrap_or_default(),
        stats.files_seen,
        stats.files_opened,
        stats.layers,
        stats.images,
        stats.packages.map(|packages| format!(", {packages} packages")).unwrap_or_default(),
        stats.findings.map(|findings| format!(", {findings} findings")).unwrap_or_default(),
    );
    tell_line(&line);
}

/// A line on standard error, without the secrets of URLs and without what steers a terminal.
pub(crate) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{}", report::clean(&hidden(line)))
}

/// The same from the program, for who may be gone.
pub(crate) fn tell_line(line: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = say(&format!("icecore: {line}"));
}

/// Tells a mistake in the command line, or the help that was asked for, as clap does: with 2, or with 0. What it quotes of
/// the command line and of variables may have secrets.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let rendered = error.render();
    let code = if error.use_stderr() { Exit::Usage } else { Exit::Complete };
    let plain = rendered.to_string();
    if hidden(&plain) == plain {
        // With all that clap knows of terminals. Nobody is left to tell when the output is closed.
        let _ = error.print();
        return code.into();
    }
    let (errors, colour) = (error.use_stderr(), console::colors_enabled_stderr());
    let text = if errors && colour { rendered.ansi().to_string() } else { plain };
    let text = hidden(&text);
    let _ = if errors { write!(io::stderr(), "{text}") } else { write!(io::stdout(), "{text}") };
    code.into()
}

/// Tells what went wrong.
pub(crate) fn complain(failure: &Failure) {
    tell_line(&failure.to_string());
}

/// Writes a file that is whole or not there: it has no name until it is synced, so that whatever ends the process
/// leaves nothing. A device or pipe is written as it is, and what a link leads to is replaced, not the link.
#[expect(clippy::disallowed_methods, reason = "the door to outputs that the caller named")]
pub(crate) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let inner = || -> anyhow::Result<()> {
        let known = std::fs::metadata(path).ok();
        if known.as_ref().is_some_and(|known| !known.is_file()) {
            let mut buffered = BufWriter::new(newfile::device(path)?);
            write(&mut buffered)?;
            return Ok(buffered.flush()?);
        }
        let path = &if known.is_some() { path.canonicalize()? } else { path.to_owned() };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NewFile::new(dir)?;
        let mut buffered = BufWriter::new(file.writer());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.persist(path)?;
        Ok(())
    };
    // In words: that nobody reads this one is a failure, other than of standard output.
    inner().map_err(|error| Failure::io(anyhow::anyhow!("{} cannot be written: {error:#}", path.display())))
}

/// Writes what is no text to standard output, unless people would see it there.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let out = io::stdout().lock();
    if out.is_terminal() {
        return Err(Failure::usage(anyhow::anyhow!("an archive is not written to a terminal: name a file")));
    }
    let mut buffered = BufWriter::new(out);
    write(&mut buffered)?;
    Ok(buffered.flush()?)
}

pub(crate) fn schema(args: &SchemaArgs) -> Done {
    let mut out = io::stdout().lock();
    let schema = match args.what {
        Schema::Report => report::schema(),
        Schema::Record => report::record_schema(),
        Schema::Codes => {
            for (_, code, meaning) in Code::TABLE {
                writeln!(out, "{code:<26} {meaning}")?;
            }
            return Ok(Exit::Complete);
        }
    };
    serde_json::to_writer_pretty(&mut out, &schema).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Complete)
}

pub(crate) fn completions(args: &CompletionsArgs) -> Done {
    clap_complete::generate(args.shell, &mut args::command(), "icecore", &mut io::stdout());
    Ok(Exit::Complete)
}

pub(crate) fn man(args: &ManArgs) -> Done {
    let mut page = args::command();
    page.build();
    for word in &args.command {
        let unknown = || Failure::usage(anyhow::anyhow!("no command {word:?}"));
        page = page.find_subcommand(word).ok_or_else(unknown)?.clone();
    }
    let source = concat!("icecore ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(page).source(source).render(&mut io::stdout())?;
    Ok(Exit::Complete)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests read their own files")]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_and_links_followed() {
        assert!(to_file(Path::new("/dev/full"), |to| to.write_all(b"x")).is_err());
        to_file(Path::new("/dev/null"), |to| to.write_all(b"x")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        to_file(&link, |to| to.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert!(to_file(dir.path(), |to| to.write_all(b"x")).is_err());
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        for text in ["first", "second"] {
            to_file(&path, |to| to.write_all(text.as_bytes())).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let failed = to_file(&path, |to| {
            to.write_all(b"half")?;
            assert_eq!(
                std::fs::read_dir(dir.path())?.count(),
                1,
                "it has no name that an interruption leaves"
            );
            Err(io::ErrorKind::Other.into())
        });
        assert_eq!(failed.unwrap_err().exit, Exit::Io);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
