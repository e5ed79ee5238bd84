//! What a container changed, for a person: the lines of `docker diff`, then the packages.

use std::io::{self, Write};

use super::{ChangeFlag, ChangeKind, Container, clean};

/// Writes a line for each path (`A` added, `C` changed, `D` deleted), files that may be run marked behind it, and a
/// line for each package that was added (`+`), removed (`-`) or is there in another version (`~`).
pub fn diff(container: &Container, to: &mut dyn Write) -> io::Result<()> {
    for change in container.changes.iter().flat_map(|changes| &changes.paths) {
        let letter = match change.change {
            ChangeKind::Added => 'A',
            ChangeKind::Modified => 'C',
            ChangeKind::Deleted => 'D',
        };
        let flags: Vec<&str> = change.flags.iter().map(|flag| word(*flag)).collect();
        let flags = if flags.is_empty() { String::new() } else { format!("  [{}]", flags.join(", ")) };
        writeln!(to, "{letter} {}{flags}", clean(&change.path))?;
    }
    let changed = container.packages_changed.as_deref().unwrap_or_default();
    for change in changed {
        let (name, from, to_version) = (clean(&change.name), clean(&change.from), clean(&change.to));
        writeln!(to, "~ {} {name} {from} -> {to_version}", change.kind.text())?;
    }
    for (sign, packages) in [('+', &container.packages_added), ('-', &container.packages_removed)] {
        for package in packages.iter().flatten() {
            let told = changed.iter().any(|change| {
                let version = if sign == '+' { &change.to } else { &change.from };
                (change.kind, &change.name, version) == (package.kind, &package.name, &package.version)
            });
            if !told {
                let (name, version) = (clean(&package.name), clean(&package.version));
                writeln!(to, "{sign} {} {name} {version}", package.kind.text())?;
            }
        }
    }
    Ok(())
}

fn word(flag: ChangeFlag) -> &'static str {
    match flag {
        ChangeFlag::Executable => "executable",
        ChangeFlag::Setuid => "setuid",
        ChangeFlag::Setgid => "setgid",
        ChangeFlag::Capabilities => "capabilities",
    }
}
