//! Lock files with packages of Hex: `mix.lock` of Mix (a map of Elixir with a line for each dependency, `Mix.Dep.Lock`) and
//! `rebar.lock` of rebar3 (a term of Erlang, "Lock files"). Repositories in them have commits, not versions.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads Mix's: `"APP": {:hex, :NAME, "VERSION", …`.
pub(super) fn read_mix(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    each(&lock.text(), "{:hex,", named, |text| {
        let (name, rest) = text.trim_start().strip_prefix(':')?.split_once(',')?;
        Some((name.trim().trim_matches('"'), quoted(rest, "\"", "\"")?))
    });
    Ok(())
}

/// Reads rebar3's: `{<<"APP">>,{pkg,<<"NAME">>,<<"VERSION">>…`.
pub(super) fn read_rebar(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    each(&lock.text(), "{pkg,", named, |text| {
        let name = quoted(text, "<<\"", "\">>")?;
        let (_, rest) = text.split_once(',')?;
        Some((name, quoted(rest, "<<\"", "\">>")?))
    });
    Ok(())
}

/// Takes the package after each `mark`.
fn each<'a>(
    text: &'a str,
    mark: &str,
    named: &mut Named,
    read: impl Fn(&'a str) -> Option<(&'a str, &'a str)>,
) {
    for (number, part) in (1_usize..).zip(text.split(mark).skip(1)) {
        match read(part) {
            Some((name, version)) => named.add(Package::new(PackageKind::Hex, name, version)),
            None => named.lose(&format!("package {number} has no name or no version")),
        }
    }
}

/// What is between quotes at the beginning of a text.
fn quoted<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    Some(text.trim_start().strip_prefix(begin)?.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn packages_of_both_tools() {
        let mix = "%{\n  \"jason\": {:hex, :jason, \"1.4.1\", \"af15\", [:mix], [{:decimal, \"~> 1.0\", [hex: :decimal]}], \"hexpm\", \"fbb0\"},\n  \
                   \"g\": {:git, \"https://example.com/g.git\", \"0f1e\", []},\n  \"p\": {:hex, :\"p-x\", \"0.1.0-rc.1\", \"00\"},\n  \
                   \"bad\": {:hex, :bad}\n}\n";
        let expected = vec!["jason 1.4.1".to_owned(), "p-x 0.1.0-rc.1".to_owned()];
        assert_eq!(testing::named(PackageKind::Hex, "mix.lock", mix), (expected, 1));
        let rebar = "{\"1.2.0\",\n[{<<\"cowlib\">>,{pkg,<<\"cowlib\">>,<<\"2.12.1\">>},1},\n {<<\"g\">>,\n  {git,\"https://example.com/g.git\",\n       \
                     {ref,\"0f1e\"}},\n  0},\n {<<\"r\">>,{pkg,<<\"ranch\">>, <<\"1.8.0\">>},0},{<<\"b\">>,{pkg,b},0}]}.\n\
                     [\n{pkg_hash,[\n {<<\"cowlib\">>, <<\"A9FA\">>}]}\n].\n";
        let expected = vec!["cowlib 2.12.1".to_owned(), "ranch 1.8.0".to_owned()];
        assert_eq!(testing::named(PackageKind::Hex, "rebar.lock", rebar), (expected, 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{]:hex,|[{]pkg,|:a|,|<<\"|\">>|\"|\n|é)*") {
            testing::read("mix.lock", &text);
            testing::read("rebar.lock", &text);
        }
    }
}
