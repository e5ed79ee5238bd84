//! Modules of the Metasploit framework that name a CVE id: the framework's own `modules_metadata_base.json` (an
//! object by module), or lists of `cve`, `module` and `name`. Modules are tried by who takes them in, and the
//! kit runs them; encoders, payloads and the like exploit nothing.

use serde::Deserialize;
use serde_json::Value;

use super::{Fact, Feed, File, Output, json};
use crate::vuln::finding::{Exploit, ExploitKind};

/// A row of a list.
#[derive(Deserialize)]
struct Row {
    cve: String,
    module: String,
    #[serde(default)]
    name: Option<String>,
}

/// A module of the framework's own index.
#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    fullname: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    references: Option<Vec<String>>,
    #[serde(default)]
    disclosure_date: Option<String>,
    #[serde(default)]
    mod_time: Option<String>,
}

/// One document.
pub(super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    if file.bytes.trim_ascii_start().starts_with(b"[") {
        let mut rows = Vec::new();
        json::items(file.bytes, "", "", |number, row| {
            rows.push((number, serde_json::from_value::<Row>(row)))
        })
        .map_err(|error| error.to_string())?;
        for (number, row) in rows {
            match row {
                // `exploit_linux/http/x` of a list is `exploit/linux/http/x` of the framework.
                Ok(row) => {
                    let module = row.module.replacen('_', "/", 1);
                    add(&row.cve, &module, row.name.as_deref().unwrap_or_default(), None, output);
                }
                Err(error) => output.malformed.push((format!("row {number}"), error.to_string())),
            }
        }
        return Ok(());
    }
    let modules: serde_json::Map<String, Value> =
        serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    for (key, module) in modules {
        match serde_json::from_value::<Module>(module) {
            Ok(module) => {
                let path = module.fullname.unwrap_or_else(|| key.replacen('_', "/", 1));
                let title = module.name.unwrap_or_default();
                for cve in module.references.iter().flatten().filter(|id| id.starts_with("CVE-")) {
                    add(cve, &path, &title, module.disclosure_date.as_deref(), output);
                }
                let changed = module.mod_time.as_deref().and_then(|time| time.get(..10));
                if changed > output.date.as_deref() {
                    output.date = changed.map(str::to_owned);
                }
            }
            Err(error) => output.malformed.push((key, error.to_string())),
        }
    }
    Ok(())
}

fn add(cve: &str, module: &str, title: &str, date: Option<&str>, output: &mut Output) {
    if !["exploit/", "auxiliary/", "post/"].iter().any(|kind| module.starts_with(kind)) {
        return;
    }
    let exploit = Exploit {
        source: "metasploit".to_owned(),
        id: module.to_owned(),
        kind: how(module, title),
        verified: true,
        in_kit: true,
        date: date.map(str::to_owned),
    };
    output.facts.push((cve.to_owned(), Fact::Exploit(exploit)));
}

/// How a module is used, by its place among the others.
fn how(module: &str, title: &str) -> ExploitKind {
    let mut parts = module.split('/');
    let (kind, place) = (parts.next().unwrap_or_default(), parts.clone());
    let is_in = |word| place.clone().any(|part| part == word);
    match kind {
        _ if ExploitKind::raises_rights(title) => ExploitKind::PrivilegeEscalation,
        "post" => ExploitKind::Local,
        _ if is_in("dos") => ExploitKind::Dos,
        // A file that somebody on the machine opens.
        _ if is_in("local") || is_in("fileformat") => ExploitKind::Local,
        _ if is_in("webapp") => ExploitKind::WebApps,
        _ => ExploitKind::Remote,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let list = r#"[{"cve":"CVE-2021-4374","module":"auxiliary_dos/http/wp","path":"p","name":"n"},
            {"cve":"CVE-1","module":"payload_x/y"},{"module":1}]"#;
        let index = r#"{"exploit_linux/local/cve_2022_0847_dirtypipe":{"name":"Dirty Pipe Local Privilege Escalation via CVE-2022-0847",
            "fullname":"exploit/linux/local/cve_2022_0847_dirtypipe","rank":600,"disclosure_date":"2022-02-20","type":"exploit",
            "references":["CVE-2022-0847","URL-https://dirtypipe.cm4all.com"],"mod_time":"2023-05-25 08:30:00 +0000"},
            "exploit_unix/webapp/a":{"references":["CVE-2"],"disclosure_date":null}}"#;
        let read = |text: &str| {
            let mut output = Output::default();
            let file = File { name: "x", bytes: text.as_bytes() };
            super::read(Feed::named("metasploit").unwrap(), file, &mut output).unwrap();
            output
        };
        let of = |output: &Output| {
            let facts = output.facts.iter().map(|(cve, fact)| match fact {
                Fact::Exploit(exploit) => (cve.clone(), exploit.id.clone(), exploit.kind, exploit.in_kit),
                other => panic!("{other:?}"),
            });
            facts.collect::<Vec<_>>()
        };
        let text = str::to_owned;
        let list = read(list);
        assert_eq!(
            of(&list),
            [(text("CVE-2021-4374"), text("auxiliary/dos/http/wp"), ExploitKind::Dos, true)]
        );
        assert_eq!(list.malformed.len(), 1);
        let index = read(index);
        let dirty = text("exploit/linux/local/cve_2022_0847_dirtypipe");
        assert_eq!(
            of(&index),
            [
                (text("CVE-2022-0847"), dirty, ExploitKind::PrivilegeEscalation, true),
                (text("CVE-2"), text("exploit/unix/webapp/a"), ExploitKind::WebApps, true),
            ]
        );
        assert_eq!(index.date.as_deref(), Some("2023-05-25"));
    }
}
