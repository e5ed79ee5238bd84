//! LuaRocks' lock file, `luarocks.lock` (LuaRocks' documentation, "Pinning versions with a lock file"): tables of Lua as LuaRocks
//! writes them, with a line for each rock. Lua itself is among them, which is no rock.

use super::{document::Document, named::Named};
use crate::{
    error::FormatError,
    inventory::{Package, PackageKind},
};

/// Reads lines `NAME = "VERSION",` and `["NAME"] = "VERSION",`.
pub(super) fn read(lock: &Document<'_>, named: &mut Named) -> Result<(), FormatError> {
    for (number, line) in (1_usize..).zip(lock.text().lines()) {
        let Some((name, version)) = line.trim().trim_end_matches(',').split_once('=') else { continue };
        let (name, version) = (name.trim(), version.trim());
        let name = name.strip_prefix("[\"").and_then(|name| name.strip_suffix("\"]")).unwrap_or(name);
        match version.strip_prefix('"').and_then(|version| version.strip_suffix('"')) {
            _ if name == "lua" || version == "{" => {}
            Some(version) => named.add(Package::new(PackageKind::Luarocks, name, version)),
            None => named.lose(&format!("line {number} is no rock with a version")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::inventory::PackageKind;

    #[test]
    fn rocks_of_a_lock_file() {
        let text = "return {\n   build_dependencies = {\n      [\"luarocks-build-rust\"] = \"0.2.1-1\"\n   },\n   dependencies = {\n      \
                    [\"acme/lua-cjson\"] = \"2.1.0.10-1\",\n      lpeg = \"1.1.0-1\",\n      lua = \"5.4-1\",\n      bad = 1\n   },\n}\n";
        let expected = ["luarocks-build-rust 0.2.1-1", "acme/lua-cjson 2.1.0.10-1", "lpeg 1.1.0-1"];
        let named = testing::named(PackageKind::Luarocks, "luarocks.lock", text);
        assert_eq!(named, (expected.map(str::to_owned).to_vec(), 1));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\[\"|\"\\]|a| = |\"|,|[{}é\n])*") {
            testing::read("luarocks.lock", &text);
        }
    }
}
