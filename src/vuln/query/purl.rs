//! A purl as a question.

use super::Subject;
use crate::inventory::{Os, PackageKind, Purl};

/// A purl's package, and the distribution that it names. `None` for what is no purl.
pub(super) fn parse(text: &str) -> Option<Subject> {
    let purl = Purl::parse(text)?;
    // Nobody files advisories under names of no package manager.
    let package = purl.package().filter(|package| package.kind != PackageKind::Generic);
    let Some(package) = package else { return Some(Subject::Other) };
    let (kind, namespace) = (package.kind, purl.namespace());
    let vendor = match kind {
        // Their namespace is a category.
        PackageKind::Ebuild => "gentoo",
        // They have none.
        PackageKind::Cos | PackageKind::Freebsd | PackageKind::Slackware => kind.text(),
        _ => &namespace,
    };
    let os = kind.is_os().then(|| os(vendor, purl.qualifiers.get("distro").map_or("", String::as_str)));
    Some(Subject::Package { package: Box::new(package), os })
}

/// What `distro` begins with where the namespace only names the vendor.
const SUSE: [&str; 7] =
    ["sles_sap", "sles", "sle_hpc", "sle-micro", "sl-micro", "opensuse-leap", "opensuse-tumbleweed"];

/// The distribution: `debian-12`, or a codename (`bookworm`, `debian-bookworm`); its id is the namespace.
fn os(namespace: &str, distro: &str) -> Os {
    let id = match namespace {
        "redhat" => "rhel",
        "" => distro.rsplit_once('-').map_or("", |(id, _)| id),
        "suse" | "opensuse" => SUSE.into_iter().find(|id| distro.starts_with(id)).unwrap_or(namespace),
        id => id,
    };
    let release = distro.strip_prefix(id).or_else(|| distro.strip_prefix(namespace)).unwrap_or(distro);
    let release = release.trim_start_matches(['-', ':']).to_owned();
    let numbered = release.starts_with(|c: char| c.is_ascii_digit());
    let (version_id, codename) = match (release.is_empty(), numbered) {
        (true, _) => (None, None),
        (false, true) => (Some(release), None),
        (false, false) => (None, Some(release)),
    };
    Os { id: id.to_ascii_lowercase(), version_id, codename, ..Os::default() }
}

#[cfg(test)]
mod specification;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory;

    #[test]
    fn distributions_of_suse() {
        let of = |namespace, distro| {
            let os = os(namespace, distro);
            (os.id, os.version_id)
        };
        let some = |id: &str, version: &str| (id.to_owned(), Some(version.to_owned()));
        assert_eq!(of("opensuse", "opensuse-leap-15.5"), some("opensuse-leap", "15.5"));
        assert_eq!(of("suse", "sles-15.6"), some("sles", "15.6"));
        assert_eq!(of("sles", "sles-15.6"), some("sles", "15.6"));
        assert_eq!(of("opensuse", "opensuse-tumbleweed"), ("opensuse-tumbleweed".to_owned(), None));
    }

    #[test]
    fn what_gentoos_packages_are_called() {
        let of = |kind| parse(&format!("pkg:{kind}/dev-vcs/subversion@1.9.6")).unwrap();
        assert!(of("gentoo") == of("ebuild") && of("portage") == of("ebuild"));
        assert_ne!(of("ebuild"), Subject::Other);
    }

    #[test]
    fn purls_come_back_as_they_were() {
        for text in [
            "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl",
            "pkg:deb/debian/libc-bin@2.36-9%2Bdeb12u4?distro=debian-12&upstream=glibc%402.36-9%2Bdeb12u3",
            "pkg:apk/alpine/libcrypto3@3.3.1-r3?arch=x86_64&distro=alpine-3.20.3&upstream=openssl",
            "pkg:rpm/almalinux/bind-libs@9.16.23-18.el9?arch=x86_64&distro=almalinux-9.4&epoch=32",
            "pkg:rpm/redhat/nodejs@18.1-1?distro=rhel-9.4&rpmmod=nodejs:18:90:x",
            "pkg:npm/%40babel/core@7.0.0",
            "pkg:pypi/django@4.2.1",
            "pkg:maven/org.apache.tomcat/tomcat@9.0.0.M1",
            "pkg:golang/golang.org/x/net@v0.1.0",
            "pkg:composer/symfony/http-kernel@5.0.0",
            "pkg:gem/rails@7.0.0",
            "pkg:gem/nokogiri@1.13.9?platform=x86_64-linux",
            "pkg:conda/numpy@1.26.4?channel=conda-forge&subdir=linux-64",
            "pkg:cos/zlib@17162.336.16?distro=cos-109",
            "pkg:opkg/openwrt/busybox@1.36.1-r2?distro=openwrt-23.05.5",
            "pkg:ebuild/dev-vcs/subversion@1.9.6-r1?arch=amd64&distro=gentoo-2.17",
        ] {
            let Subject::Package { package, os } = parse(text).unwrap() else { panic!("{text}") };
            assert_eq!(inventory::purl(&package, os.as_ref()), text);
        }
    }
}
