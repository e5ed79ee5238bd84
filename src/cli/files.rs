//! `ls`, `stat`, `cat` and `export`.

use std::{
    collections::HashSet,
    io::{self, BufRead, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use icecore::{
    FormatError, Gap,
    block::{Ahead, Source},
    fs::{FileKind, GuestPath, Handle, Root, Stat},
    gap::Code,
    scan,
};
use serde_json::json;

use super::{
    Done,
    args::{CatArgs, ExportArgs, FileArgs, LsArgs, TreeArgs},
    exit::{Exit, Failure},
    output,
};

/// What was asked for, and the tree that it is in.
pub(super) struct Opened {
    pub(super) root: Root,
    pub(super) file: Handle,
    /// Complete, or what is known to be missing from the tree.
    pub(super) exit: Exit,
}

/// How a file is asked for.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Whether a link stands for what it leads to.
    pub(super) follow: bool,
    /// Whether the sizes of other files than this one are told.
    pub(super) sizes: bool,
}

pub(super) fn open(args: &FileArgs, how: How) -> Result<Opened, Failure> {
    let node = scan::open(&args.inputs())?;
    let place = args.place.place();
    let mut gaps = scan::gaps(&node, &place);
    let path = args.path();
    let find = |root: &Root| -> Result<Handle, Failure> {
        let found = if how.follow { root.find(path)? } else { root.find_no_follow(path)? };
        found.ok_or_else(|| Failure::usage(anyhow::anyhow!("{}: not there", GuestPath::new(path))))
    };
    let mut root = scan::view(&node, &place)?;
    let mut file = find(&root)?;
    let stat = file.stat()?;
    if how.sizes || stat.kind == FileKind::Regular && stat.size == 0 {
        let (whole, emptied) = scan::whole_view(&node, &place)?;
        gaps.extend(emptied);
        file = find(&whole)?;
        root = whole;
    }
    tell_gaps(&gaps);
    Ok(Opened { root, file, exit: of(&gaps) })
}

pub(super) fn tell_gaps(gaps: &[Gap]) {
    for gap in gaps {
        output::tell_line(&format!("{}: {}: {}; {}", gap.code.text(), gap.subject, gap.detail, gap.effect));
    }
}

pub(crate) fn cat(args: &CatArgs) -> Done {
    let Opened { file, exit, .. } = open(&args.file, How { follow: true, sizes: false })?;
    if file.stat()?.kind != FileKind::Regular {
        return Err(Failure::usage(anyhow::anyhow!("{}: not a regular file", file.path)));
    }
    copy(file.open()?, args.threads.count(), &mut io::stdout().lock()).map_err(reading)?;
    Ok(exit)
}

/// As for a report: a host that could not read may do so on another try.
pub(super) fn of(gaps: &[Gap]) -> Exit {
    match gaps {
        [] => Exit::Complete,
        gaps if gaps.iter().any(|gap| gap.code == Code::ReadError) => Exit::Io,
        _ => Exit::Partial,
    }
}

/// Copies a source that this many threads read.
pub(super) fn copy(source: Source, threads: usize, to: &mut dyn Write) -> io::Result<()> {
    let mut ahead = Ahead::new(source, threads);
    loop {
        let read = ahead.fill_buf()?;
        if read.is_empty() {
            return Ok(());
        }
        to.write_all(read)?;
        let length = read.len();
        ahead.consume(length);
    }
}

/// An error that crossed a reader of bytes keeps its family.
fn reading(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::io(error);
    }
    FormatError::reading("file", 0)(error).into()
}

pub(crate) fn stat(args: &TreeArgs) -> Done {
    let Opened { root, file: top, exit } = open(&args.file, How { follow: false, sizes: args.recursive })?;
    let mut lines = Lines::new(exit);
    describe(&mut lines, &top, args.json)?;
    if args.recursive && top.is_dir()? {
        walk(&root, &top, true, &mut lines, &mut |lines, file, _| describe(lines, file, args.json))?;
    }
    lines.done()
}

/// Writes a file's attributes: an object on one line, or a paragraph for a person.
fn describe(lines: &mut Lines, file: &Handle, json: bool) -> io::Result<()> {
    match attributes(file) {
        Ok(value) if json => writeln!(lines.out, "{value}"),
        Ok(value) => {
            icecore::report::json(&value, &mut lines.out)?;
            writeln!(lines.out)
        }
        Err(error) => {
            lines.lost(&file.path, &error);
            Ok(())
        }
    }
}

fn attributes(file: &Handle) -> Result<serde_json::Value, FormatError> {
    let stat = file.stat()?;
    let mut all = serde_json::Map::new();
    let mut put = |key: &str, value: serde_json::Value| {
        all.insert(key.to_owned(), value);
    };
    put("path", json!(file.path.to_string()));
    put("kind", json!(stat.kind));
    put("mode", json!(format!("{:04o}", stat.mode)));
    put("uid", json!(stat.uid));
    put("gid", json!(stat.gid));
    put("links", json!(stat.links));
    put("size", json!(stat.size));
    put("mtime", json!(format!("{}.{:09}", stat.mtime.seconds, stat.mtime.nanos)));
    if matches!(stat.kind, FileKind::CharDevice | FileKind::BlockDevice) {
        put("rdev", json!(format!("{}:{}", stat.rdev.major, stat.rdev.minor)));
    }
    if stat.kind == FileKind::Symlink {
        put("target", json!(String::from_utf8_lossy(&file.fs.read_link(file.ino)?)));
    }
    let mut xattrs = file.fs.xattrs(file.ino)?;
    xattrs.sort();
    if !xattrs.is_empty() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let named =
            xattrs.iter().map(|x| (String::from_utf8_lossy(&x.name).into_owned(), json!(hex(&x.value))));
        put("xattrs", named.collect::<serde_json::Map<_, _>>().into());
    }
    Ok(all.into())
}

/// Output and what is to be said of it at the end.
pub(super) struct Lines {
    pub(super) out: BufWriter<io::StdoutLock<'static>>,
    exit: Exit,
}

impl Lines {
    pub(super) fn new(exit: Exit) -> Self {
        Self { out: BufWriter::new(io::stdout().lock()), exit }
    }

    pub(super) fn lost(&mut self, path: &GuestPath, error: &FormatError) {
        if error.is_host_io() {
            self.exit = Exit::Io;
        } else if self.exit == Exit::Complete {
            self.exit = Exit::Partial;
        }
        output::tell_line(&format!("{path}: {}", error.detail()));
    }

    pub(super) fn done(mut self) -> Done {
        self.out.flush()?;
        Ok(self.exit)
    }
}

pub(crate) fn ls(args: &LsArgs) -> Done {
    let how = How { follow: false, sizes: args.long || args.tree.json };
    let Opened { root, file: top, exit } = open(&args.tree.file, how)?;
    let mut lines = Lines::new(exit);
    if top.is_dir()? {
        walk(&root, &top, args.tree.recursive, &mut lines, &mut |lines, file, kind| {
            list(args, lines, file, kind)
        })?;
    } else {
        let kind = top.stat()?.kind;
        list(args, &mut lines, &top, kind)?;
    }
    lines.done()
}

fn list(args: &LsArgs, lines: &mut Lines, file: &Handle, kind: FileKind) -> io::Result<()> {
    if args.tree.json {
        return describe(lines, file, true);
    }
    if !args.long {
        return writeln!(lines.out, "{}", file.path);
    }
    match file.stat() {
        Ok(stat) => {
            let size = match kind {
                FileKind::CharDevice | FileKind::BlockDevice => {
                    format!("{},{}", stat.rdev.major, stat.rdev.minor)
                }
                _ => stat.size.to_string(),
            };
            let target = match kind {
                FileKind::Symlink => file.fs.read_link(file.ino).map(|t| format!(" -> {}", target(&t))),
                _ => Ok(String::new()),
            };
            let target = target.unwrap_or_else(|error| {
                lines.lost(&file.path, &error);
                String::new()
            });
            let Stat { uid, gid, mtime, links, .. } = stat;
            let time = time::OffsetDateTime::from_unix_timestamp(mtime.seconds).ok();
            let time = time.and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok());
            let time = time.unwrap_or_else(|| mtime.seconds.to_string());
            writeln!(
                lines.out,
                "{}{:04o} {links:>3} {uid:>5} {gid:>5} {size:>12} {time} {}{target}",
                kind.letter(),
                stat.mode,
                file.path
            )
        }
        Err(error) => {
            lines.lost(&file.path, &error);
            Ok(())
        }
    }
}

fn target(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}

/// Visits what a directory holds, sorted by name; what lies on another mount is entered too.
pub(super) fn walk(
    root: &Root,
    top: &Handle,
    recursive: bool,
    lines: &mut Lines,
    visit: &mut dyn FnMut(&mut Lines, &Handle, FileKind) -> io::Result<()>,
) -> io::Result<()> {
    let mut todo = vec![top.clone()];
    let mut seen = HashSet::new();
    while let Some(dir) = todo.pop() {
        let listing = match dir.read_dir() {
            Ok(listing) => listing,
            Err(error) => {
                lines.lost(&dir.path, &error);
                continue;
            }
        };
        for error in &listing.damage {
            lines.lost(&dir.path, error);
        }
        let mut entries = listing.entries;
        entries.sort();
        let mut below = Vec::new();
        for entry in entries {
            let path = dir.path.join(&entry.name);
            let mount = root.mounts().iter().rev().find(|mount| mount.at == path);
            let file = match mount {
                Some(mount) => Handle { fs: mount.fs.clone(), ino: mount.ino, path },
                None => Handle { fs: dir.fs.clone(), ino: entry.ino, path },
            };
            visit(lines, &file, entry.kind)?;
            // A damaged tree may have cycles.
            if recursive
                && entry.kind == FileKind::Directory
                && seen.insert((Arc::as_ptr(&file.fs).addr(), file.ino))
            {
                below.push(file);
            }
        }
        todo.extend(below.into_iter().rev());
    }
    Ok(())
}

pub(crate) fn export(args: &ExportArgs) -> Done {
    let node = scan::open(&args.disks.inputs())?;
    let to_stdout = args.output == Path::new("-");
    let beside = args.output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = if to_stdout { std::env::temp_dir() } else { beside.to_owned() };
    let scratch = || -> io::Result<Box<dyn scan::Scratch>> { Ok(Box::new(tempfile::tempfile_in(&beside)?)) };
    let mut failed = None;
    let mut exported = scan::Exported::default();
    let write = |to: &mut dyn Write| {
        exported = scan::export(&node, &args.image, args.threads.count(), to, &scratch).map_err(|error| {
            let io = io::Error::other(error.to_string());
            failed = Some(error);
            io
        })?;
        Ok(())
    };
    let written = if to_stdout { output::to_stdout(write) } else { output::to_file(&args.output, write) };
    let scan::Exported { gaps, layers, remade, rebuilt, own_config, own_manifest } = exported;
    tell_gaps(&gaps);
    if remade > 0 {
        output::tell_line(&format!(
            "{remade} of {layers} layers were made anew of what was unpacked, as their blobs are not on the disk: their \
             digests and the image's are others than on the node"
        ));
    }
    if rebuilt > 0 && own_config && !own_manifest {
        output::tell_line(&format!(
            "{rebuilt} of {layers} layers were put together again byte for byte, uncompressed: the image's id is its own, its \
             manifest's digest another than on the node"
        ));
    }
    // What the disk lacks is told by its own name, not as a file that cannot be written.
    match failed {
        Some(error) => Err(error.into()),
        None => written.map(|()| of(&gaps)),
    }
}
