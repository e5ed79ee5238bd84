//! What the units of runtimes' services say: on their command lines (systemd.service(5), and each runtime's `--help`), and
//! in the variables that their programs read.

use std::cmp::Ordering;

use super::{
    Runtime,
    commands::{self, Word},
    environment::{Environment, Read},
    unitfiles::{File, Unit},
};
use crate::{error::FormatError, fs::GuestPath, limits};

/// A runtime's service.
pub(super) struct Service {
    /// Its unit.
    pub(super) unit: &'static str,
    /// Whose state it keeps.
    pub(super) runtime: Runtime,
    /// The flags that name a directory, …
    flags: &'static [&'static str],
    /// … as does this variable, if it is not empty, …
    variable: &'static str,
    /// … and where the state is in it.
    below: &'static str,
}

const fn service(
    unit: &'static str,
    runtime: Runtime,
    flags: &'static [&'static str],
    variable: &'static str,
    below: &'static str,
) -> Service {
    Service { unit, runtime, flags, variable, below }
}

const DATA: &[&str] = &["--data-dir", "-d"];

/// The services that are known.
pub(super) const ALL: &[Service] = &[
    service("containerd.service", Runtime::Containerd, &["--root"], "", ""),
    service("docker.service", Runtime::Docker, &["--data-root", "--graph", "-g"], "", ""),
    service("crio.service", Runtime::ContainersStorage, &["--root", "-r"], "CONTAINER_ROOT", ""),
    service("k3s.service", Runtime::Containerd, DATA, "K3S_DATA_DIR", "/agent/containerd"),
    service("k3s-agent.service", Runtime::Containerd, DATA, "K3S_DATA_DIR", "/agent/containerd"),
    service("rke2-server.service", Runtime::Containerd, DATA, "RKE2_DATA_DIR", "/agent/containerd"),
    service("rke2-agent.service", Runtime::Containerd, DATA, "RKE2_DATA_DIR", "/agent/containerd"),
    service("k0sworker.service", Runtime::Containerd, &["--data-dir"], "", "/containerd"),
    service("k0scontroller.service", Runtime::Containerd, &["--data-dir"], "", "/containerd"),
];

/// What a command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flag {
    /// Where the state is.
    State(String),
    /// Which configuration the program is to read, or all files that a pattern names.
    Config(String),
}

/// What a service says.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Its flags, and which file has them.
    pub(super) flags: Vec<(GuestPath, Flag)>,
    /// Flags of files that are not in use: state that an earlier configuration made may be there still.
    pub(super) unused: Vec<(GuestPath, Flag)>,
    /// What names a directory, and does not tell which.
    pub(super) damage: Vec<(GuestPath, FormatError)>,
    /// What may name one, or anything else: it matters where no state of the runtime is found.
    pub(super) doubts: Vec<(GuestPath, FormatError)>,
}

impl Service {
    /// What a unit says, whose files of variables `read` reads.
    pub(super) fn told(&self, unit: &Unit, read: Read<'_>) -> Told {
        let mut told = Told::default();
        let variables = Environment::of(unit, self.unit, read, &mut told.damage);
        for (name, is_config) in [(self.variable, false), (self.config_variable(), true)] {
            let variable = variables.value(name).filter(|value| !value.is_empty());
            if let Some((file, value)) = unit.files.first().zip(variable) {
                self.directory(&mut told, &file.path, name, Some(value), is_config);
            }
        }
        for one in unit.section("Service") {
            let hides = ["BindPaths", "RootDirectory", "RootImage"].contains(&one.key.as_str());
            if hides && !matches!(one.value.as_str(), "" | "/") {
                let value: String = one.value.chars().take(200).collect();
                note(&mut told.damage, &one.file, format!("{}: {}={value}", self.unit, one.key));
            }
        }
        let mut commands: Vec<(GuestPath, String)> = Vec::new();
        let mut dropped = Vec::new();
        for one in unit.section("Service").into_iter().filter(|one| one.key == "ExecStart") {
            match one.value.is_empty() {
                true => dropped.append(&mut commands),
                false => commands.push((one.file, one.value)),
            }
        }
        let unused = unit.unused.iter().flat_map(|file: &File| file.section("Service"));
        dropped.extend(unused.filter(|one| one.key == "ExecStart").map(|one| (one.file, one.value)));
        let mut left = limits::SERVICE_BYTES;
        for (file, command) in commands {
            match commands::words(&command, self.unit, &variables, &mut left) {
                Ok(words) => self.command(&mut told, &file, words),
                Err(error) => {
                    told.damage.push((file, error));
                    break;
                }
            }
        }
        // A flag goes before the variable that may be set elsewhere.
        let is_said = told.flags.iter().any(|(_, flag)| matches!(flag, Flag::State(_)));
        if !is_said
            && !self.variable.is_empty()
            && variables.may_have(self.variable)
            && let Some(file) = unit.files.first()
        {
            let what = format!("{}: the disks do not tell whether {} is set", self.unit, self.variable);
            note(&mut told.doubts, &file.path, what);
        }
        for (file, command) in dropped {
            let Ok(words) = commands::words(&command, self.unit, &variables, &mut left) else { break };
            let mut before = Told::default();
            self.command(&mut before, &file, words);
            told.unused.append(&mut before.flags);
        }
        told
    }

    /// The flags that name a configuration, or (CRI-O's) a directory of some.
    fn configs(&self) -> &'static [&'static str] {
        match self.unit {
            "docker.service" => &["--config-file"],
            "crio.service" => &["--config", "-c", "--config-dir", "-d"],
            "k0sworker.service" | "k0scontroller.service" => &[],
            _ => &["--config", "-c"],
        }
    }

    /// The variable that does.
    fn config_variable(&self) -> &'static str {
        match self.variable {
            "K3S_DATA_DIR" => "K3S_CONFIG_FILE",
            "RKE2_DATA_DIR" => "RKE2_CONFIG_FILE",
            "CONTAINER_ROOT" => "CONTAINER_CONFIG",
            _ => "",
        }
    }

    fn command(&self, told: &mut Told, file: &GuestPath, words: Vec<Word>) {
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let text = word.value.as_ref().unwrap_or(&word.raw);
            let (flag, value) = match text.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (&**text, None),
            };
            // Some take one dash for two, others a short flag with its value attached.
            let long = format!("-{flag}");
            let is_long = self.runtime != Runtime::Docker && flag.len() > 2 && !flag.starts_with("--");
            let attached =
                text.strip_prefix("-g").filter(|rest| self.flags.contains(&"-g") && !rest.is_empty());
            let (flag, value) = match attached {
                Some(rest) => ("-g", Some(rest.strip_prefix('=').unwrap_or(rest))),
                None if is_long && flag.starts_with('-') => (&*long, value),
                None => (flag, value),
            };
            let is_config = self.configs().contains(&flag);
            if is_config || self.flags.contains(&flag) {
                match (value, &word.value, words.peek()) {
                    (Some(_), None, _) => self.directory(told, file, &word.raw, None, is_config),
                    (Some(value), Some(_), _) => {
                        self.directory(told, file, &word.raw, Some(value), is_config)
                    }
                    (None, _, Some(next)) => {
                        let raw = format!("{} {}", word.raw, next.raw);
                        self.directory(told, file, &raw, next.value.as_deref(), is_config);
                        words.next();
                    }
                    (None, _, None) => {}
                }
            } else if word.value.is_none()
                && !flag.is_empty()
                && (value.is_none() || flag.contains(['$', '%']))
            {
                // It may be any flag.
                self.unknown(&mut told.doubts, file, &word.raw);
            }
        }
    }

    /// Notes a directory or configuration that words say.
    fn directory(&self, told: &mut Told, file: &GuestPath, raw: &str, value: Option<&str>, is_config: bool) {
        match value.filter(|value| value.starts_with('/')) {
            Some(value) if is_config => told.flags.push((file.clone(), Flag::Config(value.to_owned()))),
            Some(value) => {
                let state = format!("{}{}", value.trim_end_matches('/'), self.below);
                told.flags.push((file.clone(), Flag::State(state)));
            }
            None => self.unknown(&mut told.damage, file, raw),
        }
    }

    fn unknown(&self, told: &mut Vec<(GuestPath, FormatError)>, file: &GuestPath, raw: &str) {
        let raw: String = raw.chars().take(200).collect();
        let what =
            format!("{}: the disks do not tell what {raw:?} of its command line stands for", self.unit);
        note(told, file, what);
    }
}

/// Adds a word that is not understood; each is told once.
fn note(damage: &mut Vec<(GuestPath, FormatError)>, file: &GuestPath, what: String) {
    let error = match damage.len().cmp(&limits::DAMAGED_RECORDS) {
        Ordering::Less => FormatError::unsupported(what),
        Ordering::Equal => FormatError::limit(format!("more than {} such words", limits::DAMAGED_RECORDS)),
        Ordering::Greater => return,
    };
    if damage.iter().all(|(other, known)| other != file || known.detail() != error.detail()) {
        damage.push((file.clone(), error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::Code;

    fn told(unit: &str, texts: &[&str]) -> Told {
        let service = ALL.iter().find(|service| service.unit == unit).unwrap();
        let file = |text: &&str| File { path: GuestPath::new("/u"), text: format!("[Service]\n{text}\n") };
        let unit = Unit { files: texts.iter().map(file).collect(), ..Unit::default() };
        service.told(&unit, &mut |path, _| match path {
            "/etc/default/docker" => {
                vec![Some("DOCKER_OPTS=\"--data-root /from/file\"\nDATA=/d d\n".to_owned())]
            }
            "/etc/systemd/system/k3s.service.env" => vec![Some("K3S_DATA_DIR=/k\n".to_owned())],
            _ => Vec::new(),
        })
    }

    fn flags(told: &Told) -> Vec<Flag> {
        told.flags.iter().map(|(_, flag)| flag.clone()).collect()
    }

    fn unclear(told: &Told) -> Vec<String> {
        told.damage.iter().chain(&told.doubts).map(|(_, error)| error.detail()).collect()
    }

    fn state(path: &str) -> Flag {
        Flag::State(path.to_owned())
    }

    #[test]
    fn directories_that_flags_name() {
        for (unit, command, expected) in [
            ("containerd.service", "/usr/bin/containerd", vec![]),
            ("containerd.service", "/usr/bin/containerd --root /a", vec![state("/a")]),
            (
                "containerd.service",
                "containerd -c \"/etc/c.toml\" --root=/a/",
                vec![Flag::Config("/etc/c.toml".to_owned()), state("/a")],
            ),
            ("containerd.service", "containerd --root", vec![]),
            ("docker.service", "dockerd -H fd:// \\\n --data-root '/a b", vec![state("/a b")]),
            (
                "k3s.service",
                "/usr/local/bin/k3s \\\n    server \\\n\t'--data-dir' \\\n '/a'",
                vec![state("/a/agent/containerd")],
            ),
            ("k0sworker.service", "k0s worker --data-dir=/a", vec![state("/a/containerd")]),
            ("docker.service", "/bin/sh -c 'exec dockerd --data-root /a'", vec![state("/a")]),
            ("containerd.service", "containerd --root %h/%p", vec![state("/root/containerd")]),
            ("docker.service", "dockerd --data-root=\"/a\\x20b\"", vec![state("/a b")]),
        ] {
            let told = told(unit, &["ExecStartPre=x --root /no", &format!("ExecStart={command}")]);
            assert_eq!(flags(&told), expected, "{command}");
            assert!(told.damage.is_empty(), "{command}: {:?}", told.damage);
        }
    }

    #[test]
    fn configurations_and_spellings_of_each_program() {
        let config = |path: &str| Flag::Config(path.to_owned());
        for (unit, text, expected) in [
            ("docker.service", "ExecStart=dockerd --config-file /c -g/a", vec![config("/c"), state("/a")]),
            ("docker.service", "ExecStart=dockerd -root /no", vec![]),
            (
                "containerd.service",
                "ExecStart=containerd -root /a -config=/c",
                vec![state("/a"), config("/c")],
            ),
            (
                "crio.service",
                "ExecStart=crio -d /c.d --config /c -root=/a",
                vec![config("/c.d"), config("/c"), state("/a")],
            ),
            ("k3s.service", "ExecStart=k3s server -data-dir /a", vec![state("/a/agent/containerd")]),
            ("rke2-agent.service", "ExecStart=rke2 agent --config /c", vec![config("/c")]),
            ("k3s.service", "Environment=K3S_CONFIG_FILE=/c", vec![config("/c")]),
        ] {
            let told = told(unit, &[text]);
            let unclear = unclear(&told);
            assert_eq!((flags(&told), unclear.len()), (expected, 0), "{text}: {unclear:?}");
        }
        for (unit, text, what) in [
            (
                "k3s.service",
                "PassEnvironment=K3S_DATA_DIR\nExecStart=k3s server",
                "whether K3S_DATA_DIR is set",
            ),
            ("docker.service", "BindPaths=/srv/d:/var/lib/docker", "BindPaths=/srv/d:/var/lib/docker"),
            ("docker.service", "RootDirectory=/srv", "RootDirectory=/srv"),
            ("docker.service", "RootImage=/srv/i", "RootImage=/srv/i"),
        ] {
            let told = told(unit, &[text]);
            let unclear = unclear(&told);
            assert!(unclear.len() == 1 && unclear[0].contains(what), "{text}: {unclear:?}");
        }
    }

    #[test]
    fn directories_that_variables_name() {
        let files = "EnvironmentFile=-/etc/default/docker\nEnvironment=A=/a B=/b\n";
        for (command, expected) in [
            ("dockerd $DOCKER_OPTS", "/from/file"),
            ("dockerd --data-root $A", "/a"),
            ("dockerd --data-root=${A}/x", "/a/x"),
            ("dockerd --data-root ${DATA}", "/d d"),
            ("/bin/sh -c \"exec dockerd --data-root ${B}\"", "/b"),
        ] {
            let told = told("docker.service", &[files, &format!("ExecStart={command}")]);
            assert_eq!((flags(&told), told.damage.len()), (vec![state(expected)], 0), "{command}");
        }
        let told = told(
            "k3s.service",
            &["EnvironmentFile=-/etc/systemd/system/%N.service.env\nExecStart=k3s server"],
        );
        assert_eq!(flags(&told), [state("/k/agent/containerd")]);
    }

    #[test]
    fn words_that_the_disks_do_not_tell_are_named() {
        for (text, word) in [
            ("ExecStart=dockerd --data-root $DATA", Some("--data-root $DATA")),
            ("ExecStart=dockerd --data-root=${DATA}", Some("--data-root=${DATA}")),
            ("ExecStart=dockerd --data-root=$DATA", Some("--data-root=$DATA")),
            ("ExecStart=dockerd --data-root data", Some("--data-root data")),
            ("ExecStart=:dockerd --data-root ${DATA}", Some("--data-root ${DATA}")),
            ("ExecStart=dockerd --data-root /%m", Some("--data-root /%m")),
            ("ExecStart=dockerd $OPTS", None),
            ("ExecStart=dockerd --host ${HOST} --label=${L}", Some("${HOST}")),
            ("EnvironmentFile=-/run/docker.env\nExecStart=dockerd $OPTS", Some("$OPTS")),
            ("EnvironmentFile=/run/docker.env\nExecStart=dockerd -H ${HOST} --label=${L}", Some("${HOST}")),
            ("PassEnvironment=DATA\nExecStart=dockerd --data-root $DATA", Some("--data-root $DATA")),
            ("Environment=A=%m\nExecStart=dockerd", Some("Environment=A=%m: what it stands for")),
        ] {
            let told = told("docker.service", &[text]);
            assert!(told.flags.is_empty(), "{text}");
            let damage = unclear(&told);
            let fits = match word {
                Some(word) => damage.len() == 1 && damage[0].contains(word),
                None => damage.is_empty(),
            };
            assert!(fits, "{text}: {damage:?}");
        }
    }

    #[test]
    fn variables_that_grow_without_end_are_cut_and_told() {
        let big = format!("Environment=A={}", "x".repeat(1 << 18));
        let command = format!("ExecStart=dockerd {}", "${A}".repeat(1 << 12));
        let told = told("docker.service", &[&big, &command]);
        let codes = |told: &Told| told.damage.iter().map(|(_, error)| error.code()).collect::<Vec<_>>();
        assert_eq!(codes(&told), [Code::LimitReached]);
        let many = "ExecStart=dockerd ${A}\n".repeat(100);
        assert_eq!(codes(&self::told("docker.service", &[&big, &many])), [Code::LimitReached]);
        let more = format!("Environment=A={}\n", "x".repeat(1 << 18)).repeat(9);
        assert_eq!(codes(&self::told("docker.service", &[&more])), [Code::LimitReached]);
    }

    #[test]
    fn what_is_taken_back_is_not_in_use() {
        let texts = ["ExecStart=containerd --root /old", "ExecStart=\nExecStart=containerd --root /new"];
        let told = told("containerd.service", &texts);
        assert_eq!(flags(&told), [state("/new")]);
        assert_eq!(told.unused.into_iter().map(|(_, flag)| flag).collect::<Vec<_>>(), [state("/old")]);
    }
}
