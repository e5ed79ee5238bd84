//! The products of a CSAF document: components of platforms.

use std::collections::HashMap;

use super::{
    document::{Branch, Full, Helper, Tree},
    product::Product,
};
use crate::{inventory::Package, limits, vuln::query::rpm};

/// The products of a document by their ids.
pub(super) struct Products {
    helpers: HashMap<String, Helper>,
    /// Component and platform.
    parts: HashMap<String, (String, String)>,
}

/// A component of a platform that is a release of the distribution.
pub(super) struct Component<'a> {
    pub(super) platform: Product,
    pub(super) package: Package,
    /// The component's purl.
    pub(super) purl: &'a str,
}

impl Products {
    /// Those of a document.
    pub(super) fn of(tree: Tree) -> Self {
        let (mut helpers, mut parts) = (HashMap::new(), HashMap::new());
        // The parser bounds how deep branches go.
        let mut waiting = tree.branches;
        while let Some(Branch { branches, product }) = waiting.pop() {
            waiting.extend(branches);
            if let Some(Full { product_id, helper: Some(helper) }) = product {
                helpers.insert(product_id, helper);
            }
        }
        for one in tree.relationships {
            let pair = (one.product_reference, one.relates_to_product_reference);
            parts.insert(one.full_product_name.product_id, pair);
        }
        Self { helpers, parts }
    }

    /// The component and platform of a product. A module's package is a component of a module, which is one
    /// of the platform.
    pub(super) fn component(&self, id: &str) -> Option<Component<'_>> {
        let (component, platform) = self.parts.get(id)?;
        let mut platform = platform;
        for _ in 0..limits::NESTED_PRODUCTS {
            match self.parts.get(platform) {
                Some((_, outer)) => platform = outer,
                None => break,
            }
        }
        let purl = self.helpers.get(component)?.purl.as_deref()?;
        let platform = Product::of(self.helpers.get(platform)?.cpe.as_deref()?)?;
        Some(Component { platform, package: rpm(purl)?, purl })
    }
}
