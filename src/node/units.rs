//! systemd's mount units (systemd.mount(5)): what systems without an fstab mount, and what is configured when a machine
//! first starts.

use std::collections::BTreeSet;

use super::{
    fstab::Line,
    specifiers,
    unitfiles::{self, Unit, Units},
};
use crate::{
    error::FormatError,
    fs::{GuestPath, Root},
    limits,
};

/// What the mount units of a system say.
pub(super) struct Mounts {
    /// What they mount, in the order of their names. A unit that nothing asks for is marked `nofail`: without its disk,
    /// nothing is missing.
    pub(super) lines: Vec<Line>,
    /// Places about which units in `/etc` say something, if only that nothing is mounted there: what fstab says of them
    /// does not count.
    pub(super) own: Vec<GuestPath>,
    /// What could not be read.
    pub(super) damage: Vec<(GuestPath, FormatError)>,
}

/// Reads the mount units of a system.
pub(super) fn read(root: &Root) -> Mounts {
    let mut units = Units::new(root);
    let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
    for (name, path) in units.named(&[".mount"], false) {
        if names.len() >= limits::MOUNTS && !names.contains(&name) {
            let what = format!("more than {} mount units", limits::MOUNTS);
            units.damage.push((path, FormatError::limit(what)));
            break;
        }
        names.insert(name);
    }
    let (mut lines, mut own) = (Vec::new(), Vec::new());
    for name in &names {
        let unit = units.unit(name);
        let place =
            unitfiles::path_of(name).filter(|_| unit.is_own && (unit.is_masked || !unit.files.is_empty()));
        own.extend(place);
        match parse(name, &unit) {
            Ok(line) => lines.extend(line.map(|line| (name, line))),
            Err((path, error)) => units.damage.push((path, error)),
        }
    }
    lone_drop_ins(&mut units, &names);
    lines.retain(|(_, line)| line.is_disk() || line.is_bind() || line.is_file() || line.is_opaque());
    // Most systems have no units that matter: then what is enabled does not either.
    let mut enabled = BTreeSet::new();
    let wanting = units.named(&[".wants", ".requires", ".upholds"], true);
    for (number, (_, dir)) in wanting.into_iter().enumerate().take_while(|_| !lines.is_empty()) {
        if number >= limits::MOUNTS {
            let what = format!("more than {} directories of what units ask for", limits::MOUNTS);
            units.damage.push((dir, FormatError::limit(what)));
            break;
        }
        let listing = units.list(&dir).map(|(_, listing)| listing.entries).unwrap_or_default();
        enabled.extend(listing.into_iter().map(|entry| entry.name).filter(|name| names.contains(name)));
    }
    let lines = lines.into_iter().map(|(name, mut line)| {
        if !enabled.contains(name) {
            line.options.push("nofail".to_owned());
        }
        line
    });
    Mounts { lines: lines.collect(), own, damage: units.damage }
}

/// Drop-ins of mounts that are in no unit are for those that are made of fstab. They are not applied: that is told.
fn lone_drop_ins(units: &mut Units<'_>, names: &BTreeSet<Vec<u8>>) {
    for (name, path) in units.named(&[".mount.d"], true) {
        let mount = name.strip_suffix(b".d").unwrap_or_default();
        if unitfiles::path_of(mount).is_none() || mount.ends_with(b"-.mount") || names.contains(mount) {
            continue;
        }
        let says = |key: &str| ["What", "Type", "Options"].contains(&key);
        if units.drop_ins_in(&path).iter().flat_map(|file| file.section("Mount")).any(|one| says(&one.key)) {
            let what = "drop-ins that change a mount of fstab";
            units.damage.push((path, FormatError::unsupported(what)));
        }
    }
}

/// What a unit mounts; `None` if there is no file of it, or it is masked.
fn parse(name: &[u8], unit: &Unit) -> Result<Option<Line>, (GuestPath, FormatError)> {
    let Some(file) = unit.files.first() else { return Ok(None) };
    let corrupt = |problem: String| (file.path.clone(), FormatError::malformed("mount unit", problem));
    let text = String::from_utf8_lossy(name);
    let (mut what, mut place, mut kind, mut options) = Default::default();
    for one in unit.section("Mount") {
        let field: &mut String = match one.key.as_str() {
            "What" => &mut what,
            "Where" => &mut place,
            "Type" => &mut kind,
            "Options" => &mut options,
            _ => continue,
        };
        let told = specifiers::expand(&one.value, &text);
        let unknown = || FormatError::unsupported(format!("{}={}: what it stands for", one.key, one.value));
        *field = told.ok_or_else(|| (one.file.clone(), unknown()))?;
    }
    if what.is_empty() {
        return Ok(None);
    }
    // systemd refuses a unit whose name does not say where.
    let said = unitfiles::path_of(name).ok_or_else(|| corrupt("its name is none of a path".to_owned()))?;
    let at = if place.is_empty() { said.clone() } else { GuestPath::new(&place) };
    if at != said || !(place.is_empty() || place.starts_with('/')) {
        return Err(corrupt(format!("it is to be mounted at {place}, its name says {said}")));
    }
    let options = options.split(',').map(str::to_owned).collect();
    Ok(Some(Line { from: file.path.to_string(), spec: what, at, kind, options }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::Tree;

    #[test]
    fn units_that_mount_disks_and_whether_something_asks_for_them() {
        let unit = |what: &str, at: &str, options: &str| {
            format!(
                "[Unit]\nWhat=no\n[Mount]\nWhat = {what}\nWhere={at}\nOptions={options}\n[Install]\nWhere=/no\n"
            )
        };
        let mut tree = Tree::default();
        tree.file("usr/lib/systemd/system/var.mount", unit("/dev/old", "/var", ""));
        tree.file("etc/systemd/system/var.mount", unit("LABEL=var", "/var", "noatime"));
        tree.link("etc/systemd/system/local-fs.target.wants/var.mount", "../var.mount");
        tree.file("usr/lib/systemd/system/srv.mount", unit("/var/srv", "/srv", "bind"));
        tree.file("usr/lib/systemd/system/tmp.mount", unit("tmpfs", "/tmp", ""));
        tree.file("usr/lib/systemd/system/opt.mount", unit("LABEL=opt", "/opt", ""));
        tree.link("etc/systemd/system/opt.mount", "/dev/null");
        tree.file("usr/lib/systemd/system/broken.mount", "[Mount]\nWhere=relative\n");
        let mounts = read(&Root::new(tree.build()));
        assert!(mounts.damage.is_empty());
        assert_eq!(mounts.own.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/opt", "/var"]);
        let shown: Vec<_> = mounts.lines.iter().map(|line| (line.text(), line.options.join(","))).collect();
        let row = |text: &str, options: &str| (text.to_owned(), options.to_owned());
        assert_eq!(
            shown,
            [
                row("/usr/lib/systemd/system/srv.mount mounts /var/srv at /srv", "bind,nofail"),
                row("/etc/systemd/system/var.mount mounts LABEL=var at /var", "noatime"),
            ]
        );
    }

    fn mount(what: &str, more: &str) -> String {
        format!("[Mount]\nWhat={what}\n{more}")
    }

    fn texts(mounts: &Mounts) -> Vec<String> {
        mounts.lines.iter().map(|line| format!("{} {}", line.text(), line.options.join(","))).collect()
    }

    fn told(mounts: &Mounts) -> Vec<String> {
        mounts.damage.iter().map(|(path, error)| format!("{path}: {}", error.detail())).collect()
    }

    #[test]
    fn drop_ins_and_all_directories_count_in_their_order() {
        let mut tree = Tree::default();
        tree.file("usr/lib/systemd/system/srv.mount", mount("LABEL=lib", ""));
        tree.file("usr/local/lib/systemd/system/srv.mount", mount("LABEL=local", "Where=/srv\nType=ext4\n"));
        tree.file("usr/lib/systemd/system/srv.mount.d/a.conf", mount("LABEL=a", ""));
        tree.file("etc/systemd/system/srv.mount.d/b.conf", "[Mount]\nWhat=\nWhat=LABEL=%p-%i\nOptions=ro\n");
        tree.file("etc/systemd/system/mount.d/c.conf", "[Unit]\nWhat=no\n");
        tree.link("usr/local/lib/systemd/system/opt.mount", "../../../../../dev/null");
        tree.file("usr/lib/systemd/system/opt.mount", mount("LABEL=opt", ""));
        tree.link("etc/systemd/system/x.target.upholds/srv.mount", "../srv.mount");
        let mounts = read(&Root::new(tree.build()));
        let line = "/usr/local/lib/systemd/system/srv.mount mounts LABEL=srv- at /srv ro";
        assert_eq!((texts(&mounts), told(&mounts)), (vec![line.to_owned()], vec![]));
        assert!(mounts.own.is_empty());
    }

    #[test]
    fn units_that_cannot_be_followed_are_told() {
        let mut tree = Tree::default();
        tree.file("etc/systemd/system/a.mount", mount("LABEL=%m", ""));
        tree.file("etc/systemd/system/b.mount", mount("LABEL=b", "Where=/c\n"));
        tree.file("etc/systemd/system/d.mount.d/x.conf", "[Mount]\nWhat=LABEL=x\n");
        tree.file("etc/systemd/system/e.mount.d/x.conf", "[Mount]\nTimeoutSec=5\n");
        let mounts = read(&Root::new(tree.build()));
        assert!(mounts.lines.is_empty());
        let told = told(&mounts);
        let has = |text: &str| told.iter().any(|told| told.contains(text));
        assert!(
            has("a.mount: What=LABEL=%m") && has("it is to be mounted at /c, its name says /b"),
            "{told:?}"
        );
        assert!(has("d.mount.d: drop-ins that change a mount of fstab") && told.len() == 3, "{told:?}");
    }

    #[test]
    fn units_and_what_asks_for_them_are_cut_and_told() {
        let mut tree = Tree::default();
        tree.file("etc/systemd/system/srv.mount", mount("LABEL=srv", ""));
        let asks = |n| format!("usr/lib/systemd/system/{n:05}.target.wants/srv.mount");
        (0..=limits::MOUNTS).for_each(|n| tree.file(&asks(n), ""));
        let mounts = read(&Root::new(tree.build()));
        let told = told(&mounts);
        assert!(
            told.len() == 1 && told[0].contains("more than 1024 directories of what units ask for"),
            "{told:?}"
        );
        assert_eq!(mounts.lines.len(), 1);
        let mut tree = Tree::default();
        (0..=limits::MOUNTS)
            .for_each(|n| tree.file(&format!("etc/systemd/system/m{n}.mount"), mount("x", "")));
        let told = self::told(&read(&Root::new(tree.build())));
        assert!(told.len() == 1 && told[0].contains("more than 1024 mount units"), "{told:?}");
    }
}
