//! CocoaPods' lock file, `Podfile.lock`: `PODS` with `NAME[/SUBSPEC] (VERSION)`, and where those come from that are of no
//! repository of specifications. A subspec is a part of its pod.

use std::collections::HashMap;

use super::{document::Document, named::Named, records::text};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let mut pods = Vec::new();
    // Sources stand after the pods; `None` of a local one.
    let mut sources: HashMap<String, Option<String>> = HashMap::new();
    let read = lock.yaml(&[&["PODS"], &["EXTERNAL SOURCES"], &["CHECKOUT OPTIONS"]], |record| {
        if record.root() != "PODS" {
            let git = text(&record.value, ":git").map(|url| match text(&record.value, ":commit") {
                Some(commit) => format!("git+{url}@{commit}"),
                None => format!("git+{url}"),
            });
            let is_local = record.value.get(":path").is_some();
            if is_local || git.is_some() {
                sources.insert(record.key().to_owned(), git);
            }
            return;
        }
        // With what it depends on, a pod is an object of one entry.
        let key = record.value.as_object().and_then(|pod| pod.keys().next()).map(String::as_str);
        let pod = key.or(record.value.as_str());
        match pod.and_then(|pod| pod.strip_suffix(')')?.split_once(" (")) {
            Some((name, version)) => {
                let name = name.split('/').next().unwrap_or(name);
                pods.push((name.to_owned(), version.to_owned()));
            }
            None => named.lose(&format!("{} has no name or no version", record.place())),
        }
    });
    for (name, version) in pods {
        let origin = match sources.get(&name) {
            Some(None) => continue,
            Some(origin) => origin.clone(),
            None => None,
        };
        named.add(Package { origin, ..Package::new(PackageKind::Cocoapods, name, version) });
    }
    read
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn pods_and_their_sources() {
        let text = "PODS:\n  - Alamofire (5.8.1)\n  - Firebase/Core (10.0.0):\n    - Firebase/CoreOnly\n    - GoogleUtilities (~> 7.5)\n  \
                    - Firebase/CoreOnly (10.0.0)\n  - G (0.1.0)\n  - L (1.0.0)\n  - bad\n\nDEPENDENCIES:\n  - Alamofire (~> 5.8)\n  \
                    - \"G (from `https://example.com/g.git`, branch `main`)\"\n\nEXTERNAL SOURCES:\n  G:\n    :branch: main\n    \
                    :git: https://example.com/g.git\n  L:\n    :path: \"../L\"\n\nCHECKOUT OPTIONS:\n  G:\n    :commit: 0f1e\n    \
                    :git: https://example.com/g.git\n\nCOCOAPODS: 1.14.3\n";
        let expected = ["Alamofire 5.8.1", "Firebase 10.0.0", "G 0.1.0 git+https://example.com/g.git@0f1e"];
        let named = testing::named(PackageKind::Cocoapods, "Podfile.lock", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(PODS:|\n|  - |a [(]1[)]|:|EXTERNAL SOURCES:|  a:|:path: a|é)*") {
            testing::read("Podfile.lock", &text);
        }
    }
}
