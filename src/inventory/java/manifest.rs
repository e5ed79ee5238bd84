//! A jar's `META-INF/MANIFEST.MF` (JAR File Specification, "JAR Manifest"): its main section, which is about all of the jar.

use crate::limits;

/// The attributes that tell what a jar is, by their names in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// `Implementation-Title`.
    pub title: Option<String>,
    /// `Bundle-SymbolicName`, without its directives.
    pub symbolic_name: Option<String>,
    /// `Short-Name` of a plugin of Jenkins.
    pub short_name: Option<String>,
    /// `Implementation-Vendor-Id`.
    pub vendor_id: Option<String>,
    /// `Group-Id` of a plugin of Jenkins.
    pub group: Option<String>,
    /// `Implementation-Version`, `Plugin-Version`, `Bundle-Version` and `Specification-Version`, in this order.
    pub versions: [Option<String>; 4],
    /// `Bundle-License`, if it is an SPDX expression.
    pub license: Option<String>,
}

impl Manifest {
    /// The main section of a manifest. Of an attribute that is there twice, the last counts, as for Java.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut manifest = Self::default();
        for (name, value) in attributes(&String::from_utf8_lossy(main_section(bytes))) {
            let [implementation, plugin, bundle, specification] = &mut manifest.versions;
            let field = match name.to_ascii_lowercase().as_str() {
                "implementation-title" => &mut manifest.title,
                "bundle-symbolicname" => &mut manifest.symbolic_name,
                "short-name" => &mut manifest.short_name,
                "implementation-vendor-id" => &mut manifest.vendor_id,
                "group-id" => &mut manifest.group,
                "implementation-version" => implementation,
                "plugin-version" => plugin,
                "bundle-version" => bundle,
                "specification-version" => specification,
                "bundle-license" => &mut manifest.license,
                _ => continue,
            };
            *field = Some(value).filter(|value| !value.is_empty());
        }
        manifest.symbolic_name = manifest.symbolic_name.as_deref().map(without_directives);
        manifest.license =
            manifest.license.as_deref().map(without_directives).filter(|text| is_license(text));
        manifest
    }

    /// Whether some bytes of a manifest have all of its main section.
    pub(super) fn is_whole(bytes: &[u8]) -> bool {
        main_section(bytes).len() < bytes.len()
    }
}

/// What is before the first empty line.
fn main_section(bytes: &[u8]) -> &[u8] {
    let mut lines = 0usize;
    let mut line = 0usize;
    for (at, byte) in bytes.iter().enumerate() {
        let is_end = match byte {
            b'\n' => at.checked_sub(1).and_then(|before| bytes.get(before)) != Some(&b'\r'),
            byte => *byte == b'\r',
        };
        match (is_end, byte) {
            (true, _) if line == 0 && lines > 0 => return bytes.get(..at).unwrap_or(bytes),
            (true, _) => (line, lines) = (0, lines.saturating_add(1)),
            (false, b'\n') => {}
            (false, _) => line = line.saturating_add(1),
        }
    }
    bytes
}

/// The names and values; a line that begins with a blank goes on with the value of the one before.
fn attributes(section: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in section.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        if let Some(more) = line.strip_prefix(' ') {
            if let Some((_, value)) = found.last_mut() {
                value.push_str(more);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            found.push((name.trim().to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()));
        }
        if found.len() > limits::JAR_PROPERTIES {
            break;
        }
    }
    for (_, value) in &mut found {
        *value = value.trim().to_owned();
    }
    found
}

/// `a.b;singleton:=true` without what is behind the semicolon, and without quotes.
fn without_directives(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().trim_matches('"').trim().to_owned()
}

/// Whether a licence is written as SPDX writes them: ids, and between them operators. Names in prose and addresses are not.
fn is_license(text: &str) -> bool {
    let mut expects_id = true;
    for word in text.split([' ', '(', ')']).filter(|word| !word.is_empty()) {
        let is_operator = matches!(word, "AND" | "OR" | "WITH");
        let is_id = word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
        if is_operator == expects_id || !is_id {
            return false;
        }
        expects_id = !expects_id;
    }
    !expects_id && text.len() <= 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_section_only_with_lines_that_go_on() {
        let some = |text: &str| Some(text.to_owned());
        let text = "Manifest-Version: 1.0\r\nimplementation-title: a-\r\n b\r\nBundle-SymbolicName: x.y;singleton:=true\r\n\
                    Bundle-Version: 1\r\nBundle-Version: 2\r\nBundle-License: \"Apache-2.0\";link=\"x\"\r\n\r\nName: z\r\n\
                    Implementation-Version: 9\r\n";
        let expected = Manifest {
            title: some("a-b"),
            symbolic_name: some("x.y"),
            versions: [None, None, some("2"), None],
            license: some("Apache-2.0"),
            ..Manifest::default()
        };
        assert_eq!(Manifest::parse(text.as_bytes()), expected);
        for end in ["\n", "\r"] {
            assert_eq!(Manifest::parse(text.replace("\r\n", end).as_bytes()), expected, "{end:?}");
        }
        assert!(Manifest::is_whole(text.as_bytes()));
        assert!(!Manifest::is_whole(text.split("\r\nName").next().unwrap().trim().as_bytes()));
    }

    #[test]
    fn licences_as_spdx_writes_them() {
        for (text, is) in [
            ("MIT", true),
            ("Apache-2.0 OR (MIT AND BSD-3-Clause)", true),
            ("GPL-2.0+ WITH Classpath-exception-2.0", true),
            ("Apache License, Version 2.0", false),
            ("The Apache License", false),
            ("https://www.apache.org/licenses/LICENSE-2.0.txt", false),
            ("OR", false),
            ("MIT OR", false),
            ("", false),
        ] {
            assert_eq!(is_license(text), is, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([a-z: ;\"\r\n]|Bundle-License|Bundle-SymbolicName)*") {
            let _ = Manifest::parse(text.as_bytes());
        }
    }
}
