//! How containers/storage is configured: containers-storage.conf(5). A file that is there counts alone, no other adds to it.

use serde::Deserialize;

use super::{configfiles::Files, users::User};
use crate::{
    error::FormatError,
    fs::{GuestPath, Root},
    limits,
};

/// The files of the machine, the first that is there counts.
const FILES: [&str; 2] = ["etc/containers/storage.conf", "usr/share/containers/storage.conf"];
/// That of a user, in the home.
const USERS_FILE: &str = ".config/containers/storage.conf";

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct StorageConfig {
    pub(super) storage: Storage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Storage {
    pub(super) graphroot: Option<String>,
    rootless_storage_path: Option<String>,
    imagestore: Option<String>,
    options: Options,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    additionalimagestores: Vec<String>,
    imagestore: Option<String>,
    mount_program: Option<String>,
    overlay: Overlay,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Overlay {
    mount_program: Option<String>,
}

/// containers.conf(5), of which later files add to earlier ones.
const ENGINE_FILES: [&str; 2] = ["usr/share/containers/containers.conf", "etc/containers/containers.conf"];
/// Those beside each of them.
const MORE: &str = "containers.conf.d/*.conf";
/// That of a user, in the home.
const USERS_ENGINE_FILE: &str = ".config/containers/containers.conf";

#[derive(Deserialize, Default)]
#[serde(default)]
struct EngineConfig {
    engine: Engine,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Engine {
    static_dir: Option<String>,
}

/// What a machine says of a root directory of containers/storage, beside where it is.
#[derive(Clone, Default)]
pub struct StorageOptions {
    /// Whether overlays are mounted by a program (fuse-overlayfs).
    pub mount_program: bool,
    /// Further directories whose images are used.
    pub image_stores: Vec<Root>,
    /// Where Podman keeps its state, if that is configured.
    pub static_dir: Option<Root>,
    /// Whether CRI-O ran on the machine, which the machine's own root directory serves then.
    pub has_crio: bool,
}

impl StorageOptions {
    /// Reads the files of the machine, or of a user who has a home there and a file in it. What could not be read was told
    /// when root directories were searched.
    pub(super) fn read(root: &Root, user: Option<&User>) -> Self {
        let mut files = Files::new(root);
        let own = user.map(|user| user.home.concat(&GuestPath::new(USERS_FILE)));
        let all = own.into_iter().chain(FILES.map(GuestPath::new));
        let mut configs = all.filter_map(|file| files.toml::<StorageConfig>(&file));
        let Storage { imagestore, options, .. } = configs.next().unwrap_or_default().storage;
        let is_set = |program: &Option<String>| program.as_ref().is_some_and(|program| !program.is_empty());
        let stores = imagestore.into_iter().chain(options.imagestore).chain(options.additionalimagestores);
        let stores = stores.filter_map(|path| place(&path, user));
        let stores = stores.take(limits::IMAGE_STORES).filter_map(|path| root.find(path.as_bytes()).ok()?);
        let static_dir = static_dir(&mut Files::new(root), user);
        let has_crio = ["var/lib/crio/version", "var/lib/crio/clean.shutdown"]
            .iter()
            .any(|file| matches!(root.find(file.as_bytes()), Ok(Some(_))));
        Self {
            mount_program: is_set(&options.mount_program) || is_set(&options.overlay.mount_program),
            // One that is not there is on no disk that was given, or never was made.
            image_stores: stores
                .filter(|dir| matches!(dir.is_dir(), Ok(true)))
                .map(|dir| root.within(&dir))
                .collect(),
            static_dir: static_dir
                .and_then(|path| root.find(path.as_bytes()).ok()?)
                .map(|dir| root.within(&dir)),
            has_crio: has_crio && user.is_none(),
        }
    }
}

/// Where Podman is told to keep its state.
fn static_dir(files: &mut Files<'_>, user: Option<&User>) -> Option<String> {
    let mut all = Vec::new();
    let own = user.map(|user| user.home.concat(&GuestPath::new(USERS_ENGINE_FILE)));
    for file in ENGINE_FILES.map(GuestPath::new).into_iter().chain(own) {
        let others = files.matching(&file, MORE);
        all.push(file);
        all.extend(others);
    }
    let told = all.iter().filter_map(|file| files.toml::<EngineConfig>(file)?.engine.static_dir);
    told.filter_map(|path| place(&path, user)).last()
}

/// Where a user's root directory is configured to be, and the files that could not be read.
pub(super) fn of_user(root: &Root, user: &User) -> (Vec<String>, Vec<(GuestPath, FormatError)>) {
    let mut files = Files::new(root);
    let mut found = Vec::new();
    if let Some(own) = files.toml::<StorageConfig>(&user.home.concat(&GuestPath::new(USERS_FILE))) {
        found.extend([own.storage.graphroot, own.storage.rootless_storage_path]);
    }
    let damage = std::mem::take(&mut files.damage);
    // What is wrong with these was told for the machine.
    let machines = FILES.iter().find_map(|file| files.toml::<StorageConfig>(&GuestPath::new(file)));
    found.extend(machines.map(|machines| machines.storage.rootless_storage_path));
    (found.into_iter().flatten().filter_map(|path| place(&path, Some(user))).collect(), damage)
}

/// An absolute path, with what variables in it stand for.
fn place(path: &str, user: Option<&User>) -> Option<String> {
    let mut path = path.to_owned();
    if let Some(User { name, uid, home, .. }) = user {
        for (variable, value) in
            [("HOME", home.to_string()), ("USER", name.clone()), ("UID", uid.to_string())]
        {
            path = path.replace(&format!("${{{variable}}}"), &value).replace(&format!("${variable}"), &value);
        }
    }
    (path.starts_with('/') && path.len() <= limits::PATH_BYTES).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fs::memory::Tree, node::users::Users};

    fn root(files: &[(&str, &str)]) -> Root {
        let mut tree = Tree::default();
        files.iter().for_each(|(path, text)| tree.file(path, *text));
        Root::new(tree.build())
    }

    const PASSWD: (&str, &str) = ("etc/passwd", "u:x:1000:1000::/home/u:/bin/sh\n");

    #[test]
    fn a_users_root_directory_is_where_files_say() {
        let machine =
            ("etc/containers/storage.conf", "[storage]\nrootless_storage_path = \"/pool/$USER/$UID\"\n");
        let own = "[storage]\ngraphroot = \"${HOME}/images\"\n";
        let root = root(&[PASSWD, machine, ("home/u/.config/containers/storage.conf", own)]);
        let users = Users::read(&root);
        let (found, damage) = of_user(&root, &users.all[0]);
        assert_eq!((found, damage.len()), (vec!["/home/u/images".to_owned(), "/pool/u/1000".to_owned()], 0));
    }

    #[test]
    fn options_are_those_of_the_first_file_that_is_there() {
        let machine = "[storage.options]\nadditionalimagestores = [\"/srv/images\", \"relative\", \"/gone\"]\n\
                       [storage.options.overlay]\nmount_program = \"/usr/bin/fuse-overlayfs\"\n";
        let usual = "[storage.options]\nadditionalimagestores = [\"/usr/lib/images\"]\n";
        let own = "[storage]\nimagestore = \"$HOME/shared\"\n";
        let all = root(&[
            PASSWD,
            ("etc/containers/storage.conf", machine),
            ("usr/share/containers/storage.conf", usual),
            ("home/u/.config/containers/storage.conf", own),
            ("srv/images/x", ""),
            ("usr/lib/images/x", ""),
            ("home/u/shared/x", ""),
            ("var/lib/crio/version", ""),
            ("etc/containers/containers.conf", "[engine]\nstatic_dir = \"/srv/images\"\n"),
            ("home/u/.config/containers/containers.conf", "[engine]\nstatic_dir = \"$HOME/shared\"\n"),
        ]);
        let paths = |options: &StorageOptions| -> Vec<String> {
            options.image_stores.iter().map(|dir| dir.top().path.to_string()).collect()
        };
        let options = StorageOptions::read(&all, None);
        assert_eq!(paths(&options), ["/srv/images"]);
        assert!(options.mount_program && options.has_crio);
        let static_dir =
            |options: &StorageOptions| options.static_dir.as_ref().map(|dir| dir.top().path.to_string());
        assert_eq!(static_dir(&options).as_deref(), Some("/srv/images"));
        let options = StorageOptions::read(&all, Users::read(&all).all.first());
        assert_eq!(paths(&options), ["/home/u/shared"]);
        assert!(!options.mount_program && !options.has_crio);
        assert_eq!(static_dir(&options).as_deref(), Some("/home/u/shared"));
    }
}
