//! The report for a person: the verdict, the node, a line an image, what to mend first, what is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use super::{
    Finding, Node, Place, Report, Status,
    columns::{Room, columns},
    json::steers,
    rows,
};
use crate::vuln::Severity;

/// How a table is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// Columns to fill at most.
    pub width: usize,
}

impl Style {
    pub(super) fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Gaps that are listed one by one; the rest is counted.
const GAPS_SHOWN: usize = 20;
/// Vulnerabilities that are listed one by one.
const FIRST_SHOWN: usize = 10;

/// Writes a report as text.
pub fn table(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    verdict(report, style, to)?;
    node(report, style, to)?;
    rows::images(report, style, to)?;
    first(report, style, to)?;
    suppressed(report, to)?;
    rows::containers(report, style, to)?;
    gaps(report, style, to)
}

fn verdict(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let status = report.verdict.status;
    let code = match status {
        Status::Complete => "32",
        Status::Partial | Status::Skipped => "33",
        Status::Failed => "31",
    };
    // JSON names them.
    let of = match (report.verdict.looked_for.len(), status) {
        (0, Status::Complete | Status::Partial) => " · packages were not looked for".to_owned(),
        (0, _) => String::new(),
        (kinds, _) => format!(" · looked for packages of {kinds} types"),
    };
    writeln!(to, "verdict  {}{of}", style.paint(code, status.text()))?;
    for reason in &report.verdict.reasons {
        writeln!(
            to,
            "         {}: {} ({})",
            reason.code.text(),
            clean(&reason.detail),
            clean(&reason.evidence)
        )?;
    }
    Ok(())
}

fn node(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let node = &report.node;
    let os = node.os.as_ref();
    let os =
        os.map_or("no operating system".to_owned(), |os| os.name.clone().unwrap_or_else(|| os.id.clone()));
    let name = node.hostname.as_deref().unwrap_or("-");
    let packages = node.packages.as_ref().map(|packages| format!(" · {} packages", packages.len()));
    let [critical, high] =
        [Severity::Critical, Severity::High].map(|s| distinct(&node.findings, &[s]).unwrap_or(0));
    let bad = if critical == 0 && high == 0 {
        String::new()
    } else {
        format!(" · {critical} critical, {high} high")
    };
    writeln!(to, "node     {} · {}{}{bad}", clean(name), clean(&os), packages.unwrap_or_default())?;
    if node.tree.is_empty() {
        disks(node, to)?;
    } else {
        super::tree::draw(&node.tree, style, to)?;
    }
    for kernel in &node.kernels {
        let is = |state: Option<bool>| state == Some(true);
        let told = [(is(kernel.default), " · boots next"), (is(kernel.booted), " · booted last")];
        let told: String = told.iter().filter(|(is, _)| *is).map(|(_, text)| *text).collect();
        let image = kernel.images.first().map_or(kernel.modules.as_deref(), |image| Some(&image.path));
        let release = kernel.release.as_deref().unwrap_or("of an unknown release");
        writeln!(to, "kernel   {} · {}{told}", clean(release), clean(image.unwrap_or_default()))?;
    }
    for runtime in &node.runtimes {
        let on = runtime.volume.as_ref().map(|volume| format!(" on {volume}")).unwrap_or_default();
        let unread =
            if runtime.status == Status::Failed { style.paint("33", " (not read)") } else { String::new() };
        writeln!(to, "runtime  {} {}{on}{unread}", runtime.name, clean(&runtime.path))?;
    }
    for archive in &node.image_archives {
        writeln!(to, "archive  {} · {} · not read", clean(&archive.path), bytes(archive.size))?;
    }
    Ok(())
}

/// A line a disk, and a line a volume.
fn disks(node: &Node, to: &mut dyn Write) -> io::Result<()> {
    for disk in &node.disks {
        let table = &disk.partition_table;
        writeln!(
            to,
            "disk     {}  {} · {} · {} · {table}",
            disk.id,
            clean(&disk.name),
            disk.format,
            bytes(disk.size)
        )?;
    }
    for volume in &node.volumes {
        let at: Vec<&str> =
            node.mounts.iter().filter(|m| m.volume == volume.id).map(|m| m.path.as_str()).collect();
        let label = volume.label.as_deref().or(volume.partition_name.as_deref()).unwrap_or("");
        let part_of = volume.part_of.as_ref().map(|first| format!("part of {first}")).unwrap_or_default();
        let parts = [volume.content.as_str(), &bytes(volume.size), label, &part_of, &at.join(" ")].map(clean);
        let shown: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        writeln!(to, "volume   {}  {}", clean(&volume.id), shown.join(" · "))?;
    }
    Ok(())
}

/// Vulnerabilities among findings, if packages were matched: one that several packages have counts once.
pub(super) fn distinct(findings: &Option<Vec<Finding>>, severities: &[Severity]) -> Option<usize> {
    let open = findings.as_ref()?.iter().filter(|f| f.is_open() && severities.contains(&f.severity));
    Some(open.map(|finding| finding.id.as_str()).collect::<BTreeSet<_>>().len())
}

/// What to mend first ([`Finding::urgency`]).
fn first(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let mut by_id: BTreeMap<&str, (&Finding, BTreeSet<Place<'_>>, BTreeSet<&str>)> = BTreeMap::new();
    for (place, finding) in report.findings().filter(|(_, finding)| finding.is_open()) {
        let (worst, places, packages) =
            by_id.entry(&finding.id).or_insert_with(|| (finding, BTreeSet::new(), BTreeSet::new()));
        if finding.urgency(worst).is_lt() {
            *worst = finding;
        }
        places.insert(place);
        packages.insert(&finding.package);
    }
    let mut all: Vec<_> = by_id.into_values().collect();
    all.sort_by(|(a, ..), (b, ..)| a.urgency(b));
    if all.is_empty() {
        return Ok(());
    }
    let rows: Vec<[String; 7]> = all
        .iter()
        .take(FIRST_SHOWN)
        .map(|(finding, places, packages)| {
            let others = match packages.len() {
                0 | 1 => String::new(),
                more => format!(" +{}", more.saturating_sub(1)),
            };
            let package = finding.package.split(['?', '#']).next().unwrap_or_default();
            let package = package.trim_start_matches("pkg:").replace("%2B", "+").replace("%40", "@");
            let exploited = if finding.kev.is_some() { "exploited" } else { "-" };
            let epss = finding.epss.as_ref().map_or("-".to_owned(), |epss| format!("{:.3}", epss.score));
            let fix = finding.fixed_in.first().map_or("no fix", String::as_str);
            [
                clean(&finding.id),
                format!("{}{others}", clean(&package)),
                finding.severity.text().to_owned(),
                exploited.to_owned(),
                epss,
                clean(fix),
                found_in(places),
            ]
        })
        .collect();
    let header =
        ["MEND FIRST", "PACKAGE", "SEVERITY", "KEV", "EPSS", "FIXED IN", "FOUND IN"].map(str::to_owned);
    writeln!(to)?;
    columns(&header, &rows, Room { elastic: &[1, 5, 6], spare: &[4, 6, 3, 2] }, style, to)?;
    match all.len().checked_sub(FIRST_SHOWN) {
        Some(more) if more > 0 => writeln!(to, "… and {more} more vulnerabilities in the JSON report"),
        _ => Ok(()),
    }
}

/// How many findings the user has spoken of, by where.
fn suppressed(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
    for suppressed in report.findings().filter_map(|(_, finding)| finding.suppressed.as_ref()) {
        let count = sources.entry(&suppressed.source).or_default();
        *count = count.saturating_add(1);
    }
    if sources.is_empty() {
        return Ok(());
    }
    let all = sources.values().fold(0_usize, |sum, count| sum.saturating_add(*count));
    let by: Vec<_> = sources.iter().map(|(source, count)| format!("{count} by {}", clean(source))).collect();
    writeln!(to, "\nsuppressed: {all} findings ({})", by.join(", "))
}

/// How many of which kind: `3 images, node`.
fn found_in(places: &BTreeSet<Place<'_>>) -> String {
    let count = |is: fn(&Place<'_>) -> bool| places.iter().filter(|place| is(place)).count();
    let images = count(|place| matches!(place, Place::Image(_)));
    let containers = count(|place| matches!(place, Place::Container(_)));
    let several = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        more => Some(format!("{more} {one}s")),
    };
    let node = places.contains(&Place::Node).then(|| "node".to_owned());
    let parts = [several(images, "image"), several(containers, "container"), node];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn gaps(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if report.gaps.is_empty() {
        return Ok(());
    }
    let count = match report.gaps.len() {
        1 => "1 gap".to_owned(),
        many => format!("{many} gaps"),
    };
    writeln!(to, "\n{}", style.paint("1", &format!("not examined: {count}")))?;
    for gap in report.gaps.iter().take(GAPS_SHOWN) {
        let path = gap.path.as_ref().map(|path| format!(" {}", clean(path))).unwrap_or_default();
        let code = style.paint("33", gap.code.text());
        writeln!(
            to,
            "  {code} {}{path}: {}; {}",
            clean(&gap.subject),
            clean(&gap.detail),
            clean(&gap.effect)
        )?;
    }
    match report.gaps.len().checked_sub(GAPS_SHOWN) {
        Some(more) if more > 0 => writeln!(to, "  … and {more} more in the JSON report"),
        _ => Ok(()),
    }
}

/// Text that a terminal may show: guests choose names, and control characters in them would steer it.
pub fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if steers(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count.saturating_mul(10);
    let mut unit = 0;
    while value >= 10_240 && unit < UNITS.len().saturating_sub(1) {
        value = value.div_ceil(1024);
        unit = unit.saturating_add(1);
    }
    let name = UNITS.get(unit).copied().unwrap_or("B");
    format!("{}.{} {name}", value.checked_div(10).unwrap_or(0), value.checked_rem(10).unwrap_or(0))
}
