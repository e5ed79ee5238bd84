//! A bill of materials as questions (CycloneDX 1.6, `components`).

use serde::Deserialize;

use super::{Query, Subject, purl};
use crate::{error::FormatError, inventory::Os, limits};

#[derive(Deserialize)]
struct Bill {
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

/// The components of a CycloneDX document with those inside them, in the document's order. An
/// `operating-system` among them is the distribution of purls that name none.
pub(super) fn queries(text: &str) -> Result<Vec<Query>, FormatError> {
    let bill: Bill = serde_json::from_str(text)
        .map_err(|error| FormatError::malformed("CycloneDX document", error.to_string()))?;
    let mut queries = Vec::new();
    let os = bill.components.iter().find(|component| component.kind == "operating-system");
    let os = os.map(|os| Os {
        id: os.name.to_ascii_lowercase(),
        version_id: Some(os.version.clone()).filter(|version| !version.is_empty()),
        ..Os::default()
    });
    collect(&bill.components, os.as_ref(), limits::COMPONENT_DEPTH, &mut queries)?;
    Ok(queries)
}

fn collect(
    components: &[Component],
    system: Option<&Os>,
    depth: usize,
    queries: &mut Vec<Query>,
) -> Result<(), FormatError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(FormatError::limit(format!("components nested deeper than {}", limits::COMPONENT_DEPTH)));
    };
    for component in components {
        if component.kind != "operating-system" {
            queries.push(query(component, system));
        }
        collect(&component.components, system, depth, queries)?;
    }
    Ok(())
}

fn query(component: &Component, system: Option<&Os>) -> Query {
    let Some(text) = &component.purl else {
        let text = format!("{} {}", component.name, component.version);
        return Query { text, subject: Subject::Other };
    };
    let mut subject = purl::parse(text).unwrap_or(Subject::Other);
    if let Subject::Package { os: Some(os), .. } = &mut subject
        && let Some(system) =
            system.filter(|system| os.version_id.is_none() && os.codename.is_none() && system.id == os.id)
    {
        *os = system.clone();
    }
    Query { text: text.clone(), subject }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_inside_components_and_their_system() {
        let text = r#"{"bomFormat":"CycloneDX","components":[
            {"type":"operating-system","name":"debian","version":"12"},
            {"type":"library","name":"a","purl":"pkg:deb/debian/a@1","components":[{"name":"b","version":"2"}]}]}"#;
        let queries = queries(text).unwrap();
        let texts: Vec<_> = queries.iter().map(|query| query.text.as_str()).collect();
        assert_eq!(texts, ["pkg:deb/debian/a@1", "b 2"]);
        let Subject::Package { os: Some(os), .. } = &queries[0].subject else { panic!("{queries:?}") };
        assert_eq!(os.version_id.as_deref(), Some("12"));
    }
}
