//! Which ids name the same vulnerability: aliases are symmetric and transitive (OSV schema, "aliases").

use std::collections::BTreeMap;

/// Disjoint sets of ids.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// Each id's number.
    numbers: BTreeMap<String, usize>,
    /// Each number's parent; a root is its own.
    parents: Vec<usize>,
}

impl Aliases {
    /// Says that all these ids are one vulnerability. One id alone says nothing.
    pub(super) fn join(&mut self, ids: &[String]) {
        let [first, others @ ..] = ids else { return };
        if others.is_empty() {
            return;
        }
        let first = self.number(first);
        for other in others {
            let (a, b) = (self.root(first), self.number(other));
            let b = self.root(b);
            if let Some(parent) = self.parents.get_mut(a.max(b)) {
                *parent = a.min(b);
            }
        }
    }

    fn number(&mut self, id: &str) -> usize {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = self.parents.len();
        self.parents.push(number);
        self.numbers.insert(id.to_owned(), number);
        number
    }

    /// A parent's number is never greater than its child's, so this ends.
    fn root(&mut self, mut at: usize) -> usize {
        while let Some(parent) = self.parents.get(at).copied().filter(|parent| *parent != at) {
            let above = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(at) {
                *slot = above;
            }
            at = above;
        }
        at
    }

    /// For each id all ids of its set, itself included, sorted. Sets of one are left out.
    pub(super) fn groups(mut self) -> BTreeMap<String, Vec<String>> {
        let mut sets: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (id, number) in std::mem::take(&mut self.numbers) {
            sets.entry(self.root(number)).or_default().push(id);
        }
        let with_sets = sets.into_values().filter(|set| set.len() > 1);
        with_sets.flat_map(|set| set.clone().into_iter().map(move |id| (id, set.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_grow_together_and_apart_from_others() {
        let ids = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut aliases = Aliases::default();
        for set in ["a b", "c d", "x y", "d b", "z"] {
            aliases.join(&ids(set));
        }
        let groups = aliases.groups();
        assert_eq!(groups["c"], ids("a b c d"));
        assert_eq!(groups["y"], ids("x y"));
        assert!(!groups.contains_key("z"));
    }
}
