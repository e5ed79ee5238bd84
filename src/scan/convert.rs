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
    let mut by_package: BTreeMap<(&Package, Option<&Package>, bool), Vec<report::Location>> = BTreeMap::new();
    for Located { path, inside, layer, package, files_gone, owner } in located {
        let location = report::Location {
            path: path.to_string(),
            inside: inside.as_deref().map(str::to_owned),
            layer: layers.get(*layer).cloned(),
        };
        by_package.entry((package, owner.as_deref(), *files_gone)).or_default().push(location);
    }
    by_package
        .into_iter()
        .map(|((package, owner, files_gone), mut locations)| {
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
                files_gone,
                locations,
            }
        })
        .collect()
}
