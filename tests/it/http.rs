//! Disks behind URLs: the same as files, whatever the server does on the way, or an error that says what it did.

mod proxy;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    ops::Range,
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use icecore::{
    block::{self, Counter, ReadAt, Source},
    scan::{self, Inputs, Options},
};

use crate::demo::fixture;

const SECRET: &str = "s3cr3t";

/// What a server of ranges does beside serving them; the first part of a path names it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    /// Answers every third request with 503, and ends every fifth body too early.
    Flaky,
    /// The object is another one after some requests.
    Changing,
    /// Serves the whole object whatever is asked for.
    Whole,
    /// Serves other bytes than were asked for.
    Shifted,
    /// An Azure page blob.
    Pages,
    /// One that lists them in parts, each behind a marker.
    Parts,
    /// One whose list has no end.
    Endless,
    /// One whose list is cut.
    Cut,
    Missing,
    Denied,
    /// Says that the object is elsewhere.
    Moved,
    /// Gives nothing by which a change of the object shows.
    Nameless,
    /// Gives a tag with the first answer only.
    Forgetful,
    /// Has the object no more after the first answer.
    Gone,
    /// Asks once to wait for a second.
    Later,
    /// Lets nobody in any more after some requests, as with a signature that expires.
    Expiring(usize),
}

const MANNERS: [(&str, Manner); 19] = [
    ("plain", Manner::Plain),
    ("flaky", Manner::Flaky),
    ("changing", Manner::Changing),
    ("whole", Manner::Whole),
    ("shifted", Manner::Shifted),
    ("pages", Manner::Pages),
    ("missing", Manner::Missing),
    ("denied", Manner::Denied),
    ("parts", Manner::Parts),
    ("endless", Manner::Endless),
    ("cut", Manner::Cut),
    ("moved", Manner::Moved),
    ("nameless", Manner::Nameless),
    ("forgetful", Manner::Forgetful),
    ("gone", Manner::Gone),
    ("later", Manner::Later),
    ("expiring3", Manner::Expiring(3)),
    ("expiring5", Manner::Expiring(5)),
    ("expiring7", Manner::Expiring(7)),
];

/// A marker that is another text if it is not escaped.
const MARKER: &str = "2!72!MDAw+/=";
const ESCAPED: &str = "&marker=2%2172%21MDAw%2B%2F%3D";

/// A server of one object on the loopback, for as long as the tests run.
struct Server {
    port: u16,
    /// The ranges that were asked for.
    asked: Arc<Mutex<Vec<Range<usize>>>>,
}

impl Server {
    fn new(object: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (object, log) = (Arc::new(object), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (object, log) = (Arc::clone(&object), Arc::clone(&log));
                // Head and body are written apart, and neither waits for the other's receipt.
                stream.set_nodelay(true).unwrap();
                // A client that hangs up ends its connection.
                thread::spawn(move || while serve(&stream, &object, &log).is_some() {});
            }
        });
        Self { port, asked }
    }

    fn url(&self, manner: &str, file: &str) -> String {
        format!("http://user:{SECRET}@127.0.0.1:{}/{manner}/{file}?sig={SECRET}", self.port)
    }

    fn open(&self, manner: &str) -> (std::io::Result<Source>, Arc<Counter>) {
        let counter = Arc::new(Counter::default());
        (block::open_place(Path::new(&self.url(manner, "disk")), &counter), counter)
    }
}

/// Answers one request; `None` at the end of the connection.
fn serve(mut stream: &TcpStream, object: &[u8], asked: &Mutex<Vec<Range<usize>>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next()?.ok()?;
    let target = request.split(' ').nth(1)?.to_owned();
    let (mut range, mut condition) = (None, None);
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
                range = Some(first.parse::<usize>().ok()?..last.parse::<usize>().ok()? + 1);
            }
            "if-match" => condition = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let manner = target.split('/').nth(1)?;
    let manner = MANNERS.iter().find(|(name, _)| *name == manner)?.1;
    let count = {
        let mut asked = asked.lock().unwrap();
        asked.extend(range.clone());
        asked.len()
    };
    let etag = if manner == Manner::Changing && count > 3 { "\"2\"" } else { "\"1\"" };
    let status = match manner {
        Manner::Missing => "404 Not Found",
        Manner::Denied => "403 Forbidden",
        Manner::Moved => "302 Found\r\nLocation: /plain/disk",
        Manner::Gone if count > 1 => "404 Not Found\r\nETag: \"1\"",
        Manner::Later if count == 2 => "503 Slow Down\r\nRetry-After: 1",
        Manner::Expiring(requests) if count > requests => "403 Forbidden",
        Manner::Flaky if count % 3 == 2 => "503 Slow Down\r\nRetry-After: 0",
        _ if condition.is_some_and(|condition| condition != etag) => "412 Precondition Failed",
        _ => "",
    };
    if !status.is_empty() {
        return write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok();
    }
    if target.contains("comp=pagelist") {
        let all: Vec<String> = written(object).map(|r| page_range(&r)).collect();
        let (half, next) = (all.len() / 2, format!("<NextMarker>{}</NextMarker>", MARKER));
        let list = match manner {
            Manner::Parts if target.ends_with(ESCAPED) => all[half..].concat(),
            Manner::Parts => all[..half].concat() + &next,
            Manner::Endless => next,
            Manner::Cut => all[..half].concat() + "<PageRange><Start>",
            _ => all.concat(),
        };
        let end = if manner == Manner::Cut { "" } else { "</PageList>" };
        let list = format!("<?xml version=\"1.0\"?><PageList>{list}{end}");
        let length = list.len();
        return write!(stream, "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {length}\r\n\r\n{list}")
            .ok();
    }
    let range = range.filter(|_| manner != Manner::Whole);
    let Some(range) = range else {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", object.len()).ok()?;
        return stream.write_all(object).ok();
    };
    let range =
        if manner == Manner::Shifted && range.end > 1 { range.start + 512..range.end + 512 } else { range };
    let body = object.get(range.start..range.end.min(object.len()))?;
    let is_paged = matches!(manner, Manner::Pages | Manner::Parts | Manner::Endless | Manner::Cut);
    let kind = if is_paged { "x-ms-blob-type: PageBlob\r\n" } else { "" };
    let is_named = !(manner == Manner::Nameless || manner == Manner::Forgetful && count > 1);
    let etag = if is_named { format!("ETag: {etag}\r\n") } else { String::new() };
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n{etag}{kind}\r\n",
        body.len(),
        range.start,
        range.start + body.len() - 1,
        object.len()
    )
    .ok()?;
    if manner == Manner::Flaky && count % 5 == 4 {
        stream.write_all(&body[..body.len() / 2]).ok()?;
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return None;
    }
    stream.write_all(body).ok()
}

/// The pages of an object that have something in them.
fn written(object: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let pages = object.chunks(512).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    pages.map(|(number, page)| number * 512..number * 512 + page.len())
}

fn page_range(range: &Range<usize>) -> String {
    format!("<PageRange><Start>{}</Start><End>{}</End></PageRange>", range.start, range.end - 1)
}

/// Twelve MiB with holes of several sizes.
fn sparse() -> Vec<u8> {
    let mut object = vec![0; 12 << 20];
    for (at, length) in [(0, 1000), (70_000, 512), (3 << 20, 700_000), ((12 << 20) - 512, 512)] {
        for (number, byte) in object[at..at + length].iter_mut().enumerate() {
            *byte = u8::try_from((at + number) % 251 + 1).unwrap();
        }
    }
    object
}

/// Reads of many sizes at many places, by several threads, with hints.
fn read_everywhere(source: &Source, object: &[u8]) {
    assert_eq!(source.size(), object.len() as u64);
    thread::scope(|scope| {
        for thread in 0..4u64 {
            scope.spawn(move || {
                let mut state = thread + 1;
                for _ in 0..60 {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let at = usize::try_from(state >> 20).unwrap() % object.len();
                    let length = (usize::try_from(state >> 50).unwrap() * 100).min(object.len() - at);
                    source.will_need(at as u64, 4 << 20);
                    let mut buf = vec![0xee; length];
                    source.read_at(&mut buf, at as u64).unwrap();
                    assert!(buf == object[at..at + length], "{length} bytes at {at}");
                }
            });
        }
    });
    assert!(source.read_at(&mut [0; 2], object.len() as u64 - 1).is_err());
}

#[test]
fn every_read_is_the_objects_bytes() {
    let object = sparse();
    for manner in ["plain", "flaky", "pages"] {
        let server = Server::new(object.clone());
        let (source, counter) = server.open(manner);
        read_everywhere(&source.unwrap(), &object);
        let (requests, bytes) = counter.network().unwrap();
        assert!(requests > 3 && bytes > 512, "{manner}: {requests} requests, {bytes} bytes");
    }
}

#[test]
fn what_a_page_blob_lacks_is_not_asked_for() {
    let object = sparse();
    let server = Server::new(object.clone());
    let (source, counter) = server.open("pages");
    let mut all = vec![1; object.len()];
    source.unwrap().read_at(&mut all, 0).unwrap();
    assert!(all == object);
    assert!(counter.network().unwrap().1 < 2 << 20, "{:?}", counter.network());
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|range| range.end <= 4 << 20 || range.start >= 11 << 20), "{asked:?}");
}

#[test]
fn a_server_that_cannot_serve_is_told_apart() {
    let server = Server::new(sparse());
    let kind = |manner| server.open(manner).0.err().unwrap();
    assert_eq!(kind("missing").kind(), std::io::ErrorKind::NotFound);
    assert_eq!(kind("denied").kind(), std::io::ErrorKind::PermissionDenied);
    assert!(kind("whole").to_string().contains("does not serve ranges"));
    let shifted = server.open("shifted").0.unwrap();
    let error = shifted.read_at(&mut [0; 4], 4096).unwrap_err();
    assert!(error.to_string().contains("asked for"), "{error}");
}

/// A list of pages that is not whole would have the rest read as zeros.
#[test]
fn a_list_of_pages_is_followed_to_its_end_or_not_believed() {
    let object = sparse();
    for (manner, is_believed) in [("parts", true), ("endless", false), ("cut", false)] {
        let server = Server::new(object.clone());
        let (source, counter) = server.open(manner);
        let mut all = vec![1; object.len()];
        source.unwrap().read_at(&mut all, 0).unwrap();
        assert!(all == object, "{manner}");
        let (requests, bytes) = counter.network().unwrap();
        assert_eq!(bytes < 2 << 20, is_believed, "{manner}: {bytes} bytes");
        assert!(requests < 1100, "{manner}: {requests} requests");
    }
}

#[test]
fn an_object_that_is_elsewhere_or_has_no_name_is_not_read() {
    let server = Server::new(sparse());
    let error = server.open("moved").0.err().unwrap().to_string();
    assert!(error.contains("redirects") || error.contains("302"), "{error}");
    assert_eq!(server.asked.lock().unwrap().len(), 1, "it was not followed");
    let error = server.open("nameless").0.err().unwrap().to_string();
    assert!(error.contains("neither a tag nor a time"), "{error}");
    let server = Server::new(sparse());
    let error = server.open("forgetful").0.unwrap().read_at(&mut [0; 4], 4096).unwrap_err().to_string();
    assert!(error.contains("changed"), "{error}");
}

#[test]
fn a_server_that_fails_again_and_again_is_not_asked_any_more() {
    let server = Server::new(sparse());
    let source = server.open("gone").0.unwrap();
    let mut told = Vec::new();
    for n in 0..40u64 {
        told.push(source.read_at(&mut [0; 4], n * (256 << 10)).unwrap_err().to_string());
    }
    assert!(told[0].contains("404"), "{told:?}");
    assert!(told[39].contains("the server has failed too often"), "{told:?}");
    let asked = server.asked.lock().unwrap().len();
    assert!((10..25).contains(&asked), "{asked}");
}

#[test]
fn an_object_that_changes_is_not_read_on() {
    let server = Server::new(sparse());
    let source = server.open("changing").0.unwrap();
    let read = |at: u64| source.read_at(&mut [0; 512], at);
    assert!(read(0).is_ok() && read(3 << 20).is_ok());
    for at in [11 << 20, 9 << 20] {
        let error = read(at).err().or_else(|| read(11 << 20).err());
        assert!(error.is_some_and(|error| error.to_string().contains("changed")), "{at}");
    }
}

fn icecore(words: &[&str]) -> Output {
    icecore_with(&[], words)
}

/// Runs icecore with variables of the environment, none of which are a proxy's unless they are among them.
fn icecore_with(variables: &[(&str, &str)], words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icecore"));
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    let run = command.envs(variables.iter().copied()).args(words).output().unwrap();
    for text in [&run.stdout, &run.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(SECRET) && !text.contains("user:"), "{text}");
    }
    run
}

#[test]
fn a_scan_of_a_url_is_that_of_the_file_and_shows_no_secret() {
    let mut object = Vec::new();
    std::fs::File::open(fixture("node.qcow2")).unwrap().read_to_end(&mut object).unwrap();
    let server = Server::new(object.clone());
    let report = |disk: &Path| {
        let inputs = Inputs { disks: vec![disk.to_owned()], ..Inputs::default() };
        let options = Options { inputs, reproducible: true, ..Options::default() };
        serde_json::to_value(scan::scan(&options, &scan::Silent).unwrap()).unwrap()
    };
    let file = report(&fixture("node.qcow2"));
    for manner in ["plain", "flaky"] {
        assert_eq!(report(Path::new(&server.url(manner, "node.qcow2"))), file, "{manner}");
    }
    let plain =
        icecore(&["scan", "--no-vulnerabilities", "-f", "json", "-v", &server.url("plain", "node.qcow2")]);
    let told: serde_json::Value = serde_json::from_slice(&plain.stdout).unwrap();
    assert!(told["stats"]["requests"].as_u64() > Some(2), "{}", told["stats"]);
    for (manner, exit) in [("missing", 2), ("denied", 2), ("whole", 5), ("changing", 5), ("later", 0)] {
        let server = Server::new(object.clone());
        let run = icecore(&["scan", "--no-vulnerabilities", "-f", "json", &server.url(manner, "node.qcow2")]);
        assert_eq!(run.status.code(), Some(exit), "{manner}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

/// What was found before is told, with gaps for the rest, and wherever it ends another try is worth it.
#[test]
fn a_server_that_ends_halfway_leaves_a_report_with_gaps() {
    let mut object = Vec::new();
    std::fs::File::open(fixture("node.qcow2")).unwrap().read_to_end(&mut object).unwrap();
    for manner in ["expiring3", "expiring5", "expiring7"] {
        let server = Server::new(object.clone());
        let run = icecore(&["scan", "--no-vulnerabilities", "-f", "json", &server.url(manner, "node.qcow2")]);
        let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(run.status.code(), Some(5), "{manner}: {}", report["gaps"]);
        let gaps = report["gaps"].as_array().unwrap();
        let is_told = |gap: &serde_json::Value| {
            gap["code"] == "read-error" && gap["detail"].as_str().unwrap().contains("403")
        };
        assert!(gaps.iter().any(is_told), "{gaps:?}");
        assert_ne!(report["verdict"]["status"], "complete", "{manner}");
    }
}
