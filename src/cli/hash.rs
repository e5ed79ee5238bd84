//! `hash`: the digests of files, several of them at once.

use std::{
    io::{self, Write},
    mem,
};

use icecore::{
    FormatError,
    block::ReadAt,
    fs::{FileKind, Handle},
    scan,
};
use rayon::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Done,
    args::HashArgs,
    files::{How, Lines, Opened, copy, open, walk},
};

/// Files that are hashed before the first of them is printed.
const TOGETHER: usize = 512;
/// Bytes from which on a file has several threads of its own.
const LARGE: u64 = 16 << 20;

pub(crate) fn hash(args: &HashArgs) -> Done {
    scan::on_threads(args.threads.threads, || hash_here(args))
}

fn hash_here(args: &HashArgs) -> Done {
    let tree = &args.tree;
    let Opened { root, file: top, exit } = open(&tree.file, How { follow: false, sizes: true })?;
    let mut lines = Lines::new(exit);
    let mut waiting = vec![];
    if top.is_dir()? {
        walk(&root, &top, tree.recursive, &mut lines, &mut |lines, file, kind| {
            if kind == FileKind::Regular {
                waiting.push(file.clone());
            }
            if waiting.len() < TOGETHER { Ok(()) } else { print(lines, mem::take(&mut waiting), tree.json) }
        })?;
    } else {
        waiting.push(top);
    }
    print(&mut lines, waiting, tree.json)?;
    lines.done()
}

/// Prints the digests of files in their order.
fn print(lines: &mut Lines, files: Vec<Handle>, json: bool) -> io::Result<()> {
    let sums: Vec<_> = files.par_iter().with_max_len(1).map(sum).collect();
    for (file, sum) in files.iter().zip(sums) {
        match sum {
            Ok((digest, size)) if json => {
                let path = file.path.to_string();
                writeln!(lines.out, "{}", json!({"path": path, "sha256": digest, "size": size}))?;
            }
            Ok((digest, size)) => writeln!(lines.out, "{digest}  {size}  {}", file.path)?,
            Err(error) => lines.lost(&file.path, &error),
        }
    }
    Ok(())
}

/// A file's digest in hexadecimal digits, and its size.
fn sum(file: &Handle) -> Result<(String, u64), FormatError> {
    let source = file.open()?;
    let size = source.size();
    let threads = if size < LARGE { 1 } else { rayon::current_num_threads() };
    let mut sum = Sha256::new();
    copy(source, threads, &mut sum).map_err(FormatError::reading("file", 0))?;
    Ok((icecore::Digest::from_bytes(sum.finalize().into()).hex(), size))
}
