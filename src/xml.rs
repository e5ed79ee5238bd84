//! Parts of an XML document, one at a time (XML 1.0). Declarations of types and entities are refused: what they stand for has
//! no bound. Those that a document only refers to are not read.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use crate::limits;

/// An element with what is in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name without a namespace.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// The elements in it.
    pub(crate) children: Vec<Element>,
    text: String,
}

impl Element {
    /// An attribute by its name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// The text in it, but for what is in its children.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The first of its children of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All of its children of that name.
    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of that name, if there is any.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text).filter(|text| !text.is_empty())
    }
}

/// Hands over the outermost elements that are wanted by name, in their order.
pub(crate) fn elements(
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
    mut each: impl FnMut(Element),
) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    // Names of elements around the wanted ones are no matter; those within are open until their end.
    let mut open: Vec<Element> = Vec::new();
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(tag) => {
                depth = depth.saturating_add(1);
                if depth > limits::XML_DEPTH {
                    return Err(format!("more than {} elements in each other", limits::XML_DEPTH));
                }
                if !open.is_empty() || wanted(tag.local_name().as_ref()) {
                    open.push(element(&tag)?);
                }
            }
            Event::Empty(tag) => match open.last_mut() {
                Some(parent) => parent.children.push(element(&tag)?),
                None if wanted(tag.local_name().as_ref()) => each(element(&tag)?),
                None => {}
            },
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if let Some(closed) = open.pop() {
                    match open.last_mut() {
                        Some(parent) => parent.children.push(closed),
                        None => each(closed),
                    }
                }
            }
            Event::Text(text) => append(&mut open, text.as_ref()),
            Event::CData(text) => append(&mut open, text.as_ref()),
            Event::GeneralRef(name) => {
                let name: &str = name.as_ref();
                let value = character(name).ok_or_else(|| format!("entity `{name:.40}`"))?;
                append(&mut open, value.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(text) if text.contains('[') => return Err("declarations of a type".to_owned()),
            Event::Eof => break,
            Event::DocType(_) | Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    match depth {
        0 => Ok(()),
        _ => Err("the document ends within an element".to_owned()),
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(tag: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let value = value.map_err(|error| error.to_string())?.into_owned();
        attributes.push((attribute.key.local_name().as_ref().to_owned(), value));
    }
    Ok(Element { name: tag.local_name().as_ref().to_owned(), attributes, ..Element::default() })
}

/// The character that a reference stands for: one of the five that XML has itself, or a number.
fn character(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Element>, String> {
        let mut found = Vec::new();
        elements(text.as_bytes(), |name| name == "a", |element| found.push(element)).map(|()| found)
    }

    #[test]
    fn elements_of_a_name() {
        let found = of("<r><n:a x='1 &lt; 2'>t &amp; &#117;<b>v</b><b/></n:a><c/><a/></r>").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].attribute("x"), found[0].text()), (Some("1 < 2"), "t & u"));
        assert_eq!((found[0].children("b").count(), found[0].text_of("b")), (2, Some("v")));
    }

    #[test]
    fn a_type_that_is_declared_elsewhere() {
        assert_eq!(of(r#"<!DOCTYPE a SYSTEM "http://www.gentoo.org/dtd/glsa.dtd"><a/>"#).unwrap().len(), 1);
        assert!(of(r#"<!DOCTYPE a SYSTEM "http://www.gentoo.org/dtd/glsa.dtd"><a>&nbsp;</a>"#).is_err());
    }

    #[test]
    fn what_is_refused() {
        let deep = "<a>".repeat(limits::XML_DEPTH + 1);
        for text in ["<!DOCTYPE r [<!ENTITY e 'x'>]><r/>", "<a>&e;</a>", "<a>", "<a></b>", deep.as_str()] {
            assert!(of(text).is_err(), "{text:.40}");
        }
    }
}
