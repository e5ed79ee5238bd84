//! Any bytes as a lock file or a manifest; the first tells of which format.
#![no_main]

use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] = &[
    "Cargo.lock",
    "Gemfile.lock",
    "Manifest.toml",
    "Package.resolved",
    "Pipfile.lock",
    "Podfile.lock",
    "a.csproj",
    "a.opam.locked",
    "bun.lock",
    "cabal.project.freeze",
    "composer.lock",
    "conan.lock",
    "conda-lock.yml",
    "deno.lock",
    "environment.yml",
    "go.mod",
    "gradle.lockfile",
    "libs.versions.toml",
    "luarocks.lock",
    "mix.lock",
    "package-lock.json",
    "packages.config",
    "packages.lock.json",
    "paket.lock",
    "pnpm-lock.yaml",
    "pom.xml",
    "project.assets.json",
    "pubspec.lock",
    "rebar.lock",
    "renv.lock",
    "requirements.txt",
    "stack.yaml.lock",
    "uv.lock",
    "verification-metadata.xml",
    "yarn.lock",
];

fuzz_target!(|data: (u8, &[u8])| {
    icecore_fuzz::extract(NAMES[usize::from(data.0) % NAMES.len()], data.1, None);
});
