//! The `icecore` command. It sees the library's public interface only.

mod cli;

use std::process::ExitCode;

/// A defect of icecore, so that an orchestrator does not take it for a result.
const DEFECT: u8 = 70;

fn main() -> ExitCode {
    // The panic's message has gone to standard error by then.
    std::panic::catch_unwind(cli::run).unwrap_or(ExitCode::from(DEFECT))
}
