//! SYSLINUX' and extlinux' menu (SYSLINUX documentation, "Config"), which U-Boot reads too.

/// The path of the kernel that boots if nobody chooses, `None` if the menu does not tell.
pub(super) fn default(text: &str) -> Option<String> {
    let mut chosen: Option<&str> = None;
    let mut labels: Vec<(&str, Option<&str>)> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once(char::is_whitespace) else { continue };
        let value = value.trim();
        match key.to_ascii_lowercase().as_str() {
            "default" => chosen = Some(value),
            // What a timeout boots is not what an empty line would.
            "ontimeout" => return None,
            "menu" if value.eq_ignore_ascii_case("default") => {
                chosen = labels.last().map(|(label, _)| *label)
            }
            "label" => labels.push((value, None)),
            "kernel" | "linux" => {
                if let Some((_, linux)) = labels.last_mut() {
                    *linux = value.split_whitespace().next();
                }
            }
            _ => {}
        }
    }
    let (_, linux) = labels.into_iter().find(|(label, _)| chosen == Some(label))?;
    linux.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_that_is_the_default_boots() {
        let labels = "label l0\n\tmenu label Linux 6.1\n\tlinux /boot/vmlinuz-6.1\n\tappend ro\n\nLABEL l1\n KERNEL ../vmlinuz-5.10\n";
        for (head, expected) in [
            ("default l0\n", Some("/boot/vmlinuz-6.1")),
            ("DEFAULT l1\nPROMPT 0\n", Some("../vmlinuz-5.10")),
            ("default l2\n", None),
            ("default l0\nontimeout l1\n", None),
            ("", None),
        ] {
            assert_eq!(default(&format!("{head}{labels}")).as_deref(), expected, "{head}");
        }
        assert_eq!(default("label a\nmenu default\nlinux /b").as_deref(), Some("/b"));
    }
}
