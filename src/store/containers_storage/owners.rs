//! Owners of a container in a user namespace of its own, in the store of a user who has another one.

use super::records::IdMap;
use crate::{
    fs::{IdRange, Owners},
    limits,
};

/// Owners in the container of owners on the disk. The container's namespace is made of ids of the store's, which on the
/// disk are `store`'s.
pub(super) fn nested(store: &Owners, users: &[IdMap], groups: &[IdMap]) -> Owners {
    Owners { users: through(&store.users, users), groups: through(&store.groups, groups) }
}

fn through(store: &[IdRange], inner: &[IdMap]) -> Vec<IdRange> {
    if inner.is_empty() {
        return store.to_vec();
    }
    // The kernel takes no more of either.
    let inner = inner.iter().take(limits::ID_RANGES);
    let own = inner.map(|map| IdRange { inside: map.container_id, outside: map.host_id, count: map.size });
    if store.is_empty() {
        return own.collect();
    }
    let both =
        own.flat_map(|own| store.iter().take(limits::ID_RANGES).filter_map(move |store| common(store, &own)));
    both.collect()
}

/// The ids that two ranges share: those inside the store that are outside the container.
fn common(store: &IdRange, own: &IdRange) -> Option<IdRange> {
    let from = store.inside.max(own.outside);
    let end = u64::from(store.inside)
        .saturating_add(u64::from(store.count))
        .min(u64::from(own.outside).saturating_add(u64::from(own.count)));
    let count = u32::try_from(end.checked_sub(u64::from(from))?).ok()?;
    let inside = own.inside.checked_add(from.checked_sub(own.outside)?)?;
    let outside = store.outside.checked_add(from.checked_sub(store.inside)?)?;
    (count > 0).then_some(IdRange { inside, outside, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(container_id: u32, host_id: u32, size: u32) -> IdMap {
        IdMap { container_id, host_id, size }
    }

    #[test]
    fn a_namespace_in_a_namespace() {
        let store = vec![
            IdRange { inside: 0, outside: 1000, count: 1 },
            IdRange { inside: 1, outside: 100_000, count: 65536 },
        ];
        let store = Owners { users: store, groups: Vec::new() };
        // `--userns=keep-id` of a user with the id 1000.
        let keep = [map(0, 1, 1000), map(1000, 0, 1), map(1001, 1001, 64536)];
        let owners = nested(&store, &keep, &[]);
        assert_eq!(
            [1000, 100_000, 100_999, 101_000, 0].map(|id| owners.user(id)),
            [1000, 0, 999, 1001, 65534]
        );
        assert!(owners.groups.is_empty());
        let rootful = nested(&Owners::default(), &[map(0, 200_000, 65536)], &[map(0, 300_000, 1)]);
        assert_eq!((rootful.user(200_007), rootful.group(300_000), rootful.group(1)), (7, 0, 65534));
        assert_eq!(nested(&store, &[], &[]), store);
    }

    #[test]
    fn ranges_at_the_end_of_all_ids() {
        let store =
            Owners { users: vec![IdRange { inside: 5, outside: 7, count: u32::MAX }], groups: vec![] };
        let owners = nested(&store, &[map(u32::MAX, u32::MAX, u32::MAX), map(0, 0, u32::MAX)], &[]);
        assert_eq!(owners.user(7), 5);
    }
}
