//! Property lists in XML (plist(5); proplib(3), which xbps writes them with): the strings in them, by the keys that lead there.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

use crate::limits;

/// Hands each string to `each` with the keys of the dictionaries around it, outermost first, until that has enough (false).
/// An error is what stands behind the last one.
pub(super) fn strings(bytes: &[u8], each: &mut dyn FnMut(&[String], &str) -> bool) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    let mut keys: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    // The text of the key or string that is open.
    let mut open: Option<String> = None;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                depth = depth.saturating_add(1);
                if depth > limits::XML_DEPTH {
                    return Err(format!("more than {} elements in each other", limits::XML_DEPTH));
                }
                match tag.local_name().as_ref() {
                    "dict" => keys.push(String::new()),
                    "key" | "string" => open = Some(String::new()),
                    _ => {}
                }
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                match tag.local_name().as_ref() {
                    "dict" => {
                        keys.pop();
                    }
                    "key" => {
                        if let (Some(last), Some(key)) = (keys.last_mut(), open.take()) {
                            if key.len() > limits::PACKAGE_NAME_BYTES {
                                return Err(format!(
                                    "a key of more than {} bytes",
                                    limits::PACKAGE_NAME_BYTES
                                ));
                            }
                            *last = key;
                        }
                    }
                    "string" if !each(&keys, &open.take().unwrap_or_default()) => return Ok(()),
                    _ => {}
                }
            }
            Event::Text(text) => append(&mut open, text.as_ref()),
            Event::CData(text) => append(&mut open, text.as_ref()),
            Event::GeneralRef(name) => {
                let character = name.resolve_char_ref().map_err(|error| error.to_string())?;
                match (character, resolve_predefined_entity(name.as_ref())) {
                    (Some(character), _) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => append(&mut open, text),
                    (None, None) => return Err("an entity that is not XML's own".to_owned()),
                }
            }
            Event::Eof => break,
            Event::Empty(_) | Event::DocType(_) | Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    match depth {
        0 => Ok(()),
        _ => Err("the document ends within an element".to_owned()),
    }
}

fn append(open: &mut Option<String>, text: &str) {
    if let Some(open) = open {
        open.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Vec<(String, String)>, Option<String>) {
        let mut found = Vec::new();
        let end = strings(text.as_bytes(), &mut |keys, value| {
            found.push((keys.join("/"), value.to_owned()));
            found.len() < 4
        });
        (found, end.err())
    }

    #[test]
    fn strings_by_their_keys() {
        let text = "<?xml version=\"1.0\"?>\n<!DOCTYPE plist PUBLIC \"x\" \"y\">\n<plist version=\"1.0\"><dict><key>a</key><dict>\
                    <key>v</key><string>1 &lt;&#65;</string><key>n</key><integer>7</integer></dict>\n<key>l</key><array><dict>\
                    <key>f</key><string>x</string></dict><string>y</string></array></dict></plist>";
        let pair = |keys: &str, value: &str| (keys.to_owned(), value.to_owned());
        assert_eq!(all(text), (vec![pair("a/v", "1 <A"), pair("l/f", "x"), pair("l", "y")], None));
        assert_eq!(all("<string/>"), (vec![], None));
        assert_eq!(all(&"<string>x</string>".repeat(9)).0.len(), 4);
    }

    #[test]
    fn what_is_refused() {
        let deep = "<dict>".repeat(limits::XML_DEPTH + 1);
        let long = format!("<dict><key>{}</key></dict>", "x".repeat(limits::PACKAGE_NAME_BYTES + 1));
        for text in
            ["<dict>", "<a></b>", "<string>&e;</string>", "<string>&#xffffffff;</string>", &deep, &long]
        {
            assert!(all(text).1.is_some(), "{text:.40}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(</?(dict|key|string|array)>|&|;|#|a)*") {
            let _ = all(&text);
        }
    }
}
