//! What distributions mean by their records beyond what the OSV schema says: which statements are about an
//! installed package at all.

use super::{Asked, Reason};
use crate::{
    inventory::{Os, Package, PackageKind},
    vuln::{advisory::Statement, database::Entry, version::Scheme},
};

/// What is looked up: one name and version. An installed package may be known by its own and its source's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) scheme: Scheme,
    pub(super) is_source: bool,
    /// The line of updates that the package is of.
    pub(super) channel: Option<&'a str>,
    /// The package, if it is an installed one: distributions' rules hold for it beside the OSV schema's.
    pub(super) installed: Option<&'a Package>,
}

impl<'a> Subject<'a> {
    /// What an entry says of a release about packages of this name, and why it is not about this one if it is
    /// not. Of a package on another line of updates, what is said of that line counts if anything is.
    pub(super) fn statements<'e>(
        &self,
        entry: &'e Entry,
        release: Option<u16>,
    ) -> impl Iterator<Item = (&'e Statement, Option<Reason>)> + use<'e, 'a> {
        let is_source = self.is_source;
        let ours = move || {
            let stated = entry.statements.iter().filter(move |stated| {
                release.is_none_or(|release| stated.releases.binary_search(&release).is_ok())
            });
            stated.map(|stated| &stated.statement).filter(move |one| one.is_source == is_source)
        };
        let subject = *self;
        let on_channel = subject.channel.is_some() && ours().any(|one| subject.is_of_channel(one));
        ours().map(move |statement| (statement, subject.barred(statement, on_channel)))
    }

    fn is_of_channel(&self, statement: &Statement) -> bool {
        match (self.channel, statement.channel.as_deref()) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => theirs.starts_with(ours),
            _ => false,
        }
    }

    fn barred(&self, statement: &Statement, on_channel: bool) -> Option<Reason> {
        let common = statement.channel.is_none();
        if !(self.is_of_channel(statement) || common && !on_channel) {
            return Some(Reason::OtherChannel);
        }
        let Some(package) = self.installed else {
            // The OSV schema has no modules, but who files by source packages tells them.
            let modular = statement.is_source && statement.module.is_some();
            return (modular && !self.version.contains(".module")).then_some(Reason::OtherModule);
        };
        if !is_of_module(statement, package) {
            return Some(Reason::OtherModule);
        }
        let arch = package.arch.as_deref().unwrap_or_default();
        let any = statement.arches.is_empty() || arch.is_empty() || arch == "noarch";
        (!any && !statement.arches.iter().any(|one| one == arch || one == "noarch"))
            .then_some(Reason::OtherArchitecture)
    }
}

/// Fixes of an rpm module are for packages of that module and stream only, other fixes for packages of no
/// module only: versions of different streams do not compare.
fn is_of_module(statement: &Statement, package: &Package) -> bool {
    if package.kind != PackageKind::Rpm {
        return true;
    }
    let modular = package.module.is_some() || package.version.contains(".module");
    match (&statement.module, &package.module) {
        (None, _) => !modular,
        (Some(stream), Some(label)) if !stream.is_empty() => {
            label.strip_prefix(stream.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        }
        (Some(_), _) => modular,
    }
}

/// The line of updates that a package's version shows it to be of: those of Ubuntu Pro and of Oracle's
/// FIPS-validated and live-patched packages compare among themselves only.
pub(super) fn channel(ecosystem: &str, package: &Package) -> Option<&'static str> {
    let version = package.version.as_str();
    let marks: &[(&str, &str)] = match ecosystem.split(':').next().unwrap_or_default() {
        "Ubuntu" => &[("Fips", "fips"), ("fips", "fips"), ("~esm", "esm"), ("+esm", "esm")],
        "Oracle Linux" => &[("_fips", "fips"), (".ksplice", "ksplice")],
        "Red Hat" => &[("fdp", "fastdatapath")],
        _ => &[],
    };
    marks.iter().find(|(mark, _)| version.contains(mark)).map(|(_, channel)| *channel)
}

/// Packages of others (their vendor says so) are not the distribution's to fix. dpkg names a person, so
/// that only rpm tells.
pub(super) fn is_the_distributions(package: &Package, os: Option<&Os>) -> bool {
    let (PackageKind::Rpm, Some(vendor), Some(os)) = (package.kind, &package.vendor, os) else { return true };
    let vendor = vendor.to_ascii_lowercase();
    let known = VENDORS.iter().find(|(id, _)| *id == os.id);
    known.is_none_or(|(_, words)| words.iter().any(|word| vendor.contains(word)))
}

/// Words of the vendors of distributions' own packages.
const VENDORS: &[(&str, &[&str])] = &[
    ("almalinux", &["almalinux"]),
    ("amzn", &["amazon"]),
    ("azurelinux", &["microsoft"]),
    ("centos", &["centos", "red hat"]),
    ("fedora", &["fedora"]),
    ("mariner", &["microsoft"]),
    ("ol", &["oracle"]),
    ("openEuler", &["openeuler", "huawei"]),
    ("opensuse-leap", &["suse"]),
    ("opensuse-tumbleweed", &["suse"]),
    ("photon", &["vmware", "broadcom"]),
    ("rhel", &["red hat"]),
    ("rocky", &["rocky"]),
    ("sl-micro", &["suse"]),
    ("sle-micro", &["suse"]),
    ("sles", &["suse"]),
];

/// Why nothing that is known of an installed package is a finding.
pub(super) fn suppressed(package: &Package, asked: Asked) -> Option<Reason> {
    if asked.is_owned {
        return Some(Reason::OwnedByDistribution);
    }
    match kernel(package)? {
        Kernel::Headers => Some(Reason::KernelNotRunning),
        Kernel::Image => (!asked.kernel_runs).then_some(Reason::KernelNotRunning),
    }
}

enum Kernel {
    /// A kernel or its modules.
    Image,
    /// What programs are compiled against, or tools that come with the kernel's source.
    Headers,
}

/// What a package has of a kernel.
fn kernel(package: &Package) -> Option<Kernel> {
    let name = package.name.as_str();
    let source = package.source.as_ref().map_or(name, |source| source.name.as_str());
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match package.kind {
        PackageKind::Deb if source == "linux" || source.starts_with("linux-") => {
            let image = starts(&["linux-image", "linux-modules", "linux-signed-image"]) || name == source;
            let tool =
                starts(&["linux-libc-dev", "linux-headers", "linux-source", "linux-doc", "linux-kbuild"]);
            image.then_some(Kernel::Image).or_else(|| tool.then_some(Kernel::Headers))
        }
        PackageKind::Rpm if name == "kernel" || name.starts_with("kernel-") => {
            let tool = ["headers", "devel", "doc", "debug-devel", "srpm-macros"];
            let tool =
                tool.iter().any(|word| name.strip_prefix("kernel-").is_some_and(|rest| rest.ends_with(word)));
            Some(if tool { Kernel::Headers } else { Kernel::Image })
        }
        PackageKind::Apk
            if name == "linux-headers" || name.ends_with("-dev") && source.starts_with("linux-") =>
        {
            Some(Kernel::Headers)
        }
        PackageKind::Apk if ["linux-lts", "linux-virt", "linux-rpi", "linux-edge"].contains(&name) => {
            Some(Kernel::Image)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::SourcePackage;

    #[test]
    fn kernels_run_on_nodes_only_and_headers_nowhere() {
        let of = |kind, name: &str, source: &str, kernel_runs| {
            let mut package = Package::new(kind, name, "1");
            package.source = Some(SourcePackage { name: source.to_owned(), version: "1".to_owned() });
            suppressed(&package, Asked { kernel_runs, ..Asked::default() }).is_some()
        };
        for (kind, name, source, in_image, on_node) in [
            (PackageKind::Deb, "linux-image-6.1.0-9-amd64", "linux-signed-amd64", true, false),
            (PackageKind::Deb, "linux-libc-dev", "linux", true, true),
            (PackageKind::Deb, "linux-perf", "linux", false, false),
            (PackageKind::Deb, "libc6", "glibc", false, false),
            (PackageKind::Rpm, "kernel-core", "kernel", true, false),
            (PackageKind::Rpm, "kernel-headers", "kernel", true, true),
            (PackageKind::Rpm, "kernel-rt-debug-devel", "kernel-rt", true, true),
            (PackageKind::Apk, "linux-headers", "linux-headers", true, true),
            (PackageKind::Apk, "linux-pam", "linux-pam", false, false),
        ] {
            assert_eq!(
                (of(kind, name, source, false), of(kind, name, source, true)),
                (in_image, on_node),
                "{name}"
            );
        }
    }

    #[test]
    fn versions_show_the_line_of_updates() {
        let of = |ecosystem, kind, version| channel(ecosystem, &Package::new(kind, "a", version));
        assert_eq!(of("Ubuntu:18.04:LTS", PackageKind::Deb, "1.1.1-1ubuntu2.1~18.04.23+esm4"), Some("esm"));
        assert_eq!(of("Ubuntu:20.04:LTS", PackageKind::Deb, "1.1.1f-1ubuntu2.fips.7"), Some("fips"));
        assert_eq!(of("Ubuntu:20.04:LTS", PackageKind::Deb, "1.1.1f-1ubuntu2"), None);
        assert_eq!(of("Oracle Linux:8", PackageKind::Rpm, "1:1.1.1k-9.ksplice1.el8"), Some("ksplice"));
        assert_eq!(of("Red Hat:8", PackageKind::Rpm, "2.17.0-1.el8fdp"), Some("fastdatapath"));
        assert_eq!(of("Debian:12", PackageKind::Deb, "1+esm1"), None);
    }
}
