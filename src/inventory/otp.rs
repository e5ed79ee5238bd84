//! Applications of Erlang and its relatives (OTP Design Principles, "Applications", "Directory Structure"): those that come with
//! Erlang/OTP, and those of releases, `NAME-VERSION/ebin/NAME.app`; Elixir's own, `elixir/lib/NAME/ebin/NAME.app`. Which of them
//! came from Hex no release tells.

use super::{Extraction, Extractor, File, Package, PackageKind};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const RESOURCE: &str = "application resource file";
const SUFFIX: &[u8] = b".app";
const VERSION: &str = "{vsn";

/// Applications, their versions as `application:which_applications()` lists them.
pub(super) struct Otp;

impl Extractor for Otp {
    fn name(&self) -> &'static str {
        "otp"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && path.name().ends_with(SUFFIX) && application(path).is_some()
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let Some(name) = application(file.path()) else { return Ok(found) };
        let bytes = file.read(RESOURCE, limits::OTP_APPLICATION_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        let version = version(&text).ok_or_else(|| FormatError::malformed(RESOURCE, "no vsn"))?;
        found.add(Package::new(PackageKind::Otp, String::from_utf8_lossy(name), version));
        Ok(found)
    }
}

/// The application whose resource file is at a path, if it lies where it is run. What is built of a project's dependencies lies
/// in directories without a version.
fn application(path: &GuestPath) -> Option<&[u8]> {
    let mut above = path.components().rev();
    let name = above.next()?.strip_suffix(SUFFIX).filter(|name| !name.is_empty())?;
    above.next().filter(|dir| *dir == b"ebin")?;
    let rest = above.next()?.strip_prefix(name)?;
    let is_elixirs = rest.is_empty() && above.next() == Some(b"lib") && above.next() == Some(b"elixir");
    (is_elixirs || rest.starts_with(b"-")).then_some(name)
}

/// The string of `{vsn, "…"}`, but in comments.
fn version(text: &str) -> Option<String> {
    let lines = text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with('%'));
    let text: String = lines.collect();
    text.match_indices(VERSION).find_map(|(at, _)| {
        let value = text.get(at..)?.strip_prefix(VERSION)?.trim_start().strip_prefix(',')?.trim_start();
        let (version, _) = value.strip_prefix('"')?.split_once('"')?;
        (!version.is_empty() && !version.contains(['\\', '\n'])).then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    const AT: &str = "usr/local/lib/erlang/lib/ssh-5.2.9/ebin/ssh.app";

    fn extract(path: &str, text: &str) -> Result<Vec<Package>, FormatError> {
        testing::extract(&Otp, path, text.as_bytes(), &[]).map(|found| found.packages())
    }

    #[test]
    fn wants_applications_that_are_run() {
        testing::wants(
            &Otp,
            &[
                AT,
                "app/lib/my_app-0.1.0/ebin/my_app.app",
                "opt/rabbitmq/plugins/recon-2.5.2/ebin/recon.app",
                "usr/local/lib/elixir/lib/mix/ebin/mix.app",
            ],
            &[
                "app/_build/prod/lib/jason/ebin/jason.app",
                "app/deps/ranch/ebin/ranch.app",
                "usr/lib/erlang/lib/ssh-5.2.9/src/ssh.app",
                "usr/lib/erlang/lib/ssh-5.2.9/ebin/ssh.appup",
                "usr/lib/erlang/lib/ssh-5.2.9/ebin/ssl.app",
            ],
        );
    }

    #[test]
    fn an_application_by_its_resource_file() {
        let text = "%% {vsn, \"0\"}\n{application, ssh,\n [{description, \"a {vsn\"},\n  {vsn , \"5.2.9\"},\n  {modules, []}]}.\n";
        assert_eq!(extract(AT, text).unwrap(), [Package::new(PackageKind::Otp, "ssh", "5.2.9")]);
        for text in ["", "{application, ssh, [{vsn, git}]}.", "{vsn, \"\"}", "{vsn, \"1"] {
            assert!(extract(AT, text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([{]vsn|,|\"|%|\n|[ 0é\\\\])*") {
            let _ = extract(AT, &text);
        }
    }
}
