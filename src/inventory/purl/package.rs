//! The package that a purl names.

use super::Purl;
use crate::inventory::{Package, PackageKind, SourcePackage};

impl Purl {
    /// The namespace, its parts with slashes between them; empty if there is none.
    pub(crate) fn namespace(&self) -> String {
        self.segments.split_last().map(|(_, namespace)| namespace.join("/")).unwrap_or_default()
    }

    /// The package, `None` if the type is none of [`PackageKind`]'s. What a distribution's namespace says is not in it.
    pub(crate) fn package(&self) -> Option<Package> {
        let name = self.segments.last()?;
        // Gentoo's packages are called by their distribution and their manager too.
        let kind = if ["gentoo", "portage"].contains(&self.kind.as_str()) { "ebuild" } else { &self.kind };
        let kind = PackageKind::from_text(kind)?;
        let namespace = self.namespace();
        let mut package = Package::new(kind, name.clone(), self.version.clone().unwrap_or_default());
        if let Some(separator) = kind.separator().filter(|_| !namespace.is_empty()) {
            package.name = format!("{namespace}{separator}{name}");
        }
        let qualifier = |key| self.qualifiers.get(key);
        if let Some(epoch) = qualifier("epoch").filter(|_| kind == PackageKind::Rpm) {
            package.version = format!("{epoch}:{}", package.version);
        }
        let arch = match kind {
            PackageKind::Gem => "platform",
            PackageKind::Conda => "subdir",
            _ => "arch",
        };
        package.arch = qualifier(arch).cloned();
        package.origin = qualifier("channel").filter(|_| kind == PackageKind::Conda).cloned();
        package.module = qualifier("rpmmod").cloned();
        let upstream = qualifier("upstream").or_else(|| qualifier("source"));
        package.source = upstream.map(|upstream| source(upstream, &package.version));
        Some(package)
    }
}

/// `name`, `name@version`, or the file name of a source rpm (`bind-9.16.23-18.el9.src.rpm`), which has no epoch.
fn source(upstream: &str, version: &str) -> SourcePackage {
    let file = upstream.strip_suffix(".src.rpm").or_else(|| upstream.strip_suffix(".nosrc.rpm"));
    let release = file.and_then(|file| file.rmatch_indices('-').nth(1).map(|(at, _)| file.split_at(at)));
    let (name, version) = match release {
        Some((name, version)) => (name, version.trim_start_matches('-')),
        None => upstream.split_once('@').unwrap_or((upstream, version)),
    };
    SourcePackage { name: name.to_owned(), version: version.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_rpms() {
        let of = |upstream| source(upstream, "1");
        let expected = SourcePackage { name: "bind".to_owned(), version: "9.16.23-18.el9".to_owned() };
        assert_eq!(of("bind-9.16.23-18.el9.src.rpm"), expected);
        assert_eq!((of("bind.src.rpm").name.as_str(), of("bind").version.as_str()), ("bind.src.rpm", "1"));
    }
}
