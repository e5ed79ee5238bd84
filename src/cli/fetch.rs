//! `db fetch`.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
    sync::Arc,
};

use clap::{Args, builder::BoolishValueParser};
use icecore::{
    block::{self, Counter},
    scan::{Progress, on_threads},
    vuln::fetch::{self, Got, Job, Source},
};

use super::{
    Done,
    exit::{Exit, Failure},
    output,
    progress::{Bar, When},
};

#[derive(Args)]
pub(crate) struct FetchArgs {
    /// The directory, which is made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Only these sources (comma-separated)
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "ICECORE_ONLY")]
    pub(crate) only: Vec<String>,
    /// A table of sources (TOML) whose entries take the place of those of the same name, or are added
    #[arg(long, value_name = "FILE", env = "ICECORE_SOURCES")]
    pub(crate) sources: Option<PathBuf>,
    /// Print the table of sources and download nothing
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub(crate) list: bool,
    /// No progress
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "ICECORE_QUIET")]
    pub(crate) quiet: bool,
}

pub(crate) fn fetch(args: &FetchArgs) -> Done {
    let sources = sources(args)?;
    if args.list {
        let mut out = io::stdout().lock();
        for Source { name, url, licence, .. } in &sources {
            writeln!(out, "{name:<20} {url}  {licence}")?;
        }
        return Ok(Exit::Complete);
    }
    let year = output::now().get(..4).and_then(|year| year.parse().ok()).unwrap_or(i32::MAX);
    let jobs: Vec<Job> = sources.iter().flat_map(|source| source.jobs(year)).collect();
    let counter = Arc::new(Counter::default());
    let bar = Bar::new(When::Auto, args.quiet);
    bar.reading(&counter);
    bar.stage("feeds", u64::try_from(jobs.len()).unwrap_or(u64::MAX));
    let fetched =
        on_threads(Some(fetch::AT_ONCE), || fetch::fetch(&args.directory, &jobs, &counter, |_| bar.step()));
    bar.finish();
    let place = |error: io::Error| Failure::io(anyhow::anyhow!("{}: {error}", args.directory.display()));
    let mut exit = Exit::Complete;
    for (job, got) in fetched.map_err(place)? {
        match got {
            Ok(Got::New(bytes)) => output::say(&format!("{:<28} {bytes} bytes", job.file))?,
            Ok(Got::Same) => output::say(&format!("{:<28} unchanged", job.file))?,
            Err(error) => {
                output::tell_line(&format!("{}: {}: {error}", job.file, job.url));
                exit = Exit::Io;
            }
        }
    }
    Ok(exit)
}

/// The sources that are asked for.
fn sources(args: &FetchArgs) -> Result<Vec<Source>, Failure> {
    let own = args.sources.as_ref().map(|path| {
        let unusable =
            |error: anyhow::Error| Failure::usage(error.context(format!("sources {}", path.display())));
        let mut text = String::new();
        let source = block::open(path).map_err(|error| unusable(error.into()))?;
        block::Stream::new(source).read_to_string(&mut text).map_err(|error| unusable(error.into()))?;
        // What is wrong with it is told with its name.
        fetch::table(Some(&text)).map_err(|error| unusable(error.into()))
    });
    let mut sources = own.unwrap_or_else(|| fetch::table(None).map_err(Failure::usage))?;
    for name in &args.only {
        if !sources.iter().any(|source| source.name == *name) {
            let known: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
            return Err(Failure::usage(anyhow::anyhow!(
                "no source `{name}`; there are {}",
                known.join(", ")
            )));
        }
    }
    sources.retain(|source| args.only.is_empty() || args.only.contains(&source.name));
    Ok(sources)
}
