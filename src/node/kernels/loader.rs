//! Which kernel boots if nobody chooses: what the boot loaders' files say. Where two are configured they must agree.

use super::{extlinux, grub, places::Base};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath, Root},
    limits,
    node::entries::{self, Entry},
};

const MENU: &str = "boot loader's menu";
const GRUBS: [&str; 2] = ["grub", "grub2"];
const CUSTOM: &str = "custom.cfg";
const EXTLINUX: [&str; 3] = ["extlinux/extlinux.conf", "extlinux.conf", "syslinux/syslinux.cfg"];

/// Directories before a path that are the way to the machine's root: of a subvolume, mostly one.
const TAILS: usize = 8;

/// What boot loaders' files say.
#[derive(Default)]
pub(super) struct Loaders {
    /// For each boot loader, the image that it boots in a tree (by its number), if that is certain.
    said: Vec<Option<(usize, GuestPath)>>,
    pub(super) damage: Vec<(String, FormatError)>,
}

impl Loaders {
    /// Reads the files of all trees.
    pub(super) fn read(bases: &[Base]) -> Self {
        let mut loaders = Self::default();
        for (number, base) in bases.iter().enumerate() {
            for boot in base.boots() {
                loaders.boot(number, base, boot);
            }
        }
        // LILO and its like follow the link that packages keep.
        if let Some((number, base)) = bases.iter().enumerate().find(|(_, base)| base.volume.is_none())
            && loaders.said.is_empty()
        {
            let link = base.root.find_no_follow(b"vmlinuz").ok().flatten();
            let target = link.and_then(|_| base.root.find(b"vmlinuz").ok().flatten());
            loaders.said.extend(target.map(|file| Some((number, file.path))));
        }
        loaders
    }

    /// The image that boots, in which tree; `None` if no file tells, or if they contradict each other.
    pub(super) fn chosen(&self) -> Option<&(usize, GuestPath)> {
        let first = self.said.first()?.as_ref()?;
        self.said.iter().all(|said| said.as_ref() == Some(first)).then_some(first)
    }

    fn boot(&mut self, number: usize, base: &Base, boot: &str) {
        let at = |below: &str| if boot.is_empty() { below.to_owned() } else { format!("{boot}/{below}") };
        let mut notes = Vec::new();
        let mut entries =
            entries::read(&base.root, &at("loader/entries"), &mut notes).unwrap_or_else(|error| {
                notes.push(error);
                Vec::new()
            });
        self.damage.extend(notes.into_iter().map(|error| (at("loader/entries"), error)));
        entries.sort_by(Entry::order);
        let mut say = |path: Option<String>, from: &str| {
            let image = path.and_then(|path| resolve(base, boot, &at(from), &path));
            self.said.push(image.map(|path| (number, path)));
        };
        let mut damage = Vec::new();
        let mut text = |path: &str| match text(&base.root, path) {
            Ok(text) => text,
            Err(error) => {
                damage.push((path.to_owned(), error));
                None
            }
        };
        let mut has_menu = false;
        for grub in GRUBS {
            let menu = text(&at(&format!("{grub}/grub.cfg")));
            let environment = text(&at(&format!("{grub}/grubenv")));
            has_menu |= menu.is_some() || environment.is_some();
            let Some(mut menu) = menu else {
                // Its menu lies elsewhere, mostly on the EFI system partition.
                if environment.is_some() {
                    say(None, grub);
                }
                continue;
            };
            let environment = environment.unwrap_or_default();
            // The menu's last part is the user's own.
            if menu.contains(CUSTOM) {
                menu.push('\n');
                menu.push_str(&text(&at(&format!("{grub}/{CUSTOM}"))).unwrap_or_default());
            }
            // GRUB sorts by names only.
            let mut all: Vec<&Entry> = entries.iter().collect();
            all.sort_by(|a, b| entries::compare(b.id().0, a.id().0));
            let named: Vec<grub::Named> = all.into_iter().map(named).collect();
            say(grub::Menu::parse(&menu).and_then(|menu| menu.chosen(&environment, &named)), grub);
        }
        for path in EXTLINUX {
            let Some(menu) = text(&at(path)) else { continue };
            has_menu = true;
            let dir = path.split_once('/').map_or("", |(dir, _)| dir);
            say(extlinux::default(&menu), dir);
        }
        let loader = text(&at("loader/loader.conf"));
        if loader.is_some() || !has_menu && !entries.is_empty() {
            let unified = base.root.list(at("EFI/Linux").as_bytes()).ok().flatten();
            let has_unified = unified.is_some_and(|(_, listing)| !listing.entries.is_empty());
            match systemd_boot(loader.as_deref().unwrap_or_default(), &entries, has_unified) {
                Said::Nothing => {}
                Said::Unsure => say(None, ""),
                Said::Boots(entry) => say(entry.value("linux").map(str::to_owned), ""),
            }
        }
        self.damage.extend(damage);
    }
}

fn named(entry: &Entry) -> grub::Named {
    let value = |key| entry.value(key).map(str::to_owned);
    (entry.id().0.to_owned(), value("title"), value("linux"))
}

enum Said<'a> {
    /// It has nothing to boot.
    Nothing,
    Unsure,
    Boots(&'a Entry),
}

/// What systemd-boot boots (loader.conf(5)): the first entry that fits the pattern, or the first one. Unified kernels are
/// entries too, sorted among the others by what is in them.
fn systemd_boot<'a>(config: &str, entries: &'a [Entry], has_unified: bool) -> Said<'a> {
    let mut lines = config.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let pattern = lines.rfind(|(key, _)| *key == "default").map(|(_, value)| value.trim());
    let fits = |pattern: &str, entry: &Entry| {
        let name = format!("{}.conf", entry.name);
        let id = format!("{}.conf", entry.id().0);
        match pattern.split_once('*') {
            Some((start, end)) => {
                id.len() >= start.len().saturating_add(end.len())
                    && id.starts_with(start)
                    && id.ends_with(end)
            }
            None => [name.as_str(), &id, &entry.name, entry.id().0].contains(&pattern),
        }
    };
    match (pattern, entries.first()) {
        (Some(pattern), _) if pattern.contains(['@', '?', '[']) || pattern.matches('*').count() > 1 => {
            Said::Unsure
        }
        (_, None) if !has_unified => Said::Nothing,
        (Some(pattern), Some(_)) => match entries.iter().find(|entry| fits(pattern, entry)) {
            Some(entry) if !pattern.contains('*') || !has_unified => Said::Boots(entry),
            _ => Said::Unsure,
        },
        (None, Some(first)) if !has_unified => Said::Boots(first),
        _ => Said::Unsure,
    }
}

/// The file that a path of a boot loader's means, which begins at the root of a file system, or of a subvolume or directory
/// that is the machine's root; a relative one at the directory `from` of the file that has it.
fn resolve(base: &Base, boot: &str, from: &str, path: &str) -> Option<GuestPath> {
    // `($root)/vmlinuz`, `(hd0,gpt2)/vmlinuz`.
    let path = path.strip_prefix('(').and_then(|path| path.split_once(')')).map_or(path, |(_, path)| path);
    let find = |path: &str| {
        let found = base.root.find(path.as_bytes()).ok().flatten()?;
        found.stat().is_ok_and(|stat| stat.kind == FileKind::Regular).then_some(found.path)
    };
    let Some(absolute) = path.strip_prefix('/') else { return find(&format!("{from}/{path}")) };
    let below = format!("{boot}/{absolute}");
    let first = if base.is_own(boot) { [below.as_str(), absolute] } else { [absolute, below.as_str()] };
    let mut tail = absolute;
    let tails = std::iter::from_fn(|| {
        (_, tail) = tail.split_once('/')?;
        Some(tail)
    });
    first.into_iter().chain(tails.take(TAILS)).find_map(find)
}

fn text(root: &Root, path: &str) -> Result<Option<String>, FormatError> {
    let bytes = root.read_within(path.as_bytes(), MENU, limits::BOOT_MENU_BYTES)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
