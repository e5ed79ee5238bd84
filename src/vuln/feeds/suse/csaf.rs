//! SUSE's CSAF documents: its advisories, with binary packages for each architecture, and VEX with one vulnerability
//! a file (SUSE, "CSAF 2.0"). A product is a component of a platform, and both are called by their names.

use super::statuses::{Part, Statuses};
use crate::vuln::feeds::{
    Feed, File, Output,
    claims::Claims,
    csaf::{self, Products, Remedies, Said, Vulnerability},
};

/// One document.
pub(in super::super) fn read(_: &Feed, file: File<'_>, output: &mut Output) -> Result<(), String> {
    csaf::read(file, output, say)
}

fn say(vulnerability: &Vulnerability, products: &Products, said: &mut Said, claims: &mut Claims<'_>) {
    let remedies = Remedies::of(vulnerability);
    let mut statuses = Statuses::default();
    for (word, ids) in &vulnerability.product_status {
        for id in ids {
            match products.part(id) {
                Some(csaf::Part { component, purl, platform, .. }) => {
                    let never = remedies.never.contains_key(id.as_str());
                    statuses.add(word, Part { component, purl, platform, never });
                }
                None => claims.left_out(id, "no component of a product"),
            }
        }
    }
    statuses.say(said, claims);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vuln::advisory::Advisory;

    fn read_one(text: &str) -> (Advisory, Output) {
        let mut output = Output::default();
        read(Feed::named("suse-csaf").unwrap(), File { name: "a", bytes: text.as_bytes() }, &mut output)
            .unwrap();
        (output.advisories.remove(0), output)
    }

    fn part(component: &str, platform: &str) -> String {
        format!(
            r#"{{"category":"default_component_of","full_product_name":{{"name":"","product_id":"{platform}:{component}"}},
            "product_reference":"{component}","relates_to_product_reference":"{platform}"}}"#
        )
    }

    #[test]
    fn a_vulnerability() {
        let parts = [
            part("python311-aiohttp-3.9.3-150400.10.14.1", "SUSE Linux Enterprise Server 15 SP5"),
            part("python311-aiohttp-3.9.3-150400.10.14.1", "SUSE Linux Enterprise Server 15 SP4-LTSS"),
            part("python-aiohttp", "SUSE Linux Enterprise Server 15 SP4"),
        ];
        let text = format!(
            r#"{{"document":{{"aggregate_severity":{{"namespace":"https://www.suse.com/support/security/rating/","text":"moderate"}},
            "category":"csaf_vex","notes":[{{"category":"summary","text":"SUSE CVE-2023-47627","title":"Title"}},
            {{"category":"description","text":"aiohttp is an asynchronous framework.","title":"Description of the CVE"}}],
            "references":[],"title":"SUSE CVE CVE-2023-47627",
            "tracking":{{"current_release_date":"2026-08-08T00:03:41Z","id":"CVE-2023-47627","status":"interim","version":"27"}}}},
            "product_tree":{{"branches":[{{"branches":[{{"branches":[],"category":"product_version","name":"","product":{{"name":"",
            "product_id":"python311-aiohttp-3.9.3-150400.10.14.1","product_identification_helper":{{
            "cpe":"cpe:2.3:a:aiohttp_project:aiohttp:3.9.3:*:*:*:*:*:*:*",
            "purl":"pkg:rpm/suse/python311-aiohttp@3.9.3-150400.10.14.1?upstream=python-aiohttp-3.9.3-150400.10.14.1.src.rpm"}}}}}}]}}],
            "relationships":[{}]}},
            "vulnerabilities":[{{"cve":"CVE-2023-47627","title":"CVE-2023-47627","flags":[],
            "references":[{{"category":"external","summary":"","url":"https://www.suse.com/security/cve/CVE-2023-47627"}}],
            "product_status":{{"fixed":[],"known_affected":["SUSE Linux Enterprise Server 15 SP4:python-aiohttp"],
            "recommended":["SUSE Linux Enterprise Server 15 SP4-LTSS:python311-aiohttp-3.9.3-150400.10.14.1",
            "SUSE Linux Enterprise Server 15 SP5:python311-aiohttp-3.9.3-150400.10.14.1","SUSE Linux Enterprise Server 15 SP6:lost"]}},
            "remediations":[{{"category":"vendor_fix","details":"zypper patch","product_ids":[]}},
            {{"category":"no_fix_planned","details":"There is no fix planned for these products.\n",
            "product_ids":["SUSE Linux Enterprise Server 15 SP4:python-aiohttp"]}}],
            "scores":[{{"cvss_v3":{{"baseScore":5.3,"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N"}},"products":[]}}],
            "threats":[{{"category":"impact","details":"moderate","product_ids":[]}}]}}]}}"#,
            parts.join(",")
        );
        let (advisory, output) = read_one(&text);
        assert_eq!(output.unordered.len(), 1);
        assert_eq!((advisory.id.as_str(), advisory.rating.members.len()), ("CVE-2023-47627", 0));
        assert_eq!((advisory.rating.severity.as_deref(), advisory.rating.cvss.len()), (Some("moderate"), 1));
        assert_eq!((advisory.details.title.as_deref(), advisory.details.references.len()), (None, 1));
        assert!(advisory.details.description.is_some());
        let said = advisory.claims.iter().map(|claim| {
            let one = &claim.statement;
            format!("{} {:?} {} {:?} {}", claim.ecosystem, one.channel, claim.name, one.state, one.is_source)
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                "SUSE:Linux Enterprise Server 15 SP4 None python-aiohttp WillNotFix false",
                "SUSE:Linux Enterprise Server 15 SP4 None python-aiohttp WillNotFix true",
                "SUSE:Linux Enterprise Server 15 SP4 Some(\"ltss\") python311-aiohttp Affected false",
                "SUSE:Linux Enterprise Server 15 SP5 None python311-aiohttp Affected false",
            ]
        );
        let rejected = text.replace("aiohttp is an", "DO NOT USE THIS CANDIDATE NUMBER. ConsultIDs: none.");
        let (advisory, _) = read_one(&rejected);
        assert!(advisory.set_aside && advisory.claims.is_empty());
    }

    #[test]
    fn an_advisory() {
        let parts = [
            part("bind-9.9.4P2-0.6.1.i586", "SUSE Linux Enterprise Server 11 SP2"),
            part("bind-9.9.4P2-0.6.1.x86_64", "SUSE Linux Enterprise Server 11 SP2"),
        ];
        let status = r#""product_status":{"recommended":["SUSE Linux Enterprise Server 11 SP2:bind-9.9.4P2-0.6.1.i586",
            "SUSE Linux Enterprise Server 11 SP2:bind-9.9.4P2-0.6.1.x86_64"]}"#;
        let text = format!(
            r#"{{"document":{{"aggregate_severity":{{"text":null}},"title":"Security update for bind",
            "tracking":{{"id":"SUSE-SU-2015:0011-2","status":"final"}}}},
            "product_tree":{{"relationships":[{}]}},"vulnerabilities":[
            {{"cve":"CVE-2012-1667",{status},"threats":[{{"category":"impact","details":"moderate"}}]}},
            {{"cve":"CVE-2014-0591",{status},"threats":[{{"category":"impact","details":"important"}}]}}]}}"#,
            parts.join(",")
        );
        let (advisory, _) = read_one(&text);
        assert_eq!(advisory.rating.members, ["CVE-2012-1667", "CVE-2014-0591"]);
        assert_eq!(advisory.rating.severity.as_deref(), Some("important"));
        assert_eq!(advisory.details.title.as_deref(), Some("Security update for bind"));
        assert_eq!(advisory.claims.len(), 1);
        assert_eq!(advisory.claims[0].statement.arches, ["i586", "x86_64"]);
        assert_eq!(advisory.claims[0].statement.ranges[0].to_string(), "< 9.9.4P2-0.6.1");
    }
}
