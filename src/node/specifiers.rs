//! What `%` stands for in units (systemd.unit(5), Specifiers), as far as a disk tells.

/// A value with what its specifiers stand for in the unit of a name; `None` if one is known on the running machine only.
pub(super) fn expand(value: &str, unit: &str) -> Option<String> {
    let (stem, _) = unit.rsplit_once('.').unwrap_or((unit, ""));
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut expanded = String::new();
    let mut rest = value.chars();
    while let Some(one) = rest.next() {
        if one != '%' {
            expanded.push(one);
            continue;
        }
        expanded.push_str(match rest.next() {
            Some('%') => "%",
            Some('n') => unit,
            Some('N') => stem,
            Some('p') => prefix,
            Some('i') => instance,
            Some('j') => prefix.rsplit('-').next().unwrap_or(prefix),
            // Those of the system's own services: the manager runs as root.
            Some('h') => "/root",
            Some('u' | 'g') => "root",
            Some('U' | 'G') => "0",
            Some('t') => "/run",
            Some('S') => "/var/lib",
            Some('C') => "/var/cache",
            Some('L') => "/var/log",
            Some('E') => "/etc",
            Some('T') => "/tmp",
            Some('V') => "/var/tmp",
            _ => return None,
        });
    }
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn what_a_disk_tells_and_what_it_does_not() {
        let unit = |value| expand(value, "a-b@c.service");
        assert_eq!(unit("%n %N %p %i %j %%h").as_deref(), Some("a-b@c.service a-b@c a-b c b %h"));
        assert_eq!(unit("%h/%S").as_deref(), Some("/root//var/lib"));
        assert_eq!(unit("/x/%m"), None);
        assert_eq!(unit("100%"), None);
    }
}
