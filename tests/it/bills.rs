//! Bills of materials of the bundled node: what their readers find in them is what the report lists. The documents
//! themselves are held against the published schemas by scripts/judge-bills.sh.

use std::collections::{BTreeMap, BTreeSet};

use icecore::{
    report::{Bill, Form, Report},
    vuln::query::Query,
};
use serde_json::Value;

use crate::demo;

const FORMS: [Form; 3] = [Form::CycloneDx, Form::Spdx2, Form::Spdx3];

fn text(bill: Bill<'_>, form: Form) -> String {
    let mut bytes = Vec::new();
    bill.write(form, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Purls and how often each is there.
fn count(purls: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    purls.for_each(|purl| *all.entry(purl).or_default() += 1);
    all
}

fn read_back(text: &str) -> BTreeMap<String, usize> {
    let queries = Query::document(text).unwrap();
    count(queries.into_iter().map(|query| query.text).filter(|text| {
        // The images themselves, and what has no purl.
        text.starts_with("pkg:") && !text.starts_with("pkg:oci/")
    }))
}

#[test]
fn every_package_is_read_back_from_every_form() {
    let report = demo::scan_demo();
    let of = |packages: &Option<Vec<icecore::report::Package>>| -> Vec<String> {
        packages.iter().flatten().map(|package| package.purl.clone()).collect()
    };
    let added = report.containers.iter().flat_map(|one| of(&one.packages_added));
    let own: Vec<String> = of(&report.node.packages).into_iter().chain(added).collect();
    let images: Vec<Vec<String>> = report.images.iter().map(|image| of(&image.packages)).collect();
    assert!(images.iter().map(Vec::len).sum::<usize>() > 50);
    for form in FORMS {
        let all = own.iter().chain(images.iter().flatten()).cloned();
        assert_eq!(read_back(&text(Bill::node(&report), form)), count(all), "{form:?}");
        assert_eq!(read_back(&text(Bill::own(&report), form)), count(own.iter().cloned()), "{form:?}");
        for (image, purls) in report.images.iter().zip(&images) {
            let bill = Bill::image(&report, image);
            assert_eq!(read_back(&text(bill, form)), count(purls.iter().cloned()), "{form:?}");
        }
    }
}

fn references(of: &Value, into: &mut Vec<String>) {
    into.extend(of["bom-ref"].as_str().map(str::to_owned));
    of["components"].as_array().into_iter().flatten().for_each(|component| references(component, into));
}

#[test]
fn findings_lead_to_components_and_what_is_missing_is_told() {
    let mut report: Report = demo::scan_demo();
    let bill = |report: &Report| -> Value {
        serde_json::from_str(&text(Bill::node(report), Form::CycloneDx)).unwrap()
    };
    let document = bill(&report);
    let mut all = Vec::new();
    references(&document, &mut all);
    references(&document["metadata"]["component"], &mut all);
    let known: BTreeSet<&String> = all.iter().collect();
    assert_eq!(known.len(), all.len(), "no two have one reference");
    let findings = document["vulnerabilities"].as_array().unwrap();
    let images = report.images.iter().flat_map(|image| image.findings.iter().flatten());
    let node = report.node.findings.iter().flatten();
    assert_eq!(findings.len(), images.chain(node).count());
    for finding in findings {
        let affected = finding["affects"].as_array().unwrap();
        assert!(!affected.is_empty(), "{finding}");
        assert!(affected.iter().all(|one| known.contains(&one["ref"].as_str().unwrap().to_owned())));
    }
    let aggregates = |document: &Value| -> Vec<String> {
        let all = document["compositions"].as_array().unwrap().iter();
        all.map(|one| one["aggregate"].as_str().unwrap().to_owned()).collect()
    };
    report.images[0].status = Some(icecore::report::Status::Partial);
    assert_eq!(aggregates(&bill(&report))[1], "incomplete");
    report.images[0].findings = None;
    assert_ne!(bill(&report)["serialNumber"], Value::Null);
}

#[test]
fn the_same_content_has_the_same_name_and_other_content_another() {
    let report = demo::scan_demo();
    for form in FORMS {
        assert_eq!(text(Bill::node(&report), form), text(Bill::node(&report), form));
    }
    let serial = |bill: Bill<'_>| {
        let document: Value = serde_json::from_str(&text(bill, Form::CycloneDx)).unwrap();
        document["serialNumber"].as_str().unwrap().to_owned()
    };
    let serials: BTreeSet<String> = report
        .images
        .iter()
        .map(|image| serial(Bill::image(&report, image)))
        .chain([serial(Bill::node(&report)), serial(Bill::own(&report))])
        .collect();
    assert_eq!(serials.len(), report.images.len() + 2);
    assert!(serials.iter().all(|serial| serial.len() == 45 && serial.as_bytes()[23] == b'8'));
}
