//! The report for a person: the verdict, the node, a line an image, what to mend first, what is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use super::{Finding, Image, Node, Place, Report, Role, Status, json::steers};
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
    fn paint(self, code: &str, text: &str) -> String {
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
    images(report, style, to)?;
    first(report, style, to)?;
    containers(report, style, to)?;
    gaps(report, style, to)
}

fn verdict(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let status = report.verdict.status;
    let code = match status {
        Status::Complete => "32",
        Status::Partial | Status::Skipped => "33",
        Status::Failed => "31",
    };
    let kinds: Vec<&str> = report.verdict.looked_for.iter().map(|kind| kind.text()).collect();
    let of = match kinds.is_empty() {
        true => String::new(),
        false => format!(" · looked for {}", kinds.join(", ")),
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
    let [critical, high] = [Severity::Critical, Severity::High].map(|s| distinct(&node.findings, &[s]));
    let bad = if critical == 0 && high == 0 {
        String::new()
    } else {
        format!(" · {critical} critical, {high} high")
    };
    writeln!(to, "node     {} · {} · {} packages{bad}", clean(name), clean(&os), node.packages.len())?;
    if node.tree.is_empty() {
        disks(node, to)?;
    } else {
        super::tree::draw(&node.tree, style, to)?;
    }
    for runtime in &node.runtimes {
        let on = runtime.volume.as_ref().map(|volume| format!(" on {volume}")).unwrap_or_default();
        let unread =
            if runtime.status == Status::Failed { style.paint("33", " (not read)") } else { String::new() };
        writeln!(to, "runtime  {} {}{on}{unread}", runtime.name, clean(&runtime.path))?;
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

fn images(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if report.images.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<[String; 9]> = report.images.iter().map(row).collect();
    rows.sort();
    let header =
        ["IMAGE", "OS", "PACKAGES", "CRIT", "HIGH", "MED", "LOW", "USED", "STATUS"].map(str::to_owned);
    writeln!(to)?;
    columns(&header, &rows, Room { elastic: &[0, 1], spare: &[6, 5, 2, 7] }, style, to)
}

fn row(image: &Image) -> [String; 9] {
    let os = image.os.as_ref().map_or("-".to_owned(), |os| {
        os.version_id.as_ref().map_or_else(|| os.id.clone(), |version| format!("{} {version}", os.id))
    });
    let used = match image.role {
        Role::Sandbox => "sandbox".to_owned(),
        _ if image.used_by.is_empty() => "-".to_owned(),
        _ => image.used_by.len().to_string(),
    };
    let count = |severities: &[Severity]| distinct(&image.findings, severities).to_string();
    [
        name(image),
        clean(&os),
        image.packages.len().to_string(),
        count(&[Severity::Critical]),
        count(&[Severity::High]),
        count(&[Severity::Medium]),
        count(&[Severity::Low, Severity::Negligible, Severity::Unknown]),
        used,
        image.status.text().to_owned(),
    ]
}

/// Vulnerabilities among findings: one that several packages have counts once.
fn distinct(findings: &[Finding], severities: &[Severity]) -> usize {
    let open = findings.iter().filter(|f| f.is_open() && severities.contains(&f.severity));
    open.map(|finding| finding.id.as_str()).collect::<BTreeSet<_>>().len()
}

/// What to mend first: known to be exploited, then likely to be, then severe; what can be mended before what
/// cannot.
fn first(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let mut by_id: BTreeMap<&str, (&Finding, BTreeSet<Place<'_>>, BTreeSet<&str>)> = BTreeMap::new();
    for (place, finding) in report.findings().filter(|(_, finding)| finding.is_open()) {
        let (_, places, packages) =
            by_id.entry(&finding.id).or_insert_with(|| (finding, BTreeSet::new(), BTreeSet::new()));
        places.insert(place);
        packages.insert(&finding.package);
    }
    let mut all: Vec<_> = by_id.into_values().collect();
    let likely = |finding: &Finding| finding.epss.as_ref().map_or(0.0, |epss| epss.score);
    all.sort_by(|(a, ..), (b, ..)| {
        let rank = |f: &Finding| (f.kev.is_some(), !f.fixed_in.is_empty(), f.severity);
        rank(b).cmp(&rank(a)).then(likely(b).total_cmp(&likely(a))).then(a.id.cmp(&b.id))
    });
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

/// The name that people use: one with a tag, else any, else the id.
fn name(image: &Image) -> String {
    let tagged = image.references.iter().find(|name| !name.contains('@'));
    // Of an id the beginning, by which an image can be named.
    let id = || image.id.get(..19).unwrap_or(&image.id);
    clean(tagged.or(image.references.first()).map_or_else(id, String::as_str))
}

/// How columns give way on a narrow terminal.
#[derive(Clone, Copy)]
struct Room<'a> {
    /// Those that become narrower, the widest first, …
    elastic: &'a [usize],
    /// … and those that are left out where that is not enough, one by one.
    spare: &'a [usize],
}

/// The least that a column is narrowed to.
const NARROW: usize = 16;

/// The widths of columns in a line of `width` characters; `None` for one that is left out.
fn fit<const N: usize>(mut widths: [usize; N], room: Room<'_>, width: usize) -> [Option<usize>; N] {
    let whole = widths;
    let mut left_out = room.spare.iter();
    let mut shown = [true; N];
    loop {
        let kept = || widths.iter().zip(shown).filter(|(_, shown)| *shown).map(|(width, _)| width);
        let all = kept().map(|width| width.saturating_add(2)).sum::<usize>().saturating_sub(2);
        let Some(excess) = all.checked_sub(width).filter(|excess| *excess > 0) else { break };
        let can = |at: &&usize| {
            shown.get(**at) == Some(&true) && widths.get(**at).is_some_and(|width| *width > NARROW)
        };
        let widest = room.elastic.iter().filter(can).max_by_key(|at| widths.get(**at));
        if let Some(width) = widest.and_then(|at| widths.get_mut(*at)) {
            // One by one would take long where a name is.
            let step = excess.div_ceil(room.elastic.len().max(1)).min(width.saturating_sub(NARROW));
            *width = width.saturating_sub(step);
        } else if let Some(at) = left_out.next() {
            // What was narrowed in vain gets its room back.
            widths = whole;
            if let Some(shown) = shown.get_mut(*at) {
                *shown = false;
            }
        } else {
            break;
        }
    }
    let mut fitted = [None; N];
    for ((fitted, width), shown) in fitted.iter_mut().zip(widths).zip(shown) {
        *fitted = shown.then_some(width);
    }
    fitted
}

/// Left-aligned columns.
fn columns<const N: usize>(
    header: &[String; N],
    rows: &[[String; N]],
    room: Room<'_>,
    style: Style,
    to: &mut dyn Write,
) -> io::Result<()> {
    let mut widths = [0usize; N];
    for row in rows.iter().chain([header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let widths = fit(widths, room, style.width);
    for (number, row) in [header].into_iter().chain(rows).enumerate() {
        let shown = row.iter().zip(widths).filter_map(|(cell, width)| Some((cell, width?)));
        let cells = shown.map(|(cell, width)| format!("{:width$}", shorten(cell, width)));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        writeln!(to, "{}", if number == 0 { style.paint("1", line) } else { line.to_owned() })?;
    }
    Ok(())
}

/// The end of a name tells more than its beginning.
pub(super) fn shorten(cell: &str, width: usize) -> String {
    let length = cell.chars().count();
    if length <= width {
        return cell.to_owned();
    }
    let skip = length.saturating_sub(width).saturating_add(1);
    std::iter::once('…').chain(cell.chars().skip(skip)).collect()
}

fn containers(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if report.containers.is_empty() {
        return Ok(());
    }
    let pods: BTreeMap<&str, String> =
        report.pods.iter().map(|pod| (pod.uid.as_str(), format!("{}/{}", pod.namespace, pod.name))).collect();
    let images: BTreeMap<&str, String> =
        report.images.iter().map(|image| (image.id.as_str(), name(image))).collect();
    let mut rows: Vec<[String; 7]> = report
        .containers
        .iter()
        .filter(|container| container.kind != "sandbox" || has_changed(container))
        .map(|container| {
            let pod = container.pod.as_deref().and_then(|uid| pods.get(uid));
            let name = pod.map_or_else(|| container.name.clone(), |pod| format!("{pod}/{}", container.name));
            let changes = container.changes.as_ref().map_or("not read".to_owned(), |changes| {
                format!("+{} ~{} -{}", changes.added, changes.modified, changes.deleted)
            });
            let image = images.get(container.image.as_str()).unwrap_or(&container.image);
            let packages =
                format!("+{} -{}", container.packages_added.len(), container.packages_removed.len());
            let [critical, high] =
                [Severity::Critical, Severity::High].map(|s| distinct(&container.findings, &[s]).to_string());
            [clean(&name), clean(image), container.state.clone(), changes, packages, critical, high]
        })
        .collect();
    rows.sort();
    let header = ["CONTAINER", "IMAGE", "STATE", "FILES", "PACKAGES", "CRIT", "HIGH"].map(str::to_owned);
    writeln!(to)?;
    columns(&header, &rows, Room { elastic: &[0, 1], spare: &[4, 3, 1, 2] }, style, to)
}

/// Whether files were written into a container, as is usual of all but the sandboxes of pods.
fn has_changed(container: &super::Container) -> bool {
    let changes = container.changes.as_ref();
    changes.is_some_and(|changes| changes.added > 0 || changes.modified > 0 || changes.deleted > 0)
}

fn gaps(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if report.gaps.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n{}", style.paint("1", &format!("not examined: {} gaps", report.gaps.len())))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_way_and_are_left_out() {
        let room = Room { elastic: &[0, 1], spare: &[3, 2] };
        let fit = |width| fit([40, 20, 5, 5], room, width).map(Option::unwrap_or_default);
        assert_eq!(fit(100), [40, 20, 5, 5]);
        // The widest gives way first.
        assert_eq!(fit(70), [34, 20, 5, 5]);
        let sum = |widths: [usize; 4]| {
            widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>() - 2
        };
        for width in 34..80 {
            let widths = fit(width);
            assert!(
                sum(widths) <= width && widths[0] >= NARROW && widths[1] >= NARROW,
                "{width}: {widths:?}"
            );
        }
        assert_eq!(fit(1), [NARROW, NARROW, 0, 0]);
    }
}
