//! Any bytes as a file that shows packages; the first tells of which package manager, and whether it has neighbours.
#![no_main]

use libfuzzer_sys::fuzz_target;

const PATHS: &[&str] = &[
    "etc/cos-package-info.json",
    "home/linuxbrew/.linuxbrew/Cellar/jq/1.7.1/INSTALL_RECEIPT.json",
    "lib/apk/db/installed",
    "nix/var/nix/db/db.sqlite",
    "opt/bitnami/redis/.spdx-redis.spdx",
    "opt/app/resources/app.asar",
    "opt/conda/conda-meta/numpy-1.26.4-py312_0.json",
    "root/.vscode-server/extensions/a.b-1.0.0/package.json",
    "root/.opam/5.1/.opam-switch/switch-state",
    "root/.cache/huggingface/hub/models--gpt2/refs/main",
    "root/.config/chromium/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1.58.0_0/manifest.json",
    "snap/core20/1828/meta/snap.yaml",
    "srv/.yarn/cache/a-npm-1.0.0-0123456789.zip",
    "srv/a.deps.json",
    "srv/app.pex",
    "srv/app.phar",
    "srv/deps/a/hex_metadata.config",
    "srv/lib/a-1/ebin/a.app",
    "srv/model.gguf",
    "srv/model.safetensors",
    "srv/node_modules/a/package.json",
    "srv/a.dist-info/METADATA",
    "srv/a.egg-info/PKG-INFO",
    "srv/vendor/composer/installed.json",
    "srv/wp-content/plugins/a/a.php",
    "srv/wp-includes/version.php",
    "usr/lib/R/library/base/DESCRIPTION",
    "usr/lib/jvm/java-17/release",
    "usr/lib/opkg/status",
    "usr/lib/ruby/gems/3.1.0/specifications/a-1.gemspec",
    "usr/local/lib/perl5/.meta/Try-Tiny-0.31/install.json",
    "usr/local/lib/php/.registry/.channel.pecl.php.net/redis.reg",
    "usr/local/lib/luarocks/rocks-5.1/a/1.0-1/a-1.0-1.rockspec",
    "usr/share/bottlerocket/application-inventory.json",
    "usr/share/sbom/app.cdx.json",
    "var/db/pkg/dev-libs/a-1/CONTENTS",
    "var/db/pkg/local.sqlite",
    "var/db/xbps/.a-files.plist",
    "var/db/xbps/pkgdb-0.38.plist",
    "var/lib/chisel/manifest.wall",
    "var/lib/dpkg/diversions",
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/flatpak/app/a/x86_64/stable/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/metadata",
    "var/lib/pacman/local/a-1-1/desc",
    "var/lib/pkgtools/packages/a-1-x86_64-1",
    "var/lib/rpmmanifest/container-manifest-2",
];

fuzz_target!(|data: (u8, &[u8])| {
    let companion = (data.0 & 0x80 != 0).then_some(data.1);
    icecore_fuzz::extract(PATHS[usize::from(data.0 & 0x7f) % PATHS.len()], data.1, companion);
});
