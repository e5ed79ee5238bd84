//! The corpus of damaged images.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use icecore::{
    block::{self, Memory, Source},
    fs,
};

use crate::tree::{corpus, walk};

/// What a tool makes of its input.
fn piped(tool: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    output
}

#[test]
#[ignore = "needs $ICECORE_SHARED, btrfs-progs and xz-utils"]
fn damaged_images_of_the_corpus_are_survived() {
    let images = corpus("btrfs");
    let dir = tempfile::tempdir().unwrap();
    let (mut opened, mut files, mut errors) = (0, 0, 0);
    for (path, packed) in images {
        let (name, bytes) = match path.strip_suffix(".xz") {
            Some(name) => (name, piped("xz", &["-dc"], &packed)),
            None => (path.as_str(), packed),
        };
        // A dump of metadata becomes an image again.
        let source: Source = if name.ends_with(".img") {
            let [dump, image] = ["dump", "image"].map(|name| dir.path().join(name));
            let _ = std::fs::remove_file(&image);
            std::fs::write(&dump, &bytes).unwrap();
            piped("btrfs-image", &["-r", dump.to_str().unwrap(), image.to_str().unwrap()], &[]);
            match block::open(&image) {
                Ok(source) => source,
                Err(_) => continue,
            }
        } else {
            Arc::new(Memory::new(bytes))
        };
        let started = Instant::now();
        match fs::open(&source) {
            Some(Ok(image)) => {
                let tree = walk(&*image.fs, 20_000);
                opened += 1;
                files += tree.lines.len();
                errors += tree.errors.len() + image.notes.len();
            }
            Some(Err(_)) => errors += 1,
            None => {}
        }
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{path} took {took:?}");
    }
    eprintln!("{opened} opened, {files} files, {errors} errors and notes");
    assert!(opened > 100 && files > 10_000 && errors > 1000);
}
