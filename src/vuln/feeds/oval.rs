//! OVAL definitions (OVAL 5.11, "Definitions Schema", "Linux Schema"): criteria over tests, each of an object
//! (a package's name) and a state (a version, an architecture).

use std::collections::HashMap;

use crate::{
    limits,
    xml::{self, Element},
};

/// A document.
#[derive(Default)]
pub(super) struct Oval {
    /// Its definitions, in their order.
    pub(super) definitions: Vec<Element>,
    /// When it was made.
    pub(super) date: Option<String>,
    tests: HashMap<String, Test>,
    /// Names of packages by the ids of objects.
    objects: HashMap<String, String>,
    states: HashMap<String, State>,
}

struct Test {
    object: String,
    state: Option<String>,
}

/// What a package is held against.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// An operation and a version with epoch and release.
    pub(super) evr: Option<(String, String)>,
    /// A version without.
    pub(super) version: Option<String>,
    /// A pattern of architectures.
    pub(super) arch: Option<String>,
}

/// One test of a definition, with what it tests where the document says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    /// What it is, in words.
    pub(super) comment: &'a str,
    /// The package's name.
    pub(super) object: Option<&'a str>,
    /// What it is held against.
    pub(super) state: Option<&'a State>,
}

impl Oval {
    /// The document in a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut oval = Self::default();
        let wanted = |name: &str| {
            name == "definition"
                || name == "timestamp"
                || ["_test", "_object", "_state"].iter().any(|ending| name.ends_with(ending))
        };
        xml::elements(bytes, wanted, |element| oval.add(element))?;
        Ok(oval)
    }

    fn add(&mut self, element: Element) {
        let id = element.attribute("id").unwrap_or_default().to_owned();
        let text = |name| element.text_of(name).map(str::to_owned);
        if element.name == "definition" {
            self.definitions.push(element);
        } else if element.name == "timestamp" {
            self.date = Some(element.text().to_owned());
        } else if element.name.ends_with("_test") {
            let reference = |name, attribute| Some(element.child(name)?.attribute(attribute)?.to_owned());
            let object = reference("object", "object_ref").unwrap_or_default();
            self.tests.insert(id, Test { object, state: reference("state", "state_ref") });
        } else if element.name.ends_with("_object") {
            self.objects.extend(text("name").map(|name| (id, name)));
        } else {
            let evr = element.child("evr");
            let operation = |evr: &Element| evr.attribute("operation").unwrap_or("equals").to_owned();
            let state = State {
                evr: evr.map(|evr| (operation(evr), evr.text().to_owned())),
                version: text("version"),
                arch: text("arch"),
            };
            self.states.insert(id, state);
        }
    }

    /// The ways in which a definition's criteria hold: tests of which all must.
    pub(super) fn ways<'a>(&'a self, definition: &'a Element) -> Result<Vec<Vec<Leaf<'a>>>, String> {
        match definition.child("criteria") {
            Some(criteria) => self.of_criteria(criteria),
            None => Ok(Vec::new()),
        }
    }

    /// The same; what is wrong with criteria that are not understood is noted under the definition's `name`.
    pub(super) fn ways_or_note<'a>(
        &'a self,
        definition: &'a Element,
        name: &dyn Fn() -> String,
        malformed: &mut Vec<(String, String)>,
    ) -> Option<Vec<Vec<Leaf<'a>>>> {
        self.ways(definition).map_err(|problem| malformed.push((name(), problem))).ok()
    }

    /// The parser of the document bounds how deep criteria lie in each other.
    fn of_criteria<'a>(&'a self, criteria: &'a Element) -> Result<Vec<Vec<Leaf<'a>>>, String> {
        let is_or = match criteria.attribute("operator") {
            None | Some("AND") => false,
            Some("OR") => true,
            Some(other) => return Err(format!("operator `{other:.20}`")),
        };
        let mut ways = if is_or { Vec::new() } else { vec![Vec::new()] };
        for part in &criteria.children {
            let inner = match part.name.as_str() {
                "criteria" => self.of_criteria(part)?,
                "criterion" => vec![vec![self.leaf(part)]],
                "extend_definition" => return Err("criteria that extend another definition".to_owned()),
                _ => continue,
            };
            if part.attribute("negate") == Some("true") {
                return Err("negated criteria".to_owned());
            }
            if is_or {
                ways.extend(inner);
            } else {
                if ways.len().saturating_mul(inner.len()) > limits::OVAL_WAYS {
                    return Err(format!("criteria with more than {} ways to hold", limits::OVAL_WAYS));
                }
                let with = |way: &Vec<Leaf<'a>>| {
                    let way = way.clone();
                    inner
                        .iter()
                        .map(move |more| way.iter().chain(more).copied().collect())
                        .collect::<Vec<_>>()
                };
                ways = ways.iter().flat_map(with).collect();
            }
            if ways.len() > limits::OVAL_WAYS {
                return Err(format!("criteria with more than {} ways to hold", limits::OVAL_WAYS));
            }
        }
        Ok(ways)
    }

    fn leaf<'a>(&'a self, criterion: &'a Element) -> Leaf<'a> {
        let comment = criterion.attribute("comment").unwrap_or_default();
        let test = criterion.attribute("test_ref").and_then(|test| self.tests.get(test));
        let object = test.and_then(|test| self.objects.get(&test.object)).map(String::as_str);
        let state = test.and_then(|test| self.states.get(test.state.as_ref()?));
        Leaf { comment, object, state }
    }
}

/// What definitions say about themselves.
impl Element {
    /// The ids of their references of a source (`CVE`).
    pub(super) fn references<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        let metadata = self.child("metadata").into_iter();
        let references = metadata.flat_map(|metadata| metadata.children("reference"));
        let ours = references.filter(move |one| one.attribute("source").is_some_and(|held| held == source));
        ours.filter_map(|one| one.attribute("ref_id"))
    }

    /// A text of their metadata.
    pub(super) fn metadata(&self, name: &str) -> Option<&str> {
        self.child("metadata")?.text_of(name)
    }

    /// What vendors add to it.
    pub(super) fn advisory(&self) -> Option<&Self> {
        self.child("metadata")?.child("advisory")
    }

    /// The severity in what vendors add.
    pub(super) fn severity(&self) -> Option<String> {
        self.advisory()?.text_of("severity").map(str::to_ascii_lowercase)
    }

    /// The date of an event (`issued`, `updated`) in what vendors add.
    pub(super) fn date(&self, event: &str) -> Option<String> {
        self.advisory()?.child(event)?.attribute("date").map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_hold() {
        let text = r#"<o xmlns:l="x"><generator><oval:timestamp>2024-10-10T12:04:24Z</oval:timestamp></generator><definitions>
            <definition id="d"><criteria><criterion test_ref="t" comment="c"/><criteria operator="OR">
            <criterion test_ref="t"/><criterion test_ref="lost"/></criteria></criteria></definition>
            <definition id="e"><criteria operator="XOR"/></definition><definition/></definitions>
            <tests><l:rpminfo_test id="t"><l:object object_ref="o"/><l:state state_ref="s"/></l:rpminfo_test></tests>
            <objects><l:rpminfo_object id="o"><l:name>curl</l:name></l:rpminfo_object></objects>
            <states><l:rpminfo_state id="s"><l:arch>x</l:arch><l:evr operation="less than">0:1-2</l:evr></l:rpminfo_state></states></o>"#;
        let oval = Oval::parse(text.as_bytes()).unwrap();
        assert_eq!(oval.date.as_deref(), Some("2024-10-10T12:04:24Z"));
        let ways = oval.ways(&oval.definitions[0]).unwrap();
        assert_eq!(ways.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        assert_eq!((ways[0][0].comment, ways[0][0].object), ("c", Some("curl")));
        let evr = Some(("less than".to_owned(), "0:1-2".to_owned()));
        assert_eq!(ways[0][1].state, Some(&State { evr, version: None, arch: Some("x".to_owned()) }));
        assert_eq!(ways[1][1].object, None);
        assert!(oval.ways(&oval.definitions[1]).is_err());
        assert!(oval.ways(&oval.definitions[2]).unwrap().is_empty());
    }
}
