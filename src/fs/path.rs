//! A path inside a guest. It is not [`std::path::Path`]: opening it on the host does not compile.

use std::fmt;

use crate::num;

/// An absolute path of a guest in canonical spelling: components joined by `/`, none of them empty, `.` or
/// `..`; the root has none. Names are bytes, as in the kernel. Sorted by component.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct GuestPath(Vec<u8>);

impl GuestPath {
    /// The root directory.
    pub const ROOT: Self = Self(Vec::new());

    /// The path that these bytes spell from the root; `..` goes up within it, as in a shell.
    pub fn new(text: impl AsRef<[u8]>) -> Self {
        let mut path = Self::ROOT;
        for part in text.as_ref().split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    path.pop();
                }
                name => path.push(name),
            }
        }
        path
    }

    /// The spelling without a leading slash: `var/lib`, empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components, root first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last component, empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The directory that holds it, `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let mut parent = self.clone();
        parent.pop().then_some(parent)
    }

    /// Appends one component, which must be a name as directories hold them.
    pub fn push(&mut self, name: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }

    /// Removes the last component; false at the root.
    pub fn pop(&mut self) -> bool {
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let had = !self.0.is_empty();
        self.0.truncate(end);
        had
    }

    /// This path with one component more.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = Self(Vec::with_capacity(self.0.len().saturating_add(name.len()).saturating_add(1)));
        path.0.extend_from_slice(&self.0);
        path.push(name);
        path
    }

    /// This path continued by another.
    #[must_use]
    pub fn concat(&self, below: &Self) -> Self {
        if below.is_root() { self.clone() } else { self.join(&below.0) }
    }

    /// Whether `ancestor` is this path or a directory above it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.strip(ancestor).is_some()
    }

    /// The path below `ancestor`.
    pub fn strip(&self, ancestor: &Self) -> Option<Self> {
        if ancestor.is_root() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(ancestor.0.as_slice())?;
        match rest.split_first() {
            None => Some(Self::ROOT),
            Some((b'/', below)) => Some(Self(below.to_vec())),
            Some(_) => None,
        }
    }

    /// Every directory above this path, nearest first, the root last.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// The number of components.
    pub fn depth(&self) -> u64 {
        num::to_u64(self.components().count())
    }
}

/// Component by component, so that a directory comes right before what it holds.
impl Ord for GuestPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.components().cmp(other.components())
    }
}

impl PartialOrd for GuestPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// With a leading slash. What is not UTF-8, and control characters, are shown as `\xNN`; a backslash as `\\`:
/// two different paths never look the same.
impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
        // Nearly all paths are.
        if self.0.iter().all(is_plain) {
            return f.write_str(str::from_utf8(&self.0).unwrap_or_default());
        }
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => {
                        let mut utf8 = [0; 4];
                        for byte in c.encode_utf8(&mut utf8).bytes() {
                            write!(f, "\\x{byte:02x}")?;
                        }
                    }
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_canonical() {
        for (text, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//a/./b/", "/a/b"),
            ("a/../../b", "/b"),
            ("/..", "/"),
            ("a\\b", "/a\\\\b"),
        ] {
            assert_eq!(GuestPath::new(text).to_string(), canonical, "{text}");
        }
        assert_eq!(GuestPath::new(b"\xff\n").to_string(), "/\\xff\\x0a");
    }

    #[test]
    fn relations() {
        let path = GuestPath::new("/var/lib/dpkg");
        assert!(path.starts_with(&GuestPath::new("/var")) && path.starts_with(&path));
        assert!(!GuestPath::new("/variable").starts_with(&GuestPath::new("/var")));
        assert_eq!(path.strip(&GuestPath::new("/var")), Some(GuestPath::new("lib/dpkg")));
        assert_eq!(path.name(), b"dpkg");
        let above: Vec<_> = path.ancestors().map(|p| p.to_string()).collect();
        assert_eq!(above, ["/var/lib", "/var", "/"]);
        assert!(GuestPath::new("a/b") < GuestPath::new("a-b"), "component order");
    }
}
