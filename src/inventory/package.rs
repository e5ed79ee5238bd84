//! A package as its own package manager knows it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

macro_rules! kinds {
    ($($variant:ident $purl:literal $meaning:literal)*) => {
        /// Which package manager's: the purl type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum PackageKind {
            $(
                #[doc = $meaning]
                #[serde(rename = $purl)]
                $variant,
            )*
        }

        impl PackageKind {
            /// All kinds, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The purl type.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $purl,)*
                }
            }

            /// The kind that a purl type names.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($purl => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    Alpm "alpm" "Arch Linux and its relatives."
    Apk "apk" "Alpine and its relatives."
    Deb "deb" "Debian and its relatives."
    Rpm "rpm" "Red Hat, SUSE, Amazon and others."
    Npm "npm" "Node.js."
    Pypi "pypi" "Python."
    Bitnami "bitnami" "Bitnami's applications."
    Brew "brew" "Homebrew."
    Cargo "cargo" "Rust."
    Cocoapods "cocoapods" "Apple's platforms: CocoaPods."
    Composer "composer" "PHP."
    ChromeExtension "chrome-extension" "Chromium and browsers made of it."
    Conan "conan" "C and C++: Conan."
    Conda "conda" "Conda."
    Cos "cos" "Container-Optimized OS."
    Cpan "cpan" "Perl."
    Cran "cran" "R."
    Ebuild "ebuild" "Gentoo."
    Flatpak "flatpak" "Flatpak's applications and runtimes."
    Freebsd "freebsd" "FreeBSD and its relatives."
    Gem "gem" "Ruby."
    Github "github" "Actions of GitHub's workflows."
    Golang "golang" "Go."
    Hackage "hackage" "Haskell."
    Hex "hex" "Erlang and Elixir."
    Huggingface "huggingface" "Models of the Hugging Face Hub."
    Julia "julia" "Julia."
    Luarocks "luarocks" "Lua."
    Maven "maven" "Java."
    Nix "nix" "Nix."
    Nuget "nuget" ".NET."
    Opam "opam" "OCaml."
    Opkg "opkg" "OpenWrt, Yocto's distributions and others."
    Otp "otp" "Erlang and its relatives: applications."
    Pear "pear" "PHP: PEAR and PECL."
    Pub "pub" "Dart."
    Slackware "slackware" "Slackware and its relatives."
    Snap "snap" "Snaps."
    Swift "swift" "Swift."
    VscodeExtension "vscode-extension" "Visual Studio Code and editors made of it."
    Xbps "xbps" "Void."
    Generic "generic" "Programs without a package manager."
}

impl PackageKind {
    /// The kinds that are looked for on disks; packages of the others are matched if somebody names them.
    pub const LOOKED_FOR: &[Self] = &[
        Self::Apk,
        Self::Deb,
        Self::Rpm,
        Self::Alpm,
        Self::Ebuild,
        Self::Opkg,
        Self::Cos,
        Self::Slackware,
        Self::Xbps,
        Self::Freebsd,
        Self::Snap,
        Self::Flatpak,
        Self::Nix,
        Self::Brew,
        Self::Npm,
        Self::Pypi,
        Self::Cargo,
        Self::Composer,
        Self::Pear,
        Self::Conda,
        Self::Gem,
        Self::Luarocks,
        Self::Opam,
        Self::Hex,
        Self::Otp,
        Self::Golang,
        Self::Maven,
        Self::Nuget,
        Self::Bitnami,
        Self::Cran,
        Self::Cpan,
        Self::VscodeExtension,
        Self::ChromeExtension,
        Self::Huggingface,
        Self::Generic,
    ];

    /// Whether names have a namespace of their own, and what stands between the two.
    pub(crate) fn separator(self) -> Option<char> {
        match self {
            Self::Npm
            | Self::Composer
            | Self::Cpan
            | Self::Ebuild
            | Self::Generic
            | Self::Github
            | Self::Golang
            | Self::Huggingface
            | Self::Luarocks
            | Self::Pear
            | Self::Swift
            | Self::VscodeExtension => Some('/'),
            Self::Maven => Some(':'),
            _ => None,
        }
    }

    /// A name's namespace, if it has one of its own, and the rest.
    pub(crate) fn split(self, name: &str) -> (Option<&str>, &str) {
        let parts = self.separator().and_then(|separator| name.rsplit_once(separator));
        parts.map_or((None, name), |(namespace, name)| (Some(namespace), name))
    }

    /// A name as its ecosystem compares it: two spellings of one name are the same here.
    pub fn normal(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Pypi => python_name(name).into(),
            Self::Nuget | Self::Composer | Self::Luarocks | Self::Pear | Self::VscodeExtension => {
                name.to_ascii_lowercase().into()
            }
            _ => name.into(),
        }
    }

    /// A name or a namespace as purls write it: some types do not tell letters by case.
    pub(crate) fn in_purl(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Pypi => python_name(name).into(),
            Self::Alpm
            | Self::Apk
            | Self::Bitnami
            | Self::Brew
            | Self::Composer
            | Self::Deb
            | Self::Github
            | Self::Hex
            | Self::Luarocks
            | Self::Otp
            | Self::Pub => name.to_ascii_lowercase().into(),
            _ => name.into(),
        }
    }

    /// Whether a distribution's package manager installs these (as opposed to a language's).
    pub fn is_os(self) -> bool {
        matches!(
            self,
            Self::Alpm
                | Self::Apk
                | Self::Cos
                | Self::Deb
                | Self::Ebuild
                | Self::Freebsd
                | Self::Opkg
                | Self::Rpm
                | Self::Slackware
                | Self::Xbps
        )
    }
}

/// The normalized name of a Python project (PEP 503).
pub fn python_name(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// A web address that a package declares; `None` for what is none (RFC 3986), such as a word or a sentence.
pub(super) fn web_address(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme))?;
    let is_host = rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_plain = |byte| matches!(byte, b'!'..=b'~') && !b"\"<>[\\]^`{|}%".contains(&byte);
    (is_host && text.len() <= limits::PACKAGE_NAME_BYTES && rest.bytes().all(is_plain))
        .then(|| text.to_owned())
}

/// A digest, if its hexadecimal digits are as many as its algorithm's.
pub(super) fn digest(algorithm: &str, hex: &str) -> Option<String> {
    let digits = match algorithm {
        "md5" => 32,
        "sha1" => 40,
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return None,
    };
    let is_whole = hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| format!("{algorithm}:{}", hex.to_ascii_lowercase()))
}

/// The source package that a binary package was built from, where the two have names of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version, which may differ from the binary package's.
    pub version: String,
}

/// A package that another one needs to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The name of a package of the same kind.
    pub name: String,
    /// Its version, if several may be there and it is known which of them is used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
}

impl Requirement {
    /// A package of any version.
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None }
    }
}

/// An installed package. Versions are what the guest's own tool prints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// The package manager.
    pub kind: PackageKind,
    /// The name as installed (`@scope/name` for npm, `vendor/package` for Composer, `group:artifact` for Maven,
    /// `category/name` for Gentoo, `channel/name` for PEAR, `AUTHOR/distribution` for CPAN, the path of a Go module).
    pub name: String,
    /// The version (`epoch:version-release` for rpm, the epoch only if the package has one); empty if it has none, as models may.
    pub version: String,
    /// The architecture in the package manager's own word.
    pub arch: Option<String>,
    /// The source package, if the database names one.
    pub source: Option<SourcePackage>,
    /// The licence, as declared.
    pub license: Option<String>,
    /// Who built it (rpm `Vendor`, dpkg `Maintainer`): tells a distribution's packages from others'.
    pub vendor: Option<String>,
    /// The rpm module it belongs to (`name:stream:version:context`).
    pub module: Option<String>,
    /// Where it came from, if not from the package manager's default (pip's `direct_url`); conda's channel.
    pub origin: Option<String>,
    /// A copy inside another package (pip's `_vendor`), not one that the ecosystem installed.
    pub vendored: bool,
    /// Its homepage, or else its repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// `algorithm:hex` of the archive that it was installed from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// Only named by a lock file or a manifest: it may not be there.
    #[serde(default)]
    pub declared: bool,
    /// What it needs to run, as it says itself; where its own database tells which packages provide that, these. What is
    /// optional is among them, and nothing tells whether it is there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub requires: Vec<Requirement>,
}

impl Package {
    /// A package with nothing but its identity.
    pub fn new(kind: PackageKind, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            version: version.into(),
            arch: None,
            source: None,
            license: None,
            vendor: None,
            module: None,
            origin: None,
            vendored: false,
            url: None,
            digest: None,
            declared: false,
            requires: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_web_only() {
        for (text, expected) in [
            (" https://example.com/a?b=c#d ", Some("https://example.com/a?b=c#d")),
            ("http://127.0.0.1:80", Some("http://127.0.0.1:80")),
            ("https://", None),
            ("https://[::1]/", None),
            ("https://a b", None),
            ("https://a/%", None),
            ("https://\u{e4}.example", None),
            ("ftp://a", None),
            ("UNKNOWN", None),
        ] {
            assert_eq!(web_address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn digests_have_all_their_digits() {
        assert_eq!(digest("sha1", &"aB".repeat(20)), Some(format!("sha1:{}", "ab".repeat(20))));
        assert_eq!(
            (digest("sha1", ""), digest("sha1", &"g".repeat(40)), digest("crc", "00")),
            (None, None, None)
        );
    }
}
