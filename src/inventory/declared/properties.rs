//! Texts that refer to properties of their file, `${NAME}` of Maven or `$(NAME)` of MSBuild.

use std::collections::HashMap;

use crate::limits;

/// The text with the values of all properties that it refers to; `None` if one is not known here, or refers to itself.
pub(super) fn resolve(begin: &str, end: &str, text: &str, known: &HashMap<&str, &str>) -> Option<String> {
    let mut text = text.to_owned();
    for _ in 0..limits::PROPERTY_STEPS {
        let Some((before, rest)) = text.split_once(begin) else { return Some(text) };
        let (name, after) = rest.split_once(end)?;
        let next = format!("{before}{}{after}", known.get(name.trim())?);
        if next.len() > limits::PACKAGE_NAME_BYTES {
            return None;
        }
        text = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_has_no_value() {
        let known = HashMap::from([("a", "1.${b}"), ("b", "2"), ("c", "${c}"), ("d", "${d}${d}")]);
        let resolve = |text| resolve("${", "}", text, &known);
        assert_eq!(resolve("${a}-${b}").as_deref(), Some("1.2-2"));
        assert_eq!(resolve("3").as_deref(), Some("3"));
        for text in ["${x}", "${a", "${c}", "${d}"] {
            assert_eq!(resolve(text), None, "{text}");
        }
    }
}
