//! Swift's lock file, `Package.resolved` of all three versions (Swift Package Manager's `ResolvedPackagesStore`): a pin has the
//! URL of a repository, by which Swift's packages are called, and a version, unless a branch or a commit was asked for.

use super::{
    document::Document,
    named::Named,
    records::{Record, text},
};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a lock file.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    lock.json(&[&["pins"], &["object", "pins"]], |record| {
        let state = record.value.get("state");
        match (name(&record), state.map(|state| text(state, "version"))) {
            (Some(name), Some(Some(version))) => named.add(Package::new(PackageKind::Swift, name, version)),
            (Some(_), Some(None)) => {}
            _ if record.text("kind").is_some_and(|kind| kind.starts_with("local")) => {}
            _ => named.lose(&format!("{} has no repository or no state", record.place())),
        }
    })
}

/// The host and the path of a pin's repository; of one in a registry its identity, `SCOPE.NAME`.
fn name(pin: &Record<'_>) -> Option<String> {
    let Some(url) = pin.text("location").or(pin.text("repositoryURL")) else {
        return pin.text("identity").map(str::to_owned);
    };
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('@').map_or(rest, |(_, rest)| rest).to_owned(),
        // git@HOST:PATH
        None => url.split_once('@')?.1.replacen(':', "/", 1),
    };
    let path = path.trim_end_matches('/');
    Some(path.strip_suffix(".git").unwrap_or(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn pins_of_each_version() {
        let first = r#"{"object":{"pins":[{"package":"NIO","repositoryURL":"https://github.com/apple/swift-nio.git",
            "state":{"branch":null,"revision":"0f","version":"2.40.0"}},{"package":"B","repositoryURL":"git@example.com:o/b.git",
            "state":{"branch":"main","revision":"0f","version":null}},{"package":"C"}]},"version":1}"#;
        let later = r#"{"originHash":"0","pins":[{"identity":"swift-nio","kind":"remoteSourceControl","location":"https://github.com/apple/swift-nio",
            "state":{"revision":"0f","version":"2.40.0"}},{"identity":"o.b","kind":"registry","location":"","state":{"version":"1.0.0"}},
            {"identity":"c","location":"git@example.com:o/c.git","state":{"revision":"0f","version":"3.0.0"}},
            {"identity":"d","kind":"localSourceControl","location":"/src/d","state":{"revision":"0f","version":"3.0.0"}}],"version":3}"#;
        let nio = "github.com/apple/swift-nio 2.40.0".to_owned();
        assert_eq!(testing::named(PackageKind::Swift, "Package.resolved", first), (vec![nio.clone()], 1));
        let expected = vec![nio, "o.b 1.0.0".to_owned(), "example.com/o/c 3.0.0".to_owned()];
        assert_eq!(testing::named(PackageKind::Swift, "Package.resolved", later), (expected, 0));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{}\\[\\],:0]|\"pins\"|\"location\"|\"a@b:c\"|\"state\"|\"version\")*") {
            testing::read("Package.resolved", &text);
        }
    }
}
