//! `diff`: what a container changed.

use std::io::{self, BufWriter, Write};

use icecore::{report, scan};

use super::{
    Done,
    args::DiffArgs,
    db,
    files::{of, tell_gaps},
};

pub(crate) fn diff(args: &DiffArgs) -> Done {
    let database = args.db.as_deref().map(db::open).transpose()?;
    let node = scan::open(&args.disks.inputs())?;
    let (container, gaps) = scan::diff(&node, &args.container, database.as_ref())?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        report::json(&container, &mut out)?;
        writeln!(out)?;
    } else {
        report::diff(&container, &mut out)?;
    }
    out.flush()?;
    tell_gaps(&gaps);
    Ok(of(&gaps))
}
