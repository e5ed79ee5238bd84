//! WordPress: its core by the variable of `wp-includes/version.php`, plugins and themes by the headers of their main files
//! (Plugin Handbook, "Header Requirements"; Theme Handbook, "Main Stylesheet"). No type of purls is WordPress's: the packages
//! are generic ones, `wordpress`, `wordpress-plugin/NAME` and `wordpress-theme/NAME`, by the names of their directories.

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    block,
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits, num,
};

/// WordPress, its plugins and its themes.
pub(super) struct Wordpress;

impl Extractor for Wordpress {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && part(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(part) = part(file.path()) else { return Ok(found) };
        let length = num::to_usize(file.size().min(limits::WORDPRESS_HEADER_BYTES));
        let bytes = block::read_vec(file.content(), part.structure(), 0, length)?;
        let text = String::from_utf8_lossy(&bytes);
        let version = match part {
            Part::Core => core_version(&text),
            // A plugin's other files have no header.
            Part::Plugin(_) if header(&text, "Plugin Name").is_none() => return Ok(found),
            Part::Theme(_) if header(&text, "Theme Name").is_none() => return Ok(found),
            Part::Plugin(_) | Part::Theme(_) => header(&text, "Version"),
        };
        let version = version.ok_or_else(|| FormatError::malformed(part.structure(), "no version"))?;
        let mut package = Package::new(PackageKind::Generic, part.name(), version);
        package.license = header(&text, "License").map(str::to_owned).filter(|_| part != Part::Core);
        found.add(package);
        Ok(found)
    }
}

/// What a file is the main file of.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Core,
    Plugin(&'a [u8]),
    Theme(&'a [u8]),
}

impl Part<'_> {
    fn structure(&self) -> &'static str {
        match self {
            Self::Core => "WordPress's version",
            Self::Plugin(_) => "header of a plugin",
            Self::Theme(_) => "header of a theme",
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Core => "wordpress".to_owned(),
            Self::Plugin(name) => format!("wordpress-plugin/{}", String::from_utf8_lossy(name)),
            Self::Theme(name) => format!("wordpress-theme/{}", String::from_utf8_lossy(name)),
        }
    }
}

fn part(path: &GuestPath) -> Option<Part<'_>> {
    let name = path.name();
    let mut dirs = path.components().rev().skip(1);
    let (first, second, third) = (dirs.next()?, dirs.next(), dirs.next());
    let is_plugins = |dir: &[u8]| matches!(dir, b"plugins" | b"mu-plugins");
    if let Some(stem) = name.strip_suffix(b".php") {
        if stem == b"version" && first == b"wp-includes" {
            return Some(Part::Core);
        }
        if is_plugins(first) && second == Some(b"wp-content") {
            return Some(Part::Plugin(stem));
        }
        let is_plugin = second.is_some_and(is_plugins) && third == Some(b"wp-content");
        return is_plugin.then_some(Part::Plugin(first));
    }
    let is_theme = name == b"style.css" && second == Some(b"themes") && third == Some(b"wp-content");
    is_theme.then_some(Part::Theme(first))
}

/// The value of `$wp_version = '6.4.2';`.
fn core_version(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("$wp_version")?.trim_start().strip_prefix('=')?.trim();
        let value = value.strip_suffix(';')?.trim_end();
        let quoted = ['\'', '"'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        quoted.filter(|version| !version.is_empty())
    })
}

/// The value of a header, as WordPress's `get_file_data` finds it.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(['\n', '\r']).find_map(|line| {
        let line = line.trim_start_matches([' ', '\t']);
        let line = line.strip_prefix("<?php").unwrap_or(line);
        let line = line.trim_start_matches([' ', '\t', '/', '*', '#', '@']);
        let (start, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(':').filter(|_| start.eq_ignore_ascii_case(name))?;
        let end = ["*/", "?>"].iter().filter_map(|end| value.find(end)).min().unwrap_or(value.len());
        value.get(..end).map(str::trim).filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const PLUGIN: &str = "var/www/html/wp-content/plugins/akismet/akismet.php";

    fn extract(path: &str, text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Wordpress, path, text.as_bytes(), &[])
    }

    fn generic(name: &str, version: &str, license: Option<&str>) -> Package {
        Package { license: license.map(str::to_owned), ..Package::new(PackageKind::Generic, name, version) }
    }

    #[test]
    fn wants_main_files() {
        testing::wants(
            &Wordpress,
            &[
                PLUGIN,
                "var/www/html/wp-includes/version.php",
                "wp-content/plugins/hello.php",
                "srv/wp-content/mu-plugins/a.php",
                "srv/wp-content/themes/twentytwentythree/style.css",
            ],
            &[
                "srv/wp-content/plugins/akismet/views/a.php",
                "srv/wp-content/themes/a/assets/style.css",
                "srv/version.php",
                "srv/plugins/a/a.php",
                "style.css",
            ],
        );
    }

    #[test]
    fn core_plugins_and_themes() {
        let core = "<?php\n/**\n * @global string $wp_version\n */\n$wp_version = '6.1.9';\n$wp_db_version = 53496;\n";
        let plugin = "<?php\n/**\n * @package Akismet\n */\n/*\nPlugin Name: Akismet Anti-Spam\nversion: 5.0.2 */\nLicense: GPLv2\n";
        let theme = "/*\rTheme Name: Twenty\rVersion: 1.0\r*/";
        let short = "<?php /* Plugin Name: A\n# Version: 2 ?>";
        let gpl = generic("wordpress-plugin/akismet", "5.0.2", Some("GPLv2"));
        for (path, text, expected) in [
            ("a/wp-includes/version.php", core, generic("wordpress", "6.1.9", None)),
            (PLUGIN, plugin, gpl),
            ("wp-content/plugins/hello.php", short, generic("wordpress-plugin/hello", "2", None)),
            ("wp-content/themes/twenty/style.css", theme, generic("wordpress-theme/twenty", "1.0", None)),
        ] {
            assert_eq!(extract(path, text).unwrap().packages(), [expected], "{path}");
        }
        for text in ["", "<?php // Silence is golden.", "<?php\n# Version: 1\n"] {
            assert_eq!(extract(PLUGIN, text).unwrap().packages(), [], "{text}");
        }
    }

    #[test]
    fn what_has_no_version_is_an_error() {
        for (path, text) in [
            (PLUGIN, "/*\nPlugin Name: A\nVersion:\n*/"),
            ("a/wp-includes/version.php", ""),
            ("a/wp-includes/version.php", "$wp_version = getenv('X');"),
        ] {
            assert!(extract(path, text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(Plugin Name:|Version:|[ /*#@<?\\n\\r:é=';]|php|\\$wp_version)*") {
            let _ = extract(PLUGIN, &text);
            let _ = extract("a/wp-includes/version.php", &text);
        }
    }
}
