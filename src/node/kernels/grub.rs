//! GRUB's menu (GNU GRUB manual, "The GRUB script language", "Simple configuration" and "The GRUB environment block"), as far as it
//! tells what boots if nobody chooses. Conditions are not evaluated: what depends on one is not known.

use std::collections::BTreeMap;

use crate::limits;

/// A menu of entries, and which of them is said to boot.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Menu {
    items: Vec<Item>,
    /// The values of `default`, and within how many conditions they are set.
    defaults: Vec<(String, usize)>,
    loads_environment: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Item {
    /// Its title, and its identifier.
    names: Vec<String>,
    /// Whether it is there under a condition only.
    is_conditional: bool,
    kind: Kind,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Kind {
    /// An entry with the path of its kernel, if it has one.
    Entry(Option<String>),
    Submenu(Vec<Item>),
    /// The entries of The Boot Loader Specification.
    #[default]
    Entries,
}

/// An entry of The Boot Loader Specification: its name, its title, the path of its kernel.
pub(super) type Named = (String, Option<String>, Option<String>);

impl Menu {
    /// Reads a menu; `None` if its parts nest too deep.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut menu = Self::default();
        let mut open: Vec<Block> = Vec::new();
        let mut conditions: usize = 0;
        let mut is_deep = false;
        commands(text, &mut |command| {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let depth = conditions.saturating_sub(open.last().map_or(0, |block| block.conditions));
            match words.as_slice() {
                ["if" | "while" | "until" | "for", ..] => conditions = conditions.saturating_add(1),
                ["fi" | "done", ..] => conditions = conditions.saturating_sub(1),
                [first @ ("menuentry" | "submenu"), rest @ .., "{"] => {
                    let id =
                        rest.iter().skip_while(|word| !matches!(**word, "--id" | "$menuentry_id_option"));
                    let names = rest.iter().take(1).chain(id.skip(1).take(1)).map(|name| (*name).to_owned());
                    let kind =
                        if *first == "submenu" { Kind::Submenu(Vec::new()) } else { Kind::Entry(None) };
                    let item = Item { names: names.collect(), is_conditional: depth > 0, kind };
                    open.push(Block { item: Some(item), conditions });
                }
                [.., "{"] => open.push(Block { item: None, conditions }),
                ["}"] => {
                    let Some(block) = open.pop() else { return true };
                    conditions = block.conditions;
                    if let (Some(item), Some(list)) = (block.item, menu.list(&mut open)) {
                        list.push(item);
                    }
                }
                ["linux" | "linux16" | "linuxefi", path, ..] => {
                    if let Some(Block { item: Some(Item { kind: Kind::Entry(linux), .. }), .. }) =
                        open.last_mut()
                    {
                        // One that is loaded under a condition is not known to be.
                        *linux = (depth == 0).then(|| (*path).to_owned());
                    }
                }
                ["blscfg", ..] => {
                    let item = Item { is_conditional: depth > 0, ..Item::default() };
                    if let Some(list) = menu.list(&mut open) {
                        list.push(item);
                    }
                }
                ["load_env", ..] => menu.loads_environment = true,
                ["set", assigned, ..] | [assigned] if open.is_empty() => {
                    let value = assigned.strip_prefix("default=");
                    menu.defaults.extend(value.map(|value| (value.to_owned(), conditions)));
                }
                _ => {}
            }
            is_deep = open.len() > limits::BOOT_MENU_DEPTH;
            !is_deep
        });
        (!is_deep).then_some(menu)
    }

    /// Where what ends in the innermost block belongs; `None` in a function.
    fn list<'a>(&'a mut self, open: &'a mut [Block]) -> Option<&'a mut Vec<Item>> {
        match open.last_mut() {
            None => Some(&mut self.items),
            Some(Block { item: Some(Item { kind: Kind::Submenu(items), .. }), .. }) => Some(items),
            Some(_) => None,
        }
    }

    /// The path of the kernel that boots next, `None` if that is not certain. `entries` are those of The Boot Loader
    /// Specification in their order, `environment` is the content of `grubenv`.
    pub(super) fn chosen(&self, environment: &str, entries: &[Named]) -> Option<String> {
        let variables: BTreeMap<&str, &str> = match self.loads_environment {
            true => environment.lines().filter_map(|line| line.split_once('=')).collect(),
            false => BTreeMap::new(),
        };
        let variable = |name: &str| variables.get(name).copied().filter(|value| !value.is_empty());
        // After boots that failed, a count decides, which is kept where each boot changes it.
        if self.defaults.iter().any(|(_, depth)| *depth > 1) && variable("boot_counter").is_some() {
            return None;
        }
        let mut specs = Vec::new();
        for (value, _) in self.defaults.iter().filter(|(_, depth)| *depth <= 1) {
            match value.trim_start_matches("${").trim_start_matches('$').trim_end_matches('}') {
                "next_entry" => {
                    if let Some(next) = variable("next_entry") {
                        return pick(&self.items, next, entries);
                    }
                }
                "saved_entry" => {
                    specs.push(
                        variable("prev_saved_entry").or_else(|| variable("saved_entry")).unwrap_or_default(),
                    );
                }
                _ if value.contains('$') => return None,
                _ => specs.push(value),
            }
        }
        specs.dedup();
        match specs.as_slice() {
            [] => pick(&self.items, "", entries),
            [spec] => pick(&self.items, spec, entries),
            _ => None,
        }
    }
}

/// What lies between braces.
struct Block {
    /// The entry or the menu that it is; `None` for a function.
    item: Option<Item>,
    /// How many conditions it lies in.
    conditions: usize,
}

/// One choice of a menu: its names, whether it is there under a condition only, and what it boots.
struct Choice<'a> {
    names: [Option<&'a str>; 2],
    is_conditional: bool,
    boots: Boots<'a>,
}

enum Boots<'a> {
    Linux(Option<&'a str>),
    Submenu(&'a [Item]),
}

/// What there is to choose. A menu may have the entries of The Boot Loader Specification any number of times.
fn choices<'a>(items: &'a [Item], entries: &'a [Named]) -> impl Iterator<Item = Choice<'a>> {
    items.iter().flat_map(move |item| {
        let (own, named) = match &item.kind {
            Kind::Entry(linux) => (Some(Boots::Linux(linux.as_deref())), &[][..]),
            Kind::Submenu(items) => (Some(Boots::Submenu(items)), &[][..]),
            Kind::Entries => (None, entries),
        };
        let is_conditional = item.is_conditional;
        let mut names = item.names.iter().map(String::as_str);
        let names = [names.next(), names.next()];
        let own = own.map(|boots| Choice { names, is_conditional, boots });
        own.into_iter().chain(named.iter().map(move |(name, title, linux)| Choice {
            names: [Some(name), title.as_deref()],
            is_conditional,
            boots: Boots::Linux(linux.as_deref()),
        }))
    })
}

/// What a number, a title or an identifier chooses, `>` before what is chosen in a submenu. A choice that is not there is the
/// first one.
fn pick(items: &[Item], spec: &str, entries: &[Named]) -> Option<String> {
    let (first, rest) = spec.split_once('>').map_or((spec, None), |(first, rest)| (first, Some(rest)));
    let all = || choices(items, entries);
    let numbered = first.parse::<usize>().ok().and_then(|number| Some((number, all().nth(number)?)));
    let choice = match numbered {
        // What is counted past a condition may be another one; a name is one's own.
        Some((number, _)) if all().take(number).any(|choice| choice.is_conditional) => return None,
        Some((_, choice)) => choice,
        None => all().find(|choice| choice.names.contains(&Some(first))).or_else(|| all().next())?,
    };
    match choice.boots {
        _ if choice.is_conditional => None,
        Boots::Linux(linux) => linux.map(str::to_owned),
        Boots::Submenu(items) => pick(items, rest?, entries),
    }
}

/// Hands over the commands of a script, each with its words, until `each` has enough (false); a brace ends the command that it
/// stands in, and stands alone or at its end.
fn commands(text: &str, each: &mut dyn FnMut(&[String]) -> bool) {
    const AFTER: [&str; 4] = ["then", "else", "do", "elif"];
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars().peekable();
    let end = |word: &mut Option<String>, words: &mut Vec<String>| {
        if let Some(word) = word.take().filter(|word| !words.is_empty() || !AFTER.contains(&word.as_str())) {
            words.push(word);
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '#' if word.is_none() => while letters.next_if(|next| *next != '\n').is_some() {},
            '\'' => {
                let into = word.get_or_insert_default();
                into.extend(std::iter::from_fn(|| letters.next_if(|next| *next != '\'')));
                letters.next();
            }
            '"' => {
                let into = word.get_or_insert_default();
                while let Some(next) = letters.next().filter(|next| *next != '"') {
                    into.extend(if next == '\\' { letters.next() } else { Some(next) });
                }
            }
            // A line that goes on.
            '\\' => match letters.next() {
                Some('\n') | None => {}
                Some(next) => word.get_or_insert_default().push(next),
            },
            '$' if letters.peek() == Some(&'{') => {
                let into = word.get_or_insert_default();
                into.push('$');
                into.extend(std::iter::from_fn(|| letters.next_if(|next| *next != '}')));
                into.extend(letters.next());
            }
            '\n' | ';' => {
                end(&mut word, &mut words);
                if !words.is_empty() && !each(&words) {
                    return;
                }
                words.clear();
            }
            '{' | '}' if word.is_none() => {
                if letter == '}' && !words.is_empty() {
                    if !each(&words) {
                        return;
                    }
                    words.clear();
                }
                words.push(letter.to_string());
                if !each(&words) {
                    return;
                }
                words.clear();
            }
            letter if letter.is_whitespace() => end(&mut word, &mut words),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    end(&mut word, &mut words);
    if !words.is_empty() {
        each(&words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As grub-mkconfig writes it, without what does not count.
    const DEBIAN: &str = r#"
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function gfxmode {
	set gfxpayload="${1}"
}
menuentry 'Debian GNU/Linux' --class debian --class gnu-linux $menuentry_id_option 'gnulinux-simple-f842' {
	load_video
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	search --no-floppy --fs-uuid --set=root f842eb1d-d395-48e0-b640-a9215fecb36a
	echo	'Loading Linux 6.1.0-56-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-56-amd64 root=/dev/sda1 ro  quiet
	initrd	/boot/initrd.img-6.1.0-56-amd64
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-f842' {
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-56-amd64' --class os $menuentry_id_option 'gnulinux-6.1.0-56-amd64-advanced-f842' {
		linux	/boot/vmlinuz-6.1.0-56-amd64 root=/dev/sda1 ro  quiet
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-44-amd64' --class os $menuentry_id_option 'gnulinux-6.1.0-44-amd64-advanced-f842' {
		linux	/boot/vmlinuz-6.1.0-44-amd64 root=/dev/sda1 ro  quiet
	}

}
if [ "$grub_platform" = "efi" ]; then
	menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' { fwsetup; }
fi
menuentry "Memory test" { linux16 /boot/memtest86+.bin }
"#;
    const NEW: Option<&str> = Some("/boot/vmlinuz-6.1.0-56-amd64");
    const OLD: Option<&str> = Some("/boot/vmlinuz-6.1.0-44-amd64");

    #[test]
    fn what_debian_boots() {
        let block = |lines: &str| format!("# GRUB Environment Block\n{lines}##########");
        let nested = "gnulinux-advanced-f842>gnulinux-6.1.0-44-amd64-advanced-f842";
        let saved = "${saved_entry}";
        for (default, environment, expected) in [
            ("0", "", NEW),
            ("0", "saved_entry=1>1\n", NEW),
            ("1>1", "", OLD),
            ("1>9", "", NEW),
            ("1", "", None),
            (nested, "", OLD),
            ("Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-44-amd64", "", OLD),
            ("not there", "", NEW),
            (saved, "", NEW),
            (saved, &format!("saved_entry={nested}\n"), OLD),
            (saved, "prev_saved_entry=0\nsaved_entry=1>1\n", NEW),
            ("0", "next_entry=1>1\n", OLD),
            ("0", "next_entry=\n", NEW),
            // It may be the third or the second.
            ("3", "", None),
            ("Memory test", "", Some("/boot/memtest86+.bin")),
            ("${what}", "", None),
        ] {
            let menu = Menu::parse(&DEBIAN.replace("DEFAULT", default)).unwrap();
            let found = menu.chosen(&block(environment), &[]);
            assert_eq!(found.as_deref(), expected, "{default} {environment}");
        }
        let menu = Menu::parse(&DEBIAN.replace("load_env", "true")).unwrap();
        assert_eq!(menu.chosen("next_entry=1>1", &[]).as_deref(), NEW, "nothing reads it");
    }

    #[test]
    fn entries_of_the_specification_are_choices_too() {
        let text = r#"
            load_env
            if [ -n "${boot_counter}" -a "${boot_success}" = "0" ]; then
              if [ "${boot_counter}" = "0" ]; then set default=1; fi
            fi
            if [ "${next_entry}" ] ; then set default="${next_entry}"; else set default="${saved_entry}"; fi
            insmod blscfg
            blscfg"#;
        let menu = Menu::parse(text).unwrap();
        let named =
            |name: &str| (name.to_owned(), Some(format!("Linux {name}")), Some(format!("/vmlinuz-{name}")));
        let entries = [named("b"), named("a")];
        for (environment, expected) in [
            ("", Some("/vmlinuz-b")),
            ("saved_entry=a", Some("/vmlinuz-a")),
            ("saved_entry=gone", Some("/vmlinuz-b")),
            ("saved_entry=a\nboot_counter=1", None),
        ] {
            assert_eq!(menu.chosen(environment, &entries).as_deref(), expected, "{environment}");
        }
        assert_eq!(menu.chosen("", &[]), None);
    }

    #[test]
    fn scripts_of_others_are_read_as_far_as_they_go() {
        let of = |text: &str| Menu::parse(text).and_then(|menu| menu.chosen("", &[]));
        assert_eq!(of("menuentry 'a' {\n linux /\\\nvmlinuz x }").as_deref(), Some("/vmlinuz"));
        assert_eq!(of("menuentry a {\n if x; then linux /b; fi\n}"), None);
        assert_eq!(of("set default=0\nset default=1\nmenuentry a { linux /b }"), None);
        assert_eq!(
            of("default=1\nmenuentry a { linux /b }\nmenuentry c { linux /d }").as_deref(),
            Some("/d")
        );
        assert_eq!(of("} } } menuentry"), None);
        assert!(Menu::parse(&"submenu a {\n".repeat(limits::BOOT_MENU_DEPTH + 1)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(menuentry a|submenu|linux /b|set default=|blscfg|if|fi|[{}\n;'\"\\\\$#> 01])*", saved in "[a01>]{0,6}") {
            if let Some(menu) = Menu::parse(&format!("load_env\n{text}")) {
                let _ = menu.chosen(&format!("saved_entry={saved}"), &[]);
            }
        }
    }
}
