//! Names of other files in an image (qemu's `-blockdev` JSON and protocol prefixes): which file they mean.

use serde_json::{Map, Value};

use crate::error::FormatError;

/// The file that `name` means. Only files are: what lies on a network or is a driver's invention is refused by
/// its name.
pub(super) fn file(name: &str) -> Result<String, FormatError> {
    let refused =
        || FormatError::unsupported(format!("a disk image refers to {name:?}, which is not a file"));
    if let Some(json) = name.strip_prefix("json:") {
        let Ok(Value::Object(object)) = serde_json::from_str(json) else { return Err(refused()) };
        return filename(&object).map(str::to_owned).ok_or_else(refused);
    }
    match name.split_once(':') {
        Some(("file", path)) => Ok(path.trim_start_matches("//").to_owned()),
        // A colon after a slash is a part of the path.
        Some((protocol, _)) if !protocol.contains('/') => Err(refused()),
        _ => Ok(name.to_owned()),
    }
}

/// The `filename` of a node that is a file, or a format that lies on a file: nested objects or `file.` keys.
fn filename(node: &Map<String, Value>) -> Option<&str> {
    let text = |node: &'_ Map<String, Value>, key: &str| -> Option<String> {
        node.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    let driver = text(node, "driver");
    match driver.as_deref() {
        Some("file") => return node.get("filename")?.as_str(),
        None | Some("raw" | "qcow2") => {}
        Some(_) => return None,
    }
    if let Some(Value::Object(file)) = node.get("file") {
        let driver = text(file, "driver");
        return matches!(driver.as_deref(), None | Some("file")).then(|| file.get("filename")?.as_str())?;
    }
    let driver = text(node, "file.driver");
    matches!(driver.as_deref(), None | Some("file")).then(|| node.get("file.filename")?.as_str())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_and_everything_else_is_refused() {
        let rows = [
            ("base.qcow2", Some("base.qcow2")),
            ("/var/lib/a:b.raw", Some("/var/lib/a:b.raw")),
            ("./a:b", Some("./a:b")),
            ("file:base.raw", Some("base.raw")),
            ("file:///x/base.raw", Some("/x/base.raw")),
            (
                r#"json:{"driver":"qcow2","file":{"driver":"file","filename":"/x/b.qcow2"}}"#,
                Some("/x/b.qcow2"),
            ),
            (r#"json:{"driver":"raw","file.driver":"file","file.filename":"b.raw"}"#, Some("b.raw")),
            (r#"json:{"file.filename":"b.raw"}"#, Some("b.raw")),
            (r#"json:{"driver":"file","filename":"b.raw"}"#, Some("b.raw")),
            (r#"json:{"driver":"nbd","host":"example.org","filename":"x"}"#, None),
            (r#"json:{"driver":"raw","file":{"driver":"host_device","filename":"/dev/sda"}}"#, None),
            (r#"json:{"driver":"raw","file":{"driver":"https","filename":"x"}}"#, None),
            (r#"json:{"driver":"raw"}"#, None),
            ("json:[1]", None),
            ("json:{", None),
            ("nbd://host/x", None),
            ("rbd:pool/image", None),
            ("fat:rw:dir", None),
        ];
        for (name, expected) in rows {
            assert_eq!(file(name).ok().as_deref(), expected, "{name}");
        }
    }
}
