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
    /// As letters, and at least one of them: the same numbers stand elsewhere without (`OpenSSH_9.2`).
    Lettered,
    /// As letters, and beginning with the numbers of the file's name (`3.11` of `libpython3.11.so.1.0`).
    OfName,
    /// Numbers with dots, and the number of a patch (`6.9.11-60`).
    Patch,
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
    row(&["apache2", "httpd"],                           "httpd",         b"\0Apache/",                           b"",                      Form::Numbers),
    row(&["bash"],                                       "bash",          b"@(#)Bash version ",                   b"release GNU",           Form::Numbers),
    row(&["bird"],                                       "bird",          b"BIRD version ",                       b"",                      Form::Numbers),
    row(&["bsdtar", "libarchive*"],                      "libarchive",    b"libarchive ",                         b"\0",                    Form::Numbers),
    row(&["bun"],                                        "bun",           b"Bun v",                               b" (",                    Form::Numbers),
    row(&["busybox*"],                                   "busybox",       b"BusyBox v",                           b" ",                     Form::Numbers),
    row(&["bwrap"],                                      "bubblewrap",    b"bubblewrap ",                         b"\0",                    Form::Numbers),
    row(&["convert", "libMagickCore*", "magick"],        "imagemagick",   b"ImageMagick ",                        b" Q",                    Form::Patch),
    row(&["cupsd", "libcups.so.*"],                      "cups",          b"CUPS/",                               b" IPP/",                 Form::Numbers),
    row(&["curl"],                                       "curl",          b"curl/",                               b"\0",                    Form::Numbers),
    row(&["deno"],                                       "deno",          b"Deno/",                               b"Deno/",                 Form::Numbers),
    row(&["dnsmasq"],                                    "dnsmasq",       b"dnsmasq-",                            b"",                      Form::Letters),
    row(&["dovecot"],                                    "dovecot",       b"Dovecot v",                           b" (",                    Form::Numbers),
    row(&["dropbear*"],                                  "dropbear",      b"SSH-2.0-dropbear_",                   b"",                      Form::Numbers),
    row(&["emacs*"],                                     "emacs",         b"/share/emacs/",                       b"/site-lisp",            Form::Numbers),
    row(&["exim", "exim4"],                              "exim",          b"\0",                                  b"\0<<eximversion>>",     Form::Numbers),
    row(&["ffmpeg*", "ffprobe*", "libav*"],              "ffmpeg",        b"FFmpeg version ",                     b"",                      Form::Numbers),
    row(&["ffmpeg*", "ffprobe*", "libav*"],              "ffmpeg",        b"FFmpeg version n",                    b"",                      Form::Numbers),
    row(&["freeradius", "radiusd"],                      "freeradius",    b"FreeRADIUS Version ",                 b", for host",            Form::Numbers),
    row(&["git"],                                        "git",           b"git/",                                b"\0",                    Form::Numbers),
    row(&["gpg", "gpg2"],                                "gnupg",         b"GNU Privacy Guard's OpenPGP server ", b" ready",                Form::Numbers),
    row(&["gs", "libgs*"],                               "ghostscript",   b"/share/ghostscript/",                 b"/Resource",             Form::Numbers),
    row(&["haproxy"],                                    "haproxy",       b" version ",                           b", released 20",         Form::Letters),
    row(&["hitch"],                                      "hitch",         b"hitch ",                              b"\0",                    Form::Numbers),
    row(&["icecast", "icecast2"],                        "icecast",       b"Icecast ",                            b"\0",                    Form::Numbers),
    row(&["kamailio"],                                   "kamailio",      b"\0kamailio ",                         b" (",                    Form::Numbers),
    row(&["kea-dhcp*"],                                  "kea",           b";;;;   Version:           ",          b"\0",                    Form::Numbers),
    row(&["keepalived"],                                 "keepalived",    b"Keepalived v",                        b" (",                    Form::Numbers),
    row(&["knotc", "knotd"],                             "knot",          b"Knot DNS ",                           b"\0",                    Form::Numbers),
    row(&["libc-2.*", "libc.so.6"],                      "glibc",         b"\0glibc ",                            b"\0",                    Form::Numbers),
    row(&["libcrypto*", "openssl"],                      "openssl",       b"OpenSSL ",                            b" 20",                   Form::Letters),
    row(&["libcurl*"],                                   "curl",          b"libcurl/",                            b"\0",                    Form::Numbers),
    row(&["libexpat*"],                                  "expat",         b"expat_",                              b"\0",                    Form::Numbers),
    row(&["libfrr.so.*"],                                "frr",           b"FRRouting (version ",                 b")",                     Form::Numbers),
    row(&["libgcrypt*"],                                 "libgcrypt",     b"This is Libgcrypt ",                  b" - The GNU",            Form::Numbers),
    row(&["libgnutls*"],                                 "gnutls",        b"Enabled GnuTLS ",                     b" logging",              Form::Numbers),
    row(&["libguile-*"],                                 "guile",         b"guileversion\0",                      b"\0libguile",            Form::Numbers),
    row(&["libjpeg*", "libturbojpeg*"],                  "libjpeg-turbo", b"libjpeg-turbo version ",              b" (build",               Form::Numbers),
    row(&["libluajit*", "luajit*"],                      "luajit",        b"LuaJIT ",                             b"",                      Form::Numbers),
    row(&["libmbedcrypto*"],                             "mbedtls",       b"mbed TLS ",                           b"\0",                    Form::Numbers),
    row(&["libnss3.so", "libsoftokn3.so", "libssl3.so"], "nss",           b"Version: NSS ",                       b"",                      Form::Numbers),
    row(&["libperl.so.*", "perl", "perl5*"],             "perl",          b"\0v5.",                               b"\0",                    Form::Numbers),
    row(&["libphp*", "php*"],                            "php",           b"X-Powered-By: PHP/",                  b"\0",                    Form::Letters),
    row(&["libpng1*"],                                   "libpng",        b"libpng version ",                     b"",                      Form::Numbers),
    row(&["libpostfix-global.so*"],                      "postfix",       b"\0mail_version\0",                    b"\0",                    Form::Numbers),
    row(&["libpython*", "python*"],                      "python",        b"\0",                                  b"\0",                    Form::OfName),
    row(&["libruby*", "ruby*"],                          "ruby",          b"\0ruby ",                             b" (20",                  Form::Numbers),
    row(&["libsamba-hostconfig.so*"],                    "samba",         b"\0",                                  b"\0Samba %s",            Form::Numbers),
    row(&["libsqlite3*", "sqlite3"],                     "sqlite",        b"\x003.",                              b"\0",                    Form::Numbers),
    row(&["libssh.so.*"],                                "libssh",        b"SSH-2.0-libssh_",                     b"\0",                    Form::Numbers),
    row(&["libssh2*"],                                   "libssh2",       b"SSH-2.0-libssh2_",                    b"",                      Form::Numbers),
    row(&["libtcl8*"],                                   "tcl",           b"\0",                                  b"\0tcl_patchLevel",      Form::Numbers),
    row(&["libtiff*"],                                   "libtiff",       b"LIBTIFF, Version ",                   b"",                      Form::Numbers),
    row(&["libwolfssl*"],                                "wolfssl",       b"wolfSSL ",                            b"\0",                    Form::Numbers),
    row(&["libz-*", "libz.so.*"],                        "zlib",          b" deflate ",                           b" Copyright 1995",       Form::Numbers),
    row(&["lighttpd"],                                   "lighttpd",      b"lighttpd/",                           b"",                      Form::Numbers),
    row(&["lua", "lua5*"],                               "lua",           b"Lua ",                                b"  Copyright (C) 1994",  Form::Numbers),
    row(&["mariadbd", "mysqld"],                         "mariadb",       b"\0",                                  b"-MariaDB",              Form::Numbers),
    row(&["memcached"],                                  "memcached",     b"memcached ",                          b"",                      Form::Letters),
    row(&["monit"],                                      "monit",         b"/monit/'>monit ",                     b"</a>",                  Form::Numbers),
    row(&["mosquitto"],                                  "mosquitto",     b"\0",                                  b"\0mosquitto version",   Form::Numbers),
    row(&["named"],                                      "bind",          b"named version: BIND ",                b"",                      Form::Numbers),
    row(&["nano"],                                       "nano",          b"GNU nano ",                           b"\0",                    Form::Numbers),
    row(&["nginx*"],                                     "nginx",         b"nginx version: nginx/",               b"",                      Form::Numbers),
    row(&["nmap"],                                       "nmap",          b"https://nmap.org\0",                  b"\0",                    Form::Numbers),
    row(&["node"],                                       "node",          b"node.js/v",                           b"\0",                    Form::Numbers),
    row(&["nsd", "nsd-checkzone"],                       "nsd",           b"\0NSD ",                              b"\0",                    Form::Numbers),
    row(&["ntpd"],                                       "ntpsec",        b"\0",                                  b"\0ntpd ntpsec-",        Form::Numbers),
    row(&["openvpn"],                                    "openvpn",       b"\0OpenVPN ",                          b" [SSL",                 Form::Numbers),
    row(&["pg_dump", "psql"],                            "postgresql",    b" (PostgreSQL) ",                      b"",                      Form::Letters),
    row(&["pgbouncer"],                                  "pgbouncer",     b"\0PgBouncer ",                        b"\0",                    Form::Numbers),
    row(&["postconf"],                                   "postfix",       b"mail_version=",                       b"\0",                    Form::Numbers),
    row(&["postgres"],                                   "postgresql",    b"postgres (PostgreSQL) ",              b"",                      Form::Letters),
    row(&["privoxy"],                                    "privoxy",       b"Privoxy version ",                    b"",                      Form::Numbers),
    row(&["proftpd"],                                    "proftpd",       b"ProFTPD ",                            b" standalone mode",      Form::Letters),
    row(&["pure-ftpd*"],                                 "pure-ftpd",     b"Pure-FTPd ",                          b"\n",                    Form::Numbers),
    row(&["qemu-system-*"],                              "qemu",          b"QEMU emulator version ",              b"",                      Form::Numbers),
    row(&["redis-benchmark", "redis-cli"],               "redis",         b"\0",                                  b"\0 (git:%s",            Form::Numbers),
    row(&["redis-check-*", "redis-server"],              "redis",         b"\0",                                  b"\0c11-builtin",         Form::Numbers),
    row(&["rsync"],                                      "rsync",         b"\0",                                  b"\0copyright\0url",      Form::Numbers),
    row(&["rsyslogd"],                                   "rsyslog",       b"rsyslogd  ",                          b" (aka",                 Form::Numbers),
    row(&["slap*"],                                      "openldap",      b"$OpenLDAP: slapd ",                   b" (",                    Form::Numbers),
    row(&["smtpd"],                                      "opensmtpd",     b"OpenSMTPD ",                          b"\0",                    Form::Letters),
    row(&["squid"],                                      "squid",         b"squid/",                              b"\0",                    Form::Numbers),
    row(&["ssh", "sshd*"],                               "openssh",       b"OpenSSH_",                            b"",                      Form::Lettered),
    row(&["stunnel*"],                                   "stunnel",       b"\0stunnel ",                          b" on ",                  Form::Numbers),
    row(&["sudo_logsrvd"],                               "sudo",          b"Sudo Audit Server ",                  b"\0",                    Form::Letters),
    row(&["sudoers.so"],                                 "sudo",          b"\0sudoers ",                          b"\0",                    Form::Letters),
    row(&["tcpdump"],                                    "tcpdump",       b"\0%s version ",                       b"\n",                    Form::Numbers),
    row(&["tor"],                                        "tor",           b"(on Tor ",                            b" )",                    Form::Numbers),
    row(&["transmission-*"],                             "transmission",  b"Transmission ",                       b" (",                    Form::Numbers),
    row(&["turnserver"],                                 "coturn",        b"Coturn-",                             b" '",                    Form::Numbers),
    row(&["unbound"],                                    "unbound",       b"unbound ",                            b"\0",                    Form::Numbers),
    row(&["uwsgi*"],                                     "uwsgi",         b"\0",                                  b"\0listen_queue_errors", Form::Numbers),
    row(&["varnishd"],                                   "varnish",       b"varnish-",                            b" revision ",            Form::Numbers),
    row(&["visudo"],                                     "sudo",          b"%s version %s\n\0",                   b"",                      Form::Lettered),
    row(&["vsftpd"],                                     "vsftpd",        b"vsftpd: version ",                    b"",                      Form::Numbers),
    row(&["xz"],                                         "xz",            b"(XZ Utils) ",                         b"",                      Form::Numbers),
    row(&["zabbix_agentd", "zabbix_server"],             "zabbix",        b"Zabbix ",                             b"\0",                    Form::Numbers),
    row(&["zig"],                                        "zig",           b"\0zig ",                              b"\0",                    Form::Numbers),
];
