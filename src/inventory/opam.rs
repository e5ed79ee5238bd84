//! OCaml packages: what opam notes of each switch, `.opam-switch/switch-state` ("The opam manual", "Switches"), and the file
//! format of this and of its package definitions ("General file format").

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const STATE: &str = "switch-state";

/// opam's packages, the compiler's included.
pub(super) struct Opam;

impl Extractor for Opam {
    fn name(&self) -> &'static str {
        "opam"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev();
        kind == FileKind::Regular
            && above.next() == Some(STATE.as_bytes())
            && above.next() == Some(b".opam-switch")
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let bytes = file.read(STATE, limits::OPAM_STATE_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut found = Extraction::default();
        let mut is_full = false;
        let read = list(&text, "installed", &mut |token| {
            // Names have no dots.
            let parts = match token {
                Token::Text(text) => text.split_once('.'),
                Token::Word(_) | Token::Sign(_) => None,
            };
            match parts {
                _ if is_full => {}
                Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                    is_full = !found.add(Package::new(PackageKind::Opam, name, version));
                }
                _ => {
                    found.lose(FormatError::malformed(STATE, "an installed package without name or version"))
                }
            }
        });
        if let Err(problem) = read {
            found.lose(FormatError::malformed(STATE, problem));
        }
        found.finish()
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// What stands between quotes.
    Text(&'a str),
    Word(&'a str),
    Sign(char),
}

/// Hands over what is in the list that a field of a file has. A file without that field has an empty one.
pub(super) fn list<'a>(text: &'a str, field: &str, each: &mut dyn FnMut(Token<'a>)) -> Result<(), String> {
    let mut tokens = Tokens(text);
    let (mut depth, mut last) = (0_usize, "");
    loop {
        match tokens.next() {
            None => return Ok(()),
            Some(Token::Sign('[' | '{' | '(')) => depth = depth.saturating_add(1),
            Some(Token::Sign(']' | '}' | ')')) => depth = depth.saturating_sub(1),
            Some(Token::Sign(':')) if depth == 0 && last == field => break,
            Some(Token::Word(word)) if depth == 0 => last = word,
            Some(_) => last = "",
        }
    }
    if tokens.next() != Some(Token::Sign('[')) {
        return Err(format!("{field} is no list"));
    }
    for token in tokens {
        match token {
            Token::Sign(']') if depth == 0 => return Ok(()),
            Token::Sign('[') => depth = depth.saturating_add(1),
            Token::Sign(']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        each(token);
    }
    Err(format!("{field} has no end"))
}

/// What is left of a file.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip();
        let first = self.0.chars().next()?;
        if let Some(quote) = ["\"\"\"", "\""].into_iter().find(|quote| self.0.starts_with(*quote)) {
            self.take(quote.len());
            let text = self.take(text_length(self.0, quote)?);
            self.take(quote.len());
            return Some(Token::Text(text));
        }
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+');
        if is_word(first) {
            let end = self.0.find(|c| !is_word(c)).unwrap_or(self.0.len());
            return Some(Token::Word(self.take(end)));
        }
        self.take(first.len_utf8());
        Some(Token::Sign(first))
    }
}

impl<'a> Tokens<'a> {
    /// Leaves out blanks and comments.
    fn skip(&mut self) {
        loop {
            self.0 = self.0.trim_start();
            let comments = [("#", "\n"), ("(*", "*)")];
            let Some((_, end)) = comments.iter().find(|(start, _)| self.0.starts_with(start)) else { return };
            self.0 = self.0.split_once(end).map_or("", |(_, rest)| rest);
        }
    }

    /// The next bytes, or all that is left.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }
}

/// The bytes before a quote that no backslash stands before, `None` if there is none.
fn text_length(text: &str, quote: &str) -> Option<usize> {
    let is_end = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        before.iter().rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
    };
    text.match_indices(quote).map(|(at, _)| at).find(|at| is_end(*at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const AT: &str = "home/opam/.opam/5.1/.opam-switch/switch-state";

    fn extract(text: &str) -> Result<(Vec<String>, usize), FormatError> {
        let found = testing::extract(&Opam, AT, text.as_bytes(), &[])?;
        let packages = found.packages();
        assert!(packages.iter().all(|package| package.kind == PackageKind::Opam));
        let names = packages.iter().map(|package| format!("{} {}", package.name, package.version));
        Ok((names.collect(), found.damage.len()))
    }

    #[test]
    fn wants_the_state_of_switches() {
        testing::wants(
            &Opam,
            &[AT, "app/_opam/.opam-switch/switch-state"],
            &["home/opam/.opam/config", ".opam-switch/switch-config", "a/switch-state"],
        );
    }

    #[test]
    fn packages_of_a_switch() {
        let text = "opam-version: \"2.0\"\ncompiler: [\"ocaml-base-compiler.5.1.1\"]\nroots: [\"dune.3.12.1\"]\n\
                    installed: [\n  \"base-unix.base\"\n  # a comment \"x.1\"\n  \"dune.3.12.1\" (* \"y.1\" *)\n  \
                    \"bad\"\n  \"ocaml.5.1.1~rc1+x\"\n]\npinned: \"z.1\"\n";
        let expected = ["base-unix base", "dune 3.12.1", "ocaml 5.1.1~rc1+x"];
        assert_eq!(extract(text).unwrap(), (expected.map(str::to_owned).to_vec(), 1));
        assert_eq!(extract("opam-version: \"2.0\"\n").unwrap(), (vec![], 0));
        assert_eq!(extract("installed: [\"a.1\"").unwrap(), (vec!["a 1".to_owned()], 1));
        for text in ["installed: \"a.1\"", "installed: [", "installed: [\"a.1\\\"]"] {
            assert!(extract(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_of_all_sorts() {
        let text = "a-b: [\"x\\\"\\\\\" >= \"\"\"y\"z\"\"\"] # end";
        let tokens: Vec<_> = Tokens(text).collect();
        let (text, word, sign) = (Token::Text, Token::Word, Token::Sign);
        let expected = [
            word("a-b"),
            sign(':'),
            sign('['),
            text("x\\\"\\\\"),
            sign('>'),
            sign('='),
            text("y\"z"),
            sign(']'),
        ];
        assert_eq!(tokens, expected);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(installed|:|[\\[\\]{}#=é \n]|\"|\\\\|a[.]1|[(][*])*") {
            let _ = extract(&text);
        }
    }
}
