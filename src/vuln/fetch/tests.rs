//! Against a server on the loopback that does what servers do on bad days.
#![cfg(feature = "http")]
#![expect(clippy::disallowed_methods, reason = "tests read their own files")]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::*;

/// What a test's object is made of: no two stretches of it are alike.
fn object(seed: u32) -> Vec<u8> {
    (0..60_000_u32).flat_map(|at| (at ^ (seed << 24)).to_le_bytes()).collect()
}

/// The heads of requests.
type Log = Arc<Mutex<Vec<String>>>;

struct Server {
    port: u16,
    log: Log,
}

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Log::default();
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&shared);
                thread::spawn(move || while answer(&stream, &log).is_some() {});
            }
        });
        Self { port, log }
    }

    fn job(&self, path: &str) -> Job {
        Job {
            name: "a".to_owned(),
            file: "a.zip".to_owned(),
            url: format!("http://127.0.0.1:{}/{path}", self.port),
            latest: None,
            checksum: None,
            unpacked: false,
        }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

/// Answers one request; `None` at the end of the connection.
fn answer(mut stream: &TcpStream, log: &Log) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let line = lines.next()?;
    let path = line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect();
    let get = |name: &str| headers.get(name).cloned();
    let count = {
        let mut log = log.lock().unwrap();
        log.push(
            format!("{path} {}", get("range").or(get("if-none-match")).unwrap_or_default()).trim().to_owned(),
        );
        log.iter().filter(|line| line.split(' ').next() == Some(&path)).count()
    };
    let empty = |mut stream: &TcpStream, status: &str| {
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok()
    };
    let seed = if path == "changing" && count > 1 { 2 } else { 1 };
    let etag = format!("\"{seed}\"");
    let whole = match path.as_str() {
        "latest.txt" => b"newest-1.zip\n".to_vec(),
        "sum" => sum(&object(1)).into_bytes(),
        "badsum" => sum(b"x").into_bytes(),
        "missing" => return empty(stream, "404 Not Found"),
        "busy" if count == 1 => return empty(stream, "429 Too Many Requests\r\nRetry-After: 0"),
        "broken" => return empty(stream, "500 Internal Server Error\r\nRetry-After: 0"),
        "moved" => return empty(stream, "302 Found\r\nLocation: /plain"),
        "round" => return empty(stream, "302 Found\r\nLocation: round"),
        "outside" => return empty(stream, "302 Found\r\nLocation: file:///etc/passwd"),
        _ => object(seed),
    };
    if get("if-none-match") == Some(etag.clone()) {
        return empty(stream, "304 Not Modified");
    }
    let from = get("range").filter(|_| get("if-range") == Some(etag.clone()) && path != "norange");
    let from: Option<usize> =
        from.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let (status, first) = match from {
        Some(first) => {
            let range = format!("bytes {first}-{}/{}", whole.len() - 1, whole.len());
            (format!("206 Partial Content\r\nContent-Range: {range}"), first)
        }
        None => ("200 OK".to_owned(), 0),
    };
    let body = &whole[first..];
    write!(stream, "HTTP/1.1 {status}\r\nETag: {etag}\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
    let is_cut = match path.as_str() {
        "cut" => true,
        "changing" | "norange" => count == 1,
        _ => false,
    };
    if is_cut && body.len() > 100_000 {
        stream.write_all(&body[..100_000]).ok()?;
        let _ = stream.shutdown(Shutdown::Both);
        return None;
    }
    stream.write_all(body).ok()
}

fn sum(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}  a.zip\n")
}

/// What a fetch of one job gives, and what is in the file then.
fn got(directory: &Path, job: &Job) -> (Result<Got, String>, Option<Vec<u8>>) {
    let jobs = [job.clone()];
    let mut answers = fetch(directory, &jobs, &Counter::default(), |_| {}).unwrap();
    let (_, got) = answers.remove(0);
    (got.map_err(|error| error.to_string()), std::fs::read(directory.join(&job.file)).ok())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_has_not_changed_is_not_downloaded_again() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let job = server.job("plain");
    let new = (Ok(Got::New(240_000)), Some(object(1)));
    assert_eq!(got(directory.path(), &job), new);
    assert_eq!(got(directory.path(), &job), (Ok(Got::Same), Some(object(1))));
    assert_eq!(server.asked(), ["plain", "plain \"1\""]);
    assert_eq!(names(directory.path()), [".a.zip.version", "a.zip"]);
    // A file that is no longer what was downloaded is downloaded again, and so is one of another place.
    std::fs::write(directory.path().join("a.zip"), "x").unwrap();
    assert_eq!(got(directory.path(), &job), new);
    assert_eq!(got(directory.path(), &server.job("other")), new);
    assert_eq!(server.asked(), ["plain", "other"]);
}

#[test]
fn what_is_cut_is_continued() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let whole = (Ok(Got::New(240_000)), Some(object(1)));
    assert_eq!(got(directory.path(), &server.job("cut")), whole);
    assert_eq!(server.asked(), ["cut", "cut bytes=100000-", "cut bytes=200000-"]);
    // By a server without ranges it is begun anew.
    assert_eq!(got(directory.path(), &server.job("norange")), whole);
    assert_eq!(server.asked(), ["norange", "norange bytes=100000-"]);
}

#[test]
fn a_part_of_the_last_time_is_continued() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let job = server.job("plain");
    let facts = format!(r#"{{"url":"{}","bytes":0,"etag":"\"1\""}}"#, job.url);
    let part = |bytes: &[u8]| {
        std::fs::write(directory.path().join(".a.zip.part"), bytes).unwrap();
        std::fs::write(directory.path().join(".a.zip.part.version"), &facts).unwrap();
    };
    part(&object(1)[..1000]);
    let whole = (Ok(Got::New(240_000)), Some(object(1)));
    assert_eq!(got(directory.path(), &job), whole);
    assert_eq!(server.asked(), ["plain bytes=1000-"]);
    // A part of what is another object by now is forgotten.
    let facts = facts.replace("\\\"1\\\"", "\\\"0\\\"");
    std::fs::write(directory.path().join(".a.zip.part"), vec![7; 1000]).unwrap();
    std::fs::write(directory.path().join(".a.zip.part.version"), facts).unwrap();
    assert_eq!(got(directory.path(), &job), whole);
    assert_eq!(names(directory.path()), [".a.zip.version", "a.zip"]);
}

#[test]
fn what_changes_in_the_middle_is_never_a_mixture() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    assert_eq!(got(directory.path(), &server.job("changing")), (Ok(Got::New(240_000)), Some(object(2))));
    assert_eq!(server.asked(), ["changing", "changing bytes=100000-"]);
}

#[test]
fn what_fails_leaves_what_was_there() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    assert_eq!(got(directory.path(), &server.job("busy")).0, Ok(Got::New(240_000)));
    for (path, expected, tries) in [
        ("missing", "404", 1),
        ("broken", "500", 6),
        ("round", "more redirections", 6),
        ("outside", "redirects to what cannot", 1),
    ] {
        server.asked();
        let (failed, file) = got(directory.path(), &server.job(path));
        let problem = failed.unwrap_err();
        assert!(problem.contains(expected), "{problem}");
        assert_eq!((file, server.asked().len()), (Some(object(1)), tries), "{path}");
    }
    assert_eq!(got(directory.path(), &server.job("moved")).1, Some(object(1)));
}

#[test]
fn sums_are_checked_and_the_newest_is_found() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let place = |path: &str| Some(server.job(path).url);
    let job = Job { checksum: place("sum"), ..server.job("plain") };
    assert_eq!(got(directory.path(), &job).0, Ok(Got::New(240_000)));
    let bad = Job { checksum: place("badsum"), ..server.job("plain2") };
    server.asked();
    let (failed, file) = got(directory.path(), &bad);
    assert_eq!((failed.unwrap_err().contains("checksum"), file), (true, Some(object(1))));
    assert_eq!(server.asked(), ["plain2", "badsum", "plain2", "badsum"]);
    assert_eq!(names(directory.path()), [".a.zip.version", "a.zip"]);
    let newest = Job { latest: place("latest.txt"), ..server.job("{latest}") };
    assert_eq!(got(directory.path(), &newest).0, Ok(Got::New(240_000)));
    assert_eq!(server.asked(), ["latest.txt", "newest-1.zip"]);
    for wrong in ["../x", "", ".x", "a/b", "a b"] {
        assert!(named(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn feeds_of_several_files_at_once() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let jobs: Vec<_> = (0..9)
        .map(|number| Job {
            file: format!("nvd/nvd-{number}.json.gz"),
            ..server.job(&format!("year{number}"))
        })
        .collect();
    let answers = fetch(directory.path(), &jobs, &Counter::default(), |_| {}).unwrap();
    assert!(answers.iter().all(|(_, got)| matches!(got, Ok(Got::New(240_000)))));
    let order: Vec<_> = answers.iter().map(|(job, _)| job.file.as_str()).collect();
    assert!(order.is_sorted());
}
