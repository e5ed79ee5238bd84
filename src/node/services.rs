//! What the units of runtimes' services say on their command lines (systemd.service(5), and each runtime's `--help`).

use super::Runtime;

/// Where units and their drop-ins lie.
pub(super) const DIRECTORIES: &[&str] =
    &["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// A runtime's service.
pub(super) struct Service {
    /// Its unit.
    pub(super) unit: &'static str,
    /// Whose state it keeps.
    pub(super) runtime: Runtime,
    /// The flags that name a directory, …
    flags: &'static [&'static str],
    /// … and where the state is in it.
    below: &'static str,
}

const fn service(
    unit: &'static str,
    runtime: Runtime,
    flags: &'static [&'static str],
    below: &'static str,
) -> Service {
    Service { unit, runtime, flags, below }
}

const DATA: &[&str] = &["--data-dir", "-d"];

/// The services that are known.
pub(super) const ALL: &[Service] = &[
    service("containerd.service", Runtime::Containerd, &["--root"], ""),
    service("docker.service", Runtime::Docker, &["--data-root", "--graph", "-g"], ""),
    service("crio.service", Runtime::ContainersStorage, &["--root", "-r"], ""),
    service("k3s.service", Runtime::Containerd, DATA, "/agent/containerd"),
    service("k3s-agent.service", Runtime::Containerd, DATA, "/agent/containerd"),
    service("rke2-server.service", Runtime::Containerd, DATA, "/agent/containerd"),
    service("rke2-agent.service", Runtime::Containerd, DATA, "/agent/containerd"),
    service("k0sworker.service", Runtime::Containerd, &["--data-dir"], "/containerd"),
    service("k0scontroller.service", Runtime::Containerd, &["--data-dir"], "/containerd"),
];

/// What a command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flag {
    /// Where the state is.
    State(String),
    /// Which configuration containerd is to read.
    Config(String),
}

impl Service {
    /// What the text of a unit or drop-in says.
    pub(super) fn told(&self, text: &str) -> Vec<Flag> {
        let text = text.replace("\\\n", " ");
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("ExecStart"));
        let commands = lines.filter_map(|rest| rest.trim_start().strip_prefix('='));
        let mut found = Vec::new();
        for command in commands {
            let mut words =
                command.split_ascii_whitespace().map(|word| word.trim_matches(['"', '\''])).peekable();
            while let Some(word) = words.next() {
                let (flag, value) = match word.split_once('=') {
                    Some((flag, value)) => (flag, Some(value)),
                    None => (word, None),
                };
                let is_config = self.unit == "containerd.service" && ["--config", "-c"].contains(&flag);
                if !is_config && !self.flags.contains(&flag) {
                    continue;
                }
                let Some(value) = value.or_else(|| words.peek().copied()) else { continue };
                let value = value.trim_matches(['"', '\'']);
                if value.starts_with('/') {
                    found.push(if is_config {
                        Flag::Config(value.to_owned())
                    } else {
                        Flag::State(format!("{}{}", value.trim_end_matches('/'), self.below))
                    });
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_flags_name() {
        let told = |unit: &str, command: &str| {
            let service = ALL.iter().find(|service| service.unit == unit).unwrap();
            service.told(&format!("[Service]\nExecStartPre=x --root /no\nExecStart={command}\n"))
        };
        let state = |path: &str| Flag::State(path.to_owned());
        for (unit, command, expected) in [
            ("containerd.service", "/usr/bin/containerd", vec![]),
            ("containerd.service", "/usr/bin/containerd --root /a", vec![state("/a")]),
            (
                "containerd.service",
                "containerd -c \"/etc/c.toml\" --root=/a/",
                vec![Flag::Config("/etc/c.toml".to_owned()), state("/a")],
            ),
            ("containerd.service", "containerd --root", vec![]),
            ("containerd.service", "containerd --root $ROOT", vec![]),
            ("docker.service", "dockerd -H fd:// \\\n --data-root '/a b", vec![state("/a")]),
            (
                "k3s.service",
                "/usr/local/bin/k3s \\\n    server \\\n\t'--data-dir' \\\n '/a'",
                vec![state("/a/agent/containerd")],
            ),
            ("k0sworker.service", "k0s worker --data-dir=/a", vec![state("/a/containerd")]),
        ] {
            assert_eq!(told(unit, command), expected, "{command}");
        }
    }
}
