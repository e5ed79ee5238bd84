//! From what the rooms know to what the report says.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    image::{self, Located},
    inventory::{Os, Package, purl},
    report,
};

/// Packages as the report lists them: one entry for equal packages at several places
/// that the same package installed, or none. `layers` are the DiffIDs of the
/// layers, base first; a node has none.
pub(super) fn packages(located: &[Located], os: Option<&Os>, layers: &[String]) -> Vec<report::Package> {
    let purls: Vec<String> = located.iter().map(|one| purl(&one.package, os)).collect();
    let mut by_identity: BTreeMap<_, Entry<'_>> = BTreeMap::new();
    for ((needed, one), purl) in image::requires(located).into_iter().zip(located).zip(&purls) {
        let Located { path, inside, layer, package, files_gone, owner } = one;
        let location = report::Location {
            path: path.to_string(),
            inside: inside.as_deref().map(str::to_owned),
            layer: layers.get(*layer).cloned(),
        };
        let key = (identity(package), owner.as_deref(), *files_gone);
        let entry = by_identity.entry(key).or_insert_with(|| Entry::of(package, purl));
        entry.locations.push(location);
        entry.needed.extend(needed);
        // Of copies of one package, some tell more than others.
        let told = &mut entry.package;
        if (package.digest.is_some(), package.url.is_some()) > (told.digest.is_some(), told.url.is_some()) {
            *told = package;
        }
    }
    by_identity
        .into_iter()
        .map(|((_, owner, files_gone), Entry { package, purl: own, mut locations, needed })| {
            locations.sort();
            locations.dedup();
            let depends_on: BTreeSet<&String> =
                needed.iter().filter_map(|number| purls.get(*number)).collect();
            report::Package {
                kind: package.kind,
                name: package.name.clone(),
                version: package.version.clone(),
                arch: package.arch.clone(),
                purl: own.to_owned(),
                source: package.source.clone(),
                license: package.license.clone(),
                license_expression: package
                    .license
                    .as_deref()
                    .and_then(|declared| report::license_expression(package.kind, declared)),
                vendor: package.vendor.clone(),
                module: package.module.clone(),
                origin: package.origin.clone(),
                owned_by: owner.map(|owner| purl(owner, os)),
                vendored: package.vendored,
                url: package.url.clone(),
                digest: package.digest.clone(),
                files_gone,
                depends_on: depends_on.into_iter().cloned().collect(),
                locations,
            }
        })
        .collect()
}

/// A package of the report that is being put together.
struct Entry<'a> {
    package: &'a Package,
    purl: &'a str,
    locations: Vec<report::Location>,
    /// The numbers of what it needs, in the list that it comes from.
    needed: BTreeSet<usize>,
}

impl<'a> Entry<'a> {
    fn of(package: &'a Package, purl: &'a str) -> Self {
        Self { package, purl, locations: Vec::new(), needed: BTreeSet::new() }
    }
}

/// By what packages are one entry, and by what entries are sorted.
fn identity(package: &Package) -> impl Ord + use<'_> {
    let Package { kind, name, version, arch, source, license, vendor, module, origin, vendored, .. } =
        package;
    (kind, name, version, arch, source, license, vendor, module, origin, vendored)
}
