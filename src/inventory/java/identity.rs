//! Which packages a jar is: its own, and those that were shaded into it.
//!
//! Its own are the first of these that tell a version:
//! 1. the `pom.properties` whose artifact the file is named after, or the manifest's title; the only one of a file whose name
//!    tells no version. All others are of artifacts that were shaded in;
//! 2. the file name, where one of the manifest's versions stands in it, or what looks like a version;
//! 3. the manifest: `Implementation-Title`, `Short-Name` or `Bundle-SymbolicName` if it is an artifact's id, else the
//!    file name, with the first version of `Implementation-`, `Plugin-`, `Bundle-` and `Specification-Version`.
//!
//! The file name comes before the manifest, whose titles and versions are often prose. Without a `pom.properties` the
//! group is that which [`groups`] knows, or what `Group-Id` says, or `Implementation-Vendor-Id` unless it may be
//! that of a company, or `Bundle-SymbolicName` where it is made of the group and the artifact; otherwise there is none.

use super::{
    filename::{self, Named},
    groups,
    manifest::Manifest,
    properties::Coordinates,
};
use crate::inventory::{Package, PackageKind};

/// What is known of one archive.
pub(super) struct Evidence<'a> {
    /// Its file name without the extension.
    pub stem: &'a str,
    /// The coordinates that it holds, each with its place.
    pub poms: Vec<(Box<str>, Coordinates)>,
    /// Its manifest, empty if it has none.
    pub manifest: Manifest,
    /// Whether a member's name begins with a directory's.
    pub has: &'a dyn Fn(&str) -> bool,
}

/// A package, and the member that names it if that is not the archive as a whole.
pub(super) type Found = (Package, Option<Box<str>>);

impl Evidence<'_> {
    /// The packages, the archive's own first.
    pub(super) fn packages(mut self) -> Vec<Found> {
        let mut found = Vec::new();
        let own = self.own_pom().map(|own| self.poms.swap_remove(own).1).or_else(|| self.guess());
        if let Some(own) = &own {
            let mut package = named(own);
            package.license = self.manifest.license.take();
            found.push((package, None));
        }
        self.poms.sort_by(|(a_place, a), (b_place, b)| (a, a_place).cmp(&(b, b_place)));
        self.poms.dedup_by(|a, b| a.1 == b.1);
        for (member, coordinates) in self.poms.into_iter().filter(|(_, pom)| Some(pom) != own.as_ref()) {
            let mut package = named(&coordinates);
            package.vendored = true;
            found.push((package, Some(member)));
        }
        found
    }

    /// The coordinates that are the archive's own.
    fn own_pom(&self) -> Option<usize> {
        let poms = || self.poms.iter().map(|(_, pom)| pom).enumerate();
        let by_file = poms().filter(|(_, pom)| is_file_of(self.stem, pom));
        if let Some((own, _)) = by_file.max_by_key(|(_, pom)| pom.artifact.len()) {
            return Some(own);
        }
        let by_title = poms().find(|(_, pom)| is_title_of(&self.manifest, pom));
        match (by_title, poms().next()) {
            (Some((own, _)), _) => Some(own),
            (None, Some(_)) if self.poms.len() == 1 && self.file().is_none() => Some(0),
            _ => None,
        }
    }

    fn file(&self) -> Option<Named<'_>> {
        let known = self.manifest.versions.iter().flatten().filter(|version| is_version(version));
        let known = known.filter_map(|version| filename::split_at(self.stem, version)).next();
        known.or_else(|| filename::split(self.stem))
    }

    /// The coordinates by the file name and the manifest.
    fn guess(&self) -> Option<Coordinates> {
        let (artifact, version) = match self.file() {
            Some(Named { artifact, version }) => (artifact, version),
            None => {
                let mut versions = self.manifest.versions.iter().flatten();
                (self.title(), versions.find(|version| is_version(version))?.as_str())
            }
        };
        let group = self.group(artifact).unwrap_or_default();
        Some(Coordinates { group, artifact: artifact.to_owned(), version: version.to_owned() })
    }

    /// The artifact's id where the file name tells no version.
    fn title(&self) -> &str {
        let Manifest { title, short_name, symbolic_name, .. } = &self.manifest;
        let is_id = |text: &&str| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
                && !text.contains("..")
                && text.bytes().any(|b| b.is_ascii_lowercase())
        };
        let symbolic = symbolic_name.as_deref().and_then(|name| name.rsplit('.').next());
        let symbolic = symbolic.filter(|name| name.contains('-'));
        [title.as_deref(), short_name.as_deref(), symbolic]
            .into_iter()
            .flatten()
            .find(is_id)
            .unwrap_or(self.stem)
    }

    fn group(&self, artifact: &str) -> Option<String> {
        let Manifest { group, vendor_id, symbolic_name, .. } = &self.manifest;
        let given = || {
            let vendor = vendor_id.as_deref().filter(|id| is_more_than_a_vendor(id, artifact));
            [group.as_deref(), vendor].into_iter().flatten().find(|id| is_group(id))
        };
        let bundle = || symbolic_name.as_deref().and_then(|name| bundle_group(name, artifact));
        groups::of(artifact, self.has).or_else(given).or_else(bundle).map(str::to_owned)
    }
}

fn named(coordinates: &Coordinates) -> Package {
    let Coordinates { group, artifact, version } = coordinates;
    let name = if group.is_empty() { artifact.clone() } else { format!("{group}:{artifact}") };
    Package::new(PackageKind::Maven, name, version)
}

/// Whether a file is named after an artifact: it alone, or with its version, or any version. Some tools put the group
/// before it.
fn is_file_of(stem: &str, pom: &Coordinates) -> bool {
    let plain = stem.strip_prefix(pom.group.as_str()).and_then(|rest| rest.strip_prefix('.'));
    [Some(stem), plain].into_iter().flatten().any(|stem| {
        let rest = stem.strip_prefix(pom.artifact.as_str());
        rest.is_some_and(|rest| match rest.strip_prefix(['-', '_']) {
            Some(rest) => rest.starts_with(|c: char| c.is_ascii_digit()) || rest.contains(&pom.version),
            None => rest.is_empty(),
        })
    })
}

fn is_title_of(manifest: &Manifest, pom: &Coordinates) -> bool {
    let Manifest { title, short_name, symbolic_name, .. } = manifest;
    let titles = [title, short_name, symbolic_name].into_iter().flatten();
    let symbolic = symbolic_name.as_deref();
    titles.into_iter().any(|title| *title == pom.artifact)
        || symbolic.is_some_and(|name| name.rsplit_once('.').is_some_and(|(_, last)| last == pom.artifact))
        || symbolic.and_then(|name| bundle_group(name, &pom.artifact)).is_some_and(|group| group == pom.group)
}

/// The group in the name of a bundle: `group.artifact`, or `group.rest` where the artifact begins with the group's last word
/// (`org.apache.commons.lang3` is `commons-lang3`). Without a hyphen in the artifact there are too many ways to read it.
fn bundle_group<'a>(symbolic_name: &'a str, artifact: &str) -> Option<&'a str> {
    if !artifact.contains('-') {
        return None;
    }
    let (group, rest) = match symbolic_name.strip_suffix(artifact) {
        Some(group) => (group.strip_suffix('.')?, None),
        None => symbolic_name.rsplit_once('.').map(|(group, rest)| (group, Some(rest)))?,
    };
    let last = group.rsplit('.').next()?;
    let fits = rest.is_none_or(|rest| {
        artifact.strip_prefix(last).and_then(|tail| tail.strip_prefix('-')).is_some_and(|tail| tail == rest)
    });
    Some(group).filter(|group| fits && is_group(group))
}

/// Whether the id of a vendor may be that of a group: `org.apache` and `com.sun` made many, but `org.hibernate` made
/// `hibernate-core`.
fn is_more_than_a_vendor(id: &str, artifact: &str) -> bool {
    let last = id.rsplit('.').next().unwrap_or(id);
    id.split('.').count() > 2 || artifact.starts_with(last)
}

/// Whether a text may be a group's id: words in lower case with dots between them.
fn is_group(text: &str) -> bool {
    let is_word = |word: &str| {
        let mut bytes = word.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_lowercase())
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    text.contains('.') && text.split('.').all(is_word)
}

/// Whether a text may be a version: one word with a digit.
fn is_version(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':'))
        && !text.contains("${")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stem: &str, poms: &[(&str, &str, &str)], manifest: &str) -> Vec<String> {
        let pom = |(group, artifact, version): &(&str, &str, &str)| {
            let place = format!("META-INF/maven/{group}/{artifact}/pom.properties");
            let [group, artifact, version] = [group, artifact, version].map(|text| (*text).to_owned());
            (place.into(), Coordinates { group, artifact, version })
        };
        let evidence = Evidence {
            stem,
            poms: poms.iter().map(pom).collect(),
            manifest: Manifest::parse(manifest.as_bytes()),
            has: &|_| false,
        };
        let shown = |(package, member): Found| {
            let mark = if package.vendored { "+" } else { "" };
            assert_eq!(member.is_some(), package.vendored);
            format!("{mark}{}@{}", package.name, package.version)
        };
        evidence.packages().into_iter().map(shown).collect()
    }

    #[test]
    fn the_pom_that_the_file_is_named_after_is_its_own() {
        let (a, b, ab) = (("g", "a", "1"), ("h", "b", "2"), ("g", "a-b", "3"));
        assert_eq!(names("a-1", &[a], ""), ["g:a@1"]);
        assert_eq!(names("a-1", &[b, a], ""), ["g:a@1", "+h:b@2"]);
        assert_eq!(names("a-b-3", &[a, ab, b], ""), ["g:a-b@3", "+g:a@1", "+h:b@2"]);
        assert_eq!(names("a", &[b, a, a], ""), ["g:a@1", "+h:b@2"]);
        assert_eq!(names("g.a-1", &[b, a], ""), ["g:a@1", "+h:b@2"]);
        assert_eq!(names("a-all-1", &[a], ""), ["g:a@1"], "a classifier before the version");
    }

    #[test]
    fn a_file_of_another_name_has_its_pom_by_its_manifest_or_as_the_only_one() {
        let (a, b) = (("g.x", "a", "1"), ("h", "b", "2"));
        assert_eq!(names("app", &[a], ""), ["g.x:a@1"]);
        assert_eq!(names("app", &[b, a], "Implementation-Title: a\n"), ["g.x:a@1", "+h:b@2"]);
        assert_eq!(names("app", &[b, a], "Bundle-SymbolicName: g.x.a\n"), ["g.x:a@1", "+h:b@2"]);
        assert_eq!(names("app", &[b, a], ""), ["+g.x:a@1", "+h:b@2"]);
        assert_eq!(names("app-7.0", &[a], ""), ["app@7.0", "+g.x:a@1"]);
    }

    #[test]
    fn without_a_pom_the_file_name_counts_and_then_the_manifest() {
        for (stem, manifest, expected) in [
            (
                "spring-core-5.3.13",
                "Implementation-Title: x\nImplementation-Version: 5.3.13\n",
                "spring-core@5.3.13",
            ),
            ("a-1.0-stable-1", "Implementation-Version: 1.0-stable-1\n", "a@1.0-stable-1"),
            ("k-1.6.10", "Implementation-Version: 1.6.10-release-923(1.6.10)\n", "k@1.6.10"),
            (
                "app",
                "Implementation-Title: my-app\nSpecification-Version: 1\nImplementation-Version: 2\n",
                "my-app@2",
            ),
            ("app", "Implementation-Title: My App\nSpecification-Version: 1\n", "app@1"),
            ("catalina", "Bundle-SymbolicName: org.x-catalina\nBundle-Version: 9.0.1\n", "x-catalina@9.0.1"),
            (
                "git",
                "Group-Id: org.plugins\nShort-Name: git\nPlugin-Version: 4.1 (x)\nBundle-Version: 4\n",
                "org.plugins:git@4",
            ),
            ("hib-core-5.6.Final", "Implementation-Vendor-Id: org.hib\n", "org.hib:hib-core@5.6.Final"),
            ("hib-core-5.6.Final", "Implementation-Vendor-Id: The Hib\n", "hib-core@5.6.Final"),
            (
                "jaxb-impl-2.2.3-1",
                "Implementation-Vendor-Id: com.sun\nImplementation-Version: 2.2.3\n",
                "jaxb-impl@2.2.3-1",
            ),
            ("commons-x-1", "Bundle-SymbolicName: org.apache.commons.x\n", "org.apache.commons:commons-x@1"),
            ("jackson-core-2", "Bundle-SymbolicName: com.f.jackson-core\n", "com.f:jackson-core@2"),
            ("asm-9.2", "Bundle-SymbolicName: org.objectweb.asm\n", "asm@9.2"),
        ] {
            assert_eq!(names(stem, &[], manifest), [expected], "{stem} {manifest}");
        }
        assert_eq!(names("app", &[], ""), [""; 0], "no version is made up");
        assert_eq!(names("app", &[], "Implementation-Version: ${version}\n"), [""; 0]);
    }

    #[test]
    fn the_licence_is_of_the_archive_itself() {
        let evidence = Evidence {
            stem: "a-1",
            poms: Vec::new(),
            manifest: Manifest::parse(b"Bundle-License: MIT\n\n"),
            has: &|_| false,
        };
        assert_eq!(evidence.packages()[0].0.license.as_deref(), Some("MIT"));
    }
}
