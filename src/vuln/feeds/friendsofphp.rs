//! FriendsOfPHP's security advisories: YAML, one a file (`VENDOR/PACKAGE/ID.yaml`), with requirements of affected
//! versions for each branch.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Feed, File, Output, text};
use crate::vuln::{
    advisory::{Advisory, Claim, Details, Requirements, Statement},
    ecosystem,
    version::Scheme,
};

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    cve: Option<String>,
    #[serde(default)]
    branches: BTreeMap<String, Branch>,
    reference: String,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    versions: Vec<String>,
}

/// One record; it is called by its path, as Composer calls it.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    let record: Record = serde_saphyr::from_slice(file.bytes).map_err(|error| error.to_string())?;
    let package =
        record.reference.strip_prefix("composer://").ok_or("`reference` is no package of Composer's")?;
    let mut parts: Vec<_> = file.name.rsplit('/').take(3).collect();
    parts.reverse();
    let id = parts.join("/");
    let affected = record.branches.into_values().map(|branch| branch.versions.join(","));
    let requirements = Requirements { affected: affected.collect(), ..Requirements::default() };
    if let Some(problem) = requirements.unreadable(Scheme::Composer) {
        output.unordered.push((id, format!("requirement `{problem}`")));
        return Ok(());
    }
    // Without branches nothing is said of any version.
    let said = !requirements.affected.is_empty();
    let statement = Statement { requirements: Some(requirements), ..Statement::default() };
    let claim =
        Claim { ecosystem: "Packagist".to_owned(), name: ecosystem::name("Packagist", package), statement };
    output.advisories.push(Advisory {
        id,
        aliases: record.cve.into_iter().filter(|id| id.starts_with("CVE-")).collect(),
        details: Details {
            title: record.title.as_deref().and_then(text::title),
            references: text::references(record.link.as_deref().into_iter()),
            ..Details::default()
        },
        claims: said.then_some(claim).into_iter().collect(),
        ..Advisory::default()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_alternatives() {
        let yaml =
            "title: Potential SQL injection vector\nlink: https://example.org\ncve: CVE-2018-1\nbranches:
    1.x: {time: 2018-03-06 15:40:00, versions: ['>=1.0', '<1.2']}
    master: {time: ~, versions: ['<5.20.12']}\nreference: composer://ADOdb/adodb-php\n";
        let mut output = Output::default();
        let file = File { name: "top/adodb/adodb-php/2018-03-06.yaml", bytes: yaml.as_bytes() };
        read(Feed::named("friendsofphp").unwrap(), file, &mut output).unwrap();
        let advisory = &output.advisories[0];
        assert_eq!(advisory.id, "adodb/adodb-php/2018-03-06.yaml");
        assert_eq!((advisory.claims[0].name.as_str(), advisory.aliases.len()), ("adodb/adodb-php", 1));
        assert_eq!(
            advisory.claims[0].statement.requirements.as_ref().unwrap().affected,
            [">=1.0,<1.2", "<5.20.12"]
        );
    }
}
