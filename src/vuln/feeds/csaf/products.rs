//! The products of a CSAF document: components of platforms.

use std::collections::HashMap;

use super::document::{Branch, Full, Helper, Tree};
use crate::limits;

/// The products of a document by their ids.
pub(in super::super) struct Products {
    helpers: HashMap<String, Helper>,
    /// Component and platform.
    parts: HashMap<String, (String, String)>,
}

/// A component of a platform.
pub(in super::super) struct Part<'a> {
    /// The component's id.
    pub(in super::super) component: &'a str,
    /// The component's purl.
    pub(in super::super) purl: Option<&'a str>,
    /// The platform's id.
    pub(in super::super) platform: &'a str,
    /// The platform's CPE.
    pub(in super::super) cpe: Option<&'a str>,
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
    pub(in super::super) fn part(&self, id: &str) -> Option<Part<'_>> {
        let (component, platform) = self.parts.get(id)?;
        let mut platform = platform;
        for _ in 0..limits::NESTED_PRODUCTS {
            match self.parts.get(platform) {
                Some((_, outer)) => platform = outer,
                None => break,
            }
        }
        Some(Part {
            component,
            purl: self.helpers.get(component).and_then(|helper| helper.purl.as_deref()),
            platform,
            cpe: self.helpers.get(platform).and_then(|helper| helper.cpe.as_deref()),
        })
    }
}
