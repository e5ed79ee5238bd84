//! Proxies of the environment: used, passed by, and refused without a word of their secrets.

use std::{
    io::{BufRead, BufReader, Write, copy},
    net::{Shutdown, TcpListener, TcpStream},
    process::Output,
    sync::{Arc, Mutex},
    thread,
};

use super::{SECRET, Server, icecore_with, sparse};

/// A proxy on the loopback that takes whole URLs and tunnels, and notes the heads of requests.
struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// One that answers tunnels with this status.
    fn new(tunnels: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || pass(&stream, tunnels, &log));
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://proxy-user:{SECRET}@127.0.0.1:{}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Passes requests on, each by a connection of its own to the server.
fn pass(mut stream: &TcpStream, tunnels: &str, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let mut head = Vec::new();
        for line in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            head.push(line);
        }
        let first = head.first()?.clone();
        log.lock().unwrap().push(head.join("\n"));
        let (method, rest) = first.split_once(' ')?;
        let target = rest.split_once(' ')?.0;
        if method == "CONNECT" {
            write!(stream, "HTTP/1.1 {tunnels}\r\n\r\n").ok()?;
            let server = TcpStream::connect(target).ok().filter(|_| tunnels.starts_with("200"))?;
            thread::scope(|scope| {
                scope.spawn(|| copy(&mut &*stream, &mut &server).map(|_| server.shutdown(Shutdown::Write)));
                copy(&mut &server, &mut &*stream).ok()
            })?;
            return None;
        }
        let (host, path) = target.strip_prefix("http://")?.split_once('/')?;
        let server = TcpStream::connect(host).ok()?;
        write!(&server, "{method} /{path} HTTP/1.1\r\nConnection: close\r\n").ok()?;
        for line in head.iter().skip(1).filter(|line| !line.to_lowercase().starts_with("proxy-")) {
            write!(&server, "{line}\r\n").ok()?;
        }
        write!(&server, "\r\n").ok()?;
        server.shutdown(Shutdown::Write).ok()?;
        copy(&mut &server, &mut &*stream).ok()?;
    }
}

fn scan(variables: &[(&str, &str)], url: &str) -> (Output, String) {
    let run = icecore_with(variables, &["inspect", "-f", "json", url]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    (run, said)
}

#[test]
fn plain_requests_go_to_the_proxy_with_their_whole_url() {
    let (server, proxy) = (Server::new(sparse()), Proxy::new("200 OK"));
    let (url, direct) = (server.url("plain", "disk"), scan(&[], &server.url("plain", "disk")).0);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        let (run, said) = scan(&[(name, &proxy.url())], &url);
        assert_eq!(run.status.code(), direct.status.code(), "{name}: {said}");
        assert_eq!(run.stdout, direct.stdout, "{name}");
        let asked = proxy.asked();
        assert!(asked.len() > 1, "{name}: {asked:?}");
        let line = format!("GET http://127.0.0.1:{}/plain/disk?sig={SECRET} HTTP/1.1\n", server.port);
        // "proxy-user:s3cr3t", and "user:s3cr3t" for the server.
        let headers =
            ["proxy-authorization: Basic cHJveHktdXNlcjpzM2NyM3Q=", "authorization: Basic dXNlcjpzM2NyM3Q="];
        for head in &asked {
            let lower = head.to_lowercase();
            assert!(head.starts_with(&line), "{head}");
            assert!(
                headers.iter().all(|header| lower.contains(&format!("\n{}", header.to_lowercase()))),
                "{head}"
            );
        }
    }
    for (name, value) in [("HTTPS_PROXY", proxy.url()), ("http_proxy", String::new())] {
        assert_eq!(scan(&[(name, &value)], &url).0.stdout, direct.stdout);
    }
    for list in ["127.0.0.1", "*", "a.example, 127.0.0.0/8", ".example 127.0.0.1"] {
        for name in ["no_proxy", "NO_PROXY"] {
            let (run, said) = scan(&[("HTTP_PROXY", &proxy.url()), (name, list)], &url);
            assert_eq!(run.stdout, direct.stdout, "{name}={list}: {said}");
        }
    }
    assert!(proxy.asked().is_empty(), "it was passed by");
    scan(&[("HTTP_PROXY", &proxy.url()), ("NO_PROXY", "127.0.0.2,a.example")], &url);
    assert!(!proxy.asked().is_empty(), "it was not passed by");
}

/// That a tunnel leads to a server with TLS is for `scripts/judge-urls.sh` to show.
#[test]
fn requests_in_tls_ask_the_proxy_for_a_tunnel() {
    for (name, status, exit, tries) in [
        ("https_proxy", "404 Not Found", 5, 1),
        ("ALL_PROXY", "407 Proxy Authentication Required", 2, 1),
        ("HTTPS_PROXY", "503 Later", 5, 6),
    ] {
        let proxy = Proxy::new(status);
        let (run, said) = scan(&[(name, &proxy.url())], &format!("https://host.example/disk?sig={SECRET}"));
        assert_eq!(run.status.code(), Some(exit), "{status}: {said}");
        let told = format!("it answers {}", &status[..3]);
        assert!(
            said.contains(&told) && said.contains(&format!("by the proxy 127.0.0.1:{}", proxy.port)),
            "{said}"
        );
        let asked = proxy.asked();
        assert_eq!(asked.len(), tries, "{asked:?}");
        assert!(asked[0].starts_with("CONNECT host.example:443 HTTP/1.1\n"), "{asked:?}");
        assert!(asked[0].contains("Proxy-Authorization: Basic cHJveHktdXNlcjpzM2NyM3Q="), "{asked:?}");
        assert!(!asked[0].contains("sig="), "{asked:?}");
    }
}

#[test]
fn a_proxy_that_is_dead_or_cannot_be_used_is_an_error_without_its_secrets() {
    let server = Server::new(sparse());
    let url = server.url("plain", "disk");
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let value = format!("http://proxy-user:{SECRET}@127.0.0.1:{dead}");
    let (run, said) = scan(&[("http_proxy", &value)], &url);
    assert_eq!(run.status.code(), Some(5), "{said}");
    assert!(
        said.contains(&format!("by the proxy 127.0.0.1:{dead}")) && !said.contains("proxy-user"),
        "{said}"
    );
    for (value, problem) in [
        (format!("socks5://proxy-user:{SECRET}@127.0.0.1:1080"), "SOCKS"),
        (format!("http://proxy-user:{SECRET}@127.0.0.1:port"), "not a URL"),
        (format!("gopher://proxy-user:{SECRET}@127.0.0.1"), "scheme"),
    ] {
        let (run, said) = scan(&[("ALL_PROXY", &value)], &url);
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains("the proxy in ALL_PROXY") && said.contains(problem), "{said}");
        assert!(!said.contains("proxy-user"), "{said}");
    }
    assert!(server.asked.lock().unwrap().is_empty(), "nothing goes by without the proxy");
}
