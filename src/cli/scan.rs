//! `scan` and `inspect`.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use icecore::{
    block,
    gap::Code,
    layer::Cache,
    node::{Bounds, NodeFacts},
    report::{self, Bill, Filter, Form, Report},
    scan::{self as library, Options},
    vuln::Database,
};

use super::{
    Done,
    args::{InspectArgs, ReportArgs, ScanArgs},
    db,
    exit::{Exit, Failure},
    format::Format,
    output,
    progress::Bar,
    secrets::hidden,
    suppress,
};

pub(crate) fn scan(args: &ScanArgs) -> Done {
    library::on_threads(args.threads.threads, || scan_here(args))
}

fn scan_here(args: &ScanArgs) -> Done {
    let started = output::now();
    // Of a disk that is not there and a database that is not, the disk is the one to name.
    let (place, database) = database(args).map_err(|failure| match library::open(&args.disks.inputs()) {
        Err(error) => Some(Failure::from(error)).filter(|other| other.exit == Exit::Usage).unwrap_or(failure),
        Ok(_) => failure,
    })?;
    let suppressions = suppress::load(&args.suppress)?;
    let facts = args.node_facts.as_deref().map(facts).transpose()?.unwrap_or_default();
    if let Some(cache) = &args.cache {
        if is_url(cache) {
            let problem = "a cache is a directory, and this is a URL";
            return Err(Failure::usage(anyhow::anyhow!("cache {}: {problem}", cache.display())));
        }
        let unusable =
            |error| Failure::io(anyhow::Error::new(error).context(format!("cache {}", cache.display())));
        Cache::new(cache).check().map_err(unusable)?;
    }
    let options = Options {
        facts,
        bounds: Bounds { disks: args.max_disks, disk_bytes: args.max_disk_size },
        database: database.clone(),
        inputs: args.disks.inputs(),
        images: args.images.clone(),
        no_containers: args.no_containers,
        no_node: args.no_node,
        cache: args.cache.clone(),
        cache_unpacked: args.cache_unpacked,
        near_misses: args.near_misses || args.explain.is_some(),
        declared: args.declared,
        all_layers: args.all_layers,
        reproducible: args.reproducible,
    };
    let bar = Bar::new(args.progress, args.quiet);
    let scanned = library::scan(&options, &bar);
    bar.finish();
    let mut report = scanned?;
    for gap in report.gaps.iter().filter(|gap| gap.code == Code::NoSuchImage) {
        output::tell_line(&format!("--images {:?}: {}", gap.subject, gap.detail));
    }
    report.suppress(&suppressions);
    let gate = args.fail_on.is_some_and(|limit| report.trips(limit));
    let fixed_only = args.ignore_unfixed;
    report.keep_findings(&Filter { severities: args.severity.clone(), fixed_only });
    let explained = args.explain.as_deref().map(report::Explained::new);
    if let Some(what) = &explained {
        report.keep_explained(what);
    }
    if !args.reproducible {
        report.run = Some(report::Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            finished: output::now(),
            command: env::args_os().map(|word| hidden(&word.to_string_lossy())).collect(),
            database: place.zip(database).map(|(place, database)| report::RunDatabase {
                path: hidden(&place.display().to_string()),
                sources: database.about().sources.clone(),
            }),
        });
    }
    if args.verbose {
        output::tell(&report.stats);
    }
    put(&report, &args.report, explained.as_ref())?;
    let exit = Exit::of(&report, gate);
    // The process ends next: to free some hundred thousand small parts before would only take time.
    std::mem::forget(report);
    Ok(exit)
}

/// The database to match against, and where it lies; none if only the inventory is asked for.
fn database(args: &ScanArgs) -> Result<(Option<PathBuf>, Option<Arc<Database>>), Failure> {
    if args.no_vulnerabilities {
        return Ok((None, None));
    }
    let place = db::place(args.db.as_ref())?;
    let database = db::open(&place)?;
    if let Some(days) = args.db_max_age {
        db::check_age(&database, days)?;
    }
    Ok((Some(place), Some(Arc::new(database))))
}

/// Whether a place is a URL of any scheme, which as a path would be a directory `https:` here.
fn is_url(place: &Path) -> bool {
    let scheme = place.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && !scheme.contains('/')
    })
}

fn facts(path: &Path) -> Result<NodeFacts, Failure> {
    let unusable =
        |error: anyhow::Error| Failure::usage(error.context(format!("node facts {}", path.display())));
    let mut text = Vec::new();
    let source = block::open(path).map_err(|error| unusable(error.into()))?;
    block::Stream::new(source).read_to_end(&mut text).map_err(|error| unusable(error.into()))?;
    NodeFacts::parse(&text).map_err(|error| unusable(error.into()))
}

pub(crate) fn inspect(args: &InspectArgs) -> Done {
    let formats = args.report.output.iter().map(|(format, _)| *format).chain([args.report.format]);
    if formats.filter_map(Format::bill).next().is_some() {
        return Err(Failure::usage(anyhow::anyhow!(
            "a bill of materials lists packages, which `scan` looks for"
        )));
    }
    let report = library::inspect(&args.disks.inputs())?;
    put(&report, &args.report, None)?;
    Ok(Exit::of(&report, false))
}

/// Writes a report to the files that were named and to standard output; what is to be explained in place of tables.
fn put(report: &Report, args: &ReportArgs, explained: Option<&report::Explained>) -> Result<(), Failure> {
    let write = |format, style, to: &mut dyn Write| match (format, explained) {
        (Format::Table, Some(what)) => report::explain(report, what, to),
        _ => write(report, format, style, to),
    };
    for (format, path) in &args.output {
        if let Some(form) = format.bill().filter(|_| path.is_dir()) {
            bills(report, form, path)?;
            continue;
        }
        output::to_file(path, |to| write(*format, PLAIN, to))?;
    }
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match write(args.format, style(), &mut out).and_then(|()| out.flush()) {
        // A reader that has seen enough (`| head`) changes nothing of what was found.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

fn write(report: &Report, format: Format, style: report::Style, to: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => {
            library::json(report, to)?;
            writeln!(to)
        }
        Format::Ndjson => report::ndjson(report, to),
        Format::Table => report::table(report, style, to),
        Format::Cyclonedx | Format::Spdx2 | Format::Spdx3 => {
            format.bill().map_or(Ok(()), |form| Bill::node(report).write(form, to))
        }
    }
}

/// Writes one document for the node, and one for each image by its digest.
fn bills(report: &Report, form: Form, dir: &Path) -> Result<(), Failure> {
    let ending = match form {
        Form::CycloneDx => "cdx.json",
        Form::Spdx2 => "spdx.json",
        Form::Spdx3 => "spdx3.json",
    };
    let put = |name: &str, bill: Bill<'_>| {
        output::to_file(&dir.join(format!("{name}.{ending}")), |to| bill.write(form, to))
    };
    put("node", Bill::own(report))?;
    for image in &report.images {
        put(&image.id.replace(':', "-"), Bill::image(report, image))?;
    }
    Ok(())
}

/// Of what a file gets, whatever the terminal.
const PLAIN: report::Style = report::Style { colour: false, width: 100 };

fn style() -> report::Style {
    let terminal = io::stdout().is_terminal();
    let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    report::Style { colour, width: output::width() }
}
