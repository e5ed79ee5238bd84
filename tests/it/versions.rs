//! Every pair of versions whose order several implementations agree on.

use std::cmp::Ordering;

use icecore::vuln::{cvss, version::Scheme};

use crate::shared;

fn sign(scheme: Scheme, a: &str, b: &str) -> &'static str {
    match scheme.compare(a, b) {
        Ok(Ordering::Less) => "<",
        Ok(Ordering::Equal) => "=",
        Ok(Ordering::Greater) => ">",
        Err(_) => "!",
    }
}

fn every_line_holds(scheme: Scheme) {
    let rows = shared::table(&format!("data/versions/{}.tsv", scheme.name()));
    let mut wrong = Vec::new();
    for row in &rows {
        let [a, op, b, ..] = row.as_slice() else { panic!("{row:?}") };
        let got = sign(scheme, a, b);
        if got != op {
            wrong.push(format!("{a} {op} {b}, got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), rows.len(), &wrong[..wrong.len().min(40)]);
    assert!(!rows.is_empty());
    let disputed = format!("data/versions/{}.disputed.tsv", scheme.name());
    let disputed = if shared::path(&disputed).exists() { shared::table(&disputed) } else { Vec::new() };
    let with_oracle = disputed.iter().filter(|row| sign(scheme, &row[0], &row[2]) == row[3]).count();
    let with_source = disputed.iter().filter(|row| sign(scheme, &row[0], &row[2]) == row[1]).count();
    eprintln!(
        "{}: {} lines hold; of {} disputed {with_oracle} as the oracle, {with_source} as the source",
        scheme.name(),
        rows.len(),
        disputed.len()
    );
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn every_pair_of_every_scheme() {
    let named = |scheme: &&Scheme| shared::path(&format!("data/versions/{}.tsv", scheme.name())).exists();
    let schemes: Vec<_> = Scheme::ALL.iter().filter(named).collect();
    assert_eq!(schemes.len(), 18, "{schemes:?}");
    schemes.into_iter().for_each(|scheme| every_line_holds(*scheme));
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn what_a_scheme_rejects() {
    for scheme in [Scheme::Go, Scheme::Hex] {
        let rows = shared::table(&format!("data/versions/{}.invalid.tsv", scheme.name()));
        let accepted: Vec<_> = rows.iter().filter(|row| scheme.accepts(&row[0])).collect();
        assert!(!rows.is_empty() && accepted.is_empty(), "{scheme:?}: {accepted:?}");
    }
}

#[test]
#[ignore = "needs $ICECORE_SHARED"]
fn cvss_base_scores() {
    let rows = shared::table("data/versions/cvss-cases.tsv");
    let mut wrong = Vec::new();
    for row in &rows {
        let got = cvss::rate(&row[0]).map(|rating| rating.score.to_string());
        if got.as_deref() != Some(row[1].as_str()) {
            wrong.push(format!("{} {} got {got:?}", row[0], row[1]));
        }
    }
    eprintln!("cvss: {} of {} lines hold", rows.len() - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    assert!(!rows.is_empty());
}
