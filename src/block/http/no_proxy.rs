//! Hosts that are asked without a proxy (`NO_PROXY`), with what curl takes there and a little more: entries between commas
//! or blanks; a name stands for itself and what lies below it, with or without a dot before it; addresses stand for
//! themselves, or with a prefix length for a network; `*` for all. Other programs also take `*.name`, `[address]` and a port.

use std::net::IpAddr;

/// Whether an entry of `list` is `host` (without brackets) at `port`.
pub(super) fn has(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let mut entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.any(|entry| is(&entry.to_ascii_lowercase(), &host, port))
}

fn is(entry: &str, host: &str, port: u16) -> bool {
    let (name, only) = parts(entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    if name == "*" {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(address) => holds(name, address),
        Err(_) => {
            let name = name.strip_prefix('*').filter(|name| name.starts_with('.')).unwrap_or(name);
            let name = name.strip_prefix('.').unwrap_or(name).trim_end_matches('.');
            let before = host.strip_suffix(name).filter(|_| !name.is_empty());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        }
    }
}

/// An entry without brackets, and the port that it is for.
fn parts(entry: &str) -> (&str, Option<u16>) {
    let with_port = |text: &str| text.strip_prefix(':').and_then(|port| port.parse().ok());
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return (address, with_port(rest));
    }
    match entry.split_once(':') {
        // More than one colon is an address of IPv6.
        Some((name, port)) if !port.contains(':') => {
            port.parse().map_or((entry, None), |port| (name, Some(port)))
        }
        _ => (entry, None),
    }
}

/// Whether an address is the one that is named, or in the network that is.
fn holds(name: &str, address: IpAddr) -> bool {
    let (network, length) = match name.split_once('/') {
        Some((network, length)) => (network, length.parse::<u32>().ok()),
        None => (name, Some(u128::BITS)),
    };
    let (Ok(network), Some(length)) = (network.parse(), length) else { return false };
    let (one, other, bits) = match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits()), u128::from(other.to_bits()), u32::BITS)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), u128::BITS),
        _ => return false,
    };
    if name.contains('/') && length > bits {
        return false;
    }
    (one ^ other).unbounded_shr(bits.saturating_sub(length.min(bits))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first lists are those of which curl 7.88 was asked; it takes none of the second.
    #[test]
    fn entries_are_what_curl_takes_them_for() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.0/8", true),
            ("127.0.0.1", "127.0.0.1/32", true),
            ("127.0.0.1", "127.0.0.1/33", false),
            ("127.0.0.1", "127.0.0.0/", false),
            ("127.0.0.1", "0.0.1", false),
            ("127.0.0.1", "10.0.0.0/8", false),
            ("127.0.0.1", "::ffff:127.0.0.1", false),
            ("::1", "::1", true),
            ("localhost", "127.0.0.1", false),
            ("localhost", "LOCALHOST", true),
            ("LocalHost", "localhost", true),
            ("localhost", "local", false),
            ("localhost", "host", false),
            ("xlocalhost", "localhost", false),
            ("localhost", "*", true),
            ("localhost", "a localhost", true),
            ("localhost", " a , localhost. ", true),
            ("localhost.", "localhost", true),
            ("x.localhost", "localhost", true),
            ("x.localhost", ".localhost", true),
            ("localhost", ".localhost", true),
            ("localhost", "", false),
            ("localhost", ".", false),
        ];
        for (host, list, expected) in cases {
            assert_eq!(has(list, host, 80), expected, "{host} in {list:?}");
        }
    }

    #[test]
    fn entries_are_what_other_programs_take_them_for() {
        let cases = [
            ("127.0.0.1", "127.0.0.1:80", true),
            ("127.0.0.1", "127.0.0.1:81", false),
            ("localhost", "localhost:80", true),
            ("localhost", "a,*", true),
            ("x.localhost", "*.localhost", true),
            ("localhost", "*localhost", false),
            ("::1", "[::1]", true),
            ("::1", "[::1]:80", true),
            ("::1", "[::1]:81", false),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("::1", "::/64", true),
            ("fe80::1", "::/64", false),
            ("127.0.0.1", "0.0.0.0/0", true),
            ("::1", "0.0.0.0/0", false),
        ];
        for (host, list, expected) in cases {
            assert_eq!(has(list, host, 80), expected, "{host} in {list:?}");
        }
    }
}
