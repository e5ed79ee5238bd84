//! Ruby packages: the specifications that RubyGems keeps of installed gems, `specifications/NAME-VERSION[-PLATFORM].gemspec`,
//! and of those that come with Ruby, `specifications/default/…`. They are Ruby that RubyGems wrote
//! (`Gem::Specification#to_ruby`): one line for each attribute, literals only. Bundler has it write those of repositories too, in
//! place (`Bundler::Source::Git`). A gemspec elsewhere is part of a gem's sources.

use std::collections::BTreeSet;

use super::{
    Extraction, Extractor, File, Package, PackageKind, Requirement, lines::Lines, package::web_address,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const GEMSPEC: &str = "gemspec";
const SUFFIX: &str = ".gemspec";

/// Digits of a revision in the name of the directory that Bundler checks a repository out into.
const REVISION_DIGITS: usize = 12;
/// Directories of a repository in each other, the outermost included, in which Bundler looks for specifications.
const REPOSITORY_DEPTH: usize = 3;

/// RubyGems' and Bundler's packages.
pub(super) struct Gem;

impl Extractor for Gem {
    fn name(&self) -> &'static str {
        "gem"
    }

    fn version(&self) -> u32 {
        3
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        let mut above = path.components().rev();
        let is_gemspec = above.next().is_some_and(|name| name.ends_with(SUFFIX.as_bytes()));
        if !is_gemspec || kind != FileKind::Regular {
            return false;
        }
        match above.next() {
            Some(b"default") => above.next() == Some(b"specifications"),
            Some(b"specifications") => true,
            _ => revision(path).is_some(),
        }
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let mut read = Attributes::default();
        if let Err(error) = read.read(file) {
            found.lose(error);
        }
        let stem = String::from_utf8_lossy(file.path().name()).into_owned();
        let stem = stem.strip_suffix(SUFFIX).unwrap_or(&stem);
        let (name, version) = match (read.name, read.version) {
            (Some(name), Some(version)) => (name, version),
            // What people wrote may compute them; RubyGems gives the file its name by them.
            (name, _) => {
                let problem = || FormatError::malformed(GEMSPEC, "no name or no version");
                named(stem, name.as_deref()).ok_or_else(problem)?
            }
        };
        let platform = stem.strip_prefix(&name).and_then(|rest| rest.strip_prefix('-'));
        let platform = platform.and_then(|rest| rest.strip_prefix(&version)?.strip_prefix('-'));
        let mut package = Package::new(PackageKind::Gem, name, version);
        package.arch = platform.filter(|platform| !platform.is_empty()).map(str::to_owned);
        package.requires = read.requires.into_iter().map(Requirement::named).collect();
        package.license = read.license;
        package.origin =
            revision(file.path()).map(|revision| format!("git {}", String::from_utf8_lossy(revision)));
        package.url = read.homepage.as_deref().and_then(web_address);
        found.add(package);
        Ok(found)
    }
}

/// The revision of the repository that Bundler checked out with a specification: `bundler/gems/REPOSITORY-REVISION`.
fn revision(path: &GuestPath) -> Option<&[u8]> {
    let above: Vec<_> = path.components().rev().skip(1).take(REPOSITORY_DEPTH.saturating_add(2)).collect();
    let directory = above.windows(3).find_map(|place| match place {
        [directory, b"gems", b"bundler"] => Some(*directory),
        _ => None,
    })?;
    let revision = directory.rsplit(|byte| *byte == b'-').next()?;
    (revision.len() == REVISION_DIGITS && revision.iter().all(u8::is_ascii_hexdigit)).then_some(revision)
}

/// What is read of a specification.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    version: Option<String>,
    license: Option<String>,
    homepage: Option<String>,
    requires: BTreeSet<String>,
}

impl Attributes {
    fn read(&mut self, file: &File<'_>) -> Result<(), FormatError> {
        let mut lines = Lines::new(file.content(), GEMSPEC, 4096, limits::GEMSPEC_BYTES);
        while let Some(line) = lines.next()? {
            let Ok(text) = std::str::from_utf8(line.bytes) else { continue };
            if let Some(name) = dependency(text) {
                self.requires.insert(name);
                continue;
            }
            let Some((attribute, value)) = assignment(text) else { continue };
            // A description may hold lines like these, after the first.
            match attribute {
                "name" if self.name.is_none() => self.name = literal(value),
                "homepage" if self.homepage.is_none() => self.homepage = literal(value),
                "version" if self.version.is_none() => self.version = literal(value),
                "license" | "licenses" if self.license.is_none() => {
                    // They are listed for users to choose one.
                    let list = value.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                    let list = list.map_or(value, |(list, _)| list);
                    let names: Vec<_> = list.split(',').filter_map(literal).collect();
                    self.license = (!names.is_empty()).then(|| names.join(" OR "));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The attribute and the value of `s.attribute = value`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (target, value) = line.split_once('=')?;
    let (variable, attribute) = target.trim().split_once('.')?;
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_word(variable) && is_word(attribute)).then(|| (attribute, value.trim()))
}

/// The name in `s.add_runtime_dependency(%q<name>.freeze, ["…"])`, which older RubyGems call `add_dependency`.
fn dependency(line: &str) -> Option<String> {
    let (_, call) = line.trim().split_once(".add_")?;
    let arguments = ["runtime_dependency", "dependency"].iter().find_map(|name| call.strip_prefix(name))?;
    literal(arguments.trim_start().trim_start_matches('(').split([',', ')']).next()?)
}

/// A string without escapes: `"text"`, `'text'`, or `%q{text}` of older RubyGems, all perhaps frozen.
fn literal(value: &str) -> Option<String> {
    let value = value.trim();
    let value = value.strip_suffix(".freeze").unwrap_or(value);
    let inner = [("\"", "\""), ("'", "'"), ("%q{", "}"), ("%q<", ">")]
        .iter()
        .find_map(|(start, end)| value.strip_prefix(start)?.strip_suffix(end))?;
    let is_plain = !inner.is_empty() && !inner.contains(['"', '\'', '\\', '#', '{', '}']);
    is_plain.then(|| inner.to_owned())
}

/// Name and version as the name of the file has them: the version is the first part that begins with a digit.
fn named(stem: &str, name: Option<&str>) -> Option<(String, String)> {
    let known = name.and_then(|name| Some((name, stem.strip_prefix(name)?.strip_prefix('-')?)));
    let mut cuts = stem.match_indices('-').filter_map(|(at, _)| {
        let (name, rest) = stem.split_at_checked(at)?;
        Some((name, rest.strip_prefix('-')?))
    });
    let is_version = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let (name, rest) = known.or_else(|| cuts.find(|(_, rest)| is_version(rest)))?;
    let version = rest.split('-').next().filter(|version| is_version(version))?;
    (!name.is_empty()).then(|| (name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::testing, num};

    const DIR: &str = "usr/lib/ruby/gems/3.1.0/specifications";

    fn extract(name: &str, text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Gem, &format!("{DIR}/{name}.gemspec"), text.as_bytes(), &[])
    }

    #[test]
    fn wants_specifications_of_installed_gems() {
        testing::wants(
            &Gem,
            &[
                "usr/lib/ruby/gems/3.1.0/specifications/rake-13.0.6.gemspec",
                "usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec",
                "app/vendor/bundle/ruby/3.1.0/specifications/rack-2.2.4.gemspec",
                "usr/local/bundle/bundler/gems/rails-0123456789ab/rails.gemspec",
                "usr/local/bundle/bundler/gems/rails-0123456789ab/activerecord/x/activerecord.gemspec",
            ],
            &[
                "usr/lib/ruby/gems/3.1.0/gems/rake-13.0.6/rake.gemspec",
                "usr/lib/ruby/gems/3.1.0/bundler/gems/a-0123456789ab/x/y/z/a.gemspec",
                "usr/lib/ruby/gems/3.1.0/bundler/gems/a-1/a.gemspec",
                "bundler/gems/a.gemspec",
                "app/default/a-1.gemspec",
                "app/specifications/a-1.gemspec.lock",
                "app/specifications/x/a-1.gemspec",
                "a.gemspec",
            ],
        );
    }

    #[test]
    fn what_rubygems_writes() {
        let gem = |name, version| Package::new(PackageKind::Gem, name, version);
        let new = "# -*- encoding: utf-8 -*-\n# stub: nokogiri 1.13.9 x86_64-linux lib\n\n\
                   Gem::Specification.new do |s|\n  s.name = \"nokogiri\".freeze\n  s.version = \"1.13.9\"\n  \
                   s.platform = \"x86_64-linux\".freeze\n\n  s.metadata = { \"name\" => \"x\" } if s.respond_to? :metadata=\n  \
                   s.description = \"a\\ns.name = \\\"b\\\"\".freeze\n  s.licenses = [\"MIT\".freeze, \"Ruby\".freeze]\n  \
                   s.rubygems_version = \"3.3.7\".freeze\n\n  \
                   s.add_runtime_dependency(%q<racc>.freeze, [\"~> 1.4\"])\n  s.add_dependency(\"mini\".freeze)\n  \
                   s.add_development_dependency(%q<no>.freeze, [\"> 0\"])\nend\n";
        let expected = Package {
            arch: Some("x86_64-linux".into()),
            license: Some("MIT OR Ruby".into()),
            requires: ["mini", "racc"].map(Requirement::named).into(),
            ..gem("nokogiri", "1.13.9")
        };
        assert_eq!(extract("nokogiri-1.13.9-x86_64-linux", new).unwrap().packages(), [expected]);
        let old = "Gem::Specification.new do |s|\n  s.name = %q{rake}\n  s.version = \"0.8.7\"\n  s.description = %q{a\n  \
                   s.name = %q{b}\n}\nend";
        assert_eq!(extract("rake-0.8.7", old).unwrap().packages(), [gem("rake", "0.8.7")]);
    }

    #[test]
    fn what_bundler_checked_out() {
        let extract = |text: &str| {
            let at = "app/bundler/gems/repository-0123456789ab/a/a-b.gemspec";
            testing::extract(&Gem, at, text.as_bytes(), &[]).map(|found| found.packages())
        };
        let expected = Package {
            origin: Some("git 0123456789ab".into()),
            ..Package::new(PackageKind::Gem, "a-b", "1.2")
        };
        assert_eq!(extract("s.name = \"a-b\".freeze\ns.version = \"1.2\"\n").unwrap(), [expected]);
        assert!(extract("s.name = 'a-b'\ns.version = A::VERSION\n").is_err());
    }

    #[test]
    fn what_is_computed_is_taken_from_the_name_of_the_file() {
        let gem = |name, version| Some(Package::new(PackageKind::Gem, name, version));
        for (name, text, expected) in [
            ("a-b-1.2", "spec.name = 'a-b'\nspec.version = A::VERSION\n", gem("a-b", "1.2")),
            ("a-2x-1", "s.name = \"a-2x\"\n", gem("a-2x", "1")),
            ("a-1.0.pre", "s.version = \"#{x}\"\n", gem("a", "1.0.pre")),
            ("a-1", "s.name = \"b\"\ns.version = \"2\"\n", gem("b", "2")),
            ("a-1", "", gem("a", "1")),
            ("a", "s.name = \"a\"\n", None),
            ("-1", "", None),
            ("a-b", "", None),
        ] {
            let found = extract(name, text).ok().and_then(|found| found.packages().pop());
            assert_eq!(found, expected, "{name}");
        }
        let long = "#".repeat(num::to_usize(limits::GEMSPEC_BYTES));
        let found = extract("a-1", &format!("{long}\ns.name = \"b\"\n")).unwrap();
        assert_eq!((found.packages().pop(), found.damage.len()), (gem("a", "1"), 1));
        let found = extract("a-1-java", "").unwrap().packages();
        assert_eq!(found[0].arch.as_deref(), Some("java"));
    }

    #[test]
    fn literals_without_escapes() {
        for (value, expected) in [
            ("\"a\"", Some("a")),
            (" 'a'.freeze ", Some("a")),
            ("%q<a b>", Some("a b")),
            ("\"\"", None),
            ("\"a\\u00e9\"", None),
            ("\"a\" + \"b\"", None),
            ("VERSION", None),
        ] {
            assert_eq!(literal(value).as_deref(), expected, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(name in "[a0é.-]{0,6}", text in "(s\\.|name|version|licenses| = |\"|'|%q|[{}\\[\\],aé]|\n|\\.freeze)*") {
            let _ = extract(&name, &text);
        }
    }
}
