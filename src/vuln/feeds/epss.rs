//! EPSS scores: FIRST's `cve,epss,percentile` with a line of `#model_version:…,score_date:…` before it, or
//! `cve;epss;percentile` without any header.

use super::{Fact, Feed, File, Output};

/// One CSV file.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let text = std::str::from_utf8(file.bytes).map_err(|error| error.to_string())?;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let mut fields = comment.split(',');
            if let Some(date) = fields.find_map(|field| field.trim().strip_prefix("score_date:")) {
                output.date = Some(date.to_owned());
            }
        } else if !line.is_empty() && !line.starts_with("cve,") {
            match row(line) {
                Some((cve, score, percentile)) => {
                    output.facts.push((cve.to_owned(), Fact::Epss { score, percentile }));
                }
                None => output.malformed.push((format!("line {number}"), format!("`{line:.80}`"))),
            }
        }
    }
    Ok(())
}

/// The CVE id, score and percentile of a line.
fn row(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split([',', ';']).map(str::trim);
    let cve = fields.next().filter(|cve| cve.starts_with("CVE-"))?;
    let mut share = || billionths(fields.next()?);
    Some((cve, share()?, share()?))
}

/// A decimal fraction from 0 to 1 in units of 10^-9; further digits are cut.
fn billionths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let value = format!("{whole}{digits}");
    let value: u32 = value.parse().ok().filter(|_| all(&value) && all(fraction))?;
    (value <= 1_000_000_000 && !whole.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_what_is_neither() {
        let expected = Some(("CVE-2021-44228", 943_580_000, 999_570_000));
        assert_eq!(row("CVE-2021-44228,0.94358,0.99957"), expected);
        assert_eq!(row("CVE-2021-44228;0.943580000;0.999570000"), expected);
        assert_eq!(row("CVE-1,1.0,0"), Some(("CVE-1", 1_000_000_000, 0)));
        for line in ["CVE-1", "CVE-1,2,0", "CVE-1,NaN,0", "x,0.1,0.1", "CVE-1,0.-1,0", "CVE-1,1.000000001,0"]
        {
            assert_eq!(row(line), None, "{line}");
        }
    }
}
