//! What `opam lock` pins ("The opam manual"): package definitions in which each dependency has one version.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{
        Package, PackageKind,
        opam::{self, Token},
    },
};

/// Reads `NAME.opam.locked`: `depends: ["NAME" {= "VERSION" & …} …]`.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    let (mut depth, mut before) = (0_usize, Token::Sign(' '));
    // The name that was read last, if it has no version yet.
    let mut open: Option<&str> = None;
    let mut is_equal = false;
    let text = lock.text();
    let read = opam::list(&text, "depends", &mut |token| {
        match token {
            Token::Sign('{') => depth = depth.saturating_add(1),
            Token::Sign('}') => depth = depth.saturating_sub(1),
            Token::Text(name) if depth == 0 => {
                if let Some(name) = open.replace(name) {
                    named.lose(&format!("{name:.60} has no version"));
                }
            }
            Token::Text(version) if is_equal => {
                if let Some(name) = open.take() {
                    named.add(Package::new(PackageKind::Opam, name, version));
                }
            }
            _ => {}
        }
        // Other comparisons, and those of variables, are conditions.
        let begins = matches!(before, Token::Sign('{' | '(' | '&' | '|'));
        is_equal = token == Token::Sign('=') && begins;
        before = token;
    });
    if let Some(name) = open {
        named.lose(&format!("{name:.60} has no version"));
    }
    read.map_err(|problem| FormatError::malformed("opam.locked", problem))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_that_are_pinned() {
        let text = r#"opam-version: "2.0"
name: "proj"
version: "~dev"
depends: [
  "alpha" {= "1.0" & with-test}
  "beta" {os = "linux" & = "2.1~rc1"}
  "gamma" {>= "3"}
  "delta"
]
pin-depends: ["x.1" "git+https://example.com/x"]"#;
        let expected = ["alpha 1.0", "beta 2.1~rc1"];
        let named = testing::named(PackageKind::Opam, "proj.opam.locked", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 2));
        assert!(testing::fails("a.opam.locked", "depends: ["));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(depends: \\[|\"a\"|[{}\\[\\]&=é \n]|\"|\\\\)*") {
            testing::read("a.opam.locked", &text);
        }
    }
}
