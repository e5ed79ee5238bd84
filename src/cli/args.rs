//! The command line's words.

use std::{ffi::OsStr, num::NonZero, path::PathBuf};

use clap::{
    Args, CommandFactory, Parser, Subcommand, ValueEnum,
    builder::{BoolishValueParser, PossibleValue, PossibleValuesParser, Resettable},
};
use icecore::{
    scan::{Inputs, Where},
    vuln::Severity,
};

use super::{fetch::FetchArgs, format::Format, matching::MatchArgs, progress::When, suppress::SuppressArgs};

/// Reads the disk snapshot of a container node offline and reports every image on it.
#[derive(Parser)]
#[command(name = "icecore", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The command line as it is parsed: variables that are set and empty say nothing, as manifests of Kubernetes have them, and
/// what is listed is the root if nothing else is named.
pub(crate) fn command() -> clap::Command {
    set_only(Cli::command()).mut_subcommand("ls", |ls| {
        ls.mut_arg("words", |words| {
            words.required(false).help("More disks of the same node, then a path; `/` if absent")
        })
    })
}

fn set_only(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let without = |arg: clap::Arg| match arg.get_env() {
        Some(name) if is_empty(name) => arg.env(Resettable::Reset),
        _ => arg,
    };
    command.mut_args(without).mut_subcommands(set_only)
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Report the packages, vulnerabilities and gaps of a node's disks
    Scan(ScanArgs),
    /// Show what is on the disks: a tree of volumes, file systems and mounts, OS, runtimes, images, containers
    Inspect(InspectArgs),
    /// List a directory
    Ls(LsArgs),
    /// Show a file's attributes
    Stat(TreeArgs),
    /// Write a file's content to standard output
    Cat(CatArgs),
    /// Print `sha256  size  path` of a file, or of the files of a directory
    Hash(HashArgs),
    /// Write an image as an OCI archive
    Export(ExportArgs),
    /// Show what a container changed against its image: files as `docker diff` lists them, and packages
    ///
    /// A line is `A` (added), `C` (changed) or `D` (deleted) and a path, files that may be run marked; then packages, `+`
    /// added, `-` removed, `~` in another version. With --json all that a report tells of the container, every path.
    Diff(DiffArgs),
    /// Match packages, without a disk
    Match(MatchArgs),
    /// Build or describe a database of advisories
    Db {
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Print <, = or > for two versions, or for tab-separated pairs on standard input
    CompareVersions(CompareArgs),
    /// Print the JSON Schema of an output
    Schema(SchemaArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
    /// Print the manual page of the program, or of a command
    Man(ManArgs),
}

/// The disks of one node.
#[derive(Args)]
pub(crate) struct DiskArgs {
    /// Disk images, block devices, directories or URLs of disk images: the disks of one node; or an archive of images
    #[arg(required = true, value_name = "DISK")]
    disks: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

/// How disk images are read.
#[derive(Args)]
pub(crate) struct FormatArgs {
    /// The format of the disk images, where it is not to be detected
    #[arg(long, value_name = "FORMAT", value_parser = disk_format(), env = "ICECORE_DISK_FORMAT")]
    disk_format: Option<String>,
    /// The internal snapshot to read, by id or name, of the disk images that have it; another disk is read as it is, which
    /// the report tells
    #[arg(long, value_name = "NAME", env = "ICECORE_DISK_SNAPSHOT")]
    disk_snapshot: Option<String>,
    /// A file or URL that a disk image may refer to (backing file, extent, parent); repeatable, in the variable one a line
    #[arg(long, value_name = "FILE", value_delimiter = '\n', env = "ICECORE_BACKING")]
    backing: Vec<PathBuf>,
    /// An archive of images (an OCI layout or what `docker save` writes) that is examined with the disks; repeatable, in the
    /// variable one a line
    #[arg(long, value_name = "FILE", value_delimiter = '\n', env = "ICECORE_IMAGE_ARCHIVE")]
    image_archive: Vec<PathBuf>,
    /// Let disk images refer to files that lie beside them, too
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_SIBLINGS")]
    siblings: bool,
}

impl FormatArgs {
    fn inputs(&self, disks: &[PathBuf]) -> Inputs {
        Inputs {
            disks: disks.to_vec(),
            format: self.disk_format.clone(),
            backing: self.backing.clone(),
            siblings: self.siblings,
            archives: self.image_archive.clone(),
            snapshot: self.disk_snapshot.clone(),
        }
    }
}

impl DiskArgs {
    pub(crate) fn inputs(&self) -> Inputs {
        self.format.inputs(&self.disks)
    }
}

/// How much of the host is used.
#[derive(Args)]
pub(crate) struct ThreadArgs {
    /// Threads; all cores if absent
    #[arg(long, value_name = "N", env = "ICECORE_THREADS")]
    pub(crate) threads: Option<usize>,
}

impl ThreadArgs {
    /// How many that are.
    pub(crate) fn count(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, NonZero::get);
        self.threads.filter(|threads| *threads > 0).unwrap_or_else(all)
    }
}

/// Where a report goes.
#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The format of the report on standard output
    #[arg(short, long, default_value = "table", env = "ICECORE_FORMAT")]
    pub(crate) format: Format,
    /// Write the report in a format to a file; repeatable, in the variable one a line. A bill of materials that is written
    /// to a directory that is there is one file for the node and one for each image
    #[arg(
        short,
        long,
        value_name = "FORMAT=FILE",
        value_delimiter = '\n',
        value_parser = output,
        env = "ICECORE_OUTPUT"
    )]
    pub(crate) output: Vec<(Format, PathBuf)>,
}

#[derive(Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) disks: DiskArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// The database of advisories; the user's own if absent
    #[arg(long, value_name = "FILE", env = "ICECORE_DB")]
    pub(crate) db: Option<PathBuf>,
    /// Refuse a database whose newest advisory is older than this
    #[arg(long, value_name = "DAYS", env = "ICECORE_DB_MAX_AGE")]
    pub(crate) db_max_age: Option<u16>,
    /// Only findings of these severities (comma-separated)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = severity, env = "ICECORE_SEVERITY")]
    pub(crate) severity: Vec<Severity>,
    /// Only findings that have a fix
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_IGNORE_UNFIXED")]
    pub(crate) ignore_unfixed: bool,
    /// Exit with 1 if an affected package has a finding of this severity or a worse one
    #[arg(long, value_name = "SEVERITY", value_parser = severity, env = "ICECORE_FAIL_ON")]
    pub(crate) fail_on: Option<Severity>,
    /// Explain a package (by name or purl) or a vulnerability (by any id) in place of the table: every record that speaks
    /// of it, whether it holds the installed version or not; in the other formats, tell of nothing else
    #[arg(long, value_name = "PACKAGE|CVE", env = "ICECORE_EXPLAIN")]
    pub(crate) explain: Option<String>,
    /// Also tell of records about installed packages that are no finding, and why not (JSON and NDJSON)
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_NEAR_MISSES")]
    pub(crate) near_misses: bool,
    /// Also match packages that only lock files and manifests name, which need not be there
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_DECLARED")]
    pub(crate) declared: bool,
    /// Also tell of packages that layers of an image have and later layers hide (JSON and NDJSON)
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_ALL_LAYERS")]
    pub(crate) all_layers: bool,
    #[command(flatten)]
    pub(crate) suppress: SuppressArgs,
    /// Only the inventory, no vulnerabilities
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_NO_VULNERABILITIES")]
    pub(crate) no_vulnerabilities: bool,
    /// Only images whose name or digest fits this pattern (`*` and `?`; `registry.example/*`); repeatable, in the variable
    /// one a line. A pattern that fits no image makes the report partial
    #[arg(long, value_name = "GLOB", value_delimiter = '\n', env = "ICECORE_IMAGES")]
    pub(crate) images: Vec<String>,
    /// What is known of the node from its cloud's API (JSON): decides a skip before a byte is read
    #[arg(long, value_name = "FILE", env = "ICECORE_NODE_FACTS")]
    pub(crate) node_facts: Option<PathBuf>,
    /// Skip a node that has more disks than this
    #[arg(long, value_name = "N", env = "ICECORE_MAX_DISKS")]
    pub(crate) max_disks: Option<usize>,
    /// Skip a node with a disk that is larger than this: bytes, or with KiB, MiB, GiB or TiB
    #[arg(long, value_name = "SIZE", value_parser = size, env = "ICECORE_MAX_DISK_SIZE")]
    pub(crate) max_disk_size: Option<u64>,
    /// Leave out what containers changed
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_NO_CONTAINERS")]
    pub(crate) no_containers: bool,
    /// Leave out the node's own packages
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_NO_NODE")]
    pub(crate) no_node: bool,
    /// Use what this directory has of layers, and keep there what was read from verified blobs
    #[arg(long, value_name = "DIR", env = "ICECORE_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// Also keep facts of layers that lie unpacked only, and use them; what one damaged node lacks is then believed of all
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_CACHE_UNPACKED")]
    pub(crate) cache_unpacked: bool,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Leave out what differs between two runs over the same disk
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_REPRODUCIBLE")]
    pub(crate) reproducible: bool,
    /// Show progress on standard error
    #[arg(long, default_value = "auto", env = "ICECORE_PROGRESS")]
    pub(crate) progress: When,
    /// No progress
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "ICECORE_QUIET")]
    pub(crate) quiet: bool,
    /// Tell what was read on standard error
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "ICECORE_VERBOSE")]
    pub(crate) verbose: bool,
}

fn severity(text: &str) -> Result<Severity, String> {
    let known = "negligible, low, medium, high, critical, unknown";
    let unknown = text.eq_ignore_ascii_case("unknown").then_some(Severity::Unknown);
    Severity::from_word(text).or(unknown).ok_or_else(|| format!("expected one of {known}"))
}

fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 5] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)];
    let unit = UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), *shift)));
    let number =
        unit.and_then(|(number, shift)| number.parse::<u64>().ok()?.checked_mul(1u64.checked_shl(shift)?));
    number.ok_or_else(|| "expected a number of bytes, or one with KiB, MiB, GiB or TiB".to_owned())
}

fn output(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("expected FORMAT=FILE")?;
    Ok((Format::from_str(format, true)?, file.into()))
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) disks: DiskArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Which files are looked at. The variables count where no flag says it, so that one flag goes before any of them.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct WhereArgs {
    /// A volume, by the id that `inspect` prints [env: ICECORE_VOLUME]
    #[arg(long, value_name = "ID")]
    volume: Option<String>,
    /// A reconstructed image, by a name or the beginning of a digest [env: ICECORE_IMAGE]
    #[arg(long, value_name = "REF|DIGEST")]
    image: Option<String>,
    /// A layer [env: ICECORE_LAYER]
    #[arg(long, value_name = "DIGEST")]
    layer: Option<String>,
    /// A container's view: its image with its changes, by its name (in a pod also `NAMESPACE/POD/NAME`) or the beginning of
    /// its id [env: ICECORE_CONTAINER]
    #[arg(long, value_name = "ID")]
    container: Option<String>,
}

impl WhereArgs {
    pub(crate) fn place(&self) -> Where {
        let Self { volume, image, layer, container } = self;
        type Place<'a> = (&'a Option<String>, &'static str, fn(String) -> Where);
        let all: [Place<'_>; 4] = [
            (volume, "ICECORE_VOLUME", Where::Volume),
            (image, "ICECORE_IMAGE", Where::Image),
            (layer, "ICECORE_LAYER", Where::Layer),
            (container, "ICECORE_CONTAINER", Where::Container),
        ];
        let flag = all.iter().find_map(|(flag, _, place)| (*flag).clone().map(place));
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let variable = || all.iter().find_map(|(_, name, place)| set(name).map(place));
        flag.or_else(variable).unwrap_or(Where::Node)
    }
}

#[derive(Args)]
pub(crate) struct FileArgs {
    #[command(flatten)]
    pub(crate) place: WhereArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// A disk of the node: a file, device, directory or URL
    #[arg(value_name = "DISK")]
    disk: PathBuf,
    // Not one argument of two words: options between them would end it.
    /// More disks of the same node, then a path, by its own bytes: what `ls` shows escaped is not so in the path
    #[arg(required = true, value_name = "PATH")]
    words: Vec<PathBuf>,
}

impl FileArgs {
    pub(crate) fn inputs(&self) -> Inputs {
        let more = self.words.split_last().map_or(&[][..], |(_, disks)| disks);
        self.format.inputs(&[std::slice::from_ref(&self.disk), more].concat())
    }

    pub(crate) fn path(&self) -> &[u8] {
        use std::os::unix::ffi::OsStrExt;
        self.words.last().map_or(b"/", |path| path.as_os_str().as_bytes())
    }
}

/// Which files are looked at, and how much is told of them.
#[derive(Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Also everything below
    #[arg(short = 'R', long, value_parser = BoolishValueParser::new(), env = "ICECORE_RECURSIVE")]
    pub(crate) recursive: bool,
    /// One JSON object a line
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_JSON")]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CatArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
}

#[derive(Args)]
pub(crate) struct HashArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
}

#[derive(Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    pub(crate) tree: TreeArgs,
    /// With mode, owner, size and time
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "ICECORE_LONG")]
    pub(crate) long: bool,
}

#[derive(Args)]
pub(crate) struct SchemaArgs {
    /// Which output
    pub(crate) what: Schema,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Schema {
    /// The JSON Schema of a report (`-f json`)
    Report,
    /// The JSON Schema of a record (`-f ndjson`)
    Record,
    /// The codes of gaps and reasons with their meanings, one a line
    Codes,
}

#[derive(Args)]
pub(crate) struct ManArgs {
    /// The command (`scan`, `db build`)
    pub(crate) command: Vec<String>,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Subcommand)]
pub(crate) enum DbCommand {
    /// Read feeds of advisories into one file
    ///
    /// A record that is malformed, and a range of versions that its ecosystem does not order, is named on standard error,
    /// left out, and counted in the database (`db info`); the exit code is 0 nevertheless. A feed of which more than a
    /// few are malformed, or a database that cannot be written, fails the build.
    Build(BuildArgs),
    /// Download feeds of advisories into a directory, from which `db build` reads them
    ///
    /// What has not changed since the last time is not downloaded again, and what was cut is continued. A source
    /// that fails leaves what was there of it; the others are downloaded all the same, and the exit code is 5.
    Fetch(FetchArgs),
    /// Verify a database and tell its sources, their dates and counts
    Info(InfoArgs),
}

fn disk_format() -> PossibleValuesParser {
    let drivers = icecore::disk::DRIVERS.iter().map(|driver| driver.name);
    PossibleValuesParser::new(["raw"].into_iter().chain(drivers))
}

fn feed() -> PossibleValuesParser {
    PossibleValuesParser::new(
        icecore::vuln::feeds::FEEDS.iter().map(|feed| PossibleValue::new(feed.name).aliases(feed.aliases())),
    )
}

#[derive(Args)]
pub(crate) struct BuildArgs {
    /// The directory with the feeds: folders, archives or files
    #[arg(long, value_name = "DIR", env = "ICECORE_FEEDS")]
    pub(crate) feeds: PathBuf,
    /// The database to write
    #[arg(short, long, value_name = "FILE", env = "ICECORE_OUTPUT_FILE")]
    pub(crate) output: PathBuf,
    /// Only these feeds (comma-separated)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = feed(), env = "ICECORE_ONLY")]
    pub(crate) only: Vec<String>,
}

#[derive(Args)]
pub(crate) struct InfoArgs {
    /// The database
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// The ecosystem's scheme (`dpkg`, `rpm`, `apk`, `pep440`, `maven`, …)
    pub(crate) scheme: String,
    /// Two versions
    #[arg(num_args = 0..=2)]
    pub(crate) versions: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) disks: DiskArgs,
    /// The image, by a name or the beginning of a digest
    #[arg(long, value_name = "REF|DIGEST", env = "ICECORE_IMAGE")]
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// The archive to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", env = "ICECORE_OUTPUT_FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) disks: DiskArgs,
    /// The container, by its name (in a pod also `NAMESPACE/POD/NAME`) or the beginning of its id
    #[arg(long, value_name = "ID", env = "ICECORE_CONTAINER")]
    pub(crate) container: String,
    /// One JSON document
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ICECORE_JSON")]
    pub(crate) json: bool,
    /// Match the packages that it added with this database of advisories
    #[arg(long, value_name = "FILE", env = "ICECORE_DB")]
    pub(crate) db: Option<PathBuf>,
}
