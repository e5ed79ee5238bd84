//! Who has accounts on a machine (passwd(5)), and which ids they lend to the containers that they run (subuid(5), subgid(5)).

use std::collections::BTreeSet;

use crate::{
    error::FormatError,
    fs::{DirEntry, FileKind, GuestPath, IdRange, Owners, Root, Stat},
    limits,
};

/// The user to whom Docker lends ids if `userns-remap` names none.
const DOCKERS: &str = "dockremap";
/// Where homes are.
const HOMES: &str = "home";
/// How many ids a user has who is not told them.
const USUAL_COUNT: u32 = 65_536;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: GuestPath,
}

/// The accounts, and the ids that each may lend.
#[derive(Default)]
pub(super) struct Users {
    /// Those without privileges that have a home.
    pub(super) all: Vec<User>,
    users: Vec<Lent>,
    groups: Vec<Lent>,
    /// What could not be read.
    pub(super) damage: Vec<(GuestPath, FormatError)>,
}

/// A line of `/etc/subuid`.
struct Lent {
    /// A name, or a number.
    owner: String,
    first: u32,
    count: u32,
}

impl Users {
    pub(super) fn read(root: &Root) -> Self {
        let mut read = Self::default();
        let text = read.text(root, "etc/passwd");
        let mut homes = BTreeSet::new();
        read.all = text.lines().filter_map(user).filter(|user| homes.insert(user.home.clone())).collect();
        read.elsewhere(root, &mut homes);
        if read.all.len() > limits::USERS {
            let what = format!("{} users, more than {}", read.all.len(), limits::USERS);
            read.damage.push((GuestPath::new("etc/passwd"), FormatError::limit(what)));
            read.all.truncate(limits::USERS);
        }
        read.users = read.text(root, "etc/subuid").lines().filter_map(lent).collect();
        read.groups = read.text(root, "etc/subgid").lines().filter_map(lent).collect();
        read
    }

    /// Users whom a directory service knows (LDAP, Active Directory): their homes are where others' are, or a directory for
    /// each domain deeper, and who owns a home is its user.
    fn elsewhere(&mut self, root: &Root, known: &mut BTreeSet<GuestPath>) {
        let mut domains = Vec::new();
        for (path, stat) in self.directories(root, &GuestPath::new(HOMES)) {
            match stat.uid {
                0 => domains.push(path),
                _ => {
                    self.all.extend(Some(owner(&path, &stat)).filter(|user| known.insert(user.home.clone())))
                }
            }
        }
        for (path, stat) in
            domains.iter().flat_map(|domain| self.directories(root, domain)).collect::<Vec<_>>()
        {
            let user =
                Some(owner(&path, &stat)).filter(|user| user.uid != 0 && known.insert(user.home.clone()));
            self.all.extend(user);
        }
    }

    /// The directories in one, with their owners; of more than there may be users, the first.
    fn directories(&mut self, root: &Root, dir: &GuestPath) -> Vec<(GuestPath, Stat)> {
        let listed = root.list(dir.as_bytes()).unwrap_or_else(|error| {
            self.damage.push((dir.clone(), error));
            None
        });
        let Some((dir, listing)) = listed else { return Vec::new() };
        self.damage.extend(listing.damage.into_iter().map(|error| (dir.path.clone(), error)));
        let directories = listing.entries.into_iter().filter(|entry| entry.kind == FileKind::Directory);
        // One more than is taken is told.
        let directories = directories.take(limits::USERS.saturating_add(1));
        let stat = |entry: DirEntry| Some((dir.path.join(&entry.name), dir.fs.stat(entry.ino).ok()?));
        directories.filter_map(stat).collect()
    }

    fn text(&mut self, root: &Root, path: &str) -> String {
        let text =
            root.read_within(path.as_bytes(), "account file", limits::CONFIG_BYTES).unwrap_or_else(|error| {
                self.damage.push((GuestPath::new(path), error));
                None
            });
        String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
    }

    /// Owners in the containers of a user: its root is the user, all others are ids that the user may lend.
    pub(super) fn owners(&self, user: &User) -> Owners {
        let ranges = |own: u32, lent: &[Lent]| {
            let is_his = |lent: &&Lent| lent.owner == user.name || lent.owner == user.uid.to_string();
            let first = IdRange { inside: 0, outside: own, count: 1 };
            [vec![first], in_order(1, lent.iter().filter(is_his))].concat()
        };
        Owners { users: ranges(user.uid, &self.users), groups: ranges(user.gid, &self.groups) }
    }

    /// Owners in the containers of a daemon whose root in them is this user and group of the machine.
    pub(super) fn remapped(&self, uid: u32, gid: u32) -> Owners {
        let ranges = |own: u32, lent: &[Lent]| {
            let begins =
                |owner: &str| lent.iter().find(|one| one.owner == owner).is_some_and(|one| one.first == own);
            let owner = Some(DOCKERS).filter(|owner| begins(owner));
            let owner =
                owner.or_else(|| lent.iter().map(|one| one.owner.as_str()).find(|owner| begins(owner)));
            match owner {
                Some(owner) => in_order(0, lent.iter().filter(|one| one.owner == owner)),
                None => vec![IdRange { inside: 0, outside: own, count: USUAL_COUNT }],
            }
        };
        Owners { users: ranges(uid, &self.users), groups: ranges(gid, &self.groups) }
    }
}

/// Ranges that follow each other in the container.
fn in_order<'a>(mut inside: u32, lent: impl Iterator<Item = &'a Lent>) -> Vec<IdRange> {
    let mut ranges = Vec::new();
    for Lent { first, count, .. } in lent.take(limits::ID_RANGES) {
        ranges.push(IdRange { inside, outside: *first, count: *count });
        let Some(next) = inside.checked_add(*count) else { break };
        inside = next;
    }
    ranges
}

fn user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let home = fields.nth(1).filter(|home| home.starts_with('/'))?;
    let (uid, gid) = (uid.parse().ok().filter(|uid| *uid != 0)?, gid.parse().ok()?);
    Some(User { name: name.to_owned(), uid, gid, home: GuestPath::new(home) })
}

/// The user who owns a home.
fn owner(home: &GuestPath, stat: &Stat) -> User {
    let name = String::from_utf8_lossy(home.name()).into_owned();
    User { name, uid: stat.uid, gid: stat.gid, home: home.clone() }
}

fn lent(line: &str) -> Option<Lent> {
    let mut fields = line.trim().split(':');
    let (owner, first, count) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Lent { owner: owner.to_owned(), first, count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::memory::{Entry, Tree};

    #[test]
    fn ids_are_lent_in_the_order_of_the_file() {
        let mut tree = Tree::default();
        tree.file(
            "etc/passwd",
            "root:x:0:0:r:/root:/bin/sh\nu:x:1000:1001:U:/home/u:/bin/sh\nbad:x\nn:x:7:7::none:\n",
        );
        tree.file("etc/subuid", "u:100000:10\ndockremap:300000:65536\n1000:200000:5\ndockremap:500000:3\n");
        tree.file("etc/subgid", "u:400000:10\n");
        let users = Users::read(&Root::new(tree.build()));
        assert_eq!(users.all.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["u"]);
        let owners = users.owners(&users.all[0]);
        assert_eq!([1000, 100_009, 200_000, 200_005].map(|id| owners.user(id)), [0, 10, 11, 65534]);
        assert_eq!([1001, 400_000].map(|id| owners.group(id)), [0, 1]);
        let owners = users.remapped(300_000, 300_000);
        assert_eq!([300_000, 365_535, 500_000].map(|id| owners.user(id)), [0, 65535, 65536]);
        // No line says so: as many as are usual.
        assert_eq!([300_000, 365_535, 365_536].map(|id| owners.group(id)), [0, 65535, 65534]);
    }

    #[test]
    fn homes_of_users_whom_no_file_names_are_tried() {
        let mut tree = Tree::default();
        tree.file("etc/passwd", "u:x:1000:1001:U:/home/u:/bin/sh\n");
        tree.file("etc/subuid", "far:100000:10\n");
        for (home, uid) in
            [("home/u", 1000), ("home/far", 70_001), ("home/corp", 0), ("home/corp/near", 70_002)]
        {
            let mut entry = Entry::new(FileKind::Directory);
            (entry.stat.uid, entry.stat.gid) = (uid, uid);
            tree.insert(&GuestPath::new(home), entry);
        }
        let users = Users::read(&Root::new(tree.build()));
        let found: Vec<_> = users.all.iter().map(|user| (user.name.as_str(), user.uid)).collect();
        assert_eq!(found, [("u", 1000), ("far", 70_001), ("near", 70_002)]);
        assert_eq!([70_001, 100_009].map(|id| users.owners(&users.all[1]).user(id)), [0, 10]);
    }
}
