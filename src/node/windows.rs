//! Windows: the volume that it starts from, and what its registry says of it.

use std::sync::Arc;

use super::machine::NodeVolume;
use crate::{
    block::Source,
    database::registry::{Hive, Key},
    error::FormatError,
    fs::{FileKind, Root},
    gap::{Code, Reason},
    inventory::Os,
};

/// The directory that holds the registry.
const CONFIG: &str = "Windows/System32/config";
const VERSION: &[&str] = &["Microsoft", "Windows NT", "CurrentVersion"];

/// A volume with Windows.
pub(super) struct Windows {
    /// The volume's id.
    pub(super) volume: String,
    pub(super) reason: Reason,
    pub(super) os: Os,
    pub(super) hostname: Option<String>,
    /// What of the registry could not be read, by path.
    pub(super) damage: Vec<(String, FormatError)>,
}

/// The first volume that Windows starts from; an error, with the volume's id, if none is found and one could not be read.
pub(super) fn find(volumes: &[NodeVolume]) -> Result<Option<Windows>, (String, FormatError)> {
    let mut failure = None;
    for volume in volumes {
        let root = Root::new(Arc::clone(&volume.opened.fs));
        let found = root.find(CONFIG.as_bytes()).and_then(|found| match found {
            Some(dir) => dir.is_dir(),
            None => Ok(false),
        });
        match found {
            Ok(true) => return Ok(Some(describe(&volume.volume.id, &root))),
            Ok(false) => {}
            Err(error) => drop(failure.get_or_insert((volume.volume.id.clone(), error))),
        }
    }
    failure.map_or(Ok(None), Err)
}

fn describe(id: &str, root: &Root) -> Windows {
    let mut damage = Vec::new();
    let version = told(root, "SOFTWARE", version, &mut damage).unwrap_or_default();
    let hostname = told(root, "SYSTEM", hostname, &mut damage);
    let said = match &version.name {
        Some(name) => format!(
            "its registry says {}",
            [Some(name), version.release.as_ref(), version.build.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        ),
        None => "what version it is cannot be read".to_owned(),
    };
    Windows {
        volume: id.to_owned(),
        reason: Reason {
            code: Code::WindowsNode,
            detail: "the node runs Windows".to_owned(),
            evidence: format!("{id} holds {CONFIG}; {said}"),
        },
        os: Os { id: "windows".to_owned(), version_id: version.build, name: version.name, ..Os::default() },
        hostname,
        damage,
    }
}

/// What a hive says; what is missing or cannot be read of it is told.
fn told<T>(
    root: &Root,
    name: &str,
    ask: impl Fn(&Hive) -> Result<Option<T>, FormatError>,
    damage: &mut Vec<(String, FormatError)>,
) -> Option<T> {
    let path = format!("{CONFIG}/{name}");
    let mut answer = || {
        let Some(source) = file(root, &path)? else {
            return Err(FormatError::corrupt("registry", 0, "the hive is not there"));
        };
        let mut hive = Hive::open(source)?;
        damage.extend(hive.notes.drain(..).map(|note| (path.clone(), note)));
        ask(&hive)?
            .ok_or_else(|| FormatError::corrupt("registry", 0, "the hive does not say what it is asked for"))
    };
    match answer() {
        Ok(answer) => Some(answer),
        Err(error) => {
            damage.push((path, error));
            None
        }
    }
}

fn file(root: &Root, path: &str) -> Result<Option<Source>, FormatError> {
    match root.find(path.as_bytes())? {
        Some(file) if file.stat()?.kind == FileKind::Regular => file.open().map(Some),
        _ => Ok(None),
    }
}

/// What Windows calls itself.
#[derive(Default)]
struct Version {
    /// `Windows Server 2022 Datacenter`.
    name: Option<String>,
    /// `21H2`.
    release: Option<String>,
    /// `10.0.20348.2340`, as `ver` prints it.
    build: Option<String>,
}

fn version(hive: &Hive) -> Result<Option<Version>, FormatError> {
    let Some(key) = hive.key(VERSION)? else { return Ok(None) };
    let number = |name| Ok::<_, FormatError>(hive.value(&key, name)?.and_then(|value| value.number()));
    let name = text(hive, &key, "ProductName")?;
    // Before Windows 10, one text has both numbers.
    let kernel = match (number("CurrentMajorVersionNumber")?, number("CurrentMinorVersionNumber")?) {
        (Some(major), Some(minor)) => Some(format!("{major}.{minor}")),
        _ => text(hive, &key, "CurrentVersion")?,
    };
    let build = match text(hive, &key, "CurrentBuild")? {
        Some(build) => Some(build),
        None => text(hive, &key, "CurrentBuildNumber")?,
    };
    let revision = number("UBR")?.map(|revision| revision.to_string());
    let release = match text(hive, &key, "DisplayVersion")? {
        Some(release) => Some(release),
        None => text(hive, &key, "ReleaseId")?,
    };
    let parts: Vec<String> = match build {
        Some(build) => [kernel, Some(build), revision].into_iter().flatten().collect(),
        None => Vec::new(),
    };
    let build = (!parts.is_empty()).then(|| parts.join("."));
    Ok((name.is_some() || build.is_some()).then_some(Version { name, release, build }))
}

fn text(hive: &Hive, key: &Key, name: &str) -> Result<Option<String>, FormatError> {
    let text = hive.value(key, name)?.and_then(|value| value.text());
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// The name of the set of controls that is in use says the machine's.
fn hostname(hive: &Hive) -> Result<Option<String>, FormatError> {
    let Some(select) = hive.key(&["Select"])? else { return Ok(None) };
    let Some(current) = hive.value(&select, "Current")?.and_then(|value| value.number()) else {
        return Ok(None);
    };
    let set = format!("ControlSet{current:03}");
    match hive.key(&[&set, "Control", "ComputerName", "ComputerName"])? {
        Some(key) => text(hive, &key, "ComputerName"),
        None => Ok(None),
    }
}
