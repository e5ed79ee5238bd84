//! EPSS scores: FIRST's `cve,epss,percentile` with a line of `#model_version:…,score_date:…` before it, or
//! `cve;epss;percentile` without any header.

use super::Feed;
use crate::vuln::database::Builder;

/// One CSV file.
pub(super) fn read(feed: &Feed, builder: &mut Builder, bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(date) = comment.split(',').find_map(|field| field.trim().strip_prefix("score_date:"))
            {
                builder.epss_date(date.to_owned());
                builder.source(feed).date = Some(date.to_owned());
            }
        } else if !line.is_empty() && !line.starts_with("cve,") {
            match row(line) {
                Some((cve, score, percentile)) => builder.epss(feed, cve.to_owned(), score, percentile),
                None => builder.malformed(feed, format!("line {number}"), format!("`{line:.80}`")),
            }
        }
    }
    Ok(())
}

fn row(line: &str) -> Option<(&str, f64, f64)> {
    let mut fields = line.split([',', ';']).map(str::trim);
    let cve = fields.next().filter(|cve| cve.starts_with("CVE-"))?;
    let mut share = || fields.next()?.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    Some((cve, share()?, share()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_what_is_neither() {
        let expected = Some(("CVE-2021-44228", 0.94358, 0.99957));
        assert_eq!(row("CVE-2021-44228,0.94358,0.99957"), expected);
        assert_eq!(row("CVE-2021-44228;0.943580000;0.999570000"), expected);
        for line in ["CVE-1", "CVE-1,2,0", "CVE-1,NaN,0", "x,0.1,0.1"] {
            assert_eq!(row(line), None, "{line}");
        }
    }
}
