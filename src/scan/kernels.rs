//! A node's kernels: which packages they are of, and which packages' kernels do not run.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    image::Located,
    inventory::{Os, Package, PackageKind, purl},
    layer::LayerFacts,
    node::{Kernel, Teller},
    report,
    vuln::Finding,
};

/// What a kernel is called that no package brought.
const NAME: &str = "linux-kernel";

/// The package of a distribution that installed each of the kernels, by its image or by its modules.
pub(super) fn owners(
    kernels: &[Kernel],
    packages: &[Located],
    facts: &[Arc<LayerFacts>],
) -> Vec<Option<Arc<Package>>> {
    let owner = |kernel: &Kernel| {
        let images =
            kernel.images.iter().filter(|image| image.volume.is_none()).map(|image| image.path.clone());
        let builtin = kernel.modules.iter().map(|dir| dir.join(b"modules.builtin"));
        let paths: Vec<_> = images.chain(builtin).collect();
        let names = paths.iter().flat_map(|path| facts.iter().flat_map(|facts| facts.owned.of(path)));
        let of_os = names.filter_map(|(kind, name)| kind.is_none().then_some(name));
        let names: BTreeSet<&str> = of_os.collect();
        let of_name = |located: &&Located| {
            located.package.kind.is_os() && names.contains(located.package.name.as_str())
        };
        let mut found: Vec<&Arc<Package>> =
            packages.iter().filter(of_name).map(|located| &located.package).collect();
        // Several versions of one package may be installed beside each other.
        if found.len() > 1 {
            found.retain(|package| is_of(package, kernel));
        }
        found.first().map(|package| Arc::clone(package))
    };
    kernels.iter().map(owner).collect()
}

/// The kernels of the node's own system that no package brought, as packages.
pub(super) fn unowned(kernels: &[Kernel], owners: &[Option<Arc<Package>>]) -> Vec<Located> {
    let unowned = kernels.iter().zip(owners).filter(|(_, owner)| owner.is_none());
    let located = unowned.filter_map(|(kernel, _)| {
        // An image elsewhere is that of another copy of the system, unless it boots.
        let image = kernel.images.iter().find(|image| image.volume.is_none() || kernel.default == Some(true));
        let path = image.map(|image| &image.path).or(kernel.modules.as_ref())?;
        let package = Package::new(PackageKind::Generic, NAME, kernel.release.clone()?);
        Some(Located {
            path: Arc::new(path.clone()),
            inside: None,
            layer: 0,
            package: Arc::new(package),
            files_gone: false,
            owner: None,
        })
    });
    located.collect()
}

/// Kernels as the report lists them; `owners` is empty if they were not looked for.
pub(super) fn records(
    kernels: &[Kernel],
    owners: &[Option<Arc<Package>>],
    os: Option<&Os>,
) -> Vec<report::Kernel> {
    let record = |(number, kernel): (usize, &Kernel)| report::Kernel {
        release: kernel.release.clone(),
        told_by: match kernel.told_by {
            Teller::Image => "image",
            Teller::Path => "path",
            Teller::Modules => "modules",
        }
        .to_owned(),
        images: kernel
            .images
            .iter()
            .map(|image| report::KernelImage { volume: image.volume.clone(), path: image.path.to_string() })
            .collect(),
        modules: kernel.modules.as_ref().map(ToString::to_string),
        owned_by: owners.get(number).and_then(|owner| Some(purl(owner.as_deref()?, os))),
        default: kernel.default,
        booted: kernel.booted,
    };
    kernels.iter().enumerate().map(record).collect()
}

/// Marks findings of packages whose kernels neither boot next nor were booted last.
pub(super) fn mark<'a>(
    findings: impl Iterator<Item = &'a mut Finding>,
    kernels: &[Kernel],
    owners: &[Option<Arc<Package>>],
    packages: &[Located],
    os: Option<&Os>,
) {
    let of = |runs: bool| {
        let is_certain = |kernel: &Kernel| kernel.default == Some(false) && kernel.booted == Some(false);
        let chosen = kernels.iter().enumerate().filter(move |(_, kernel)| is_certain(kernel) != runs);
        let of_kernel = |(number, kernel)| {
            let owner = owners.get(number).and_then(Option::as_ref);
            let named = packages.iter().map(|located| &located.package).filter(move |one| is_of(one, kernel));
            owner.into_iter().chain(named).map(|package| purl(package, os)).collect::<Vec<_>>()
        };
        chosen.flat_map(of_kernel).collect::<BTreeSet<String>>()
    };
    let (running, resting) = (of(true), of(false));
    for finding in findings {
        finding.kernel_not_running =
            resting.contains(&finding.package) && !running.contains(&finding.package);
    }
}

/// Whether a package is of this very kernel: Debian and its relatives have the release in its name, rpm in its version.
fn is_of(package: &Package, kernel: &Kernel) -> bool {
    let Some(release) = kernel.release.as_deref() else { return false };
    match package.kind {
        PackageKind::Deb => {
            ["linux-image-", "linux-image-unsigned-", "linux-modules-", "linux-modules-extra-"]
                .iter()
                .any(|start| package.name.strip_prefix(start) == Some(release))
        }
        PackageKind::Rpm => {
            let version = package.version.split_once(':').map_or(package.version.as_str(), |(_, rest)| rest);
            let rest = release.strip_prefix(version).filter(|_| package.name.starts_with("kernel"));
            let arch = rest.and_then(|rest| rest.strip_prefix('.').or(rest.is_empty().then_some("")));
            // A flavour follows: `.x86_64+debug`.
            let is_of_arch = arch.is_some_and(|arch| {
                arch.is_empty() || package.arch.as_deref() == arch.split(['+', '.']).next()
            });
            is_of_arch || is_flavoured(&package.name, version, release)
        }
        _ => false,
    }
}

/// Whether a release is that of SUSE's `kernel-FLAVOUR`: it has no count of rebuilds, and the flavour at its end.
fn is_flavoured(name: &str, version: &str, release: &str) -> bool {
    let base = name.strip_prefix("kernel-").and_then(|flavour| {
        let flavour = flavour.split('-').next()?;
        release.strip_suffix(flavour)?.strip_suffix('-')
    });
    let rest = base.and_then(|base| version.strip_prefix(base));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fs::{Root, memory::Tree},
        gap::Scope,
        image,
        layer::{self, Walk},
        node::KernelImage,
    };

    fn kernel(release: &str, default: Option<bool>, booted: Option<bool>) -> Kernel {
        let path = crate::fs::GuestPath::new(format!("boot/vmlinuz-{release}"));
        Kernel {
            release: Some(release.to_owned()),
            told_by: Teller::Image,
            images: vec![KernelImage { volume: None, path }],
            modules: None,
            default,
            booted,
        }
    }

    #[test]
    fn a_package_is_of_its_kernel() {
        let rpm = |name: &str, version: &str| Package {
            arch: Some("x86_64".to_owned()),
            ..Package::new(PackageKind::Rpm, name, version)
        };
        let deb = |name: &str| Package::new(PackageKind::Deb, name, "6.1.192-2");
        for (package, release, expected) in [
            (rpm("kernel-core", "5.14.0-427.el9"), "5.14.0-427.el9.x86_64", true),
            (rpm("kernel-rt-core", "0:5.14.0-427.el9"), "5.14.0-427.el9.x86_64+rt", true),
            (rpm("kernel-core", "5.14.0-42"), "5.14.0-427.el9.x86_64", false),
            (rpm("kernel-core", "5.14.0-427.el9"), "5.14.0-427.el9.aarch64", false),
            (rpm("kmod", "5.14.0-427.el9"), "5.14.0-427.el9.x86_64", false),
            (rpm("kernel-default", "6.4.0-150600.23.7.3"), "6.4.0-150600.23.7-default", true),
            (rpm("kernel-default-base", "6.4.0-150600.23.7.3"), "6.4.0-150600.23.7-default", true),
            (rpm("kernel-default", "6.4.0-150600.23.70.3"), "6.4.0-150600.23.7-default", false),
            (rpm("kernel-azure", "6.4.0-150600.23.7.3"), "6.4.0-150600.23.7-default", false),
            (deb("linux-image-6.1.0-56-amd64"), "6.1.0-56-amd64", true),
            (deb("linux-modules-extra-6.8.0-31-generic"), "6.8.0-31-generic", true),
            (deb("linux-image-6.1.0-56-cloud-amd64"), "6.1.0-56-amd64", false),
            (deb("linux-perf-6.1.0-56-amd64"), "6.1.0-56-amd64", false),
        ] {
            assert_eq!(is_of(&package, &kernel(release, None, None)), expected, "{} {release}", package.name);
        }
    }

    #[test]
    fn kernels_of_packages_are_theirs_and_others_are_packages_themselves() {
        let mut tree = Tree::default();
        let name = "linux-image-6.1.0-56-amd64";
        tree.file(
            "var/lib/dpkg/status",
            format!(
                "Package: {name}\nStatus: install ok installed\nVersion: 6.1.192-2\nArchitecture: amd64\n"
            ),
        );
        tree.file(&format!("var/lib/dpkg/info/{name}.list"), "/.\n/boot\n/boot/vmlinuz-6.1.0-56-amd64\n");
        let at = crate::fs::GuestPath::ROOT;
        let walk = Walk { subject: "node", scope: Scope::Volume, at: &at, skip: &[] };
        let facts = [Arc::new(layer::analyze(&Root::new(tree.build()).top(), walk))];
        let packages = image::fold(&facts, "node", &|| Ok(Vec::new())).packages;
        let kernels = [kernel("6.1.0-56-amd64", None, None), kernel("6.6.1-own", None, None)];
        let owners = owners(&kernels, &packages, &facts);
        let names = owners.iter().map(|owner| owner.as_ref().map(|owner| owner.name.as_str()));
        assert_eq!(names.collect::<Vec<_>>(), [Some(name), None]);
        let records = records(&kernels, &owners, None);
        assert_eq!(
            records[0].owned_by.as_deref(),
            Some("pkg:deb/linux-image-6.1.0-56-amd64@6.1.192-2?arch=amd64")
        );
        let unowned = unowned(&kernels, &owners);
        let told: Vec<_> =
            unowned.iter().map(|one| (one.path.to_string(), purl(&one.package, None))).collect();
        assert_eq!(
            told,
            [("/boot/vmlinuz-6.6.1-own".to_owned(), "pkg:generic/linux-kernel@6.6.1-own".to_owned())]
        );
    }
}
