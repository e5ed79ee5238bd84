//! What is done about products (CSAF 2.0, "3.2.3.12 Vulnerabilities Property - Remediations").

use std::collections::HashMap;

use super::Vulnerability;

/// What is done about products, by their ids.
#[derive(Default)]
pub(in super::super) struct Remedies<'a> {
    /// The advisories with the fixes.
    pub(in super::super) fixes: HashMap<&'a str, &'a str>,
    /// No fix is to come, for this reason.
    pub(in super::super) never: HashMap<&'a str, &'a str>,
    /// There is none yet, for this reason.
    pub(in super::super) none: HashMap<&'a str, &'a str>,
}

impl<'a> Remedies<'a> {
    /// What is done about the products of a vulnerability.
    pub(in super::super) fn of(vulnerability: &'a Vulnerability) -> Self {
        let mut remedies = Self::default();
        for one in &vulnerability.remediations {
            let ids = one.product_ids.iter().map(String::as_str);
            match one.category.as_str() {
                "vendor_fix" => {
                    let advisory = one.url.as_deref().and_then(|url| url.rsplit('/').next());
                    remedies.fixes.extend(ids.filter_map(|id| Some((id, advisory?))));
                }
                "no_fix_planned" => remedies.never.extend(ids.map(|id| (id, one.details.as_str()))),
                "none_available" => remedies.none.extend(ids.map(|id| (id, one.details.as_str()))),
                _ => {}
            }
        }
        remedies
    }
}
