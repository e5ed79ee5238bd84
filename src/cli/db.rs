//! `db` and `compare-versions`: advisories without packages.

use std::{
    cmp::Ordering,
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use icecore::{
    block,
    vuln::{Database, database::About, feeds, version::Scheme},
};
use serde::Serialize;

use super::{
    Done,
    args::{BuildArgs, CompareArgs, InfoArgs},
    exit::{Exit, Failure},
    output,
};

/// Opens a database; any trouble with it is the database's exit code.
pub(crate) fn open(path: &Path) -> Result<Database, Failure> {
    let fail = |error: anyhow::Error| Failure { exit: Exit::Database, error };
    let source = block::open(path).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => "; name one with --db, or ask for --no-vulnerabilities",
            _ => "",
        };
        fail(anyhow::anyhow!("database {}: {error}{hint}", path.display()))
    })?;
    Database::open(source)
        .map_err(|error| fail(anyhow::Error::new(error).context(format!("database {}", path.display()))))
}

/// Refuses a database whose newest advisory is more than `days` old.
pub(crate) fn check_age(database: &Database, days: u16) -> Result<(), Failure> {
    if age(database).is_some_and(|age| age <= i64::from(days)) {
        return Ok(());
    }
    let error = match newest(database) {
        Some(newest) => {
            anyhow::anyhow!("the database's newest advisory is of {newest}, more than {days} days ago")
        }
        None => anyhow::anyhow!("no advisory of the database has a date that could be within {days} days"),
    };
    Err(Failure { exit: Exit::Database, error })
}

/// The date of the newest record of all sources.
fn newest(database: &Database) -> Option<&str> {
    database.about().sources.iter().filter_map(|source| source.date.as_deref()).max()
}

/// How many days ago that was.
fn age(database: &Database) -> Option<i64> {
    let form = time::macros::format_description!("[year]-[month]-[day]");
    let date = time::Date::parse(newest(database)?.get(..10)?, form).ok()?;
    let days = |date: time::Date| i64::from(date.to_julian_day());
    Some(days(time::OffsetDateTime::now_utc().date()).saturating_sub(days(date)))
}

/// What there is to know about a database.
#[derive(Serialize)]
struct Info<'a> {
    /// Days since its newest advisory.
    age_days: Option<i64>,
    /// Bytes of the file.
    bytes: u64,
    #[serde(flatten)]
    about: &'a About,
}

/// The database that was named, or the user's own.
pub(crate) fn place(named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    let data = || {
        let home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")))
    };
    let found = named.cloned().or_else(|| Some(data()?.join("icecore/advisories.db")));
    found.ok_or_else(|| Failure {
        exit: Exit::Database,
        error: anyhow::anyhow!("no database: name one with --db, or ask for --no-vulnerabilities"),
    })
}

pub(crate) fn build(args: &BuildArgs) -> Done {
    let built = feeds::build(&args.feeds, &args.only);
    let (bytes, summary) = built.map_err(|error| Failure { exit: Exit::Database, error: error.into() })?;
    if summary.sources.is_empty() {
        let error = anyhow::anyhow!("{}: no feed that is known", args.feeds.display());
        return Err(Failure { exit: Exit::Database, error });
    }
    output::to_file(&args.output, |to| to.write_all(&bytes))?;
    for source in &summary.sources {
        let date = source.date.as_deref().unwrap_or("undated");
        output::say(&format!(
            "{:<16} {:>7} records, {} malformed, {} ranges unordered, {date}",
            source.name, source.records, source.malformed, source.unordered
        ))?;
    }
    for problem in &summary.problems {
        output::say(&format!("left out: {} {}: {}", problem.feed, problem.record, problem.detail))?;
    }
    let malformed = summary.sources.iter().fold(0u64, |sum, source| sum.saturating_add(source.malformed));
    let unordered = summary.sources.iter().fold(0u64, |sum, source| sum.saturating_add(source.unordered));
    if (malformed, unordered) != (0, 0) {
        output::say(&format!(
            "the database lacks {malformed} records that are malformed and {unordered} ranges of versions that \
             their ecosystem does not order"
        ))?;
    }
    if !summary.not_read.is_empty() {
        output::say(&format!("not read: {}", summary.not_read.join(", ")))?;
    }
    output::say(&format!("{}: {} bytes", args.output.display(), bytes.len()))?;
    Ok(Exit::Complete)
}

pub(crate) fn info(args: &InfoArgs) -> Done {
    let database = open(&args.file)?;
    database.verify().map_err(|error| Failure { exit: Exit::Database, error: error.into() })?;
    let about = Info { age_days: age(&database), bytes: database.size(), about: database.about() };
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &about).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Complete)
}

pub(crate) fn compare(args: &CompareArgs) -> Done {
    let scheme = Scheme::from_name(&args.scheme)
        .ok_or_else(|| Failure::usage(anyhow::anyhow!("no version scheme {:?}", args.scheme)))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let sign = |a: &str, b: &str| {
        scheme.compare(a, b).map(|order| match order {
            Ordering::Less => "<",
            Ordering::Equal => "=",
            Ordering::Greater => ">",
        })
    };
    if let [a, b] = args.versions.as_slice() {
        writeln!(out, "{}", sign(a, b).map_err(|error| Failure::usage(anyhow::anyhow!("{error}")))?)?;
        out.flush()?;
        return Ok(Exit::Complete);
    }
    // A pair that the scheme rejects gets a `!`, so that lines of input and output stay together.
    for line in io::stdin().lines() {
        let line = line?;
        let sign = line.split_once('\t').and_then(|(a, b)| sign(a, b).ok());
        writeln!(out, "{}", sign.unwrap_or("!"))?;
    }
    out.flush()?;
    Ok(Exit::Complete)
}
