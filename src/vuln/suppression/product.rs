//! What a statement is about: a package, an image, or a package in an image.

use super::Place;
use crate::inventory::{self, PackageKind};

/// A package as a purl names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purl {
    /// Namespace and name, as its ecosystem compares them.
    pub(super) name: String,
    parts: inventory::Purl,
}

impl Purl {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts = inventory::Purl::parse(text)?;
        let name = parts.segments.join("/");
        let name =
            PackageKind::from_text(&parts.kind).map_or(name.as_str().into(), |kind| kind.in_purl(&name));
        let name = name.into_owned();
        (!name.is_empty()).then_some(Self { name, parts })
    }

    /// Whether a package is one of those that this names: what it leaves out may be anything.
    pub(super) fn holds(&self, package: &Self) -> bool {
        let (wanted, held) = (&self.parts, &package.parts);
        let version = wanted.version.is_none() || wanted.version == held.version;
        let mut qualifiers = wanted.qualifiers.iter();
        version
            && wanted.kind == held.kind
            && self.name == package.name
            && qualifiers.all(|(key, value)| held.qualifiers.get(key) == Some(value))
    }

    /// The image that it names, if it is of one.
    fn image(&self) -> Option<Image> {
        let inventory::Purl { kind, version, qualifiers, .. } = &self.parts;
        if !matches!(kind.as_str(), "oci" | "docker") {
            return None;
        }
        if let Some(digest) = version.as_ref().filter(|version| version.contains(':')) {
            return Some(Image::Digest(digest.clone()));
        }
        let name = qualifiers.get("repository_url").unwrap_or(&self.name).clone();
        let tag = qualifiers.get("tag").or(version.as_ref()).cloned();
        Some(Image::Named { name, tag })
    }
}

/// An image that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Image {
    Digest(String),
    /// By its repository, and a tag if it is about that alone.
    Named {
        name: String,
        tag: Option<String>,
    },
}

impl Image {
    fn is(&self, place: &Place<'_>) -> bool {
        match self {
            Self::Digest(digest) => place.digests.contains(&digest.as_str()),
            Self::Named { name, tag } => place.references.iter().any(|reference| {
                let reference = reference.split('@').next().unwrap_or(reference);
                // A colon before a slash is a registry's port.
                let (held, held_tag) = match reference.rsplit_once(':') {
                    Some((held, tag)) if !tag.contains('/') => (held, Some(tag)),
                    _ => (reference, None),
                };
                let same = held == name
                    || held.strip_suffix(name.as_str()).is_some_and(|before| before.ends_with('/'));
                same && tag.as_deref().is_none_or(|tag| held_tag == Some(tag))
            }),
        }
    }
}

/// A package, an image, or a package in an image. One that is neither is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Product {
    image: Option<Image>,
    package: Option<Purl>,
}

impl Product {
    /// What a purl names.
    pub(super) fn of_purl(text: &str) -> Option<Self> {
        let purl = Purl::parse(text)?;
        Some(match purl.image() {
            Some(image) => Self { image: Some(image), package: None },
            None => Self { image: None, package: Some(purl) },
        })
    }

    /// The image with a digest.
    pub(super) fn of_digest(digest: String) -> Self {
        Self { image: Some(Image::Digest(digest)), package: None }
    }

    /// Whether it is an image, whatever is in it.
    pub(super) fn is_image(&self) -> bool {
        self.image.is_some() && self.package.is_none()
    }

    /// A package as a part of this; `None` if this is no image, since nothing tells what is in what then.
    pub(super) fn part(&self, part: &Self) -> Option<Self> {
        (self.is_image() && part.image.is_none())
            .then(|| Self { image: self.image.clone(), package: part.package.clone() })
    }

    /// Whether a package at a place is it, or in it.
    pub(super) fn is(&self, package: Option<&Purl>, place: &Place<'_>) -> bool {
        let image = self.image.as_ref().is_none_or(|image| image.is(place));
        let held = |wanted: &Purl| package.is_some_and(|package| wanted.holds(package));
        let package = self.package.as_ref().is_none_or(held);
        image && package && (self.image.is_some() || self.package.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_purl_leaves_out_may_be_anything() {
        let package =
            Purl::parse("pkg:deb/debian/libc-bin@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12").unwrap();
        for (pattern, expected) in [
            ("pkg:deb/debian/libc-bin", true),
            ("pkg:deb/debian/libc-bin@2.36-9+deb12u4", true),
            ("pkg:deb/debian/libc-bin@2.36-9%2Bdeb12u4?distro=debian-12", true),
            ("pkg:deb/debian/libc-bin?distro=debian-11", false),
            ("pkg:deb/debian/libc-bin@2.36", false),
            ("pkg:deb/ubuntu/libc-bin", false),
            ("pkg:apk/debian/libc-bin", false),
        ] {
            assert_eq!(Purl::parse(pattern).unwrap().holds(&package), expected, "{pattern}");
        }
        let scoped = Purl::parse("pkg:npm/%40babel/core@7.0.0").unwrap();
        assert!(Purl::parse("pkg:npm/@babel/core").unwrap().holds(&scoped));
        assert_eq!(Purl::parse("pkg:pypi/My_Pack").unwrap().name, "my-pack");
        assert_eq!((Purl::parse("cpe:/a"), Purl::parse("pkg:npm/")), (None, None));
    }

    #[test]
    fn images_by_digest_and_by_name() {
        let place = Place {
            digests: vec!["sha256:aa"],
            references: vec!["registry.example:5000/shop/web:1.0"],
            ..Place::default()
        };
        for (purl, expected) in [
            ("pkg:oci/web@sha256%3Aaa?repository_url=other.example/web", true),
            ("pkg:oci/web@sha256:bb", false),
            ("pkg:oci/web?repository_url=registry.example:5000/shop/web&tag=1.0", true),
            ("pkg:oci/web?repository_url=registry.example:5000/shop/web&tag=2.0", false),
            ("pkg:docker/shop/web@1.0", true),
            ("pkg:docker/hop/web@1.0", false),
            ("pkg:docker/web", true),
        ] {
            assert_eq!(Product::of_purl(purl).unwrap().is(None, &place), expected, "{purl}");
        }
        assert!(!Product::default().is(None, &place));
        assert!(!Product::of_purl("pkg:oci/web@sha256:aa").unwrap().is(None, &Place::default()));
    }
}
