//! Which release and line of updates a product's CPE names (CPE 2.2 URI binding; Red Hat, "Common Platform
//! Enumeration": `cpe:/o:redhat:enterprise_linux:9::baseos`, `cpe:/a:redhat:rhel_eus:9.2`).

/// A release of Red Hat Enterprise Linux, and a line of updates of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Product {
    /// The release's ecosystem.
    pub(super) ecosystem: String,
    /// The line of updates; `None` for what every system of the release can have.
    pub(super) channel: Option<String>,
}

/// Lines of updates that a system must be pinned to.
const PINNED: [&str; 7] = ["eus", "aus", "e4s", "tus", "els", "mission_critical", "eus_long_life"];
/// Repositories that any system can enable and whose packages bear names of their own. States of collections tell
/// no release, and name what the release itself has too: they are passed over.
const ADDED: [&str; 3] = ["extras", "software_collections", "dotnet"];

impl Product {
    /// The product of a CPE; `None` for what is no part of the distribution.
    pub(super) fn of(cpe: &str) -> Option<Self> {
        let rest = cpe.strip_prefix("cpe:/")?.get(1..)?.strip_prefix(":redhat:")?;
        let mut parts = rest.split(':');
        let (name, version) = (parts.next()?, parts.next().unwrap_or_default());
        let edition = parts.find(|part| !part.is_empty()).unwrap_or_default();
        let one = |major: &str, channel| Some(Self { ecosystem: release(major)?, channel });
        if name == "enterprise_linux" {
            let apart = ["hypervisor", "hypervisor_power", "fastdatapath"].contains(&edition);
            return one(version, apart.then(|| edition.to_owned()));
        }
        let line = name.strip_prefix("rhel_")?;
        if PINNED.contains(&line) {
            return one(version, Some(format!("{line}:{version}")));
        }
        // `rhel_extras_rt:7`, `rhel_software_collections:3::el7`.
        if !ADDED.iter().any(|added| line == *added || line.starts_with(&format!("{added}_"))) {
            return None;
        }
        if let Some(major) = edition.strip_prefix("el") {
            return one(major, None);
        }
        if line.starts_with("extras") { one(version, None) } else { None }
    }
}

/// The ecosystem of a version's major number.
fn release(version: &str) -> Option<String> {
    let major = version.split('.').next().filter(|major| !major.is_empty())?;
    major.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("Red Hat:{major}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_what_is_none() {
        let of = |cpe: &str| Product::of(cpe).map(|product| (product.ecosystem, product.channel));
        let main = |release: &str| Some((release.to_owned(), None));
        let on = |release: &str, channel: &str| Some((release.to_owned(), Some(channel.to_owned())));
        assert_eq!(of("cpe:/o:redhat:enterprise_linux:7"), main("Red Hat:7"));
        assert_eq!(of("cpe:/a:redhat:enterprise_linux:9::appstream"), main("Red Hat:9"));
        assert_eq!(of("cpe:/o:redhat:enterprise_linux:10.0"), main("Red Hat:10"));
        assert_eq!(of("cpe:/o:redhat:enterprise_linux:8::fastdatapath"), on("Red Hat:8", "fastdatapath"));
        assert_eq!(of("cpe:/a:redhat:rhel_eus:9.2::nfv"), on("Red Hat:9", "eus:9.2"));
        assert_eq!(of("cpe:/a:redhat:rhel_software_collections:3::el7"), main("Red Hat:7"));
        assert_eq!(of("cpe:/a:redhat:rhel_extras_rt:7"), main("Red Hat:7"));
        for none in [
            "cpe:/a:redhat:openshift:4.12::el8",
            "cpe:/a:redhat:enterprise_linux_ai:1",
            "cpe:/a:rhel_sam:1",
            "cpe:/a:redhat:rhel_software_collections:3",
            "",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
