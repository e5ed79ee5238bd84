//! What the caller knows of a node from its cloud's API, so that a node of a kind that is not analyzed is
//! skipped before a byte is read.

use serde::{Deserialize, de::Error as _};

use crate::gap::{Code, Reason};

/// Facts about a node (`--node-facts FILE`). Every field may be absent; unknown fields, and unknown words in the fields
/// that list theirs, are refused, so that a slip of the pen does not pass for a fact. Words are known in any case.
///
/// ```json
/// { "os_type": "linux", "os_disk_type": "managed", "power_state": "running",
///   "disks": [ { "name": "osdisk-1", "role": "os", "sku": "Premium_LRS", "size_gib": 128, "encryption": "platform" } ] }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeFacts {
    /// `linux` or `windows`; nodes of other systems are not analyzed.
    pub os_type: Option<String>,
    /// `managed` (a disk that can be snapshotted) or `ephemeral`.
    pub os_disk_type: Option<String>,
    /// `running`, `stopped` or `deallocated`: what the machine was when the snapshot was taken.
    pub power_state: Option<String>,
    /// The node's disks.
    pub disks: Vec<DiskFacts>,
}

/// Facts about one disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskFacts {
    /// Its name in the cloud.
    pub name: String,
    /// `os`, `data` or `temporary`.
    pub role: Option<String>,
    /// The cloud's product (`Premium_LRS`, `gp3`, `pd-ssd`).
    pub sku: Option<String>,
    /// Its size.
    pub size_gib: Option<u64>,
    /// `none`, `platform`, `customer`, or `guest` for encryption inside the virtual machine.
    pub encryption: Option<String>,
}

impl NodeFacts {
    /// Reads the file's text.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        // A list would do for the fields in their order.
        if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(serde_json::Error::custom("expected an object"));
        }
        let facts: Self = serde_json::from_slice(text)?;
        known("os_disk_type", &facts.os_disk_type, &["managed", "ephemeral"])?;
        known("power_state", &facts.power_state, &["running", "stopped", "deallocated"])?;
        for disk in &facts.disks {
            known("role", &disk.role, &["os", "data", "temporary"])?;
            known("encryption", &disk.encryption, &["none", "platform", "customer", "guest"])?;
        }
        Ok(facts)
    }

    /// Why the node is not analyzed, as far as these facts tell.
    pub fn reasons(&self) -> Vec<Reason> {
        let is =
            |field: &Option<String>, word: &str| field.as_ref().is_some_and(|v| v.eq_ignore_ascii_case(word));
        let mut reasons = Vec::new();
        let mut add = |code, detail: &str, evidence: String| {
            reasons.push(Reason { code, detail: detail.to_owned(), evidence });
        };
        if is(&self.os_type, "windows") {
            add(Code::WindowsNode, "the node runs Windows", "node facts: os_type is windows".to_owned());
        }
        if let Some(other) =
            self.os_type.as_ref().filter(|_| !is(&self.os_type, "windows") && !is(&self.os_type, "linux"))
        {
            let evidence = format!("node facts: os_type is {other}");
            add(Code::UnsupportedNode, "the node's operating system is not analyzed", evidence);
        }
        if is(&self.os_disk_type, "ephemeral") {
            let evidence = "node facts: os_disk_type is ephemeral".to_owned();
            add(
                Code::EphemeralOsDisk,
                "the node keeps its OS on a disk that ends with the virtual machine",
                evidence,
            );
        }
        for disk in self.disks.iter().filter(|disk| is(&disk.role, "os") && is(&disk.encryption, "guest")) {
            let evidence =
                format!("node facts: disk {:?} is encrypted inside the virtual machine", disk.name);
            add(Code::EncryptedVolume, "the node's OS disk is encrypted and no key was given", evidence);
        }
        reasons
    }
}

/// Refuses a word that is none of those a field may have.
fn known(field: &str, value: &Option<String>, words: &[&str]) -> Result<(), serde_json::Error> {
    match value {
        Some(value) if !words.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
            let problem = format!("{field} is {value:?}, expected one of {}", words.join(", "));
            Err(serde_json::Error::custom(problem))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_decide_before_a_byte_is_read() {
        for (text, code) in [
            (r#"{"os_type":"Windows"}"#, Some(Code::WindowsNode)),
            (r#"{"os_disk_type":"ephemeral","os_type":"linux"}"#, Some(Code::EphemeralOsDisk)),
            (r#"{"disks":[{"name":"a","role":"os","encryption":"guest"}]}"#, Some(Code::EncryptedVolume)),
            (r#"{"os_type":"freebsd"}"#, Some(Code::UnsupportedNode)),
            (r#"{"os_disk_type":"Managed","power_state":"deallocated"}"#, None),
            (r#"{"os_type":"linux","disks":[{"name":"a","role":"data","encryption":"guest"}]}"#, None),
        ] {
            let reasons = NodeFacts::parse(text.as_bytes()).unwrap().reasons();
            assert_eq!(reasons.first().map(|reason| reason.code), code, "{text}");
        }
        let slip = NodeFacts::parse(br#"{"power_state":"runing"}"#).unwrap_err().to_string();
        assert_eq!(slip, "power_state is \"runing\", expected one of running, stopped, deallocated");
        for slip in [
            r#"{"osType":"windows"}"#,
            r#"{"os_disk_type":"Ephemerl"}"#,
            r#"{"disks":[{"role":"boot"}]}"#,
            "{",
            "[]",
            "",
        ] {
            assert!(NodeFacts::parse(slip.as_bytes()).is_err(), "a misspelled fact is no fact: {slip}");
        }
    }
}
