//! Orders of plain lists of numbers: Hackage's and CRAN's.

use super::digits::Number;

/// Numbers between separators.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a>(Vec<Number<'a>>);

impl<'a> Version<'a> {
    /// Haskell (PVP): numbers between dots; of two that begin alike the longer is later.
    pub(super) fn parse_hackage(text: &'a str) -> Option<Self> {
        text.trim().split('.').map(|part| Number(part).checked()).collect::<Option<_>>().map(Self)
    }

    /// R (`package_version`): numbers between dots and hyphens; zeros at the end do not count.
    pub(super) fn parse_cran(text: &'a str) -> Option<Self> {
        let numbers = text.trim().split(['.', '-']).map(|part| Number(part).checked());
        let mut numbers: Vec<_> = numbers.collect::<Option<_>>()?;
        while numbers.last() == Some(&Number("0")) {
            numbers.pop();
        }
        Some(Self(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_zeros_and_what_is_no_number() {
        let hackage = Version::parse_hackage;
        assert!(hackage("1.0") < hackage("1.0.0") && hackage("1.10") > hackage("1.9"));
        let cran = Version::parse_cran;
        assert!(
            cran("1.8") == cran("1.8.0") && cran("1.0-1") > cran("1.0-0") && cran("0.01.0") == cran("0.1")
        );
        assert_eq!((hackage("1."), cran("1.a"), hackage("")), (None, None, None));
    }
}
