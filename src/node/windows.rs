//! Windows: the volume that it starts from, and what its registry says of it.

use std::{cell::RefCell, sync::Arc};

use super::machine::NodeVolume;
use crate::{
    block::Source,
    database::registry::{Hive, Key, Value},
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
    ask: impl Fn(&Asked<'_>) -> Result<Option<T>, FormatError>,
    damage: &mut Vec<(String, FormatError)>,
) -> Option<T> {
    let path = format!("{CONFIG}/{name}");
    let mut answer = || {
        let Some(source) = file(root, &path)? else {
            return Err(FormatError::malformed("registry", "the hive is not there"));
        };
        let mut hive = Hive::open(source)?;
        damage.extend(hive.notes.drain(..).map(|note| (path.clone(), note)));
        let asked = Asked { hive: &hive, damage: RefCell::default() };
        let answer = ask(&asked);
        damage.extend(asked.damage.take().into_iter().map(|error| (path.clone(), error)));
        answer?
            .ok_or_else(|| FormatError::malformed("registry", "the hive does not say what it is asked for"))
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

/// A hive that is asked; what of the answers cannot be read is kept, and loses nothing else.
struct Asked<'a> {
    hive: &'a Hive,
    damage: RefCell<Vec<FormatError>>,
}

impl Asked<'_> {
    /// A value that `what` makes something of, which not all are.
    fn value<T>(&self, key: &Key, name: &str, what: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let found = self.hive.value(key, name).and_then(|value| {
            let Some(value) = value else { return Ok(None) };
            let problem = || format!("{name} is of type {} and has {} bytes", value.kind, value.data.len());
            what(&value).map(Some).ok_or_else(|| FormatError::malformed("registry value", problem()))
        });
        found.unwrap_or_else(|error| {
            self.damage.borrow_mut().push(error);
            None
        })
    }

    fn number(&self, key: &Key, name: &str) -> Option<u64> {
        self.value(key, name, Value::number)
    }

    fn text(&self, key: &Key, name: &str) -> Option<String> {
        let text = self.value(key, name, Value::text);
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

fn version(asked: &Asked<'_>) -> Result<Option<Version>, FormatError> {
    let Some(key) = asked.hive.key(VERSION)? else { return Ok(None) };
    let (number, text) = (|name| asked.number(&key, name), |name| asked.text(&key, name));
    let name = text("ProductName");
    // Before Windows 10, one text has both numbers.
    let kernel = match (number("CurrentMajorVersionNumber"), number("CurrentMinorVersionNumber")) {
        (Some(major), Some(minor)) => Some(format!("{major}.{minor}")),
        _ => text("CurrentVersion"),
    };
    let build = text("CurrentBuild").or_else(|| text("CurrentBuildNumber"));
    let revision = number("UBR").map(|revision| revision.to_string());
    let release = text("DisplayVersion").or_else(|| text("ReleaseId"));
    let parts: Vec<String> = match build {
        Some(build) => [kernel, Some(build), revision].into_iter().flatten().collect(),
        None => Vec::new(),
    };
    let build = (!parts.is_empty()).then(|| parts.join("."));
    Ok((name.is_some() || build.is_some()).then_some(Version { name, release, build }))
}

/// The name of the set of controls that is in use says the machine's.
fn hostname(asked: &Asked<'_>) -> Result<Option<String>, FormatError> {
    let Some(select) = asked.hive.key(&["Select"])? else { return Ok(None) };
    let Some(current) = asked.number(&select, "Current") else { return Ok(None) };
    let set = format!("ControlSet{current:03}");
    let key = asked.hive.key(&[&set, "Control", "ComputerName", "ComputerName"])?;
    Ok(key.and_then(|key| asked.text(&key, "ComputerName")))
}
