//! Lua packages: the rocks of a tree that LuaRocks installs into, `lib/luarocks/rocks-LUA/NAME/VERSION/NAME-VERSION.rockspec`
//! (LuaRocks' documentation, "File locations", "Rockspec format"). The version is the directory's name, with the revision of
//! the rockspec, as `luarocks list` prints it.

use super::{Extraction, Extractor, File, Package, PackageKind, package::web_address};
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const ROCKSPEC: &str = "rockspec";
const SUFFIX: &[u8] = b".rockspec";
/// A file with the name of the user whose rock of that name it is.
const NAMESPACE: &str = "rock_namespace";

/// LuaRocks' packages.
pub(super) struct Luarocks;

impl Extractor for Luarocks {
    fn name(&self) -> &'static str {
        "luarocks"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.name().ends_with(SUFFIX) && place(path).is_some()
    }

    fn companions(&self) -> &'static [&'static str] {
        &[NAMESPACE]
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some((name, version)) = place(file.path()) else { return Ok(found) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut package = Package::new(PackageKind::Luarocks, text(name), text(version));
        match namespace(file) {
            Ok(Some(namespace)) => package.name = format!("{namespace}/{}", package.name),
            Ok(None) => {}
            Err(error) => found.lose(error),
        }
        // Without what describes it a package is still there.
        match file.read(ROCKSPEC, limits::ROCKSPEC_BYTES) {
            Ok(bytes) => {
                let spec = String::from_utf8_lossy(&bytes);
                package.license = attribute(&spec, "license").map(str::to_owned);
                package.url = attribute(&spec, "homepage").and_then(web_address);
            }
            Err(error) => found.lose(error),
        }
        found.add(package);
        Ok(found)
    }
}

/// The name and the version of the rock whose rockspec is at a path.
fn place(path: &GuestPath) -> Option<(&[u8], &[u8])> {
    let mut above = path.components().rev();
    let file = above.next()?.strip_suffix(SUFFIX)?;
    let (version, name) = (above.next()?, above.next()?);
    let is_its_own = file.strip_prefix(name)?.strip_prefix(b"-")? == version;
    let is_installed = above.next()?.starts_with(b"rocks") && above.next()? == b"luarocks";
    (is_its_own && is_installed).then_some((name, version))
}

fn namespace(file: &File<'_>) -> Result<Option<String>, FormatError> {
    let Some(source) = file.companion(NAMESPACE)? else { return Ok(None) };
    let bytes = block::read_all(&source, NAMESPACE, limits::ROCK_NAMESPACE_BYTES)?;
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// The string of `NAME = "…"`, without escapes, in a text of Lua.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    // What stands before it in its line, from the last match on.
    let (mut last, mut is_comment) = (0, false);
    text.match_indices(name).find_map(|(at, _)| {
        let before = text.get(last..at)?;
        last = at;
        let line = before.rsplit('\n').next().unwrap_or(before);
        is_comment = is_comment && line.len() == before.len() || line.contains("--");
        if is_comment || line.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let value = text.get(at..)?.strip_prefix(name)?.trim_start().strip_prefix('=')?.trim_start();
        let value = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split_once(*quote))?.0;
        (!value.is_empty() && !value.contains(['\\', '\n'])).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const AT: &str = "usr/local/lib/luarocks/rocks-5.1/lua-cjson/2.1.0.10-1/lua-cjson-2.1.0.10-1.rockspec";

    #[test]
    fn wants_rockspecs_of_installed_rocks() {
        testing::wants(
            &Luarocks,
            &[AT, "root/.luarocks/lib/luarocks/rocks/a/scm-1/a-scm-1.rockspec"],
            &[
                "src/a-1.0-1.rockspec",
                "usr/lib/luarocks/rocks-5.1/a/1.0-1/b-1.0-1.rockspec",
                "usr/lib/luarocks/rocks-5.1/a/1.0-1/rock_manifest",
                "srv/rocks/a/1.0-1/a-1.0-1.rockspec",
            ],
        );
    }

    #[test]
    fn a_rock_by_its_directories() {
        let extract = |text: &str, companions: &[(&str, &[u8])]| {
            testing::extract(&Luarocks, AT, text.as_bytes(), companions).unwrap().packages()
        };
        let rock = |name| Package::new(PackageKind::Luarocks, name, "2.1.0.10-1");
        let spec = "package = \"lua-cjson\"\n-- license = \"none\"\ndescription = {\n  summary = \"license of\",\n  \
                    homepage = 'https://example.com', sublicense = \"x\",\n  license=\"MIT/X11\"\n}\n";
        let expected = Package {
            license: Some("MIT/X11".into()),
            url: Some("https://example.com".into()),
            ..rock("lua-cjson")
        };
        assert_eq!(extract(spec, &[]), [expected]);
        assert_eq!(extract("license = [[MIT]]", &[(NAMESPACE, b"acme\n")]), [rock("acme/lua-cjson")]);
        assert_eq!(extract("license = \"a\\\"b\"", &[(NAMESPACE, b"")]), [rock("lua-cjson")]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(license|homepage|=|\"|'|--|\n|[ \\\\aé])*") {
            let _ = testing::extract(&Luarocks, AT, text.as_bytes(), &[]);
        }
    }
}
