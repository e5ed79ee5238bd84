//! From flags to an exit code.

mod args;
mod db;
mod diff;
mod exit;
mod fetch;
mod files;
mod format;
mod hash;
mod matching;
mod output;
mod progress;
mod scan;
mod secrets;
mod suppress;

use std::process::ExitCode;

use clap::FromArgMatches;

use args::{Cli, Command, DbCommand};
use exit::{Exit, Failure};

/// Runs the command line.
pub(crate) fn run() -> ExitCode {
    let parsed = args::command().try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let done = match cli.command {
        Command::Scan(args) => scan::scan(&args),
        Command::Inspect(args) => scan::inspect(&args),
        Command::Ls(args) => files::ls(&args),
        Command::Stat(args) => files::stat(&args),
        Command::Cat(args) => files::cat(&args),
        Command::Hash(args) => hash::hash(&args),
        Command::Export(args) => files::export(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Match(args) => matching::matches(&args),
        Command::Db { command: DbCommand::Build(args) } => db::build(&args),
        Command::Db { command: DbCommand::Fetch(args) } => fetch::fetch(&args),
        Command::Db { command: DbCommand::Info(args) } => db::info(&args),
        Command::CompareVersions(args) => db::compare(&args),
        Command::Schema(args) => output::schema(&args),
        Command::Completions(args) => output::completions(&args),
        Command::Man(args) => output::man(&args),
    };
    match done {
        Ok(exit) => exit.into(),
        // A reader that has seen enough (`| head`) is no failure.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.exit.into()
        }
    }
}

/// Any part of the command line.
type Done = Result<Exit, Failure>;
