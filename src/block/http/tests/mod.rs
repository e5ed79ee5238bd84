//! What servers do that they should not, one script each.

mod answers;
mod tries;

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::{
    agent::{Patience, Way},
    open_by,
    remote::Remote,
    target::Target,
};
use crate::block::{Counter, ReadAt};

/// What a server does with the request of a number, counted from 0. What it does not write it leaves to the client.
type Script = fn(usize, &Request, &mut TcpStream) -> std::io::Result<()>;

struct Request {
    line: String,
    headers: Vec<String>,
    /// The range that is asked for, its last byte within it.
    range: (u64, u64),
}

struct Server {
    listener_port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    pauses: Arc<Mutex<Vec<Duration>>>,
}

impl Server {
    fn new(host: &str, script: Script) -> Option<Self> {
        let listener = TcpListener::bind((host, 0)).ok()?;
        let listener_port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || connection(stream, script, &log));
            }
        });
        Some(Self { listener_port, requests, pauses: Arc::default() })
    }

    fn open(&self, host: &str) -> std::io::Result<Remote> {
        self.open_within(host, Duration::from_secs(20))
    }

    fn open_within(&self, host: &str, answer: Duration) -> std::io::Result<Remote> {
        let url = format!("http://us%65r:p:w@{host}:{}/disk?sig=s3cr3t#part", self.listener_port);
        let target = Target::parse(&url)?;
        let pauses = Arc::clone(&self.pauses);
        let sleep = Arc::new(move |pause| pauses.lock().unwrap().push(pause));
        let patience = Patience { connect: Duration::from_secs(20), answer, body: answer, sleep };
        let way = Way::by(None, &target, &patience)?;
        open_by(target, way, patience, &Arc::new(Counter::default()))
    }

    fn pauses(&self) -> Vec<u64> {
        self.pauses.lock().unwrap().drain(..).map(|pause| u64::try_from(pause.as_millis()).unwrap()).collect()
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn connection(mut stream: TcpStream, script: Script, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let line = lines.next()?.ok()?;
        let headers: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let range = headers.iter().find_map(|line| {
            let (first, last) =
                line.strip_prefix("range: bytes=").or(line.strip_prefix("Range: bytes="))?.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        let number = {
            let mut log = log.lock().unwrap();
            log.push(line.clone());
            log.len() - 1
        };
        let request = Request { line, headers, range: range.unwrap_or_default() };
        script(number, &request, &mut stream).ok()?;
    }
}

const SIZE: u64 = 1 << 20;

/// The head of an answer with the range that was asked for.
fn head(request: &Request, more: &str) -> String {
    let (first, last) = request.range;
    format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{SIZE}\r\n{more}\r\n")
}

fn length(request: &Request) -> u64 {
    request.range.1 - request.range.0 + 1
}

/// What was asked for, as it should be.
fn well(request: &Request, stream: &mut TcpStream) -> std::io::Result<()> {
    let head = head(request, &format!("ETag: \"1\"\r\nContent-Length: {}\r\n", length(request)));
    stream.write_all(head.as_bytes())?;
    let body: Vec<u8> = (request.range.0..=request.range.1).map(|at| at.to_le_bytes()[1]).collect();
    stream.write_all(&body)
}

fn empty(stream: &mut TcpStream, status: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
}

/// The first answer is as it should be; the error of the first read behind it, and how many requests there were.
fn failure_of(script: Script) -> (std::io::Error, usize) {
    failure_within(script, Duration::from_secs(20))
}

fn failure_within(script: Script, answer: Duration) -> (std::io::Error, usize) {
    let server = Server::new("127.0.0.1", script).unwrap();
    let source = server.open_within("127.0.0.1", answer).unwrap();
    let error = source.read_at(&mut [0; 512], 4096).unwrap_err();
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
    // The end of an answer is not the end of the disk.
    assert_ne!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
    (error, server.asked())
}
