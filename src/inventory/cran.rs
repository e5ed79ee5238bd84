//! R packages: the `DESCRIPTION` that R leaves of an installed package in a library (Writing R Extensions, "The DESCRIPTION
//! file"), told from that of sources by the field `Built`.

use super::{
    Extraction, Extractor, File, Package, PackageKind,
    fields::{Blocks, Names},
    lines::Lines,
};
use crate::{
    error::FormatError,
    fs::{FileKind, GuestPath},
    limits,
};

const DESCRIPTION: &str = "DESCRIPTION";

/// R's packages, with those that R itself comes with.
pub(super) struct Cran;

impl Extractor for Cran {
    fn name(&self) -> &'static str {
        "cran"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        // renv keeps a library for each version and platform.
        let mut above = path.components().rev().skip(2);
        kind == FileKind::Regular
            && path.name() == DESCRIPTION.as_bytes()
            && above.any(|dir| matches!(dir, b"library" | b"site-library"))
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let lines = Lines::new(file.content(), DESCRIPTION, 4096, limits::R_DESCRIPTION_BYTES);
        let mut blocks =
            Blocks::new(lines, DESCRIPTION, Names::Exact, &["Package", "Version", "License", "Built"]);
        let Some(mut block) = blocks.next()? else { return Ok(found) };
        if block.take("Built").is_none() {
            return Ok(found);
        }
        let (Some(name), Some(version)) = (block.take("Package"), block.take("Version")) else {
            let problem = || FormatError::malformed(DESCRIPTION, "no package or no version");
            return Err(block.problem.take().unwrap_or_else(problem));
        };
        if let Some(problem) = block.problem.take() {
            found.lose(problem);
        }
        let license = block.take("License");
        found.add(Package { license, ..Package::new(PackageKind::Cran, name, version) });
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testing;

    fn extract(text: &str) -> Result<Extraction, FormatError> {
        testing::extract(&Cran, "usr/lib/R/library/Rcpp/DESCRIPTION", text.as_bytes(), &[])
    }

    #[test]
    fn wants_what_is_in_libraries() {
        testing::wants(
            &Cran,
            &[
                "usr/lib/R/library/base/DESCRIPTION",
                "usr/local/lib/R/site-library/Rcpp/DESCRIPTION",
                "srv/app/renv/library/R-4.2/x86_64-pc-linux-gnu/Rcpp/DESCRIPTION",
            ],
            &["srv/Rcpp/DESCRIPTION", "library/DESCRIPTION", "usr/lib/R/library/base/NEWS"],
        );
    }

    #[test]
    fn a_package_that_is_installed_was_built() {
        let text = "Package: Rcpp\nVersion: 1.0.10\nDepends: R (>= 3.5.0)\nDescription: The 'Rcpp' package\n offers.\n\
                    License: GPL (>= 2)\n";
        let built = format!("{text}Built: R 4.2.2; x86_64-pc-linux-gnu; 2023-01-22; unix\n");
        let license = Some("GPL (>= 2)".to_owned());
        let rcpp = Package { license, ..Package::new(PackageKind::Cran, "Rcpp", "1.0.10") };
        assert_eq!(extract(&built).unwrap().packages(), [rcpp]);
        for sources in [text, ""] {
            assert_eq!(extract(sources).unwrap().packages(), []);
        }
        for bad in ["Package: a\nBuilt: R 4\n", "Version: 1\nBuilt: R 4\n"] {
            assert!(extract(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(Package|Version|Built|License|[: \\na1é])*") {
            let _ = extract(&text);
        }
    }
}
