//! Owners of files in a user namespace (user_namespaces(7)): of containers that unprivileged users run, and of those of a
//! daemon that maps them.

/// Owners in the container of owners on the disk, for users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Of users; none if they are the same.
    pub users: Vec<IdRange>,
    /// Of groups.
    pub groups: Vec<IdRange>,
}

/// A line of `/proc/PID/uid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdRange {
    /// The first id in the container.
    pub inside: u32,
    /// The first id on the disk.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl Owners {
    /// Whether every owner on the disk is the owner in the container.
    pub fn is_same(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// The user in the container; what no range has is the kernel's overflow id.
    pub fn user(&self, on_disk: u32) -> u32 {
        inside(&self.users, on_disk)
    }

    /// The same of a group.
    pub fn group(&self, on_disk: u32) -> u32 {
        inside(&self.groups, on_disk)
    }
}

/// `/proc/sys/kernel/overflowuid`: an id that has no name in a user namespace.
const OVERFLOW: u32 = 65534;

fn inside(ranges: &[IdRange], on_disk: u32) -> u32 {
    if ranges.is_empty() {
        return on_disk;
    }
    let of = |range: &IdRange| {
        let within = on_disk.checked_sub(range.outside).filter(|within| *within < range.count)?;
        range.inside.checked_add(within)
    };
    ranges.iter().find_map(of).unwrap_or(OVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_those_of_the_user_namespace() {
        let ranges = vec![
            IdRange { inside: 0, outside: 1000, count: 1 },
            IdRange { inside: 1, outside: 100_000, count: 65536 },
        ];
        let owners = Owners { users: ranges, groups: Vec::new() };
        assert_eq!(
            [1000, 100_000, 165_535, 0, 165_536].map(|id| owners.user(id)),
            [0, 1, 65536, 65534, 65534]
        );
        assert_eq!(owners.group(1000), 1000);
    }
}
