//! The table of sources, which users override.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::FormatError;

const OURS: &str = include_str!("../sources.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    source: Vec<Source>,
}

/// Where a feed is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The feed's name.
    pub name: String,
    /// Where it is; `{year}` and `{latest}` stand for others.
    #[serde(default)]
    pub url: String,
    /// The ending of its file's name.
    #[serde(default)]
    pub form: String,
    /// The licence of the data.
    #[serde(default)]
    pub licence: String,
    /// The first year of a feed that has a file a year.
    #[serde(default)]
    pub since: Option<i32>,
    /// Where the name of the newest file is told.
    #[serde(default)]
    pub latest: Option<String>,
    /// Where the SHA-256 sum of the file is told.
    #[serde(default)]
    pub checksum: Option<String>,
    /// Whether that is of what is in the file.
    #[serde(default)]
    pub unpacked: bool,
    /// Whether the feed is not to be fetched.
    #[serde(default)]
    pub skip: bool,
}

/// One file to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The feed's name.
    pub name: String,
    /// The file, below the directory of feeds.
    pub file: String,
    /// Where it is; `{latest}` stands for what `latest` says.
    pub url: String,
    /// Where the name of the newest file is told.
    pub latest: Option<String>,
    /// Where the sum is told.
    pub checksum: Option<String>,
    /// Whether that is of what is in the file.
    pub unpacked: bool,
}

/// The sources by name: ours, with those of the user's own table in their places. The error names the source.
pub fn table(own: Option<&str>) -> Result<Vec<Source>, FormatError> {
    let mut by_name = BTreeMap::new();
    for text in [Some(OURS), own].into_iter().flatten() {
        let table: Table = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            malformed(format!("line {line}: {}", error.message()))
        })?;
        for source in table.source {
            source
                .check()
                .map_err(|problem| malformed(format!("source `{:.80}`: {problem}", source.name)))?;
            by_name.insert(source.name.clone(), source);
        }
    }
    Ok(by_name.into_values().filter(|source| !source.skip).collect())
}

fn malformed(problem: String) -> FormatError {
    FormatError::malformed("table of sources", problem)
}

/// Endings of the files that a build reads.
const FORMS: [&str; 17] = [
    "zip", "json", "json.gz", "json.zst", "json.xz", "json.bz2", "csv", "csv.gz", "tsv", "xml", "xml.gz",
    "xml.bz2", "tar.gz", "tar.zst", "tar.xz", "tar.bz2", "tar",
];

impl Source {
    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("a name has letters, digits, `-` and `_`".to_owned());
        }
        if self.skip {
            return Ok(());
        }
        if !FORMS.contains(&self.form.as_str()) {
            return Err(format!("form `{:.40}`: there are {}", self.form, FORMS.join(", ")));
        }
        let is_url = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if let Some(wrong) = [Some(&self.url), self.latest.as_ref(), self.checksum.as_ref()]
            .into_iter()
            .flatten()
            .find(|url| !is_url(url))
        {
            return Err(format!("`{wrong:.80}` is no http:// or https:// URL"));
        }
        match (self.url.contains("{year}"), self.url.contains("{latest}")) {
            (yearly, _) if yearly != self.since.is_some() => {
                Err("`{year}` and `since` go together".to_owned())
            }
            (_, latest) if latest != self.latest.is_some() => {
                Err("`{latest}` and `latest` go together".to_owned())
            }
            _ if self.since.is_some_and(|since| !(1990..=2100).contains(&since)) => {
                Err("`since` is a year from 1990 on".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Its files, up to those of `year`.
    pub fn jobs(&self, year: i32) -> Vec<Job> {
        let job = |year: Option<i32>| {
            let filled = |url: &String| {
                year.map_or_else(|| url.clone(), |year| url.replace("{year}", &year.to_string()))
            };
            let Self { name, form, .. } = self;
            Job {
                name: name.clone(),
                // A folder of a feed is read whole, whatever its files' names.
                file: year
                    .map_or_else(|| format!("{name}.{form}"), |year| format!("{name}/{name}-{year}.{form}")),
                url: filled(&self.url),
                latest: self.latest.clone(),
                checksum: self.checksum.as_ref().map(filled),
                unpacked: self.unpacked,
            }
        };
        match self.since {
            Some(since) => (since..=year.min(2100)).map(|year| job(Some(year))).collect(),
            None => vec![job(None)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_table() {
        let table = table(None).unwrap();
        assert!(table.len() > 30);
        for source in &table {
            assert!(source.url.starts_with("https://") && !source.licence.is_empty(), "{}", source.name);
        }
        let nvd = table.iter().find(|source| source.name == "nvd").unwrap();
        let jobs = nvd.jobs(2003);
        let files: Vec<_> = jobs.iter().map(|job| job.file.as_str()).collect();
        assert_eq!(files, ["nvd/nvd-2002.json.gz", "nvd/nvd-2003.json.gz"]);
        assert!(
            jobs[1].url.ends_with("nvdcve-2.0-2003.json.gz")
                && jobs[1].checksum.as_ref().unwrap().ends_with("2003.meta")
        );
    }

    #[test]
    fn the_users_own_take_the_places_of_ours() {
        let own = "[[source]]\nname = \"epss\"\nurl = \"http://mirror.example/epss.csv\"\nform = \"csv\"\n\
            [[source]]\nname = \"nvd\"\nskip = true\n";
        let table = table(Some(own)).unwrap();
        let of = |name: &str| table.iter().find(|source| source.name == name);
        assert_eq!(of("epss").unwrap().jobs(2024)[0].file, "epss.csv");
        assert_eq!(of("nvd"), None);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |text: &str| table(Some(text)).unwrap_err().to_string();
        let source = |more: &str| format!("[[source]]\nname = \"a\"\nform = \"zip\"\n{more}\n");
        for (text, expected) in [
            ("[[source]]\nname = \"../a\"\nskip = true".to_owned(), "source `../a`: a name has"),
            (source("url = \"file:///etc\""), "is no http:// or https:// URL"),
            (source("url = \"https://a/{year}\""), "`{year}` and `since`"),
            (source("url = \"https://a/{latest}\""), "`{latest}` and `latest`"),
            (source("uri = \"https://a\""), "line 4"),
            ("[[source]]\nname = \"a\"\nform = \"exe\"\nurl = \"https://a\"".to_owned(), "form `exe`"),
        ] {
            assert!(told(&text).contains(expected), "{}", told(&text));
        }
    }
}
