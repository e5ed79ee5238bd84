//! `scan` and `inspect`.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::Path,
    sync::Arc,
};

use icecore::{
    block,
    node::NodeFacts,
    report::{self, Finding, Report},
    scan::{self as library, Options},
    vuln::{Severity, Status},
};

use super::{
    Done,
    args::{Format, InspectArgs, ScanArgs},
    db,
    exit::{Exit, Failure},
    output,
    progress::Bar,
};

pub(crate) fn scan(args: &ScanArgs) -> Done {
    let started = output::now();
    let place = if args.no_vulnerabilities { None } else { Some(db::place(args.db.as_ref())?) };
    let database = place.as_deref().map(db::open).transpose()?.map(Arc::new);
    if let (Some(database), Some(days)) = (&database, args.db_max_age) {
        db::check_age(database, days)?;
    }
    let facts = args.node_facts.as_deref().map(facts).transpose()?.unwrap_or_default();
    let options = Options {
        facts,
        database: database.clone(),
        inputs: args.disks.inputs(),
        images: args.images.clone(),
        no_containers: args.no_containers,
        no_node: args.no_node,
        cache: args.cache.clone(),
        threads: args.threads,
        reproducible: args.reproducible,
    };
    let bar = Bar::new(args.progress, args.quiet);
    let outcome = library::scan(&options, &bar);
    bar.finish();
    let mut report = outcome?.report;
    let gate = args.fail_on.is_some_and(|limit| trips(&report, limit));
    filter(&mut report, args);
    if !args.reproducible {
        report.run = Some(report::Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            finished: output::now(),
            command: env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
            database: place.map(|place| place.display().to_string()),
        });
    }
    if args.verbose {
        output::tell(&report.stats);
    }
    for (format, path) in &args.output {
        output::to_file(path, |to| write(&report, *format, to))?;
    }
    to_stdout(&report, args.format)?;
    Ok(Exit::of(&report, gate))
}

fn facts(path: &Path) -> Result<NodeFacts, Failure> {
    let unusable =
        |error: anyhow::Error| Failure::usage(error.context(format!("node facts {}", path.display())));
    let mut text = Vec::new();
    let source = block::open(path).map_err(|error| unusable(error.into()))?;
    block::Stream::new(source).read_to_end(&mut text).map_err(|error| unusable(error.into()))?;
    NodeFacts::parse(&text).map_err(|error| unusable(error.into()))
}

/// Whether a finding is as bad as the gate's limit.
fn trips(report: &Report, limit: Severity) -> bool {
    let images = report.images.iter().flat_map(|image| &image.findings);
    let containers = report.containers.iter().flat_map(|container| &container.findings);
    let mut all = images.chain(containers).chain(&report.node.findings);
    all.any(|finding| finding.status == Status::Affected && finding.severity >= limit)
}

/// Leaves out findings that the caller does not want to see.
fn filter(report: &mut Report, args: &ScanArgs) {
    let wanted = |finding: &Finding| {
        (args.severity.is_empty() || args.severity.contains(&finding.severity))
            && !(args.ignore_unfixed && finding.fixed_in.is_empty())
    };
    report.images.iter_mut().for_each(|image| image.findings.retain(wanted));
    report.containers.iter_mut().for_each(|container| container.findings.retain(wanted));
    report.node.findings.retain(wanted);
    let left = report.images.iter().map(|image| image.findings.len());
    let left = left.chain(report.containers.iter().map(|container| container.findings.len()));
    let left: usize = left.chain([report.node.findings.len()]).sum();
    report.stats.findings = u64::try_from(left).unwrap_or(u64::MAX);
}

pub(crate) fn inspect(args: &InspectArgs) -> Done {
    let report = library::inspect(&args.disks.inputs())?;
    to_stdout(&report, args.format)?;
    Ok(Exit::of(&report, false))
}

fn to_stdout(report: &Report, format: Format) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    write(report, format, &mut out)?;
    out.flush()
}

fn write(report: &Report, format: Format, to: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *to, report)?;
            writeln!(to)
        }
        Format::Ndjson => report::ndjson(report, to),
        Format::Table => report::table(report, style(), to),
    }
}

fn style() -> report::Style {
    let terminal = io::stdout().is_terminal();
    let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    report::Style { colour, width: output::width() }
}
