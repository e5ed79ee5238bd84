//! From what the rooms know to what the report says.

use std::collections::BTreeMap;

use crate::{
    image::Located,
    inventory::{Os, Package, purl},
    report,
};

/// Packages as the report lists them: one entry for equal packages at several places
/// that the same package installed, or none. `layers` are the DiffIDs of the
/// layers, base first; a node has none.
pub(super) fn packages(located: &[Located], os: Option<&Os>, layers: &[String]) -> Vec<report::Package> {
    let mut by_identity: BTreeMap<_, (&Package, Vec<report::Location>)> = BTreeMap::new();
    for Located { path, inside, layer, package, files_gone, owner } in located {
        let location = report::Location {
            path: path.to_string(),
            inside: inside.as_deref().map(str::to_owned),
            layer: layers.get(*layer).cloned(),
        };
        let key = (identity(package), owner.as_deref(), *files_gone);
        let (told, locations) = by_identity.entry(key).or_insert_with(|| (package, Vec::new()));
        locations.push(location);
        // Of copies of one package, some tell more than others.
        if (package.digest.is_some(), package.url.is_some()) > (told.digest.is_some(), told.url.is_some()) {
            *told = package;
        }
    }
    by_identity
        .into_iter()
        .map(|((_, owner, files_gone), (package, mut locations))| {
            locations.sort();
            locations.dedup();
            report::Package {
                kind: package.kind,
                name: package.name.clone(),
                version: package.version.clone(),
                arch: package.arch.clone(),
                purl: purl(package, os),
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
                locations,
            }
        })
        .collect()
}

/// By what packages are one entry, and by what entries are sorted.
fn identity(package: &Package) -> impl Ord + use<'_> {
    let Package { kind, name, version, arch, source, license, vendor, module, origin, vendored, .. } =
        package;
    (kind, name, version, arch, source, license, vendor, module, origin, vendored)
}
