//! Which layer hides what the layers below it have at a path.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use crate::{
    fs::GuestPath,
    layer::{LayerFacts, Shadow},
};

/// The layers of an image, base first, asked for many paths. What is known of a directory is kept, so that a path
/// costs one look at each layer, however deep it lies.
pub struct Hiding<'a> {
    layers: &'a [Arc<LayerFacts>],
    /// By the hash of a directory's path: one more than the highest layer that hides all below it, 0 for none.
    below: RefCell<HashMap<u128, usize>>,
}

impl<'a> Hiding<'a> {
    /// Of these layers, base first.
    pub fn new(layers: &'a [Arc<LayerFacts>]) -> Self {
        Self { layers, below: RefCell::default() }
    }

    /// The highest layer that has something at `path` or hides what lies there in the layers below.
    pub fn top(&self, path: &GuestPath) -> Option<usize> {
        let hash = Shadow::hash(path);
        let own = self.highest(&|facts| facts.hides_at(path, hash));
        path.parent().map_or(own, |dir| own.max(self.below(dir))).checked_sub(1)
    }

    /// The layer whose file (or link, or device) shows at `path`.
    pub fn owner(&self, path: &GuestPath) -> Option<usize> {
        let top = self.top(path)?;
        self.layers.get(top)?.shadow.has_other_than_directory(path).then_some(top)
    }

    /// Whether the layers show anything at `path`.
    pub fn shows(&self, path: &GuestPath) -> bool {
        self.top(path).and_then(|top| self.layers.get(top)).is_some_and(|facts| facts.shadow.has(path))
    }

    fn below(&self, dir: GuestPath) -> usize {
        let mut known = self.below.borrow_mut();
        // Up to a directory that is known, and down again.
        let mut unknown = Vec::new();
        let mut next = Some(dir);
        let mut highest = 0;
        while let Some(dir) = next {
            let hash = Shadow::hash(&dir);
            if let Some(found) = known.get(&hash) {
                highest = *found;
                break;
            }
            next = dir.parent();
            unknown.push((dir, hash));
        }
        for (dir, hash) in unknown.into_iter().rev() {
            highest = highest.max(self.highest(&|facts| facts.hides_below(&dir, hash)));
            known.insert(hash, highest);
        }
        highest
    }

    /// One more than the highest layer of which this is true.
    fn highest(&self, of: &dyn Fn(&LayerFacts) -> bool) -> usize {
        self.layers.iter().rposition(|facts| of(facts)).map_or(0, |number| number.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fs::{
            FileKind, Root,
            memory::{Entry, Tree},
        },
        gap::Scope,
        layer::{self, Walk, overlay},
    };

    fn layers(trees: Vec<Tree>) -> Vec<Arc<LayerFacts>> {
        let facts =
            |tree: Tree| layer::analyze(&Root::new(tree.build()).top(), Walk::whole("", Scope::Layer));
        trees.into_iter().map(|tree| Arc::new(facts(tree))).collect()
    }

    #[test]
    fn what_hides_a_path_is_the_highest_layer_that_touches_it_or_what_it_is_in() {
        let mut trees: Vec<Tree> = (0..4).map(|_| Tree::default()).collect();
        for path in ["a/b/c", "d/e", "f/g", "h"] {
            trees[0].file(path, "");
        }
        trees[1].insert(&GuestPath::new("a"), Entry::new(FileKind::CharDevice));
        trees[1].file("d/other", "");
        trees[2].mark(&GuestPath::new("f"), overlay::opaque());
        trees[3].file("d/e", "");
        let layers = layers(trees);
        let hiding = Hiding::new(&layers);
        let top = |path: &str| hiding.top(&GuestPath::new(path));
        assert_eq!([top("a/b/c"), top("a"), top("d/e"), top("f/g"), top("h")], [1, 1, 3, 2, 0].map(Some));
        assert_eq!(top("nowhere/at/all"), None);
        let owner = |path: &str| hiding.owner(&GuestPath::new(path));
        assert_eq!([owner("a/b/c"), owner("d/e"), owner("d"), owner("h")], [None, Some(3), None, Some(0)]);
        assert!(hiding.shows(&GuestPath::new("f")) && !hiding.shows(&GuestPath::new("f/g")));
    }
}
