//! Documents of the forms that their makers write.

use super::*;
use crate::vuln::finding::testing;

const DIGEST: &str = "sha256:4b825dc642cb6eb9a060e54bf8d69288fbee49044b825dc642cb6eb9a060e54b";
const CURL: &str = "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?arch=amd64&distro=debian-12";

fn finding(id: &str, package: &str) -> Finding {
    Finding {
        aliases: vec!["GHSA-1".to_owned()],
        records: vec!["DEBIAN-1".to_owned()],
        ..testing::finding(id, package)
    }
}

fn image() -> Place<'static> {
    Place {
        digests: vec![DIGEST],
        references: vec!["registry.example/shop/web:1.0"],
        paths: BTreeMap::from([(CURL, vec!["/var/lib/dpkg/status"])]),
    }
}

/// What documents say of curl's CVE-2024-1 in the image, and outside of any: the status and the reason.
fn said(documents: &[&str]) -> [Option<(String, Option<String>)>; 2] {
    let mut all = Suppressions::default();
    for document in documents {
        all.add_vex("vex.json", document.as_bytes()).unwrap();
    }
    [image(), Place::default()].map(|place| {
        let found = all.of(&finding("CVE-2024-1", CURL), &place);
        found.map(|found| (found.status, found.justification.or(found.reason)))
    })
}

fn both<T: Clone>(one: T) -> [T; 2] {
    [one.clone(), one]
}

fn openvex(time: &str, statement: &str) -> String {
    format!(
        r#"{{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://x.example/vex-1","author":"A","timestamp":"{time}","version":1,
        "statements":[{statement}]}}"#
    )
}

#[test]
fn openvex_about_packages_and_images() {
    let say = |products: &str, status: &str| {
        openvex(
            "2024-01-01T00:00:00Z",
            &format!(
                r#"{{"vulnerability":{{"@id":"https://nvd.nist.gov/vuln/detail/CVE-2024-1","name":"CVE-2024-1"}},"products":[{products}],
                "status":"{status}","justification":"vulnerable_code_not_present"}}"#
            ),
        )
    };
    let not = Some(("not_affected".to_owned(), Some("vulnerable_code_not_present".to_owned())));
    let of = |products: &str| said(&[&say(products, "not_affected")]);
    assert_eq!(of(r#"{"@id":"pkg:deb/debian/curl"}"#), both(not.clone()));
    assert_eq!(of(r#"{"@id":"pkg:deb/debian/curl@1"}"#), both(None));
    assert_eq!(
        of(r#"{"@id":"urn:x","identifiers":{"purl":"pkg:deb/debian/curl?arch=amd64"}}"#),
        both(not.clone())
    );
    let whole = format!(r#"{{"@id":"pkg:oci/web@{}"}}"#, DIGEST.replace(':', "%3A"));
    assert_eq!(of(&whole), [not.clone(), None]);
    let hashed =
        format!(r#"{{"@id":"web","hashes":{{"sha-256":"{}"}}}}"#, DIGEST.trim_start_matches("sha256:"));
    assert_eq!(of(&hashed), [not.clone(), None]);
    let part = |part: &str| {
        format!(
            r#"{{"@id":"pkg:oci/web?repository_url=registry.example/shop/web","subcomponents":[{{"@id":"{part}"}}]}}"#
        )
    };
    assert_eq!(of(&part("pkg:deb/debian/curl")), [not.clone(), None]);
    assert_eq!(of(&part("pkg:deb/debian/openssl")), both(None));
    // What is in what is not told of packages.
    assert_eq!(of(r#"{"@id":"pkg:npm/app","subcomponents":[{"@id":"pkg:deb/debian/curl"}]}"#), both(None));
    assert_eq!(said(&[&say(r#"{"@id":"pkg:deb/debian/curl"}"#, "affected")]), both(None));
    let old = r#"{"vulnerability":"CVE-2024-1","products":["pkg:deb/debian/curl"],"status":"fixed"}"#;
    assert_eq!(said(&[&openvex("2024-01-01T00:00:00Z", old)]), both(Some(("fixed".to_owned(), None))));
}

#[test]
fn the_newest_statement_counts() {
    let say = |time: &str, status: &str| {
        let statement = r#"{"vulnerability":{"name":"GHSA-1"},"products":[{"@id":"pkg:deb/debian/curl"}],"status":"STATUS"}"#;
        openvex(time, &statement.replace("STATUS", status))
    };
    let (early, late) = ("2024-01-01T12:00:00+02:00", "2024-01-01T11:00:00Z");
    let not = Some(("not_affected".to_owned(), None));
    assert_eq!(said(&[&say(early, "not_affected"), &say(late, "affected")]), both(None));
    assert_eq!(said(&[&say(late, "affected"), &say(early, "not_affected")]), both(None));
    assert_eq!(said(&[&say(late, "not_affected"), &say(early, "under_investigation")]), both(not));
}

#[test]
fn csaf_about_products_and_their_parts() {
    let document = |status: &str, products: &str| {
        let digest = DIGEST.trim_start_matches("sha256:");
        format!(
            r#"{{"document":{{"category":"csaf_vex","csaf_version":"2.0","title":"t","tracking":{{"current_release_date":"2024-01-01T00:00:00Z"}}}},
            "product_tree":{{"branches":[{{"category":"vendor","name":"X","branches":[
              {{"category":"product_version","name":"curl","product":{{"product_id":"CURL","name":"c","product_identification_helper":{{"purl":"pkg:deb/debian/curl"}}}}}},
              {{"category":"product_name","name":"web","product":{{"product_id":"WEB","name":"w","product_identification_helper":{{"hashes":[{{"filename":"i","file_hashes":[{{"algorithm":"sha256","value":"{digest}"}}]}}]}}}}}},
              {{"category":"product_name","name":"os","product":{{"product_id":"OS","name":"o","product_identification_helper":{{"cpe":"cpe:/o:x"}}}}}}]}}],
             "relationships":[
              {{"category":"default_component_of","product_reference":"CURL","relates_to_product_reference":"WEB","full_product_name":{{"product_id":"WEB:CURL","name":"n"}}}},
              {{"category":"default_component_of","product_reference":"CURL","relates_to_product_reference":"OS","full_product_name":{{"product_id":"OS:CURL","name":"n"}}}}],
             "product_groups":[{{"group_id":"G","product_ids":["WEB:CURL"]}}]}},
            "vulnerabilities":[{{"cve":"CVE-2024-1","product_status":{{"{status}":[{products}]}},
              "flags":[{{"label":"component_not_present","product_ids":["CURL"]}},{{"label":"vulnerable_code_not_in_execute_path","group_ids":["G"]}}],
              "threats":[{{"category":"impact","details":"Not so bad.","product_ids":["WEB"]}}]}}]}}"#
        )
    };
    let of = |products: &str| said(&[&document("known_not_affected", products)]);
    let not = |why: &str| Some(("not_affected".to_owned(), Some(why.to_owned())));
    assert_eq!(of(r#""CURL""#), both(not("component_not_present")));
    assert_eq!(of(r#""WEB:CURL""#), [not("vulnerable_code_not_in_execute_path"), None]);
    assert_eq!(of(r#""WEB""#), [not("Not so bad."), None]);
    // Nothing tells whether this is that system.
    assert_eq!(of(r#""OS:CURL""#), both(None));
    assert_eq!(said(&[&document("known_affected", r#""CURL""#)]), both(None));
    let fixed = said(&[&document("fixed", r#""CURL""#)]);
    assert_eq!(fixed[0].as_ref().map(|(status, _)| status.as_str()), Some("fixed"));
}

#[test]
fn cyclonedx_about_components() {
    let document = |subject: &str, state: &str, reference: &str| {
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{{"timestamp":"2024-01-01T00:00:00Z"{subject}}},
            "components":[{{"type":"library","bom-ref":"c1","name":"curl","purl":"pkg:deb/debian/curl@7.88.1-10+deb12u5"}}],
            "vulnerabilities":[{{"id":"CVE-2024-1","analysis":{{"state":"{state}","justification":"code_not_reachable","detail":"d"}},
            "affects":[{{"ref":"{reference}"}}]}}]}}"#
        )
    };
    let not = Some(("not_affected".to_owned(), Some("code_not_reachable".to_owned())));
    assert_eq!(said(&[&document("", "not_affected", "c1")]), both(not.clone()));
    let linked = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg%3Adeb/debian/curl";
    assert_eq!(said(&[&document("", "not_affected", linked)]), both(not.clone()));
    let subject =
        format!(r#","component":{{"bom-ref":"root","type":"container","name":"web","version":"{DIGEST}"}}"#);
    assert_eq!(said(&[&document(&subject, "not_affected", "c1")]), [not.clone(), None]);
    assert_eq!(said(&[&document(&subject, "not_affected", "root")]), [not, None]);
    assert_eq!(said(&[&document("", "in_triage", "c1")]), both(None));
    assert_eq!(said(&[&document("", "not_affected", "c2")]), both(None));
    let positive = said(&[&document("", "false_positive", "c1")]);
    assert_eq!(positive[0].as_ref().map(|(status, _)| status.as_str()), Some("false_positive"));
}

#[test]
fn what_to_ignore() {
    let said = |entry: &str| {
        let mut all = Suppressions::default();
        let expired =
            all.add_ignored("ignore.toml", &format!("[[ignore]]\n{entry}\n"), "2024-06-15").unwrap();
        let found =
            [image(), Place::default()].map(|place| all.of(&finding("CVE-2024-1", CURL), &place).is_some());
        (found, expired)
    };
    let holds = |entry: &str| said(entry).0;
    assert_eq!(holds("id = \"CVE-2024-1\"\nreason = \"x\""), [true, true]);
    assert_eq!(holds("id = \"GHSA-1\""), [true, true]);
    assert_eq!(holds("id = \"CVE-2024-2\""), [false, false]);
    assert_eq!(holds("id = \"CVE-2024-*\"\npackage = \"curl\""), [true, true]);
    assert_eq!(holds("id = \"CVE-2024-*\"\npackage = \"wget\""), [false, false]);
    assert_eq!(holds("package = \"pkg:deb/debian/curl\""), [true, true]);
    assert_eq!(holds("image = \"registry.example/*\""), [true, false]);
    assert_eq!(holds(&format!("image = \"{DIGEST}\"")), [true, false]);
    assert_eq!(holds("path = \"/var/lib/dpkg/*\""), [true, false]);
    assert_eq!(holds("id = \"CVE-2024-1\"\nexpiry = 2024-06-15"), [true, true]);
    let (found, expired) = said("id = \"CVE-2024-1\"\nexpiry = \"2024-06-14\"");
    assert_eq!(found, [false, false]);
    assert_eq!(expired, ["ignore.toml: entry 1 (CVE-2024-1) expired on 2024-06-14"]);
}

#[test]
fn bad_files_are_told_with_the_place() {
    let ignored =
        |text: &str| Suppressions::default().add_ignored("i", text, "2024-01-01").unwrap_err().to_string();
    for (text, expected) in [
        ("[[ignore]]\nid = \"a\"\n\n[[ignore]]\nwhy = 1\n", "line 5"),
        ("[[ignore]]\nreason = \"x\"\n", "entry 1: it names neither"),
        ("[[ignore]]\nid = \"a\"\nexpiry = \"soon\"\n", "entry 1: expiry"),
        ("[[ignore]]\npackage = \"pkg:x\"\n", "entry 1: package `pkg:x` is no purl"),
    ] {
        assert!(ignored(text).contains(expected), "{}", ignored(text));
    }
    let vex = |text: &str| Suppressions::default().add_vex("v", text.as_bytes()).unwrap_err().to_string();
    let unknown = openvex("x", r#"{"vulnerability":"C","status":"fine"}"#);
    for (text, expected) in [
        ("{", "line 1 column"),
        ("{}", "neither OpenVEX"),
        (unknown.as_str(), "statement 1: status `fine`"),
        (r#"{"@context":"openvex"}"#, "statements"),
        (
            r#"{"bomFormat":"CycloneDX","vulnerabilities":[{"analysis":{"state":"odd"}}]}"#,
            "vulnerability 1: state",
        ),
        (r#"{"document":{"csaf_version":"2.0"},"vulnerabilities":[{},{"cve":1}]}"#, "vulnerability 2"),
    ] {
        assert!(vex(text).contains(expected), "{}", vex(text));
    }
    let deep = format!(
        r#"{{"bomFormat":"CycloneDX","components":{}{}}}"#,
        r#"[{"components":"#.repeat(40),
        "[]".to_owned() + &"}]".repeat(40)
    );
    assert!(vex(&deep).contains("nested deeper"));
}
