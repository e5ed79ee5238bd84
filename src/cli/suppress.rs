//! What the user says about findings, by files.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use icecore::{block, vuln::Suppressions};

use super::{exit::Failure, output};

/// What the user says about findings. They stay in the report, and do not trip `--fail-on`.
#[derive(Args)]
pub(crate) struct SuppressArgs {
    /// A VEX document (OpenVEX, CSAF or CycloneDX) by which findings are none; repeatable, in the variable one a line
    #[arg(long, value_name = "FILE", value_delimiter = '\n', env = "ICECORE_VEX")]
    pub(crate) vex: Vec<PathBuf>,
    /// A file of findings to ignore (TOML: `[[ignore]]` with id, package, path, image, expiry, reason)
    #[arg(long, value_name = "FILE", env = "ICECORE_IGNORE_FILE")]
    pub(crate) ignore_file: Option<PathBuf>,
}

/// All that the files say. Entries that have expired are told.
pub(crate) fn load(args: &SuppressArgs) -> Result<Suppressions, Failure> {
    let mut all = Suppressions::default();
    for path in &args.vex {
        all.add_vex(&name(path), &read(path)?).map_err(|error| unusable(path, error))?;
    }
    if let Some(path) = &args.ignore_file {
        let text = String::from_utf8(read(path)?).map_err(|error| unusable(path, error))?;
        let today = output::now();
        let today = today.get(..10).unwrap_or_default();
        for expired in all.add_ignored(&name(path), &text, today).map_err(|error| unusable(path, error))? {
            output::tell_line(&expired);
        }
    }
    Ok(all)
}

/// The file as findings name it.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let source = block::open(path).map_err(|error| unusable(path, error))?;
    block::Stream::new(source).read_to_end(&mut bytes).map_err(|error| unusable(path, error))?;
    Ok(bytes)
}

fn unusable(path: &Path, error: impl Into<anyhow::Error>) -> Failure {
    Failure::usage(error.into().context(path.display().to_string()))
}
