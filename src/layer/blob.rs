//! A layer blob as a file system: the tar's names in memory, with whiteouts and opaque directories as an
//! overlay directory has them (OCI image-spec, layer.md), and the data of the files that will be read.

use std::sync::Arc;

use super::{
    again::{Again, Packed, Sparse},
    overlay,
    stream::{Compression, Decoded},
    tar::{Data, Member, Members},
};
use crate::{
    Digest,
    block::{Memory, Source},
    error::{self, FormatError},
    fs::{
        FileKind, FileSystem, GuestPath, Stat,
        memory::{Entry, Tree},
    },
    gap::Code,
    limits,
};

const BLOB: &str = "layer blob";

/// A blob's tree.
pub struct BlobTree {
    /// The files.
    pub fs: Arc<dyn FileSystem>,
    /// What is to be told: the digest does not match, the archive ends too early.
    pub notes: Vec<FormatError>,
}

/// Reads a blob once, front to back. The data of the files that `keep` wants stay in memory (within
/// [`limits::TAR_KEPT_BYTES`]); other files are decompressed again when they are read.
pub fn open_blob(
    source: &Source,
    digest: &Digest,
    diff_id: &Digest,
    keep: &dyn Fn(&GuestPath, &Stat) -> bool,
) -> Result<BlobTree, FormatError> {
    let compression = Compression::detect(source)?;
    let mut members = Members::new(Decoded::new(source, compression)?);
    let again = Arc::new(Again::new(source, compression));
    let mut builder = Builder { tree: Tree::default(), kept: 0, names: 0, notes: Vec::new() };
    loop {
        match members.next() {
            Ok(Some(member)) => {
                if let Err(error) = builder.add(member, &mut members, &again, keep) {
                    builder.notes.push(error);
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                builder.notes.push(error);
                break;
            }
        }
    }
    match members.into_inner().finish() {
        Ok((blob, tar)) => {
            let whole = builder.notes.is_empty();
            // What was not read was not summed.
            if !builder.notes.iter().any(FormatError::is_host_io) {
                builder.notes.extend(check(BLOB, digest, &blob).err());
            }
            if whole {
                builder.notes.extend(check("layer tar", diff_id, &tar).err());
            }
        }
        Err(error) => builder.notes.push(FormatError::reading(BLOB, 0)(error)),
    }
    Ok(BlobTree { fs: builder.tree.build(), notes: builder.notes })
}

/// The DiffID that a blob has: the digest of the tar that it unpacks to. A blob that is not what its own digest says
/// is an error.
pub fn diff_id(source: &Source, digest: &Digest) -> Result<Digest, FormatError> {
    let decoded = Decoded::new(source, Compression::detect(source)?)?;
    let (blob, tar) = decoded.finish().map_err(FormatError::reading(BLOB, 0))?;
    check(BLOB, digest, &blob).map(|()| tar)
}

fn check(what: &str, expected: &Digest, actual: &Digest) -> Result<(), FormatError> {
    if expected == actual {
        return Ok(());
    }
    let what = format!("{what} {expected} has digest {actual}");
    Err(FormatError::Unsupported { code: Code::BlobDigestMismatch, what })
}

struct Builder {
    tree: Tree,
    kept: u64,
    names: u64,
    notes: Vec<FormatError>,
}

impl Builder {
    fn add(
        &mut self,
        member: Member,
        members: &mut Members<Decoded>,
        again: &Arc<Again>,
        keep: &dyn Fn(&GuestPath, &Stat) -> bool,
    ) -> Result<(), FormatError> {
        self.names = self.names.saturating_add(1);
        if self.names > limits::TAR_MEMBERS {
            return Err(FormatError::limit(format!("a layer of more than {} members", limits::TAR_MEMBERS)));
        }
        // A member that cannot be kept loses itself only.
        let member = match self.placed(member) {
            Ok(member) => member,
            Err(error) => {
                self.note(error);
                return Ok(());
            }
        };
        let (Member::HardLink { path, .. } | Member::Entry { path, .. }) = &member;
        if path.as_bytes().len() > limits::PATH_BYTES || path.components().count() > limits::PATH_DEPTH {
            let (bytes, depth) = (limits::PATH_BYTES, limits::PATH_DEPTH);
            let what = format!("a tar member's path of more than {bytes} bytes or {depth} names");
            self.note(FormatError::limit(what));
            return Ok(());
        }
        // Runtimes go by the name alone, whatever kind of member has it.
        if let Some(name) = path.name().strip_prefix(b".wh.") {
            self.whiteout(path, name);
            return Ok(());
        }
        match member {
            Member::HardLink { path, existing } => {
                if !self.tree.hard_link(&path, &existing) {
                    let problem = format!("{path} links to {existing}, which the archive does not hold");
                    self.note(FormatError::malformed("tar hard link", problem));
                }
            }
            Member::Entry { path, stat, target, xattrs, data } => {
                let total = self.kept.saturating_add(stat.size);
                let content: Option<Source> = match data {
                    _ if stat.kind != FileKind::Regular => None,
                    Data::Sparse => Some(Arc::new(Sparse(stat.size))),
                    Data::At(_) if keep(&path, &stat) && total <= limits::TAR_KEPT_BYTES => {
                        self.kept = total;
                        Some(Arc::new(Memory::new(members.data(stat.size)?)))
                    }
                    Data::At(offset) => Some(Arc::new(Packed::new(again, offset, stat.size))),
                };
                self.tree.insert(&path, Entry { stat, target, content, xattrs });
            }
        }
        Ok(())
    }

    /// Notes a member that is lost.
    fn note(&mut self, error: FormatError) {
        error::note(&mut self.notes, error);
    }

    /// A member where a runtime puts it: below the symbolic links of its own layer. Links of layers below are
    /// not seen while a layer is unpacked; a directory of the upper layer hides them.
    fn placed(&self, mut member: Member) -> Result<Member, FormatError> {
        let place = |path: &mut GuestPath| {
            let endless = || FormatError::limit(format!("tar member {path} lies below links without end"));
            *path = self.tree.resolve(path).ok_or_else(endless)?;
            Ok(())
        };
        match &mut member {
            Member::HardLink { path, existing } => {
                place(path)?;
                place(existing)?;
            }
            Member::Entry { path, .. } => place(path)?,
        }
        Ok(member)
    }

    fn whiteout(&mut self, path: &GuestPath, name: &[u8]) {
        let dir = path.parent().unwrap_or_default();
        match name {
            b".wh..opq" => {
                self.tree.mark(&dir, overlay::opaque());
            }
            // AUFS's own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`).
            name if name.starts_with(b".wh.") => {}
            b"" | b"." | b".." => {}
            // Of a whiteout and a file or directory of one name in one layer, what the layer adds stays.
            name if self.tree.contains(&dir.join(name)) => {}
            name => self.tree.insert(&dir.join(name), Entry::new(FileKind::CharDevice)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, path: &str, link: &str) {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_path(path).unwrap();
        if !link.is_empty() {
            header.set_link_name(link).unwrap();
        }
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, std::io::empty()).unwrap();
    }

    fn tree(members: &[(tar::EntryType, &str, &str)]) -> BlobTree {
        let mut tar = tar::Builder::new(Vec::new());
        for (kind, path, link) in members {
            member(&mut tar, *kind, path, link);
        }
        let bytes = tar.into_inner().unwrap();
        let digest = Digest::of(&bytes);
        let source: Source = Arc::new(Memory::new(bytes));
        open_blob(&source, &digest, &digest, &|_, _| false).unwrap()
    }

    fn kind(tree: &BlobTree, path: &str) -> Option<FileKind> {
        let root = crate::fs::Root::new(Arc::clone(&tree.fs));
        root.find_no_follow(path.as_bytes()).unwrap().map(|found| found.stat().unwrap().kind)
    }

    #[test]
    fn no_whiteout_removes_what_its_own_layer_adds() {
        use tar::EntryType::{Link, Regular};
        let file = tree(&[(Regular, "a/b", ""), (Regular, ".wh.a", "")]);
        assert_eq!(kind(&file, "a/b"), Some(FileKind::Regular), "below a directory without a member");
        let link = tree(&[(Regular, "x", ""), (Link, "y", "x"), (Regular, ".wh.y", "")]);
        assert_eq!(kind(&link, "y"), Some(FileKind::Regular), "a hard link");
    }

    #[test]
    fn a_whiteout_is_one_whatever_kind_of_member_it_is() {
        use tar::EntryType::{Link, Regular};
        let tree = tree(&[(Regular, "x", ""), (Link, "d/.wh.gone", "x")]);
        assert_eq!(kind(&tree, "d/gone"), Some(FileKind::CharDevice));
        assert_eq!(kind(&tree, "d/.wh.gone"), None);
    }

    #[test]
    fn a_whiteout_of_dots_names_nothing() {
        use tar::EntryType::Regular;
        let tree = tree(&[(Regular, "d/.wh..", ""), (Regular, "d/.wh...", ""), (Regular, "d/f", "")]);
        let root = crate::fs::Root::new(Arc::clone(&tree.fs));
        let names: Vec<_> = root.find(b"d").unwrap().unwrap().read_dir().unwrap().entries;
        assert_eq!(names.into_iter().map(|entry| entry.name).collect::<Vec<_>>(), [b"f"]);
    }

    #[test]
    fn a_path_that_is_too_long_loses_itself_only() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        let long = vec!["n".repeat(200); 30].join("/");
        tar.append_data(&mut header.clone(), &long, std::io::empty()).unwrap();
        tar.append_data(&mut header, "after", std::io::empty()).unwrap();
        let bytes = tar.into_inner().unwrap();
        let digest = Digest::of(&bytes);
        let source: Source = Arc::new(Memory::new(bytes));
        let tree = open_blob(&source, &digest, &digest, &|_, _| false).unwrap();
        assert_eq!(tree.notes.iter().map(FormatError::code).collect::<Vec<_>>(), [Code::LimitReached]);
        assert_eq!(kind(&tree, "after"), Some(FileKind::Regular));
    }

    #[test]
    fn members_below_a_link_of_their_layer_lie_where_it_leads() {
        use tar::EntryType::{Directory, Link, Regular, Symlink};
        let tree = tree(&[
            (Directory, "usr/lib", ""),
            (Symlink, "lib", "usr/../usr/lib"),
            (Regular, "lib/x", ""),
            (Link, "lib/y", "lib/x"),
        ]);
        assert!(tree.notes.is_empty());
        assert_eq!(kind(&tree, "lib"), Some(FileKind::Symlink));
        assert_eq!(kind(&tree, "usr/lib/x"), Some(FileKind::Regular));
        assert_eq!(kind(&tree, "usr/lib/y"), Some(FileKind::Regular));
    }

    /// A member with extension records, and what they are called in the header itself.
    fn with_pax(tar: &mut tar::Builder<Vec<u8>>, records: &[(&str, &[u8])], name: &str, data: &[u8]) {
        tar.append_pax_extensions(records.iter().copied()).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_mode(0o644);
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }

    fn opened(bytes: Vec<u8>) -> BlobTree {
        let digest = Digest::of(&bytes);
        let source: Source = Arc::new(Memory::new(bytes));
        open_blob(&source, &digest, &digest, &|_, _| false).unwrap()
    }

    #[test]
    fn a_sparse_member_loses_its_data_only() {
        let mut tar = tar::Builder::new(Vec::new());
        let records: [(&str, &[u8]); 4] = [
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.realsize", b"70000"),
        ];
        with_pax(&mut tar, &records, "GNUSparseFile.0/sparse", b"1\n0\n5\n");
        member(&mut tar, tar::EntryType::Regular, "after", "");
        let tree = opened(tar.into_inner().unwrap());
        assert!(tree.notes.is_empty(), "{:?}", tree.notes);
        let root = crate::fs::Root::new(Arc::clone(&tree.fs));
        let sparse = root.find(b"sparse").unwrap().unwrap();
        assert_eq!(sparse.stat().unwrap().size, 70000);
        assert!(sparse.open().unwrap().read_at(&mut [0], 0).is_err());
        assert_eq!(kind(&tree, "after"), Some(FileKind::Regular));
    }

    #[test]
    fn names_are_taken_as_runtimes_take_them() {
        let mut tar = tar::Builder::new(Vec::new());
        // An empty value keeps the header's own; of two pax headers the last one alone holds.
        with_pax(&mut tar, &[("path", b"")], "own", b"");
        tar.append_pax_extensions([("path", b"first".as_slice())]).unwrap();
        with_pax(&mut tar, &[("mtime", b"1")], "second", b"");
        // A GNU long name holds against a pax path that follows it.
        let mut long = tar::Header::new_gnu();
        long.set_entry_type(tar::EntryType::GNULongName);
        long.set_path("././@LongLink").unwrap();
        long.set_size(5);
        long.set_cksum();
        tar.append(&long, &b"long\0"[..]).unwrap();
        with_pax(&mut tar, &[("path", b"pax")], "short", b"");
        let mut old = tar::Header::new_old();
        old.as_old_mut().name[..4].copy_from_slice(b"dir/");
        old.as_old_mut().linkflag = [0];
        old.set_mode(0o755);
        old.set_size(0);
        old.set_cksum();
        tar.append(&old, std::io::empty()).unwrap();
        let tree = opened(tar.into_inner().unwrap());
        assert!(tree.notes.is_empty(), "{:?}", tree.notes);
        for name in ["own", "second", "long"] {
            assert_eq!(kind(&tree, name), Some(FileKind::Regular), "{name}");
        }
        for name in ["first", "pax", "short"] {
            assert_eq!(kind(&tree, name), None, "{name}");
        }
        assert_eq!(kind(&tree, "dir"), Some(FileKind::Directory));
    }

    #[test]
    fn what_follows_a_single_empty_block_is_not_passed_over() {
        let mut tar = tar::Builder::new(Vec::new());
        member(&mut tar, tar::EntryType::Regular, "before", "");
        tar.get_mut().extend([0; 512]);
        member(&mut tar, tar::EntryType::Regular, "after", "");
        let tree = opened(tar.into_inner().unwrap());
        assert_eq!(tree.notes.iter().map(FormatError::code).collect::<Vec<_>>(), [Code::CorruptStructure]);
    }

    #[test]
    fn a_member_below_endless_links_loses_itself_only() {
        use tar::EntryType::{Regular, Symlink};
        let tree =
            tree(&[(Symlink, "a", "b"), (Symlink, "b", "a"), (Regular, "a/x", ""), (Regular, "y", "")]);
        assert_eq!(tree.notes.len(), 1);
        assert_eq!(kind(&tree, "y"), Some(FileKind::Regular));
    }

    #[test]
    fn a_damaged_blob_is_damage_and_failing_storage_is_not() {
        use crate::block::fault::{Fault, Faulty, When};
        let mut tar = tar::Builder::new(Vec::new());
        (0..50).for_each(|n| member(&mut tar, tar::EntryType::Regular, &format!("file{n}"), ""));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, &tar.into_inner().unwrap()).unwrap();
        let mut bytes = packed.finish().unwrap();
        let whole: Source = Arc::new(Memory::new(bytes.clone()));
        // The first block of a type that deflate does not have.
        bytes[10] = 7;
        let failing = |n| -> Source { Arc::new(Faulty::new(Arc::clone(&whole), Fault::Error, When::Nth(n))) };
        let digest = Digest::of(b"any");
        for (source, code) in
            [(Arc::new(Memory::new(bytes)) as Source, Code::CorruptStructure), (failing(1), Code::ReadError)]
        {
            let tree = open_blob(&source, &digest, &digest, &|_, _| false).unwrap();
            assert!(tree.notes.iter().any(|note| note.code() == code), "{code:?}: {:?}", tree.notes);
            assert!(tree.notes.iter().all(|note| note.code() == code), "{code:?}: {:?}", tree.notes);
        }
    }
}
