//! The `icecore` command. It sees the library's public interface only.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
