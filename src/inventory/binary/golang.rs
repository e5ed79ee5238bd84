//! The lines of Go's build information (`runtime/debug.ParseBuildInfo`) as packages: the modules that were linked, each as what
//! replaced it, and the standard library of the toolchain.

use super::{go::BuildInfo, ldflags};
use crate::inventory::{Extraction, Package, PackageKind};

/// What Go says of a module whose version it does not know: the working tree that was built.
const DEVEL: &str = "(devel)";

/// A module's path and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Module {
    path: String,
    version: String,
}

/// What the lines say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    /// The path of the main package.
    path: String,
    main: Option<Module>,
    /// Modules with what replaced them.
    deps: Vec<(Module, Option<Module>)>,
    settings: Vec<(String, String)>,
}

/// Adds the packages of a build.
pub(super) fn add(info: &BuildInfo, found: &mut Extraction) {
    let lines = parse(&info.modules);
    let package = |module: Module| Package::new(PackageKind::Golang, module.path, module.version);
    if !found.add(Package::new(PackageKind::Golang, "stdlib", toolchain(&info.version))) {
        return;
    }
    if let Some(main) = &lines.main {
        let version = main_version(main, &lines.settings);
        if !found.add(package(Module { version, ..main.clone() })) {
            return;
        }
    } else if let Some(main) = without_module(&lines)
        && !found.add(package(main))
    {
        return;
    }
    for (module, replaced) in lines.deps {
        let package = match replaced {
            // A directory has no version, and its name means nothing elsewhere.
            Some(other) if is_directory(&other.path) => {
                Package { origin: Some(other.path), ..package(module) }
            }
            Some(other) => package(other),
            None => package(module),
        };
        if !found.add(package) {
            return;
        }
    }
}

fn is_directory(path: &str) -> bool {
    path.starts_with("./")
        || path.starts_with("../")
        || path.starts_with('/')
        || path.get(1..3) == Some(":\\")
}

/// `1.22.1` of `go1.22.1 X:boringcrypto` and the like, `1.23-f1a2b3c` of a development version.
fn toolchain(version: &str) -> String {
    let mut words = version.split_ascii_whitespace();
    let numbered = words.find_map(|word| {
        word.strip_prefix("go").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    numbered.unwrap_or(version).to_owned()
}

fn parse(text: &str) -> Lines {
    let mut lines = Lines::default();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next();
        let mut module = || Module {
            path: fields.next().unwrap_or_default().to_owned(),
            version: fields.next().unwrap_or_default().to_owned(),
        };
        match kind {
            Some("path") => lines.path = module().path,
            Some("mod") => lines.main = Some(module()),
            Some("dep") => lines.deps.push((module(), None)),
            Some("=>") => {
                let by = module();
                match lines.deps.last_mut() {
                    Some((_, replaced)) => *replaced = Some(by),
                    None => lines.main = Some(by),
                }
            }
            Some("build") => lines.settings.extend(setting(line)),
            _ => {}
        }
    }
    lines
}

fn setting(line: &str) -> Option<(String, String)> {
    let text = line.strip_prefix("build\t")?;
    let (key, rest) = if text.starts_with('"') { ldflags::unquoted(text)? } else { (String::new(), text) };
    let (more, value) = rest.split_once('=')?;
    let value = if value.starts_with('"') { ldflags::unquoted(value)?.0 } else { value.to_owned() };
    Some((key + more, value))
}

/// The repository of a program that was built without modules, as Debian builds them, with the version that its builder gave to
/// the linker; `None` if there is none, or the path tells no repository.
fn without_module(lines: &Lines) -> Option<Module> {
    const HOSTS: [&str; 3] = ["github.com", "gitlab.com", "bitbucket.org"];
    let parts: Vec<&str> = lines.path.split('/').take(3).collect();
    let is_repository = parts.len() == 3 && parts.first().is_some_and(|host| HOSTS.contains(host));
    let path = is_repository.then(|| parts.join("/"))?;
    let (_, flags) = lines.settings.iter().find(|(key, _)| key == "-ldflags")?;
    Some(Module { version: ldflags::version(flags, &path)?, path })
}

/// The main module's version. If Go knew none, the one that the builder gave to the linker; else, as Go 1.24 names what has no
/// tag, one that is made of the commit.
fn main_version(main: &Module, settings: &[(String, String)]) -> String {
    let setting =
        |key: &str| settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    if main.version != DEVEL && !main.version.is_empty() {
        return main.version.clone();
    }
    let named = setting("-ldflags").and_then(|flags| ldflags::version(flags, &main.path));
    let of_commit = || {
        let (revision, time) = (setting("vcs.revision")?, setting("vcs.time")?);
        pseudo_version(&main.path, revision, time, setting("vcs.modified") == Some("true"))
    };
    named.or_else(of_commit).unwrap_or_else(|| DEVEL.to_owned())
}

/// `v0.0.0-20240131235959-0123456789ab` ("Pseudo-versions" of the Go Modules Reference); `+dirty` if what was built is not quite
/// that commit.
fn pseudo_version(path: &str, revision: &str, time: &str, modified: bool) -> Option<String> {
    let (seconds, _) = time.split_once('Z').or_else(|| time.split_once('.'))?;
    let digits: String = seconds.chars().filter(char::is_ascii_digit).collect();
    let commit = revision.get(..12)?;
    let dirty = if modified { "+dirty" } else { "" };
    (digits.len() == 14).then(|| format!("{}.0.0-{digits}-{commit}{dirty}", major(path)))
}

/// The major version that a module's path ends with: `v2` of `example.org/a/v2` and `gopkg.in/a.v2`, else `v0`.
fn major(path: &str) -> &str {
    let last = path.rsplit(['/', '.']).next().unwrap_or_default();
    let is_version = last.strip_prefix('v').is_some_and(|digits| {
        !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_version && (last != "v1" || path.starts_with("gopkg.in/")) { last } else { "v0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(version: &str, modules: &str) -> Vec<String> {
        let mut found = Extraction::default();
        add(&BuildInfo { version: version.to_owned(), modules: modules.to_owned() }, &mut found);
        let row = |p: Package| {
            format!("{} {}{}", p.name, p.version, p.origin.map_or_else(String::new, |o| format!(" from {o}")))
        };
        found.packages().into_iter().map(row).collect()
    }

    #[test]
    fn modules_as_what_replaced_them() {
        let text = "path\ta.org/m/cmd\nmod\ta.org/m\tv1.2.0\th1:x=\ndep\tb.org/b\tv0.1.0\n=>\tc.org/b\tv0.1.1\th1:y=\n\
                    dep\td.org/d\tv0.0.0\n=>\t./d\t(devel)\t\ndep\te.org/e\tv2.0.0+incompatible\th1:z=\nbuild\tCGO_ENABLED=0\n";
        let expected = [
            "stdlib 1.22.1",
            "a.org/m v1.2.0",
            "c.org/b v0.1.1",
            "d.org/d v0.0.0 from ./d",
            "e.org/e v2.0.0+incompatible",
        ];
        assert_eq!(packages("go1.22.1", text), expected);
        assert_eq!(packages("go1.16", ""), ["stdlib 1.16"]);
        assert_eq!(packages("go1.16", "mod\ta\t(devel)\t\n"), ["stdlib 1.16", "a (devel)"]);
    }

    #[test]
    fn a_program_without_modules_is_its_repository_if_its_version_is_known() {
        let flags = "build\t-ldflags=\"-X github.com/docker/docker/dockerversion.Version=20.10.24+dfsg1\"\n";
        let path = "path\tgithub.com/docker/docker/cmd/dockerd\n";
        let expected = ["stdlib 1.19.8", "github.com/docker/docker v20.10.24+dfsg1"];
        assert_eq!(packages("go1.19.8", &format!("{path}{flags}")), expected);
        for text in [path, flags, &format!("path\tcommand-line-arguments\n{flags}")] {
            assert_eq!(packages("go1.19.8", text), ["stdlib 1.19.8"], "{text}");
        }
    }

    #[test]
    fn toolchains() {
        for (text, version) in [
            ("go1.22.1 X:boringcrypto", "1.22.1"),
            ("go1.21rc2", "1.21rc2"),
            ("go1.20.12 (Red Hat 1.20.12-1.el9)", "1.20.12"),
            ("devel go1.23-f1a2b3c Tue Jan 2 15:04:05 2024 +0000", "1.23-f1a2b3c"),
            ("devel +b7a85e0003 Wed Aug 1 2018", "devel +b7a85e0003 Wed Aug 1 2018"),
        ] {
            assert_eq!(toolchain(text), version);
        }
    }

    #[test]
    fn a_working_tree_has_the_version_that_its_builder_or_its_commit_gives() {
        let main = |more: &str| packages("go1.18", &format!("mod\ta.org/m/v2\t(devel)\t\n{more}"))[1].clone();
        let commit = "build\tvcs.revision=0123456789abcdef0123456789abcdef01234567\nbuild\tvcs.time=2024-01-31T23:59:59Z\n";
        assert_eq!(main(commit), "a.org/m/v2 v2.0.0-20240131235959-0123456789ab");
        let dirty = format!("{commit}build\tvcs.modified=true\n");
        assert_eq!(main(&dirty), "a.org/m/v2 v2.0.0-20240131235959-0123456789ab+dirty");
        let flags = format!("build\t-ldflags=\"-s -X main.version=2.3.4 -w\"\n{commit}");
        assert_eq!(main(&flags), "a.org/m/v2 v2.3.4");
        assert_eq!(main("build\tvcs.revision=0123\n"), "a.org/m/v2 (devel)");
        for (path, expected) in
            [("a/v2", "v2"), ("a/v1", "v0"), ("gopkg.in/a.v1", "v1"), ("a/v0", "v0"), ("a.org/vex", "v0")]
        {
            assert_eq!(major(path), expected, "{path}");
        }
    }
}
