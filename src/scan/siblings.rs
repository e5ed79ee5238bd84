//! What disk images refer to, among the files that the caller named.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::open::Opening;
use crate::{
    FormatError, block,
    disk::{self, Sibling},
    gap::Code,
};

/// Opens what an image refers to, if the caller named a file of that name or its directory. Of the name that the
/// image says only the last component must be the same; the others tell files of one name apart.
pub(super) struct Named<'a> {
    /// The disk image itself.
    pub(super) disk: &'a Path,
    /// The files that the caller named.
    pub(super) backing: &'a [PathBuf],
    /// The directory of the disk image, if what lies there was named with it.
    pub(super) beside: Option<&'a Path>,
    pub(super) opening: &'a Opening<'a>,
}

/// A file of the right name.
struct Candidate {
    /// As the caller spelled it.
    place: PathBuf,
    /// Where that is.
    location: PathBuf,
}

impl Candidate {
    fn new(place: PathBuf) -> Self {
        Self { location: block::location(&place), place }
    }
}

impl disk::Siblings for Named<'_> {
    fn open(&self, name: &str, from: Option<&Path>) -> io::Result<Sibling> {
        let absent =
            || io::Error::new(io::ErrorKind::NotFound, format!("{name:?} was not named by the caller"));
        let wanted = Path::new(name).file_name().ok_or_else(absent)?;
        let is_called = |path: &&PathBuf| block::file_name(path).as_deref() == Some(wanted);
        let mut found: Vec<_> = self.backing.iter().filter(is_called).cloned().map(Candidate::new).collect();
        let beside = self.beside.map(|dir| dir.join(wanted));
        if let Some(path) = beside.as_ref().filter(|path| found.is_empty() || block::open(path).is_ok()) {
            found.push(Candidate::new(path.clone()));
        }
        let from = from.map_or_else(|| block::location(self.disk), Path::to_owned);
        let exact = block::referred(&from, Path::new(name));
        // A file that means another of its own name does not mean itself.
        found.retain(|file| file.location != from || exact == from);
        let Candidate { place, location } = choose(found, &exact, name)?.ok_or_else(absent)?;
        let source = if beside.as_ref() == Some(&place) {
            self.opening.counted(block::open(&place)?)
        } else {
            self.opening.source(&place).map_err(io::Error::other)?
        };
        Ok(Sibling { source, place: location })
    }

    fn named(&self) -> io::Result<Vec<Sibling>> {
        let open = |path: &PathBuf| -> io::Result<Sibling> {
            let source = self.opening.source(path).map_err(io::Error::other)?;
            Ok(Sibling { source, place: block::location(path) })
        };
        self.backing.iter().map(open).collect()
    }
}

/// Of files that have the name the one that lies where the image says, or else the one whose path is most like what the
/// image says. Which of several that are alike is meant is not guessed.
fn choose(found: Vec<Candidate>, exact: &Path, name: &str) -> io::Result<Option<Candidate>> {
    let rank = |file: &Candidate| match file.location == exact {
        true => usize::MAX,
        false => block::common_end(&file.location, Path::new(name)),
    };
    let best = found.iter().map(rank).max();
    let mut best = found.into_iter().filter(|file| Some(rank(file)) == best);
    let first = best.next();
    let others =
        best.filter(|other| first.as_ref().is_some_and(|first| !block::is_same(&first.place, &other.place)));
    match others.count() {
        0 => Ok(first),
        others => {
            let count = others.saturating_add(1);
            let what = format!(
                "the disk image refers to {name:?}, {count} of the files that were given may be that, and none lies \
                 where the image says; give only the right one"
            );
            Err(FormatError::Unsupported { code: Code::BackingFileNotGiven, what }.into())
        }
    }
}
