//! What is shown of URLs with passwords and signatures, wherever the caller put them: a word in a wrong place of the command
//! line is told by whoever does not understand it.

use std::env;

use icecore::{block, report};

/// A text for people in which every URL is shown without its secrets.
pub(crate) fn hidden(text: &str) -> String {
    let words = env::args_os().skip(1).chain(
        env::vars_os()
            .filter(|(name, _)| name.to_string_lossy().starts_with("ICECORE_"))
            .map(|(_, value)| value),
    );
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    of(text, &words)
}

/// The same, of what was said about these words.
fn of(text: &str, words: &[String]) -> String {
    let mut text = text.to_owned();
    // As a whole, because what is a secret in a word may have spaces and quotes in it.
    for word in words.iter().flat_map(|word| word.lines()) {
        let Some((at, _)) = url(word).filter(|(at, _)| word.is_char_boundary(*at)) else { continue };
        let spelled = word.get(at..).unwrap_or_default();
        let shown = shown(spelled);
        let quoted = format!("{spelled:?}");
        let cleaned = report::clean(spelled);
        let collapsed = collapsed(spelled);
        for form in [spelled, quoted.trim_matches('"'), &cleaned, &collapsed] {
            text = replaced(&text, form, &shown);
        }
        // Of a word that was cut somewhere the beginning is left.
        let Some((user, _)) = spelled.rsplit_once('@').filter(|(user, _)| !shown.starts_with(user)) else {
            continue;
        };
        let (user, scheme) = (format!("{user}@"), shown.split_inclusive("//").next().unwrap_or_default());
        for form in [&user, &self::collapsed(&user)] {
            text = replaced(&text, form, scheme);
        }
    }
    let mut done = String::new();
    let mut rest = text.as_str();
    while let Some((before, found)) = url(rest).and_then(|(at, _)| rest.split_at_checked(at)) {
        done.push_str(before);
        let ends = |letter: char| letter.is_whitespace() || letter.is_control() || "'\"`".contains(letter);
        let (word, after) =
            found.split_at_checked(found.find(ends).unwrap_or(found.len())).unwrap_or((found, ""));
        let bare = word.trim_end_matches([':', ',', ';', '.', ')', ']']);
        done.push_str(&shown(bare));
        done.push_str(word.get(bare.len()..).unwrap_or_default());
        rest = after;
    }
    done + rest
}

/// A path with one slash of several that follow each other.
fn collapsed(path: &str) -> String {
    path.chars().fold(String::new(), |mut path, letter| {
        if letter != '/' || !path.ends_with('/') {
            path.push(letter);
        }
        path
    })
}

/// A text with `with` in the place of every `form`, whose spaces may have become line ends and indentation.
fn replaced(text: &str, form: &str, with: &str) -> String {
    let mut parts = form.split_whitespace();
    let Some(first) = parts.next() else { return text.to_owned() };
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(first) {
        let behind = parts.clone().try_fold(after, |after, part| after.trim_start().strip_prefix(part));
        done.push_str(before);
        done.push_str(if behind.is_some() { with } else { first });
        rest = behind.unwrap_or(after);
    }
    done + rest
}

/// Where a URL of any scheme begins, and what comes behind its `://`. A path of a guest has one slash of the two.
fn url(text: &str) -> Option<(usize, usize)> {
    text.match_indices(":/").find_map(|(colon, _)| {
        let before = text.get(..colon)?;
        let is_part = |letter: &char| letter.is_ascii_alphanumeric() || "+-.".contains(*letter);
        let length = before.chars().rev().take_while(is_part).count();
        let at = colon.saturating_sub(length);
        let scheme = before.get(at..)?;
        let is_web = ["http", "https"].iter().any(|web| scheme.to_ascii_lowercase().ends_with(web));
        let slashes = text.get(colon.saturating_add(1)..)?.bytes().take_while(|byte| *byte == b'/').count();
        let is_url = slashes >= 2 && scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
        (is_url || is_web).then_some((at, colon.saturating_add(1).saturating_add(slashes)))
    })
}

/// A URL without user, password, query and fragment, whatever its scheme.
fn shown(url: &str) -> String {
    let Some((_, behind)) = self::url(url) else { return url.to_owned() };
    let (scheme, rest) = url.split_at_checked(behind).unwrap_or((url, ""));
    const WEB: &str = "https://";
    let shown = block::shown_word(&format!("{WEB}{rest}"));
    format!("{scheme}{}", shown.strip_prefix(WEB).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_secrets_whoever_speaks_of_them() {
        let rows = [
            ("/https:/u:PW@h/x?sig=S: not there", "/https:/h/x: not there"),
            (
                "subcommand 'https://h/x?sig=S' and \"ftp://u:PW@h\"",
                "subcommand 'https://h/x' and \"ftp://h\"",
            ),
            ("[env: ICECORE_DB=HTTPS://h?sig=S]", "[env: ICECORE_DB=HTTPS://h]"),
            ("\u{1b}[33mhttp://h/x?S\u{1b}[0m", "\u{1b}[33mhttp://h/x\u{1b}[0m"),
            ("disk0: at C:/x, 10:/ and /a//b?c", "disk0: at C:/x, 10:/ and /a//b?c"),
            ("http://h/a, http://h/b?S.", "http://h/a, http://h/b."),
        ];
        for (text, expected) in rows {
            assert_eq!(of(text, &[]), expected);
        }
        let word = "--db=https://u:P W'@h/x?sig=S T";
        for said in [word.to_owned(), format!("{word:?}"), format!("'{word}': x")] {
            let shown = of(&said, &[word.to_owned()]);
            assert!(shown.contains("--db=https://h/x") && !shown.contains(['P', 'W', 'S', 'T']), "{shown}");
        }
        assert_eq!(
            of("/https:/u:P W@h/x: not there", &["https://u:P W@h/x".to_owned()]),
            "/https://h/x: not there"
        );
        let cut = of("https://u:P\n   W@h/x and https://u:P W@h: 1", &["https://u:P W@h/x?S".to_owned()]);
        assert_eq!(cut, "https://h/x and https://h: 1");
        assert_eq!(of("https://h/a@2.vhd: x", &["https://h/a@2.vhd".to_owned()]), "https://h/a@2.vhd: x");
    }
}
