//! The rows of images and containers: what was found in them, or of an inspection, which looks for nothing in them, what they are.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    Container, Image, LayerSource, Pod, Report, Role, Status, Style,
    columns::{Room, columns},
    table::{clean, distinct},
};
use crate::vuln::Severity;

/// A line an image.
pub(super) fn images(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if report.images.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    if is_inspection(report) {
        let header = ["IMAGE", "ID", "PLATFORM", "LAYERS", "USED", "STATUS"].map(str::to_owned);
        let mut rows: Vec<[String; 6]> = report.images.iter().map(inspected).collect();
        rows.sort();
        return columns(&header, &rows, Room { elastic: &[0, 1], spare: &[2, 3, 4, 1] }, style, to);
    }
    let mut rows: Vec<[String; 9]> = report.images.iter().map(row).collect();
    rows.sort();
    let header =
        ["IMAGE", "OS", "PACKAGES", "CRIT", "HIGH", "MED", "LOW", "USED", "STATUS"].map(str::to_owned);
    columns(&header, &rows, Room { elastic: &[0, 1], spare: &[6, 5, 2, 7] }, style, to)
}

/// Whether packages were not looked for at all.
fn is_inspection(report: &Report) -> bool {
    report.verdict.looked_for.is_empty()
}

/// What was not examined is not none.
const NOT_EXAMINED: &str = "-";

fn inspected(image: &Image) -> [String; 6] {
    let there = image.layers.iter().filter(|layer| layer.source != LayerSource::Missing).count();
    let layers = match image.layers.len() {
        all if all == there => all.to_string(),
        all => format!("{there} of {all}"),
    };
    let platform = if image.platform.is_empty() { NOT_EXAMINED } else { &image.platform };
    let status = image.status.map_or(NOT_EXAMINED, Status::text).to_owned();
    [name(image), short(&image.id), clean(platform), layers, used(image), status]
}

fn row(image: &Image) -> [String; 9] {
    let os = image.os.as_ref().map_or(NOT_EXAMINED.to_owned(), |os| {
        os.version_id.as_ref().map_or_else(|| os.id.clone(), |version| format!("{} {version}", os.id))
    });
    let status = image.status.unwrap_or(Status::Failed);
    let examined = status != Status::Failed;
    let counted = |count: Option<usize>| {
        count.filter(|_| examined).map_or(NOT_EXAMINED.to_owned(), |count| count.to_string())
    };
    let count = |severities: &[Severity]| counted(distinct(&image.findings, severities));
    [
        name(image),
        clean(&os),
        counted(image.packages.as_ref().map(Vec::len)),
        count(&[Severity::Critical]),
        count(&[Severity::High]),
        count(&[Severity::Medium]),
        count(&[Severity::Low, Severity::Negligible, Severity::Unknown]),
        used(image),
        status.text().to_owned(),
    ]
}

/// How many containers run it.
fn used(image: &Image) -> String {
    match image.role {
        Role::Sandbox => "sandbox".to_owned(),
        _ if image.used_by.is_empty() => "-".to_owned(),
        _ => image.used_by.len().to_string(),
    }
}

/// The name that people use: one with a tag, else any, else the id. Of a digest the beginning, by which an image can be named.
fn name(image: &Image) -> String {
    let tagged = image.references.iter().find(|name| !name.contains('@'));
    clean(&tagged.or(image.references.first()).map_or_else(|| short(&image.id), |name| short(name)))
}

/// An id of many digits by its first 12; a name or digest with the first 12 of the digest that it ends with.
fn short(name: &str) -> String {
    const DIGITS: usize = 12;
    let is_id = name.len() >= 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(beginning) = name.get(..DIGITS).filter(|_| is_id) {
        return beginning.to_owned();
    }
    let (before, hex) = name.rsplit_once("sha256:").unwrap_or((name, ""));
    match hex.get(..DIGITS) {
        Some(beginning) if hex.len() > DIGITS => format!("{before}sha256:{beginning}…"),
        _ => name.to_owned(),
    }
}

/// A line a container.
pub(super) fn containers(report: &Report, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if report.containers.is_empty() {
        return Ok(());
    }
    let pods: BTreeMap<&str, String> =
        report.pods.iter().map(|pod| (pod.uid.as_str(), in_namespace(pod))).collect();
    let images: BTreeMap<&str, String> =
        report.images.iter().map(|image| (image.id.as_str(), name(image))).collect();
    // What it is: its name, the beginning of its id, its image and state.
    let known = |container: &Container| {
        let pod = container.pod.as_deref().and_then(|uid| pods.get(uid));
        let name = pod.map_or_else(|| container.name.clone(), |pod| format!("{pod}/{}", container.name));
        let id = short(&container.id);
        let image = images.get(container.image.as_str()).cloned().unwrap_or_else(|| short(&container.image));
        [clean(&name), clean(&id), clean(&image), container.state.clone()]
    };
    writeln!(to)?;
    if is_inspection(report) {
        let row = |container: &Container| {
            let [name, id, image, state] = known(container);
            let or_none = |text: Option<String>| text.map_or("-".to_owned(), |text| clean(&text));
            let created = container.created.as_deref().and_then(|time| time.get(..19)).map(str::to_owned);
            let exit = container.exit_code.map(|code| code.to_string());
            [name, id, image, state, or_none(exit), or_none(created)]
        };
        let mut rows: Vec<[String; 6]> = report.containers.iter().map(row).collect();
        rows.sort();
        let header = ["CONTAINER", "ID", "IMAGE", "STATE", "EXIT", "CREATED"].map(str::to_owned);
        return columns(&header, &rows, Room { elastic: &[0, 2], spare: &[5, 4, 2, 3] }, style, to);
    }
    let row = |container: &Container| {
        let [name, id, image, state] = known(container);
        let changes = container.changes.as_ref();
        let files = changes.map_or("not read".to_owned(), |changes| {
            format!("+{} ~{} -{}", changes.added, changes.modified, changes.deleted)
        });
        let of = |packages: &Option<Vec<_>>| packages.as_ref().map_or(0, Vec::len);
        // Without what it changed nothing is known of its packages either.
        let examined = |cell: String| changes.map_or(NOT_EXAMINED.to_owned(), |_| cell);
        let packages = format!("+{} -{}", of(&container.packages_added), of(&container.packages_removed));
        let [critical, high] = [Severity::Critical, Severity::High].map(|severity| {
            let count = distinct(&container.findings, &[severity]);
            examined(count.map_or(NOT_EXAMINED.to_owned(), |count| count.to_string()))
        });
        [name, id, image, state, files, examined(packages), critical, high]
    };
    let mut rows: Vec<[String; 8]> =
        report.containers.iter().chain(report.sandboxes.iter().filter(has_changed)).map(row).collect();
    rows.sort();
    let header =
        ["CONTAINER", "ID", "IMAGE", "STATE", "FILES", "PACKAGES", "CRIT", "HIGH"].map(str::to_owned);
    columns(&header, &rows, Room { elastic: &[0, 2], spare: &[5, 4, 2, 1, 3] }, style, to)
}

/// Whether something was written into the sandbox of a pod, as is not usual.
fn has_changed(sandbox: &&Container) -> bool {
    let changes = sandbox.changes.as_ref();
    changes.is_some_and(|changes| changes.added > 0 || changes.modified > 0 || changes.deleted > 0)
}

/// A pod's name in its namespace, if it has one; Podman's pods have none.
fn in_namespace(pod: &Pod) -> String {
    if pod.namespace.is_empty() { pod.name.clone() } else { format!("{}/{}", pod.namespace, pod.name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_an_image_or_container_is_short_and_names_it_still() {
        let hex = "458948e86393".to_owned() + &"0".repeat(52);
        for (whole, shown) in [
            (hex.clone(), "458948e86393"),
            (format!("sha256:{hex}"), "sha256:458948e86393…"),
            (format!("registry.example/a@sha256:{hex}"), "registry.example/a@sha256:458948e86393…"),
            ("registry.example/a:1".to_owned(), "registry.example/a:1"),
            ("never-started".to_owned(), "never-started"),
            ("sha256:45".to_owned(), "sha256:45"),
        ] {
            assert_eq!(short(&whole), shown);
        }
    }
}
