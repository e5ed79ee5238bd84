//! `scan` and `inspect`.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use icecore::{
    report::{self, Report},
    scan::{self as library, Options},
};

use super::{
    Done,
    args::{Format, InspectArgs, ScanArgs},
    exit::Exit,
    output,
    progress::Bar,
};

pub(crate) fn scan(args: &ScanArgs) -> Done {
    let started = output::now();
    let options = Options {
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
    if !args.reproducible {
        report.run = Some(report::Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            finished: output::now(),
            command: env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
            database: None,
        });
    }
    for (format, path) in &args.output {
        output::to_file(path, |to| write(&report, *format, to))?;
    }
    write(&report, args.format, &mut io::stdout().lock())?;
    Ok(Exit::of(&report, false))
}

pub(crate) fn inspect(args: &InspectArgs) -> Done {
    let report = library::inspect(&args.disks.inputs())?;
    write(&report, args.format, &mut io::stdout().lock())?;
    Ok(Exit::of(&report, false))
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
