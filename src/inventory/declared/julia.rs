//! Julia's `Manifest.toml` (Pkg.jl's "Project.toml and Manifest.toml"): tables by name, since its second version below `deps`.
//! Some of Julia's own libraries have no version.

use super::{document::Document, named::Named, tables};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads a manifest. A file of that name without tables that have UUIDs is another program's.
pub(super) fn read(manifest: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    tables::read(&manifest.text(), named, |table, named| {
        let (Some(_), Some(version)) = (table.text("uuid"), table.text("version")) else { return };
        if table.value.get("path").is_some() {
            return;
        }
        let name = table.root().strip_prefix("deps.").unwrap_or(table.root());
        let mut package = Package::new(PackageKind::Julia, name, version);
        let revision = table.text("repo-rev").unwrap_or_default();
        package.origin = table.text("repo-url").map(|url| format!("git+{url}@{revision}"));
        named.add(package);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn tables_of_both_versions() {
        let expected =
            vec!["JSON 0.21.4".to_owned(), "G 1.0.0 git+https://example.com/G.jl.git@main".to_owned()];
        let tables = "[[JSON]]\ndeps = [\"Dates\"]\ngit-tree-sha1 = \"00\"\nuuid = \"682c\"\nversion = \"0.21.4\"\n\n\
                      [[Dates]]\nuuid = \"ade2\"\n\n[[G]]\nuuid = \"00\"\nversion = \"1.0.0\"\nrepo-url = \"https://example.com/G.jl.git\"\n\
                      repo-rev = \"main\"\n\n[[L]]\npath = \"../L\"\nuuid = \"01\"\nversion = \"0.1.0\"\n";
        let second = format!(
            "julia_version = \"1.10.0\"\nmanifest_format = \"2.0\"\n\n{}",
            tables.replace("[[", "[[deps.")
        );
        for text in [tables, &second] {
            assert_eq!(testing::named(PackageKind::Julia, "Manifest.toml", text), (expected.clone(), 0));
        }
        let other = "[package]\nname = \"a\"\nversion = \"1\"\n";
        assert_eq!(testing::named(PackageKind::Julia, "Manifest.toml", other), (vec![], 0));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[\\[deps.a\\]\\]\n|\\[\\[a\\]\\]\n|uuid|version| = |\"1\"|\n|é)*") {
            testing::read("Manifest.toml", &text);
        }
    }
}
