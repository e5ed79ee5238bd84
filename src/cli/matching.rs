//! `match`: packages without a disk.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use icecore::{
    FormatError, Gap, block,
    gap::{Code, Scope},
    limits, report, scan as library,
    vuln::{
        Database,
        matching::{Asked, Coverage, Matches},
        query::Query,
        suppression::{Place, Suppressions},
    },
};
use rayon::prelude::*;

use super::{
    Done,
    args::ThreadArgs,
    db,
    exit::{Exit, Failure},
    output,
    suppress::{self, SuppressArgs},
};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MatchFormat {
    Table,
    #[value(alias = "json")]
    Ndjson,
}

#[derive(Args)]
pub(crate) struct MatchArgs {
    /// The database of advisories; the user's own if absent
    #[arg(long, value_name = "FILE", env = "ICECORE_DB")]
    pub(crate) db: Option<PathBuf>,
    /// The form of the output
    #[arg(short, long, default_value = "table", env = "ICECORE_FORMAT")]
    pub(crate) format: MatchFormat,
    /// Explain a package (by name or purl) or a vulnerability (by any id): every record that speaks of it, whether it holds
    /// the version or not; tell of nothing else
    #[arg(long, value_name = "PACKAGE|CVE", env = "ICECORE_EXPLAIN")]
    pub(crate) explain: Option<String>,
    /// Also tell of records about the packages that are no finding, and why not
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_NEAR_MISSES")]
    pub(crate) near_misses: bool,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    #[command(flatten)]
    pub(crate) suppress: SuppressArgs,
    /// Lines of purls or `ecosystem<TAB>name<TAB>version`, or a CycloneDX document; standard input if absent
    pub(crate) file: Option<PathBuf>,
}

/// Packages that are matched together, and whose answers wait to be written in their order.
const CHUNK: usize = 4096;

pub(crate) fn matches(args: &MatchArgs) -> Done {
    library::on_threads(args.threads.threads, || matches_here(args))
}

fn matches_here(args: &MatchArgs) -> Done {
    let suppressions = suppress::load(&args.suppress)?;
    let database = db::open(&db::place(args.db.as_ref())?)?;
    let mut input: Box<dyn BufRead> = match args.file.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let source = block::open(file)
                .map_err(|error| Failure::usage(anyhow::anyhow!("{}: {error}", file.display())))?;
            Box::new(BufReader::with_capacity(1 << 16, block::Stream::new(source)))
        }
        None => Box::new(io::stdin().lock()),
    };
    let asking = Asking {
        database: &database,
        suppressions: &suppressions,
        explained: args.explain.as_deref().map(report::Explained::new),
        near_misses: args.near_misses,
        format: args.format,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Complete;
    if is_document(input.as_mut())? {
        let mut text = String::new();
        input.by_ref().take(limits::BILL_BYTES.saturating_add(1)).read_to_string(&mut text)?;
        let queries = Query::document(&text).map_err(Failure::usage)?;
        for chunk in queries.chunks(CHUNK) {
            exit = asking.answer(chunk, &mut out)?.unwrap_or(exit);
        }
    } else {
        let mut number = 0_u64;
        loop {
            let (queries, ended) = lines(input.as_mut(), &mut number)?;
            exit = asking.answer(&queries, &mut out)?.unwrap_or(exit);
            if ended {
                break;
            }
        }
    }
    out.flush()?;
    Ok(exit)
}

/// Whether the input is a bill of materials rather than lines.
fn is_document(input: &mut dyn BufRead) -> io::Result<bool> {
    loop {
        let held = input.fill_buf()?;
        let blank = held.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if blank == 0 || held.is_empty() {
            return Ok(held.first() == Some(&b'{'));
        }
        input.consume(blank);
    }
}

/// The next packages of the lines, and whether there are no more. Empty lines and those that begin with `#` are passed over.
fn lines(input: &mut dyn BufRead, number: &mut u64) -> Result<(Vec<Query>, bool), Failure> {
    let mut queries = Vec::new();
    while queries.len() < CHUNK {
        let mut line = String::new();
        let limit = u64::try_from(limits::LINE_BYTES).unwrap_or(u64::MAX);
        if input.take(limit).read_line(&mut line)? == 0 {
            return Ok((queries, true));
        }
        *number = number.saturating_add(1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let query = Query::parse(&line).ok_or_else(|| {
            let line: String = line.trim_end().chars().take(80).collect();
            Failure::usage(FormatError::malformed("package", format!("line {number}: `{line}`")))
        })?;
        queries.push(query);
    }
    Ok((queries, false))
}

/// How packages are asked about, and how their answers are shown.
struct Asking<'a> {
    database: &'a Database,
    suppressions: &'a Suppressions,
    explained: Option<report::Explained>,
    near_misses: bool,
    format: MatchFormat,
}

impl Asking<'_> {
    /// Writes what is known of some packages, in their order; the exit code if it is not that all is known.
    fn answer(&self, queries: &[Query], to: &mut dyn Write) -> Result<Option<Exit>, Failure> {
        let near_misses = self.near_misses || self.explained.is_some();
        let asked = Asked { near_misses, ..Asked::default() };
        let answers: Vec<_> = queries
            .par_iter()
            .map(|query| {
                let mut found = query.answer(self.database, asked)?;
                for finding in &mut found.findings {
                    finding.suppressed = self.suppressions.of(finding, &Place::default());
                }
                let gaps = gaps(&query.text, &found);
                if let Some(what) = &self.explained {
                    found.findings.retain(|finding| what.is_about(finding));
                    found.near_misses.retain(|near| what.is_near(near));
                }
                let mut text = Vec::new();
                self.show(query, &found, &gaps, &mut text).map_err(FormatError::reading("answer", 0))?;
                Ok((text, gaps))
            })
            .collect();
        let mut exit = None;
        for answer in answers {
            let database = |error: FormatError| Failure { exit: Exit::Database, error: error.into() };
            let (text, gaps) = answer.map_err(database)?;
            to.write_all(&text)?;
            exit = if gaps.is_empty() { exit } else { Some(Exit::Partial) };
            for gap in gaps.iter().filter(|_| matches!(self.format, MatchFormat::Table)) {
                output::say(&format!("{}: {}: {}", gap.code.text(), gap.subject, gap.detail))?;
            }
        }
        Ok(exit)
    }

    fn show(&self, query: &Query, found: &Matches, gaps: &[Gap], to: &mut dyn Write) -> io::Result<()> {
        match (self.format, &self.explained) {
            (MatchFormat::Ndjson, _) => report::match_record(&query.text, found, gaps, to),
            (MatchFormat::Table, Some(_)) => report::explain_matches(found, to),
            (MatchFormat::Table, None) => {
                let package = query.text.replace('\t', " ");
                for finding in &found.findings {
                    let fixed = finding.fixed_in.join(", ");
                    let severity = finding.severity.text();
                    let suppressed = finding.suppressed.as_ref();
                    let said =
                        suppressed.map(|said| format!("  suppressed: {} by {}", said.status, said.source));
                    let said = said.unwrap_or_default();
                    let line = format!("{package}  {severity:<10} {}  {fixed}{said}", finding.id);
                    writeln!(to, "{}", report::clean(&line))?;
                }
                for near in &found.near_misses {
                    let line = format!("{package}  {:<10} {}  {}", "-", near.id, near.reason.text());
                    writeln!(to, "{}", report::clean(&line))?;
                }
                Ok(())
            }
        }
    }
}

/// Why a package may have more vulnerabilities than were found.
fn gaps(package: &str, matches: &Matches) -> Vec<Gap> {
    let gap = |code, detail: &str| {
        let effect = "vulnerabilities of this package may be missing";
        Gap::new(code, Scope::Database, package, detail, effect)
    };
    match matches.coverage {
        Coverage::NoAdvisories => {
            let detail = "the database has no advisories for its distribution or ecosystem";
            vec![gap(Code::NoAdvisoriesFor, detail)]
        }
        Coverage::Foreign => {
            vec![gap(Code::NoAdvisoriesFor, "it is of another vendor than the distribution")]
        }
        Coverage::Unnamed => {
            vec![gap(Code::NoAdvisoriesFor, "its group, under which advisories are filed, is not known")]
        }
        Coverage::Covered if matches.unordered => {
            let detail =
                "its version does not follow its scheme; only records that name exactly it are found";
            vec![gap(Code::UnparseableVersion, detail)]
        }
        Coverage::Covered => Vec::new(),
    }
}
