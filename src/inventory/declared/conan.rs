//! Conan's lock file, `conan.lock` (Conan's "Lockfiles"): references `NAME/VERSION[@USER/CHANNEL][#REVISION]`, since Conan 2 in
//! lists, before that of the nodes of a graph, whose consumer lies at a path or has no reference. In the first lock files a
//! node has the reference of its binary, `NAME/VERSION…:ID`.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file of both versions.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    const LISTS: [&[&str]; 5] = [
        &["requires"],
        &["build_requires"],
        &["python_requires"],
        &["config_requires"],
        &["graph_lock", "nodes"],
    ];
    lock.json(&LISTS, |record| {
        let of_node = record.text("ref").or(record.text("pref"));
        if record.value.get("path").is_some() || (record.value.is_object() && of_node.is_none()) {
            return;
        }
        let reference = record.value.as_str().or(of_node);
        match reference.and_then(|reference| reference.split_once('/')) {
            Some((name, rest)) => {
                let version = rest.split(['@', '#', '%', ':']).next().unwrap_or(rest);
                named.add(Package::new(PackageKind::Conan, name, version));
            }
            None => named.lose(&format!("{} is no reference", record.place())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn references_of_both_versions() {
        let expected = ["zlib 1.3.1", "b 2.0"].map(str::to_owned).to_vec();
        let second = r#"{"version":"0.5","requires":["zlib/1.3.1#f52e%1716.5","b/2.0@user/channel","bad"],"build_requires":[],"python_requires":[]}"#;
        assert_eq!(testing::named(PackageKind::Conan, "conan.lock", second), (expected.clone(), 1));
        let first = r#"{"graph_lock":{"nodes":{"0":{"ref":"app/0.1","path":"conanfile.py","requires":["1"]},
            "1":{"ref":"zlib/1.3.1#0","options":"","package_id":"x"},"2":{"ref":"b/2.0@user/channel#0"},"3":{"context":"host"},
            "4":{"ref":"bad"},"5":{"pref":"zlib/1.3.1#0:5ab8#0"},"6":{"pref":null}}},"version":"0.4"}"#;
        assert_eq!(testing::named(PackageKind::Conan, "conan.lock", first), (expected, 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"requires\"|\"graph_lock\"|\"nodes\"|\"ref\"|\"a/1#\")*") {
            testing::read("conan.lock", &text);
        }
    }
}
