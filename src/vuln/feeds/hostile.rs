//! Damaged files of every form: an answer or a refusal, never a panic, and never more than what was there.

use super::{Feed, File, Output};

const OVAL: &str = r#"<o><definitions><definition id="d"><metadata><title>PHSA-2020:00001 curl</title>
    <affected><platform>Photon 3</platform></affected><reference ref_id="CVE-2024-1" source="CVE"/><reference ref_id="ELSA-2022-1" source="elsa"/>
    <reference ref_id="PHSA:00001:3.0:0036" source="PHSA"/><severity>High</severity><advisory><severity>Low</severity>
    <issued date="2022-05-31"/><cve cvss3="8.1/CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H">CVE-2024-1</cve></advisory></metadata>
    <criteria operator="AND"><criterion comment="Oracle Linux 8 is installed"/><criteria operator="OR">
    <criterion test_ref="t" comment="curl is earlier than 0:2-1.el8"/><criterion comment="SUSE Linux Enterprise Server 15 SP1-LTSS is installed"/>
    </criteria></criteria></definition></definitions><rpminfo_test id="t"><object object_ref="o"/><state state_ref="s"/></rpminfo_test>
    <rpminfo_object id="o"><name>curl</name></rpminfo_object><rpminfo_state id="s"><arch>(a|b)</arch>
    <evr operation="less than">0:2-1&#46;azl3</evr></rpminfo_state></o>"#;

/// A feed, a file's name and what is in it.
const FILES: &[(&str, &str, &str)] = &[
    (
        "alpine-secdb",
        "main.json",
        r#"{"distroversion":"v3.20","packages":[{"pkg":{"name":"a","secfixes":{"0":["CVE-2020-1 XSA-349"],"4-r1":["GHSA-x"]}}}]}"#,
    ),
    (
        "alpine-secdb",
        "main.yaml",
        "distroversion: v3.5\npackages:\n- pkg:\n    name: xen\n    secfixes:\n      4.7.1-r1:\n      - CVE-2016-9932\n",
    ),
    (
        "amazon",
        "a.json",
        r#"{"ID":"ALAS-1","References":{"Reference":[{"ID":"CVE-2021-1","Type":"cve"}]},"Pkglist":{"Collection":{"Short":"amazon-linux-2---ecs",
        "Package":[{"Arch":"x86_64","Epoch":"0","Name":"docker","Release":"5","Version":"20"}]}}}"#,
    ),
    (
        "amazon",
        "updateinfo.xml",
        r#"<u><update><id>A</id><issued date="2023"/><references><reference id="CVE-1"/></references><pkglist>
        <collection short="amazon-linux-2"><package name="curl" epoch="0" version="8.0" release="1"/></collection></pkglist></update></u>"#,
    ),
    (
        "arch",
        "all.json",
        r#"[{"name":"AVG-1","packages":["curl"],"fixed":"8.5.0-1","status":"Fixed","issues":["CVE-2024-1"]}]"#,
    ),
    ("azurelinux-oval", "azurelinux-3.0-oval.xml", OVAL),
    (
        "debian-dsa-dla",
        "DSA/list",
        "[29 Mar 2023] DSA-5380-1 xorg-server - update\n\t{CVE-2023-1393}\n\t[bullseye] - xorg-server 2:1.20-1\n\t[etch] - a <unfixed>\n",
    ),
    (
        "debian-support",
        "debian.csv",
        "version,codename,series,created,release,eol,eol-lts\n12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30\n",
    ),
    (
        "debian-tracker",
        "debian.json",
        r#"{"a":{"CVE-2008-1":{"releases":{"buster":{"status":"resolved","fixed_version":"1-1","urgency":"high**"}}}}}"#,
    ),
    ("echo", "data.json", r#"{"nginx":{"CVE-2021-3618":{"fixed_version":"1.21.0"}}}"#),
    (
        "gentoo-glsa",
        "glsa-1.xml",
        r#"<!DOCTYPE glsa SYSTEM "glsa.dtd"><glsa id="1-1"><title>t</title><product type="ebuild">a</product><revised>2017-09-17</revised><affected>
        <package name="a/b" arch="x86"><unaffected range="rge" slot="1">1.2-r1</unaffected><vulnerable range="lt">1.9_rc1</vulnerable></package></affected>
        <impact type="high"/><references><uri link="u">CVE-1-2</uri></references></glsa>"#,
    ),
    ("oracle-oval", "a.xml", OVAL),
    ("photon", "a.xml", OVAL),
    (
        "photon",
        "cve_data_photon4.0.json",
        r#"[{"cve_id":"CVE-2023-1","pkg":"curl","res_ver":"7-4.ph4","status":"Fixed"}]"#,
    ),
    (
        "redhat-csaf",
        "a.json",
        r#"{"document":{"tracking":{"id":"CVE-1","status":"final"}},"product_tree":{"branches":[{"branches":[
        {"product":{"product_id":"R","product_identification_helper":{"cpe":"cpe:/o:redhat:rhel_eus:9.2::baseos"}}},
        {"product":{"product_id":"c","product_identification_helper":{"purl":"pkg:rpm/redhat/c@7-2?arch=src&epoch=1&rpmmod=a:b:c"}}}]}],
        "relationships":[{"full_product_name":{"product_id":"p"},"product_reference":"c","relates_to_product_reference":"R"}]},
        "vulnerabilities":[{"cve":"CVE-1","product_status":{"fixed":["p"],"known_affected":["p"]},"remediations":[{"category":"no_fix_planned","details":"d","product_ids":["p"]}]}]}"#,
    ),
    (
        "redhat-cve",
        "a.json",
        r#"{"name":"CVE-2023-1","affected_release":[{"advisory":"RHSA-1","cpe":"cpe:/a:redhat:rhel_eus:8.6","package":"a-0:1-2.el8_6"}],
        "package_state":[{"cpe":"cpe:/o:redhat:enterprise_linux:8","fix_state":"Affected","package_name":"nodejs:10/nodejs"}]}"#,
    ),
    (
        "rocky-errata",
        "a.json",
        r#"{"name":"RLSA-1","synopsis":"Low: a:1 update","cves":[{"name":"CVE-1"}],"rpms":{"Rocky Linux 8":{"nvras":["a-1:2-3.module+el8.aarch64.rpm"]}}}"#,
    ),
    (
        "suse-csaf",
        "a.json",
        r#"{"document":{"aggregate_severity":{"text":null},"notes":[{"category":"description","text":"d"}],"tracking":{"id":"CVE-1"}},
        "product_tree":{"branches":[{"product":{"product_id":"a-1-2.x86_64","product_identification_helper":{"purl":"pkg:rpm/suse/a@1-2?upstream=b-1-2.src.rpm"}}}],
        "relationships":[{"full_product_name":{"product_id":"p"},"product_reference":"a-1-2.x86_64","relates_to_product_reference":"SUSE Linux Enterprise Server 12 SP5-LTSS"},
        {"full_product_name":{"product_id":"q"},"product_reference":"b","relates_to_product_reference":"SUSE Linux Enterprise Server LTSS 12 SP5"}]},
        "vulnerabilities":[{"cve":"CVE-1","product_status":{"recommended":["p"],"known_affected":["q"]},"remediations":[{"category":"no_fix_planned","product_ids":["q"]}]}]}"#,
    ),
    (
        "suse-cvrf",
        "a.xml",
        r#"<c><DocumentTracking><Identification><ID>SUSE CVE-1</ID></Identification></DocumentTracking><DocumentNotes><Note Type="Description">d</Note></DocumentNotes>
        <Relationship ProductReference="a-1-2" RelatesToProductReference="SUSE Linux Enterprise Micro 5.1"><FullProductName ProductID="p"/></Relationship>
        <Vulnerability><CVE>CVE-1</CVE><CVSSScoreSets><ScoreSet><Vector>AV:N/AC:L/Au:N/C:N/I:N/A:P</Vector></ScoreSet></CVSSScoreSets>
        <ProductStatuses><Status Type="Fixed"><ProductID>p</ProductID></Status></ProductStatuses><Threats><Threat Type="Impact"><Description>low</Description></Threat></Threats></Vulnerability></c>"#,
    ),
    ("suse-oval", "a.xml", OVAL),
    (
        "ubuntu-cve-tracker",
        "CVE-1.json",
        r#"{"candidate":"CVE-2019-1","priority":"low","packages":{"esm-infra/xenial":{"a":{"status":"released","note":"1.2-3"}}}}"#,
    ),
    (
        "ubuntu-cve-tracker",
        "active/CVE-1",
        "Candidate: CVE-1\nReferences:\n x\nPriority_a: low\ntrusty/esm_a: released (1-1)\nxenial_a: pending (2)\n",
    ),
];

/// xorshift64 (Marsaglia, 2003).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn damaged_files_are_refused_or_read() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for (feed, name, text) in FILES {
        let feed = Feed::named(feed).unwrap();
        assert!(feed.wants(name), "{name}");
        let read = |bytes: &[u8]| {
            let mut output = Output::default();
            let result = feed.read(File { name, bytes }, &mut output);
            (result, output)
        };
        let (result, output) = read(text.as_bytes());
        assert_eq!((result, output.malformed), (Ok(()), Vec::new()), "{name}");
        assert!(!output.advisories.is_empty() || !output.lifetimes.is_empty(), "{name}");
        for _ in 0..2000 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=next(&mut state) % 3 {
                let (from, to) = (next(&mut state) % bytes.len(), next(&mut state) % bytes.len());
                match next(&mut state) % 4 {
                    0 => bytes[from] = b"\0\"<>{}[]:,-&% \n0"[to % 16],
                    1 if bytes.len() > 1 => drop(bytes.remove(from)),
                    2 => bytes.truncate(from.max(1)),
                    _ => bytes[from] = bytes[to],
                }
            }
            let (_, output) = read(&bytes);
            assert!(output.advisories.len() <= 4, "{name}");
        }
    }
}
