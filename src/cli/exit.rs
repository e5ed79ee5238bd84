//! Exit codes: what an orchestrator acts on.

use std::{fmt, io, process::ExitCode};

use icecore::{
    FormatError,
    gap::Code,
    report::{Report, Status},
    scan::{OpenError, ViewError},
};

/// What a process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was examined.
    Complete,
    /// A gate that the caller set was tripped.
    Gate,
    /// Usage, or an input that does not exist or is no disk.
    Usage,
    /// A report was written and names what is missing from it.
    Partial,
    /// The node is of a kind that is not analyzed.
    Skipped,
    /// Input or output failed; may pass on another try.
    Io,
    /// The vulnerability database is missing, damaged or too old.
    Database,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Gate => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Skipped => 4,
            Self::Io => 5,
            Self::Database => 6,
        }
    }

    /// What a report and a gate ask for: a host that could not read outranks a skipped node, which outranks a
    /// tripped gate, which outranks a partial report.
    pub(crate) fn of(report: &Report, gate: bool) -> Self {
        if report.gaps.iter().any(|gap| gap.code == Code::ReadError) {
            return Self::Io;
        }
        match report.verdict.status {
            Status::Skipped => Self::Skipped,
            _ if gate => Self::Gate,
            Status::Partial | Status::Failed => Self::Partial,
            Status::Complete => Self::Complete,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened, for people.
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// A mistake in the command line, or an input that is not there.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// Reading or writing failed.
    pub(crate) fn io(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Io, error: error.into() }
    }

    /// Whether it is only that nobody reads the output any more.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let io = self.error.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotADisk { .. } => Self::usage(error),
            OpenError::Io { .. } => Self::io(error),
        }
    }
}

/// A file that was asked for and cannot be read.
impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        let exit = match &error {
            error if error.is_host_io() => Exit::Io,
            // What the disk lacks or holds too much of is no mistake of the caller's.
            _ => Exit::Partial,
        };
        Self { exit, error: error.into() }
    }
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Unknown(_) => Self::usage(error),
            ViewError::Unreadable(error) => error.into(),
            ViewError::Output(error) => Self::io(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::io(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}
