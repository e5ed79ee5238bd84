//! Which files can be programs or libraries, by their names alone: a tree has a hundred files for each program.

use crate::fs::GuestPath;

/// Directories that hold no programs, wherever they are.
const PLAIN: &[&[u8]] = &[b".git", b"__pycache__", b"ebin", b"refs", b"terminfo", b"zoneinfo"];
/// Trees that hold no programs of their own: the kernel's, data for all architectures, and package managers' state.
#[rustfmt::skip]
const TREES: &[&[u8]] = &[
    b"boot", b"dev", b"lib/apk", b"lib/modules", b"opt/lib/opkg", b"proc", b"run/udev", b"sys", b"usr/include",
    b"usr/lib/apk", b"usr/lib/locale", b"usr/lib/modules", b"usr/lib/opkg", b"usr/lib/sysimage",
    b"usr/share/bash-completion", b"usr/share/bug", b"usr/share/common-licenses", b"usr/share/doc",
    b"usr/share/fonts", b"usr/share/i18n", b"usr/share/icons", b"usr/share/info", b"usr/share/licenses",
    b"usr/share/lintian", b"usr/share/locale", b"usr/share/man", b"usr/share/perl", b"usr/share/perl5",
    b"usr/share/rpm", b"usr/share/zsh", b"var/cache", b"var/db/pkg", b"var/lib/apt", b"var/lib/dpkg", b"var/lib/opkg",
    b"var/lib/pacman", b"var/lib/pkgtools", b"var/lib/rpm", b"var/lib/rpmmanifest", b"var/lib/systemd", b"var/log",
];
/// Directories of libraries that a distribution's packages fill; what was built of modules and crates lies elsewhere.
const LIBRARIES: &[&[u8]] = &[b"lib", b"lib32", b"lib64", b"libx32"];
/// Names without an extension that are text, or PHP, in small letters.
#[rustfmt::skip]
const TEXTS: &[&[u8]] = &[
    b"authors", b"changelog", b"composer", b"contributors", b"copying", b"copyright", b"description",
    b"dockerfile", b"gemfile",
    b"licence", b"license", b"makefile", b"metadata", b"notice", b"phpunit", b"pkg-info", b"rakefile",
    b"readme", b"switch-state", b"wp",
];
/// Extensions that neither programs nor libraries have, in small letters. Any other may be a part of a program's
/// name (`python3.11`, `tool.real`).
#[rustfmt::skip]
const EXTENSIONS: &[&[u8]] = &[
    b"a", b"adoc", b"afm", b"asar", b"asc", b"awk", b"bak", b"bat", b"bz2", b"c", b"cache", b"cc", b"cer", b"cfg",
    b"cjs", b"class", b"cmd", b"cnf", b"cob", b"coffee", b"conf", b"conffiles", b"config", b"cpp", b"crt", b"cs",
    b"csproj", b"css", b"csv", b"cts", b"dat", b"db", b"deb", b"debug", b"def", b"desktop", b"dtd", b"ear", b"egg",
    b"egg-info", b"el", b"elc", b"eot", b"erb", b"f", b"f90", b"flow", b"freeze", b"fsproj", b"gemspec", b"gguf", b"gif",
    b"gir", b"go", b"gpg", b"gz", b"h", b"hpp", b"html", b"hwdb", b"ico", b"in", b"inc", b"ini", b"ipynb", b"jar",
    b"java", b"jpeg", b"jpg", b"js", b"json", b"jst", b"key", b"ko", b"la", b"less", b"list", b"lock", b"locked",
    b"lockfile", b"log", b"lua", b"lzma", b"m4", b"map", b"markdown", b"mat", b"md", b"md5sums", b"mjs", b"mo",
    b"mod", b"mount", b"mp3", b"mp4", b"mts", b"npy", b"npz", b"o", b"odt", b"orig", b"otf", b"pc", b"pdf", b"pem",
    b"pex", b"ph", b"phar", b"php", b"pickle", b"pkl", b"pl", b"plist", b"pm", b"png", b"po", b"pod", b"postinst", b"postrm",
    b"preinst", b"prerm", b"properties", b"props", b"proto", b"ps1", b"pth", b"pub", b"pxd", b"py", b"pyc", b"pyi",
    b"pyo", b"pyx", b"pyz", b"rb", b"reg", b"resolved", b"rlib", b"rockspec", b"rpm", b"rs", b"rst", b"rules", b"safetensors", b"sample", b"sav",
    b"scss", b"service", b"sh", b"shlibs", b"slice", b"socket", b"spdx", b"sql", b"sqlite", b"svg", b"symbols", b"tab",
    b"tar", b"target", b"tcc", b"tcl", b"template", b"templates", b"tgz", b"timer", b"tmpl", b"toml", b"tpl",
    b"triggers", b"ts", b"ttf", b"txt", b"typed", b"typelib", b"vbproj", b"wall", b"war", b"wasm", b"wav", b"webp",
    b"whl", b"woff", b"woff2", b"xml", b"xsd", b"xsl", b"xz", b"yaml", b"yml", b"zip", b"zst",
];

/// Whether the file at a path can be a program, or a library that is not the distribution's.
pub(super) fn may_be_program(path: &GuestPath) -> bool {
    let name = path.name();
    if !is_program_name(name) {
        return false;
    }
    let bytes = path.as_bytes();
    let is_below = |tree: &&[u8]| bytes.strip_prefix(*tree).is_some_and(|rest| rest.starts_with(b"/"));
    if TREES.iter().any(is_below) {
        return false;
    }
    let Some(dir) = bytes.len().checked_sub(name.len()).and_then(|length| bytes.get(..length)) else {
        return false;
    };
    let is_plain =
        |dir: &[u8]| PLAIN.contains(&dir) || dir.ends_with(b".dist-info") || dir.ends_with(b".egg-info");
    // Java's runtimes are known by files of this name, which are theirs.
    let is_release = name == b"release" && !dir.is_empty();
    if is_release || dir.split(|byte| *byte == b'/').any(is_plain) {
        return false;
    }
    !(is_library(name) && is_distributions(dir))
}

/// Whether a file is loaded or run although no executable bit says so: libraries, and what Windows runs.
pub(super) fn runs_without_bit(name: &[u8]) -> bool {
    is_library(name) || [&b".node"[..], b".dll", b".exe", b".dylib"].iter().any(|end| name.ends_with(end))
}

fn is_library(name: &[u8]) -> bool {
    name.ends_with(b".so") || memchr::memmem::find(name, b".so.").is_some()
}

fn is_program_name(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    match lower.iter().rposition(|byte| *byte == b'.').and_then(|dot| lower.split_at_checked(dot)) {
        Some((_, extension)) => {
            let extension = extension.strip_prefix(b".").unwrap_or_default();
            !EXTENSIONS.contains(&extension)
        }
        None => !TEXTS.contains(&lower.as_slice()),
    }
}

/// Whether a directory is one of libraries, or one of an architecture's in it (`usr/lib/x86_64-linux-gnu`), with all below but
/// for what languages keep there.
fn is_distributions(dir: &[u8]) -> bool {
    let dir = dir.strip_prefix(b"usr/").unwrap_or(dir);
    let mut names = dir.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    if !names.next().is_some_and(|top| LIBRARIES.contains(&top)) {
        return false;
    }
    !names.any(|name| matches!(name, b"site-packages" | b"dist-packages" | b"node_modules" | b"gems"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_by_their_names() {
        for (path, expected) in [
            ("bin/tool", true),
            ("usr/bin/python3.11", true),
            ("usr/local/bin/kubectl-v1.28.3", true),
            ("opt/app/server.linux-amd64", true),
            ("app/App.exe", true),
            ("srv/node_modules/a/a.node", true),
            ("srv/node_modules/a/bin/esbuild", true),
            ("usr/local/lib/libpython3.11.so.1.0", true),
            ("usr/lib/python3/dist-packages/a/_rust.abi3.so", true),
            ("usr/lib/git-core/git", true),
            ("usr/share/kibana/node/bin/node", true),
            ("usr/lib/x86_64-linux-gnu/libc.so.6", false),
            ("lib64/libz.so", false),
            ("usr/share/doc/a/copyright", false),
            ("usr/share/zoneinfo/Europe/Paris", false),
            ("usr/local/lib/python3.11/site-packages/pytz/zoneinfo/UTC", false),
            ("x/a-1.dist-info/RECORD", false),
            ("srv/node_modules/a/LICENSE", false),
            ("srv/a.min.JS", false),
            ("proc/1/exe", false),
            ("var/lib/dpkg/status", false),
            ("var/lib/rpm/Packages", false),
            ("processor/tool", true),
            ("usr/src/app/target/release/tool", true),
            ("srv/doc/tool", true),
            ("usr/lib/jvm/java-17/release", false),
            ("release", true),
        ] {
            assert_eq!(may_be_program(&GuestPath::new(path)), expected, "{path}");
        }
        for (name, expected) in
            [("a.so.1", true), ("a.dll", true), ("a.node", true), ("a.sol", false), ("so", false)]
        {
            assert_eq!(runs_without_bit(name.as_bytes()), expected, "{name}");
        }
    }
}
