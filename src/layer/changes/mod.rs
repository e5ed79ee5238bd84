//! What a layer changed, from the form in which a storage driver keeps it: always seen as the upper directory of an
//! overlay mount by root, with the owners of the container, so that all else knows one form only.

mod translated;
mod whole;

use std::sync::Arc;

use self::translated::Translated;
use crate::{
    error::FormatError,
    fs::{FileSystem, Handle, Root},
    store::{Form, Owners, Unpacked},
};

/// What tells whether a file of a whole tree is the same as the one by its name in the tree below. All of kind, mode,
/// owner, size, time of change and extended attributes must be the same for it in any case; the runtimes' own comparison
/// looks no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// The attributes; of a file that may show packages also the content, as builds give all their files one time.
    Attributes,
    /// The content of every file.
    Content,
}

/// The layer as an upper directory. For a driver that keeps whole trees, the tree and the one below it are compared
/// here.
pub fn changes(unpacked: &Unpacked, sameness: Sameness) -> Result<Handle, FormatError> {
    let Unpacked { dir, form, owners } = unpacked;
    match form {
        Form::Overlay if owners.is_same() => Ok(dir.clone()),
        Form::Overlay | Form::UserOverlay | Form::FuseOverlay => Ok(top(seen(dir, form, owners))),
        Form::Whole(below) => {
            let see =
                |dir: &Handle| if owners.is_same() { dir.clone() } else { top(seen(dir, form, owners)) };
            whole::difference(&see(dir), below.as_ref().map(see).as_ref(), sameness)
        }
    }
}

/// Everything that shows of a layer and of those below it, if the driver keeps that together; as a file system of its own.
pub fn whole_tree(unpacked: &Unpacked) -> Option<Handle> {
    let Unpacked { dir, form, owners } = unpacked;
    matches!(form, Form::Whole(_)).then(|| top(seen(dir, form, owners)))
}

fn seen(dir: &Handle, form: &Form, owners: &Owners) -> Arc<dyn FileSystem> {
    Arc::new(Translated::new(dir, form.clone(), owners.clone()))
}

fn top(fs: Arc<dyn FileSystem>) -> Handle {
    Root::new(fs).top()
}
