//! What SUSE calls its products, in all forms of its advisories (SUSE, "Product Lifecycle"): kind, release, service
//! pack and line of updates, which some documents join in other ways than others.

/// A release of a distribution, and a line of updates of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Product {
    /// The release's ecosystem.
    pub(super) ecosystem: String,
    /// The line of updates; `None` for what every system of the release can have.
    pub(super) channel: Option<String>,
}

/// Kinds of products whose packages are built apart, or for customers who pay for longer: from this word on, they
/// are a line of updates.
const APART: [&str; 3] = ["LTSS", "Teradata", "Raspberry Pi"];

/// The first release of SUSE Linux Enterprise that counts its minor releases behind a dot (`16.0`).
const DOTTED: u32 = 16;

impl Product {
    /// Whether a name is a product's.
    pub(super) fn is_name(name: &str) -> bool {
        ["SUSE ", "openSUSE "].iter().any(|vendor| name.starts_with(vendor))
    }

    /// The product of a name, or the one that it adds packages to: `SUSE Linux Enterprise Module for Basesystem
    /// 15 SP2`, `SUSE Linux Enterprise Server 11 SP4 LTSS`. `None` for what is no part of a distribution.
    pub(super) fn of(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("openSUSE ") {
            let rest = rest.strip_suffix(" NonFree").unwrap_or(rest);
            let release = rest.strip_prefix("Leap ").map(|leap| leap.strip_prefix("Micro ").unwrap_or(leap));
            let known = rest == "Tumbleweed" || release.is_some_and(is_number);
            return known.then(|| Self { ecosystem: format!("openSUSE:{rest}"), channel: None });
        }
        let rest = name.strip_prefix("SUSE ")?;
        let (family, rest) = ["Linux Enterprise ", "Linux ", "Package Hub "]
            .iter()
            .find_map(|family| Some((*family, rest.strip_prefix(family)?)))?;
        // Modules have numbers in their names (`Module for Python 3 15 SP5`): the last one is the release.
        let mut words = rest.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
        let at =
            words.rfind(|at| rest.get(..*at).is_none_or(|kind| kind.is_empty() || kind.ends_with(' ')))?;
        let (kind, release) = rest.split_at_checked(at)?;
        let kind = kind.trim();
        let end = release.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(release.len());
        let (number, line) = release.split_at_checked(end)?;
        let (pack, line) = match line.strip_prefix(" SP") {
            Some(line) => {
                line.split_at_checked(line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len()))?
            }
            None => ("", line),
        };
        let apart = APART.iter().find_map(|word| kind.get(kind.find(word)?..));
        let line = [apart.unwrap_or_default(), line.trim_start_matches([' ', '-'])].join(" ");
        let line = line.trim().to_ascii_lowercase();
        let ecosystem = match (family, pack) {
            ("Linux " | "Linux Enterprise ", "") if kind.starts_with("Micro") => {
                format!("SUSE:{family}Micro {number}")
            }
            ("Linux ", _) => return None,
            _ if !is_release(number) => return None,
            (_, "") => format!("SUSE:Linux Enterprise Server {number}"),
            (_, pack) => format!("SUSE:Linux Enterprise Server {number} SP{pack}"),
        };
        Some(Self { ecosystem, channel: Some(line).filter(|line| !line.is_empty()) })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Whether a number is a release's: modules for other products have theirs (`Module for SUSE Manager Server 4.2`).
fn is_release(number: &str) -> bool {
    match number.split_once('.') {
        Some((major, _)) => major.parse().is_ok_and(|major: u32| major >= DOTTED),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_their_lines() {
        let sle = "SUSE:Linux Enterprise Server";
        for (name, ecosystem, channel) in [
            ("SUSE Linux Enterprise Module for Basesystem 15 SP2", &format!("{sle} 15 SP2"), ""),
            ("SUSE Linux Enterprise Module for Python 3 15 SP5", &format!("{sle} 15 SP5"), ""),
            ("SUSE Linux Enterprise Server for SAP Applications 12", &format!("{sle} 12"), ""),
            ("SUSE Package Hub for SUSE Linux Enterprise 15", &format!("{sle} 15"), ""),
            ("SUSE Package Hub 15 SP6", &format!("{sle} 15 SP6"), ""),
            ("SUSE Linux Enterprise Server 16.0", &format!("{sle} 16.0"), ""),
            ("SUSE Linux Enterprise Server 15 SP2-LTSS", &format!("{sle} 15 SP2"), "ltss"),
            ("SUSE Linux Enterprise Server 15-LTSS", &format!("{sle} 15"), "ltss"),
            ("SUSE Linux Enterprise Server 11 SP4 LTSS", &format!("{sle} 11 SP4"), "ltss"),
            (
                "SUSE Linux Enterprise High Performance Computing 15 SP3-ESPOS",
                &format!("{sle} 15 SP3"),
                "espos",
            ),
            (
                "SUSE Linux Enterprise Server 12 SP5-LTSS Extended Security",
                &format!("{sle} 12 SP5"),
                "ltss extended security",
            ),
            (
                "SUSE Linux Enterprise Server LTSS Extended Security 12 SP5",
                &format!("{sle} 12 SP5"),
                "ltss extended security",
            ),
            ("SUSE Linux Enterprise Server Teradata 12 SP3-LTSS", &format!("{sle} 12 SP3"), "teradata ltss"),
            ("SUSE Linux Enterprise Micro 5.1", &"SUSE:Linux Enterprise Micro 5.1".to_owned(), ""),
            (
                "SUSE Linux Enterprise Micro for Rancher 5.2",
                &"SUSE:Linux Enterprise Micro 5.2".to_owned(),
                "",
            ),
            ("SUSE Linux Micro 6.0", &"SUSE:Linux Micro 6.0".to_owned(), ""),
            ("openSUSE Leap 15.3 NonFree", &"openSUSE:Leap 15.3".to_owned(), ""),
            ("openSUSE Leap Micro 5.2", &"openSUSE:Leap Micro 5.2".to_owned(), ""),
            ("openSUSE Tumbleweed", &"openSUSE:Tumbleweed".to_owned(), ""),
        ] {
            let product = Product::of(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(
                (&product.ecosystem, product.channel.as_deref().unwrap_or("")),
                (ecosystem, channel),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_part_of_a_distribution() {
        for name in [
            "SUSE Manager Server 4.1",
            "SUSE Linux Enterprise Module for SUSE Manager Server 4.2",
            "SUSE Liberty Linux 9",
            "SUSE Linux Enterprise Server",
            "Container suse/sle15:15.3",
            "openSUSE Evergreen 11.4",
            "openSUSE 13.2",
            "suse103",
        ] {
            assert_eq!(Product::of(name), None, "{name}");
        }
    }
}
