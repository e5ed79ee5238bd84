//! What SUSE calls its products.

/// Whether a name is a product's.
pub(super) fn is_product(name: &str) -> bool {
    ["SUSE ", "openSUSE "].iter().any(|vendor| name.starts_with(vendor))
}

/// The release of the distribution that a product is one of or adds packages to, and its line of updates:
/// `SUSE Linux Enterprise Module for Basesystem 15 SP2`, `SUSE Linux Enterprise Server 15 SP1-LTSS`.
pub(super) fn product(name: &str) -> Option<(String, Option<String>)> {
    if let Some(rest) = name.strip_prefix("openSUSE ") {
        let rest = rest.strip_suffix(" NonFree").unwrap_or(rest);
        let known = rest == "Tumbleweed" || rest.strip_prefix("Leap ").is_some_and(is_number);
        return known.then(|| (format!("openSUSE:{rest}"), None));
    }
    let rest = name.strip_prefix("SUSE Linux Enterprise ")?;
    let at = rest.find(|c: char| c.is_ascii_digit())?;
    let (kind, release) = (rest.get(..at)?.trim(), rest.get(at..)?);
    let (release, channel) = release.split_once('-').map_or((release, None), |(one, line)| (one, Some(line)));
    let channel = channel.map(str::to_ascii_lowercase);
    if kind == "Micro" {
        return is_number(release).then(|| (format!("SUSE:Linux Enterprise Micro {release}"), channel));
    }
    let (major, pack) =
        release.split_once(" SP").map_or((release, None), |(major, pack)| (major, Some(pack)));
    if !is_number(major) || !pack.is_none_or(is_number) {
        return None;
    }
    Some((format!("SUSE:Linux Enterprise Server {release}"), channel))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_their_lines() {
        let some = |name: &str, line: Option<&str>| Some((name.to_owned(), line.map(str::to_owned)));
        let (sp2, server) = ("SUSE:Linux Enterprise Server 15 SP2", "SUSE:Linux Enterprise Server 15");
        assert_eq!(product("SUSE Linux Enterprise Module for Basesystem 15 SP2"), some(sp2, None));
        assert_eq!(product("SUSE Linux Enterprise Server 15 SP2-LTSS"), some(sp2, Some("ltss")));
        assert_eq!(product("SUSE Linux Enterprise Desktop 15"), some(server, None));
        assert_eq!(product("SUSE Linux Enterprise Micro 5.1"), some("SUSE:Linux Enterprise Micro 5.1", None));
        assert_eq!(product("openSUSE Leap 15.3 NonFree"), some("openSUSE:Leap 15.3", None));
        assert_eq!(product("openSUSE Tumbleweed"), some("openSUSE:Tumbleweed", None));
        assert_eq!(product("SUSE Manager Server 4.1"), None);
        assert_eq!(product("suse103"), None);
    }
}
