//! A layer's tar put together again, byte for byte, of its unpacked files and of what Docker and containers/storage keep of it
//! beside them: a list by tar-split (github.com/vbatts/tar-split, `tar/storage`), one JSON object to a line, compressed. An
//! entry is a piece of the tar itself (headers, padding, the end), or stands for a file's content, of which it has the name, the
//! size and a CRC-64.

use std::{
    collections::HashSet,
    io::{self, BufRead, BufReader, Read, Write},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    crc64::Crc64,
    stream::{Compression, Decoded},
};
use crate::{
    block::Ahead,
    error::FormatError,
    fs::{FileKind, GuestPath, Handle, Ino, Root},
    gap::Code,
    limits, num,
    store::TarSplit,
};

const NAME: &str = "tar-split";
/// A piece of the tar.
const SEGMENT: u8 = 2;
/// A file's content.
const FILE: u8 = 1;

/// A line of the list.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: u8,
    /// A name as it is in the tar.
    #[serde(default)]
    name: Option<String>,
    /// The same in base64, of one that is not UTF-8.
    #[serde(default)]
    name_raw: Option<String>,
    /// Bytes of content.
    #[serde(default)]
    size: u64,
    /// The piece, or the sum of the content, in base64.
    #[serde(default)]
    payload: Option<String>,
}

/// Writes the tar of which a layer was unpacked. Each file must have the size and the sum that it had then; the caller compares
/// the digest of it all. Errors of the layer cross as [`FormatError`]; others are the writer's.
pub fn put_together(split: &TarSplit, threads: usize, to: &mut dyn Write) -> io::Result<()> {
    let compression = Compression::detect(&split.list)?;
    let mut lines = BufReader::new(Decoded::new(&split.list, compression)?);
    let files = Root::below(&split.dir);
    let mut maker = Maker { files, threads, to, dir: None, taken: HashSet::new() };
    let mut line = Vec::new();
    for number in 0u64.. {
        line.clear();
        let read = (&mut lines).take(limits::TAR_SPLIT_LINE_BYTES).read_until(b'\n', &mut line);
        if read.map_err(FormatError::reading(NAME, 0))? == 0 {
            break;
        }
        if num::to_u64(line.len()) >= limits::TAR_SPLIT_LINE_BYTES || number >= limits::TAR_SPLIT_ENTRIES {
            let (bytes, count) = (limits::TAR_SPLIT_LINE_BYTES, limits::TAR_SPLIT_ENTRIES);
            let what = format!("a {NAME} of more than {count} entries, or one of more than {bytes} bytes");
            return Err(FormatError::limit(what).into());
        }
        let wrong = |problem: String| FormatError::corrupt(NAME, 0, format!("entry {number}: {problem}"));
        let entry: Entry = serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
        let payload = decoded(entry.payload.as_deref()).map_err(&wrong)?;
        match entry.kind {
            SEGMENT => maker.to.write_all(&payload)?,
            FILE if entry.size > 0 => {
                let name = match (entry.name, entry.name_raw) {
                    (Some(name), _) if !name.is_empty() => name.into_bytes(),
                    (_, raw) => decoded(raw.as_deref()).map_err(&wrong)?,
                };
                let sum = payload.try_into().map(u64::from_be_bytes);
                let sum = sum.map_err(|sum| wrong(format!("a sum of {} bytes", sum.len())))?;
                maker.file(&name, entry.size, sum)?;
            }
            FILE => {}
            kind => return Err(wrong(format!("type {kind}")).into()),
        }
    }
    Ok(())
}

fn decoded(base64: Option<&str>) -> Result<Vec<u8>, String> {
    BASE64_STANDARD.decode(base64.unwrap_or_default()).map_err(|error| error.to_string())
}

struct Maker<'a> {
    files: Root,
    threads: usize,
    to: &'a mut dyn Write,
    /// The directory of the file before: most are of the same.
    dir: Option<(GuestPath, Root)>,
    /// Files whose content was written: a list that names one a thousand times would make a tar without end.
    taken: HashSet<Ino>,
}

impl Maker<'_> {
    /// Writes a file's content.
    fn file(&mut self, name: &[u8], size: u64, sum: u64) -> io::Result<()> {
        let path = GuestPath::new(name);
        let other = |what: String| FormatError::Unsupported {
            code: Code::BlobDigestMismatch,
            what: format!("{path} {what}, other than when the layer was unpacked"),
        };
        let file = self.find(&path)?.ok_or_else(|| other("is not there".to_owned()))?;
        let stat = file.stat()?;
        if stat.kind != FileKind::Regular {
            return Err(other("is no regular file".to_owned()).into());
        }
        if stat.size != size {
            return Err(other(format!("has {} bytes instead of {size}", stat.size)).into());
        }
        if !self.taken.insert(stat.ino) {
            return Err(FormatError::unsupported(format!("a layer's tar that has {path} twice")).into());
        }
        let mut data = Ahead::new(file.open()?, self.threads);
        let mut crc = Crc64::new();
        loop {
            let piece = data.fill_buf().map_err(FormatError::reading("file", 0))?;
            if piece.is_empty() {
                break;
            }
            crc.update(piece);
            self.to.write_all(piece)?;
            let length = piece.len();
            data.consume(length);
        }
        if crc.sum() != sum && !cfg!(fuzzing) {
            return Err(other(format!("has the CRC-64 {:016x} instead of {sum:016x}", crc.sum())).into());
        }
        Ok(())
    }

    /// What has a name, where whoever unpacked the tar put it: below the links of its layer.
    fn find(&mut self, path: &GuestPath) -> Result<Option<Handle>, FormatError> {
        let parent = path.parent().unwrap_or_default();
        if self.dir.as_ref().is_none_or(|(known, _)| *known != parent) {
            let Some(dir) = self.files.find(parent.as_bytes())? else { return Ok(None) };
            self.dir = Some((parent, Root::below(&dir)));
        }
        self.dir.as_ref().map_or(Ok(None), |(_, dir)| dir.find_no_follow(path.name()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        block::{Memory, fault},
        fs::memory::Tree,
    };

    /// A tar of files, and the list of its pieces as Docker writes it.
    fn split(members: &[(&str, &str)]) -> (Vec<u8>, Vec<Value>) {
        let mut tar = tar::Builder::new(Vec::new());
        let mut lines = Vec::new();
        let segment = |bytes: &[u8]| json!({ "type": 2, "payload": BASE64_STANDARD.encode(bytes) });
        for (name, data) in members {
            let start = tar.get_ref().len();
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            tar.append_data(&mut header, name, data.as_bytes()).unwrap();
            let (head, rest) = (start + 512, start + 512 + data.len());
            lines.push(segment(&tar.get_ref()[start..head]));
            lines.push(file(name, data));
            lines.push(segment(&tar.get_ref()[rest..]));
        }
        let end = tar.get_ref().len();
        let tar = tar.into_inner().unwrap();
        lines.push(segment(&tar[end..]));
        (tar, lines)
    }

    fn file(name: &str, data: &str) -> Value {
        let mut crc = Crc64::new();
        crc.update(data.as_bytes());
        let sum = BASE64_STANDARD.encode(crc.sum().to_be_bytes());
        json!({ "type": 1, "name": name, "size": data.len(), "payload": if data.is_empty() { None } else { Some(sum) } })
    }

    fn packed(lines: &[Value]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        for line in lines {
            writeln!(gzip, "{line}").unwrap();
        }
        gzip.finish().unwrap()
    }

    fn made(list: Vec<u8>, tree: Tree) -> Result<Vec<u8>, FormatError> {
        let split = TarSplit { list: Arc::new(Memory::new(list)), dir: Root::new(tree.build()).top() };
        let mut tar = Vec::new();
        put_together(&split, 1, &mut tar).map_err(FormatError::reading("test", 0)).map(|()| tar)
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        for (path, data) in [("a", "one"), ("empty", ""), ("d/b", "two"), ("real/c", "three")] {
            tree.file(path, data);
        }
        tree.link("link", "/real");
        tree.link("to-a", "a");
        tree
    }

    const MEMBERS: [(&str, &str); 4] = [("./a", "one"), ("empty", ""), ("d/b", "two"), ("link/c", "three")];

    #[test]
    fn the_tar_comes_out_as_it_was() {
        let (tar, mut lines) = split(&MEMBERS);
        assert!(made(packed(&lines), tree()).unwrap() == tar);
        for line in &mut lines {
            if let Some(name) = line["name"].as_str().map(|name| BASE64_STANDARD.encode(name)) {
                line["name_raw"] = json!(name);
                line.as_object_mut().unwrap().remove("name");
            }
        }
        assert!(made(packed(&lines), tree()).unwrap() == tar);
    }

    #[test]
    fn a_file_that_is_another_one_is_told_by_its_name() {
        let (_, lines) = split(&MEMBERS);
        let with = |path: &str, data: &str| {
            let mut tree = tree();
            tree.file(path, data);
            made(packed(&lines), tree).unwrap_err()
        };
        let without = || {
            let mut tree = tree();
            tree.remove(&GuestPath::new("d"));
            made(packed(&lines), tree).unwrap_err()
        };
        let is_link = made(packed(&[file("to-a", "one")]), tree()).unwrap_err();
        for (error, says) in [
            (with("a", "owe"), "/a has the CRC-64 "),
            (with("a", ""), "/a has 0 bytes instead of 3"),
            (without(), "/d/b is not there"),
            (is_link, "/to-a is no regular file"),
        ] {
            assert_eq!(error.code(), Code::BlobDigestMismatch);
            assert!(error.detail().starts_with(says), "{}", error.detail());
        }
    }

    #[test]
    fn no_list_makes_more_of_the_files_than_there_is() {
        let twice = [file("a", "one"), file("./a", "one")];
        assert_eq!(made(packed(&twice), tree()).unwrap_err().code(), Code::UnsupportedFeature);
    }

    #[test]
    fn damaged_lists_are_told() {
        let wrong = |line: Value| made(packed(&[line]), tree()).unwrap_err();
        for line in [
            json!({ "type": 3 }),
            json!({ "type": 2, "payload": "!" }),
            json!({ "type": 1, "name": "a", "size": 3, "payload": "AAAA" }),
            json!({ "type": 1, "name": "a", "size": -3 }),
            json!([]),
        ] {
            let error = wrong(line.clone());
            assert_eq!(error.code(), Code::CorruptStructure, "{line}");
            assert!(error.detail().contains("entry 0"), "{}", error.detail());
        }
        let mut long = packed(&[json!({ "type": 2, "payload": "A".repeat(17 << 20) })]);
        assert_eq!(made(long.clone(), tree()).unwrap_err().code(), Code::LimitReached);
        long.truncate(long.len() / 2);
        assert_eq!(made(long, tree()).unwrap_err().code(), Code::Truncated);
    }

    #[test]
    fn a_failing_disk_and_a_failing_output_are_told_apart() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let list = packed(&split(&MEMBERS).1);
        let dir = Root::new(tree().build()).top();
        let whole = TarSplit { list: Arc::new(Memory::new(list)), dir };
        let error = put_together(&whole, 1, &mut Full).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.downcast::<FormatError>().is_err());
        let failing = fault::Faulty::new(Arc::clone(&whole.list), fault::Fault::Error, fault::When::Nth(1));
        let failing = TarSplit { list: Arc::new(failing), ..whole };
        let error =
            put_together(&failing, 1, &mut io::sink()).unwrap_err().downcast::<FormatError>().unwrap();
        assert!(error.is_host_io(), "{}", error.detail());
    }
}
