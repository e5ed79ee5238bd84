//! Until when releases of Debian and Ubuntu get fixes: the CSV files of the package distro-info-data.

use super::{Feed, File, Output};
use crate::vuln::{database::Lifetime, ecosystem};

/// One distribution's file (`debian.csv`, `ubuntu.csv`): columns are known by the names in its first line.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let text = std::str::from_utf8(file.bytes).map_err(|error| error.to_string())?;
    let of_codename = match file.name.rsplit('/').next() {
        Some("debian.csv") => ecosystem::debian,
        Some("ubuntu.csv") => ecosystem::ubuntu,
        _ => return Ok(()),
    };
    let mut lines = text.lines();
    let columns: Vec<_> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    if !(columns.contains(&"series") && columns.contains(&"eol")) {
        return Err("no columns `series` and `eol`".to_owned());
    }
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        let fields = || columns.iter().copied().zip(line.split(',').map(str::trim));
        let field = |name| fields().find(|(column, _)| *column == name).map(|(_, value)| value);
        let Some(series) = field("series") else {
            output.malformed.push((format!("{} line {number}", file.name), format!("`{line:.80}`")));
            continue;
        };
        // Debian's first releases, and those that have no number yet (`sid`), are in no advisory.
        let Some(ecosystem) = of_codename(series) else { continue };
        let mut lifetime = Lifetime { ends: date(field("eol")), ..Lifetime::default() };
        for (column, value) in fields() {
            let (Some(name), Some(day)) = (column.strip_prefix("eol-"), date(Some(value))) else { continue };
            // A server's own end is what counts on a node; Debian's long-term support is for everybody, in the same archive
            // and among the same advisories.
            match name {
                "server" | "lts" => lifetime.ends = Some(day),
                name => drop(lifetime.prolonged.insert(name.to_owned(), day)),
            }
        }
        output.lifetimes.push((ecosystem, lifetime));
    }
    Ok(())
}

/// A date (`2026-07-11`).
fn date(text: Option<&str>) -> Option<String> {
    let text = text?;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (text.len() == 10 && digits == 8 && text.split('-').count() == 3).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_releases() {
        let read = |name, text: &str| {
            let mut output = Output::default();
            let feed = Feed::named("debian-support").unwrap();
            super::read(feed, File { name, bytes: text.as_bytes() }, &mut output).map(|()| output)
        };
        let debian = "version,codename,series,created,release,eol,eol-lts,eol-elts\n1.1,Buzz,buzz,1993-08-16,1996-06-17,1997-06-05\n\
            12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n,Sid,sid,1993-08-16\n";
        let output = read("distro-info/debian.csv", debian).unwrap();
        let [(ecosystem, lifetime)] = output.lifetimes.as_slice() else { panic!() };
        assert_eq!((ecosystem.as_str(), lifetime.ends.as_deref()), ("Debian:12", Some("2028-06-30")));
        assert_eq!(lifetime.prolonged["elts"], "2033-06-30");
        let ubuntu = "version,codename,series,created,release,eol,eol-server,eol-esm\n\
            6.06 LTS,Dapper Drake,dapper,2005-10-12,2006-06-01,2009-07-14,2011-06-01\n";
        let output = read("ubuntu.csv", ubuntu).unwrap();
        assert_eq!(output.lifetimes[0].0, "Ubuntu:6.06:LTS");
        assert_eq!(output.lifetimes[0].1.ends.as_deref(), Some("2011-06-01"));
        assert!(read("debian.csv", "a,b\n").is_err());
        assert!(read("other.csv", "a,b\n").unwrap().lifetimes.is_empty());
    }
}
