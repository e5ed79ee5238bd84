//! Packages: one file in, what it says is installed, or names, out. An [`Extractor`] is handed a file and cannot tell a
//! node from an image; [`EXTRACTORS`] lists them.

mod apk;
mod binary;
mod bottlerocket;
mod chisel;
mod chrome;
mod composer;
mod conda;
mod cos;
mod cpan;
mod cran;
mod declared;
mod dotnet;
mod dpkg;
mod dpkg_diversions;
mod dpkg_files;
mod extraction;
mod fields;
mod file;
mod flatpak;
mod freebsd;
mod gem;
mod hex;
mod homebrew;
mod java;
mod lines;
mod luarocks;
mod model;
mod nix;
mod node;
mod opam;
mod opkg;
mod os;
mod otp;
pub mod owned;
mod package;
mod pacman;
mod pear;
mod phar;
mod plist;
mod portage;
mod purl;
mod python;
mod records;
mod requires;
mod rpm;
mod sbom;
mod serialized;
mod slackware;
mod snap;
mod sqlite;
#[cfg(test)]
mod testing;
mod vscode;
mod wordpress;
mod xbps;
mod zip;

pub use extraction::{Extraction, Shown};
pub use file::File;
pub use os::Os;
pub use owned::{Diversion, Owner};
pub use package::{Package, PackageKind, Requirement, SourcePackage, python_name};
pub(crate) use purl::Purl;
pub use purl::purl;

use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Stat},
};

/// Reads one ecosystem's evidence of packages. Pure: bytes in, packages out.
pub trait Extractor: Sync {
    /// A kebab word, unique among the extractors.
    fn name(&self) -> &'static str;

    /// Raised whenever the same file would give another answer: part of the layer cache's key.
    fn version(&self) -> u32;

    /// Whether a file is to be extracted. Called for every path, so it looks at the name first.
    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool;

    /// Whether a file that is wanted by its path is worth opening: what names cannot tell is told by the mode or the size.
    fn accepts(&self, path: &GuestPath, stat: &Stat) -> bool {
        let _ = (path, stat);
        true
    }

    /// Names of files in the same directory that [`File::companion`] may be asked for.
    fn companions(&self) -> &'static [&'static str] {
        &[]
    }

    /// Where a distribution's tool keeps its one database, if it is one of these: a symbolic link may lead from there to
    /// a place that no walk takes for it, and it is never empty.
    fn places(&self) -> &'static [&'static str] {
        &[]
    }

    /// The packages that the file shows. An error means that nothing of it could be read.
    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError>;
}

/// The extractors, in the order in which they are tried; the first that wants a file gets it.
pub static EXTRACTORS: &[&dyn Extractor] = &[
    &dpkg::Dpkg,
    &dpkg_files::DpkgFiles,
    &dpkg_diversions::DpkgDiversions,
    &apk::Apk,
    &rpm::Rpm,
    &rpm::RpmManifest,
    &pacman::Pacman,
    &portage::Portage,
    &opkg::Opkg,
    &chisel::Chisel,
    &cos::Cos,
    &bottlerocket::Bottlerocket,
    &slackware::Slackware,
    &xbps::Xbps,
    &xbps::XbpsFiles,
    &freebsd::Freebsd,
    &snap::Snap,
    &flatpak::Flatpak,
    &nix::Nix,
    &homebrew::Homebrew,
    &python::Python,
    &python::Archive,
    &node::Npm,
    &node::YarnCache,
    &node::Asar,
    &composer::Composer,
    &pear::Pear,
    &phar::Phar,
    &conda::Conda,
    &gem::Gem,
    &luarocks::Luarocks,
    &opam::Opam,
    &hex::Hex,
    &otp::Otp,
    &dotnet::Dotnet,
    &cran::Cran,
    &cpan::Cpan,
    &sbom::Sbom,
    &wordpress::Wordpress,
    &vscode::Vscode,
    &chrome::Chrome,
    &model::Gguf,
    &model::Safetensors,
    &model::Hub,
    &declared::Declared,
    &java::Java,
    &java::Runtime,
    &binary::Binary,
];

/// Whether a path is on the way to the place of a database, or is that place.
pub fn is_on_the_way(path: &GuestPath, place: &str) -> bool {
    let rest = place.as_bytes().strip_prefix(path.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_extractors_want_the_same_file_and_names_are_unique() {
        for path in [
            "var/lib/dpkg/status",
            "var/lib/dpkg/status.d/libc6",
            "var/lib/dpkg/status.d/libc6.md5sums",
            "var/lib/dpkg/info/libc6:amd64.list",
            "var/lib/dpkg/diversions",
            "lib/apk/db/installed",
            "var/lib/rpm/rpmdb.sqlite",
            "var/lib/rpm/Packages",
            "usr/lib/sysimage/rpm/Packages.db",
            "usr/lib/apk/db/installed",
            "var/lib/rpmmanifest/container-manifest-2",
            "var/lib/pacman/local/a-1-1/desc",
            "var/db/pkg/dev-libs/a-1/CONTENTS",
            "usr/lib/opkg/status",
            "usr/lib/opkg/info/busybox.list",
            "var/lib/chisel/manifest.wall",
            "etc/cos-package-info.json",
            "usr/share/bottlerocket/application-inventory.json",
            "var/lib/pkgtools/packages/a-1-x86_64-1",
            "var/db/xbps/pkgdb-0.38.plist",
            "var/db/xbps/.a-files.plist",
            "var/db/pkg/local.sqlite",
            "snap/a/1/meta/snap.yaml",
            "var/lib/flatpak/app/a/x86_64/stable/\
             0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0/metadata",
            "nix/var/nix/db/db.sqlite",
            "home/linuxbrew/.linuxbrew/Cellar/a/1/INSTALL_RECEIPT.json",
            "usr/lib/python3/dist-packages/a-1.dist-info/METADATA",
            "usr/lib/python3/dist-packages/a.egg-info/PKG-INFO",
            "usr/lib/python3/dist-packages/a-1.egg-info",
            "usr/share/python-wheels/pip-23.0.1-py3-none-any.whl",
            "app/node_modules/a/package.json",
            "app/.yarn/cache/a-npm-1.0.0-0123456789-0123456789.zip",
            "opt/app/resources/app.asar",
            "app/vendor/composer/installed.json",
            "usr/local/bin/composer",
            "opt/app.phar",
            "usr/share/php/.registry/.channel.pecl.php.net/redis.reg",
            "opt/conda/conda-meta/numpy-1.26.4-py312heda63a1_0.json",
            "usr/lib/ruby/gems/3.1.0/specifications/default/a-1.gemspec",
            "usr/local/lib/luarocks/rocks-5.1/a/1.0-1/a-1.0-1.rockspec",
            "root/.opam/5.1/.opam-switch/switch-state",
            "app/deps/jason/hex_metadata.config",
            "usr/local/lib/erlang/lib/ssh-5.2.9/ebin/ssh.app",
            "app/a.deps.json",
            "usr/lib/R/library/base/DESCRIPTION",
            "usr/local/lib/perl5/5.38.2/x86_64-linux-gnu/.meta/Try-Tiny-0.31/install.json",
            "opt/bitnami/redis/.spdx-redis.spdx",
            "layers/sbom/launch/a/b/sbom.cdx.json",
            "var/www/html/wp-includes/version.php",
            "var/www/html/wp-content/plugins/akismet/akismet.php",
            "var/www/html/wp-content/themes/a/style.css",
            "root/.vscode-server/extensions/golang.go-0.39.1/package.json",
            "root/.config/chromium/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1.58.0_0/manifest.json",
            "srv/tiny.gguf",
            "srv/bert/model-00001-of-00002.safetensors",
            "root/.cache/huggingface/hub/models--gpt2/refs/main",
            "app/lib/a-1.jar",
            "app/WEB-INF/classes/META-INF/maven/g/a/pom.properties",
            "usr/lib/jvm/java-17/release",
            "usr/local/bin/tool",
            "app/node_modules/a/a.node",
            "app/node_modules/a/package-lock.json",
            "app/yarn.lock",
            "app/requirements-dev.txt",
            "app/pom.xml",
            "app/app.opam.locked",
            "app/luarocks.lock",
            "app/Shop.csproj",
            "root/go/pkg/mod/example.com/a@v1.0.0/go.mod",
            "usr/share/cargo/registry/a-1.0.0/Cargo.lock",
        ] {
            let path = GuestPath::new(path);
            let wanting = EXTRACTORS.iter().filter(|e| e.wants(&path, FileKind::Regular));
            assert_eq!(wanting.count(), 1, "{path}");
            assert!(!EXTRACTORS.iter().any(|e| e.wants(&path, FileKind::Directory)), "{path}");
        }
        let mut names: Vec<_> = EXTRACTORS.iter().map(|e| e.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXTRACTORS.len());
    }

    #[test]
    fn every_place_is_wanted_and_so_are_the_links_on_its_way() {
        for extractor in EXTRACTORS {
            for place in extractor.places() {
                assert!(extractor.wants(&GuestPath::new(place), FileKind::Regular), "{place}");
            }
        }
        for (path, expected) in
            [("var/lib/dpkg", true), ("var", true), ("var/lib/dpkg/status", true), ("va", false)]
        {
            assert_eq!(is_on_the_way(&GuestPath::new(path), "var/lib/dpkg/status"), expected, "{path}");
        }
    }
}
