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

/// The layer as an upper directory. For a driver that keeps whole trees, the tree and the one below it are compared
/// here, which looks at every file's attributes and reads no content: like the runtimes' own comparison, it takes
/// files for the same that have the same kind, mode, owner, size, time of change and extended attributes.
pub fn changes(unpacked: &Unpacked) -> Result<Handle, FormatError> {
    let Unpacked { dir, form, owners } = unpacked;
    match form {
        Form::Overlay if owners.is_same() => Ok(dir.clone()),
        Form::Overlay | Form::UserOverlay | Form::FuseOverlay => Ok(top(seen(dir, form, owners))),
        Form::Whole(below) => {
            let see =
                |dir: &Handle| if owners.is_same() { dir.clone() } else { top(seen(dir, form, owners)) };
            whole::difference(&see(dir), below.as_ref().map(see).as_ref())
        }
    }
}

fn seen(dir: &Handle, form: &Form, owners: &Owners) -> Arc<dyn FileSystem> {
    Arc::new(Translated::new(dir, form.clone(), owners.clone()))
}

fn top(fs: Arc<dyn FileSystem>) -> Handle {
    Root::new(fs).top()
}
