//! Debian's lists of advisories (`data/DSA/list`, `data/DLA/list`, `data/DTSA/list` of its security tracker):
//! a line with date, id and package, the vulnerabilities in braces, and a line for each release and package
//! that the advisory fixes.

use super::{Feed, File, Output, claims::Claims, text};
use crate::vuln::{
    advisory::{Advisory, Details, Rating, State, Statement},
    ecosystem,
};

/// One list.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let list = String::from_utf8_lossy(file.bytes);
    let mut head: Option<(usize, &str)> = None;
    let mut body = Vec::new();
    for (number, line) in (1..).zip(list.lines()) {
        let line = line.trim_end();
        if line.starts_with('[') {
            add(file.name, head.replace((number, line)), &body, output);
            body.clear();
        } else if !line.is_empty() {
            body.push((number, line.trim_start()));
        }
    }
    add(file.name, head, &body, output);
    Ok(())
}

fn add(list: &str, head: Option<(usize, &str)>, body: &[(usize, &str)], output: &mut Output) {
    let Some((number, head)) = head else { return };
    let Some((date, id, title)) = heading(head) else {
        output.malformed.push((format!("{list} line {number}"), format!("`{head:.80}`")));
        return;
    };
    let mut members = Vec::new();
    let mut claims = Claims::new(id, &mut output.unordered);
    for (number, line) in body {
        if let Some(ids) = line.strip_prefix('{') {
            let ids = ids.split_whitespace().map(|id| id.trim_end_matches('}'));
            members.extend(ids.filter(|id| id.starts_with("CVE-")).map(str::to_owned));
        } else if line.starts_with('[') {
            match fix(line) {
                Some((release, name, version)) => {
                    if let Some(ecosystem) = ecosystem::debian(release) {
                        state(&mut claims, &ecosystem, name, version);
                    }
                }
                None => output.malformed.push((format!("{list} line {number}"), format!("`{line:.80}`"))),
            }
        }
    }
    members.sort();
    members.dedup();
    let claims = claims.done();
    output.advisories.push(Advisory {
        id: id.to_owned(),
        modified: date.clone(),
        rating: Rating { members, ..Rating::default() },
        details: Details { title: text::title(title), published: date, ..Details::default() },
        claims,
        ..Advisory::default()
    });
}

/// Date, id and title of `[29 Mar 2023] DSA-5380-1 xorg-server - security update`.
fn heading(line: &str) -> Option<(Option<String>, &str, &str)> {
    let (date, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim();
    let (id, title) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let known = ["DSA-", "DLA-", "DTSA-"].iter().any(|prefix| id.starts_with(prefix));
    known.then(|| (iso(date), id, title.trim()))
}

/// `29 Mar 2023` as `2023-03-29`; the lists' oldest dates are in other forms.
fn iso(date: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = date.split_whitespace();
    let (day, name, year) = (words.next()?, words.next()?, words.next()?);
    let (_, month) = MONTHS.iter().zip(1..).find(|(month, _)| name.starts_with(**month))?;
    let (day, year): (u8, u16) = (day.parse().ok()?, year.parse().ok()?);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// Release, package and version or state of `[bullseye] - xorg-server 2:1.20.11-1+deb11u6 (note)`.
fn fix(line: &str) -> Option<(&str, &str, &str)> {
    let (release, rest) = line.strip_prefix('[')?.split_once(']')?;
    let mut words = rest.trim().strip_prefix('-')?.split_whitespace();
    Some((release.trim(), words.next()?, words.next()?))
}

fn state(claims: &mut Claims<'_>, ecosystem: &str, name: &str, version: &str) {
    let of = |state, note: &str| Statement { state, note: Some(note.to_owned()), ..Statement::default() };
    match version {
        "<not-affected>" => claims.never(ecosystem, name, Statement::default()),
        "<end-of-life>" => claims.all(ecosystem, name, of(State::WillNotFix, "end of life")),
        "<unfixed>" => claims.all(ecosystem, name, Statement::default()),
        "<ignored>" | "<no-dsa>" => claims.all(ecosystem, name, of(State::WillNotFix, "ignored")),
        "<postponed>" => claims.all(ecosystem, name, of(State::Deferred, "postponed")),
        "<undetermined>" => {
            let state = State::UnderInvestigation;
            claims.all(ecosystem, name, Statement { state, ..Statement::default() });
        }
        "<removed>" | "<itp>" => {}
        version => claims.fixed(ecosystem, name, version, Statement::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list() {
        let list = "[29 Mar 2023] DSA-5380-1 xorg-server - security update\n\t{CVE-2023-1393 CVE-2023-1394 }\n\
            \t[bullseye] - xorg-server 2:1.20.11-1+deb11u6\n\tNOTE: a note\n\
            [August 26th, 2005] DTSA-1-1 kismet - various\n\t[etch] - kismet 2005.08.R1-0.1etch1 (high)\n\
            \t[squeeze] - virtualbox-ose <end-of-life>\n\t[woody] - zlib\n[odd] line\n";
        let mut output = Output::default();
        let feed = Feed::named("debian-dsa-dla").unwrap();
        read(feed, File { name: "DSA/list", bytes: list.as_bytes() }, &mut output).unwrap();
        assert_eq!(output.malformed.len(), 2);
        let [first, second] = output.advisories.as_slice() else { panic!() };
        assert_eq!((first.id.as_str(), first.modified.as_deref()), ("DSA-5380-1", Some("2023-03-29")));
        assert_eq!(first.rating.members, ["CVE-2023-1393", "CVE-2023-1394"]);
        assert_eq!(first.claims[0].ecosystem, "Debian:11");
        let said: Vec<_> =
            second.claims.iter().map(|one| (one.ecosystem.as_str(), one.statement.state)).collect();
        assert_eq!(said, [("Debian:4.0", State::Affected), ("Debian:6.0", State::WillNotFix)]);
    }
}
