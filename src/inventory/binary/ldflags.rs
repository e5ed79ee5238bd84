//! Versions that builders give to Go's linker: `-ldflags "-X main.version=1.2.3"` sets a variable of a package.

/// Names of variables, in small letters, that hold the program's own version.
const VARIABLES: &[&str] =
    &["appversion", "buildversion", "currentversion", "gitversion", "release", "semver", "tag", "version"];

/// The version that flags give to the main module: a variable of [`VARIABLES`] in package `main`, or else in a package of that
/// module, or else all of these variables in other packages if they agree. Values that are no versions do not count.
pub(super) fn version(flags: &str, module: &str) -> Option<String> {
    let words = words(flags);
    let mut all = Vec::new();
    let mut next = words.iter();
    while let Some(word) = next.next() {
        let value = match word.trim_start_matches('-').strip_prefix('X') {
            Some("") => next.next().map(String::as_str),
            Some(value) if word.starts_with('-') => value.strip_prefix('='),
            _ => None,
        };
        if let Some((variable, value)) = value.and_then(|value| value.split_once('='))
            && let Some((package, name)) = variable.rsplit_once('.')
            && VARIABLES.contains(&name.to_ascii_lowercase().as_str())
            && let Some(version) = as_version(value)
        {
            all.push((package, version));
        }
    }
    let of = |wanted: &dyn Fn(&str) -> bool| {
        all.iter().find(|(package, _)| wanted(package)).map(|(_, version)| version)
    };
    let is_own = |package: &str| {
        package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let (_, first) = all.first()?;
    let agreed = all.iter().all(|(_, version)| version == first).then_some(first);
    of(&|package| package == "main").or_else(|| of(&is_own)).or(agreed).cloned()
}

/// A value as Go writes versions, if it is one: numbers with one or two dots, and what may follow them.
fn as_version(value: &str) -> Option<String> {
    let plain = value.strip_prefix('v').unwrap_or(value);
    let end = plain.find(['-', '+']).unwrap_or(plain.len());
    let (numbers, rest) = plain.split_at_checked(end)?;
    let numbers: Vec<&str> = numbers.split('.').collect();
    let is_number =
        |number: &&str| (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
    let fits = matches!(numbers.len(), 2 | 3) && numbers.iter().all(is_number) && rest.chars().all(is_word);
    let short = if numbers.len() == 2 { ".0" } else { "" };
    fits.then(|| format!("v{}{short}{rest}", numbers.join(".")))
}

/// The words of flags; quotes of either kind keep one together.
fn words(flags: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in flags.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c.is_whitespace() => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A string as Go quotes it, and what is behind it.
pub(super) fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut plain = String::new();
    loop {
        match chars.next()? {
            '"' => return Some((plain, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => plain.push('\n'),
                't' => plain.push('\t'),
                'r' => plain.push('\r'),
                c @ ('\\' | '"') => plain.push(c),
                // Bytes by their numbers are in no version.
                _ => plain.push('\u{fffd}'),
            },
            c => plain.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_builders_give() {
        for (flags, expected) in [
            ("-s -w -X main.version=1.2.3", Some("v1.2.3")),
            ("-X=main.Version=v1.2", Some("v1.2.0")),
            ("-X 'main.version=v1.2.3-rc.1+x'", Some("v1.2.3-rc.1+x")),
            ("-X \"a.org/m/internal/build.Version=1.2.3\" -X main.commit=4.5.6", Some("v1.2.3")),
            ("-X a.org/m/v.Version=1.0.0 -X main.version=2.0.0", Some("v2.0.0")),
            (
                "-X k8s.io/component-base/version.gitVersion=v1.28.3 -X k8s.io/client-go/pkg/version.gitVersion=v1.28.3",
                Some("v1.28.3"),
            ),
            ("-X b.org/x.Version=1.0.0 -X c.org/x.Version=2.0.0", None),
            ("-X b.org/x.Version=1.0.0 -X a.org/m.Version=2.0.0", Some("v2.0.0")),
            ("-X main.version=dev -X main.date=2024.01.02", None),
            ("-X main.version=20240101", None),
            ("-extldflags -Xmain.version=1.0.0", None),
            ("-X", None),
            ("", None),
        ] {
            assert_eq!(version(flags, "a.org/m").as_deref(), expected, "{flags}");
        }
    }

    #[test]
    fn quoted_text() {
        assert_eq!(unquoted(r#""a \"b\" \\ \x41"=c"#), Some(("a \"b\" \\ \u{fffd}41".to_owned(), "=c")));
        assert_eq!(unquoted("\"a"), None);
    }
}
