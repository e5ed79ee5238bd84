//! A distribution's identity from its os-release file (freedesktop os-release(5)).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which distribution, and which release of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub struct Os {
    /// `ID`: the lower-case word (`debian`, `alpine`, `rhel`), `linux` if the file names none.
    pub id: String,
    /// `ID_LIKE`: the relatives, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub id_like: Vec<String>,
    /// `VERSION_ID`, absent on rolling releases.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub codename: Option<String>,
    /// `PRETTY_NAME`, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// `VARIANT_ID` (`coreos`, `server`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
}

impl Os {
    /// The files that may hold it, in the order in which they count.
    pub const FILES: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

    /// The identity that an os-release file gives. Lines that are no assignment are passed over, as the
    /// specification asks.
    pub fn parse(text: &str) -> Self {
        let mut os = Self { id: "linux".to_owned(), ..Self::default() };
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let value = unquote(value);
            if value.is_empty() {
                continue;
            }
            match key {
                "ID" => os.id = value.to_ascii_lowercase(),
                "ID_LIKE" => os.id_like = value.split_ascii_whitespace().map(str::to_owned).collect(),
                "VERSION_ID" => os.version_id = Some(value),
                "VERSION_CODENAME" => os.codename = Some(value),
                "PRETTY_NAME" => os.name = Some(value),
                "VARIANT_ID" => os.variant = Some(value),
                _ => {}
            }
        }
        os
    }
}

/// A shell word: quotes removed, backslashes resolved.
fn unquote(word: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = word.trim().chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('\\', None | Some('"')) => out.extend(chars.next()),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_case() {
        let os = Os::parse(
            "# x\nID=\"RHEL\"\nVERSION_ID='9.4'\nPRETTY_NAME=\"a \\\"b\\\" c\"\nID_LIKE=\"fedora x\"\nJUNK\n",
        );
        assert_eq!(os.id, "rhel");
        assert_eq!(os.version_id.as_deref(), Some("9.4"));
        assert_eq!(os.name.as_deref(), Some("a \"b\" c"));
        assert_eq!(os.id_like, ["fedora", "x"]);
        assert_eq!(Os::parse("").id, "linux");
    }
}
