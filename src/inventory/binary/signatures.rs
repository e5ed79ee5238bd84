//! Where programs that are built from source say their versions. Data, not code: a program is a row.

/// How one program tells its version.
pub(super) struct Signature {
    /// Names of the files; a `*` at the end stands for anything.
    pub(super) files: &'static [&'static str],
    /// What the program is called.
    pub(super) package: &'static str,
    /// What stands right before the version, …
    pub(super) before: &'static [u8],
    /// … and what follows it in the same string, or at the string's end if it begins with a zero; empty if anything may.
    pub(super) after: &'static [u8],
    /// What is special about the version.
    pub(super) form: Form,
}

/// Which text between the two is a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Numbers with dots.
    Numbers,
    /// Numbers with dots, and letters right behind them (`1.1.1w`, `9.2p1`, `3.13.0rc1`).
    Letters,
    /// As letters, and beginning with the numbers of the file's name (`3.11` of `libpython3.11.so.1.0`).
    OfName,
}

const fn row(
    files: &'static [&'static str],
    package: &'static str,
    before: &'static [u8],
    after: &'static [u8],
    form: Form,
) -> Signature {
    Signature { files, package, before, after, form }
}

/// The programs. The first row that fits a file's name and its bytes holds.
#[rustfmt::skip]
pub(super) static SIGNATURES: &[Signature] = &[
    row(&["bash"],                              "bash",       b"@(#)Bash version ",        b"release GNU",         Form::Numbers),
    row(&["beam.smp"],                          "erts",       b" emulator version ",       b"\n",                  Form::Numbers),
    row(&["busybox*"],                          "busybox",    b"BusyBox v",                b" ",                   Form::Numbers),
    row(&["curl"],                              "curl",       b"curl/",                    b"\0",                  Form::Numbers),
    row(&["dnsmasq"],                           "dnsmasq",    b"dnsmasq-",                 b"",                    Form::Letters),
    row(&["dropbear*"],                         "dropbear",   b"SSH-2.0-dropbear_",        b"",                    Form::Numbers),
    row(&["git"],                               "git",        b"git/",                     b"\0",                  Form::Numbers),
    row(&["haproxy"],                           "haproxy",    b" version ",                b", released 20",       Form::Letters),
    row(&["httpd", "apache2"],                  "httpd",      b"\0Apache/",                b"",                    Form::Numbers),
    row(&["libcrypto.so.*", "openssl"],         "openssl",    b"OpenSSL ",                 b" 20",                 Form::Letters),
    row(&["libcurl.so.*"],                      "curl",       b"libcurl/",                 b"\0",                  Form::Numbers),
    row(&["libperl.so.*", "perl", "perl5*"],    "perl",       b"\0v5.",                    b"\0",                  Form::Numbers),
    row(&["libphp*", "php*"],                   "php",        b"X-Powered-By: PHP/",       b"\0",                  Form::Letters),
    row(&["libpython*", "python*"],             "python",     b"\0",                       b"\0",                  Form::OfName),
    row(&["libruby*", "ruby*"],                 "ruby",       b"\0ruby ",                  b" (20",                Form::Numbers),
    row(&["lighttpd"],                          "lighttpd",   b"lighttpd/",                b"",                    Form::Numbers),
    row(&["lua5*", "lua"],                      "lua",        b"Lua ",                     b"  Copyright (C) 1994", Form::Numbers),
    row(&["mariadbd", "mysqld"],                "mariadb",    b"\0",                       b"-MariaDB",            Form::Numbers),
    row(&["memcached"],                         "memcached",  b"memcached ",               b"",                    Form::Letters),
    row(&["mosquitto"],                         "mosquitto",  b"\0",                       b"\0mosquitto version", Form::Numbers),
    row(&["named"],                             "bind",       b"named version: BIND ",     b"",                    Form::Numbers),
    row(&["nginx*"],                            "nginx",      b"nginx version: nginx/",    b"",                    Form::Numbers),
    row(&["node"],                              "node",       b"node.js/v",                b"\0",                  Form::Numbers),
    row(&["postgres"],                          "postgresql", b"postgres (PostgreSQL) ",   b"",                    Form::Letters),
    row(&["proftpd"],                           "proftpd",    b"ProFTPD ",                 b" standalone mode",    Form::Letters),
    row(&["redis-server", "redis-check-*"],     "redis",      b"\0",                       b"\0c11-builtin",       Form::Numbers),
    row(&["squid"],                             "squid",      b"squid/",                   b"\0",                  Form::Numbers),
    row(&["unbound"],                           "unbound",    b"unbound ",                 b"\0",                  Form::Numbers),
    row(&["varnishd"],                          "varnish",    b"varnish-",                 b" revision ",          Form::Numbers),
    row(&["vsftpd"],                            "vsftpd",     b"vsftpd: version ",         b"",                    Form::Numbers),
];
