//! Answers that are not what was asked for.

use std::{io::Write, net::TcpStream};

use super::{Request, SIZE, Script, Server, empty, failure_of, head, length, well};
use crate::{block::ReadAt, num};

#[test]
fn bodies_of_another_length_are_errors_and_are_not_read_on() {
    let scripts: [(Script, &str); 4] = [
        (
            |number, request, stream| match number {
                0 => well(request, stream),
                _ => {
                    // Fewer than were said: the connection ends.
                    let head =
                        head(request, &format!("ETag: \"1\"\r\nContent-Length: {}\r\n", length(request)));
                    stream.write_all(head.as_bytes())?;
                    stream.write_all(&[1; 100])?;
                    Err(std::io::ErrorKind::Other.into())
                }
            },
            "tried 6 times",
        ),
        (
            |number, request, stream| match number {
                0 => well(request, stream),
                _ => {
                    stream.write_all(head(request, "ETag: \"1\"\r\nContent-Length: 100\r\n").as_bytes())?;
                    stream.write_all(&[1; 100])
                }
            },
            "fewer than",
        ),
        (
            |number, request, stream| match number {
                0 => well(request, stream),
                _ => {
                    // Without a length, and without an end.
                    stream.write_all(head(request, "ETag: \"1\"\r\n").as_bytes())?;
                    loop {
                        stream.write_all(&[1; 4096])?;
                    }
                }
            },
            "more than",
        ),
        (
            |number, request, stream| match number {
                0 => well(request, stream),
                _ => {
                    let head = head(request, "ETag: \"1\"\r\nTransfer-Encoding: chunked\r\n");
                    stream.write_all(head.as_bytes())?;
                    loop {
                        write!(stream, "1000\r\n")?;
                        stream.write_all(&[1; 4096])?;
                        write!(stream, "\r\n")?;
                    }
                }
            },
            "more than",
        ),
    ];
    for (script, problem) in scripts {
        let (error, asked) = failure_of(script);
        assert!(error.to_string().contains(problem), "{error}");
        assert_eq!(asked, 7, "{error}");
    }
}

#[test]
fn other_bytes_than_were_asked_for_are_errors_and_not_tried_again() {
    let scripts: [(Script, &str); 8] = [
        (
            |number, request, stream| part(number, request, stream, "Content-Range: bytes 0-4095/1048576"),
            "given 0..4096",
        ),
        (
            |number, request, stream| part(number, request, stream, "Content-Range: bytes 0-1048575/1048577"),
            "of 1048577",
        ),
        (
            |number, request, stream| part(number, request, stream, "Content-Range: bytes 9-3/1048576"),
            "says that it sends",
        ),
        (|number, request, stream| part(number, request, stream, "Content-Range: bytes 0-9/*"), "the size"),
        (|number, request, stream| part(number, request, stream, "X: y"), "which part"),
        (
            |number, request, stream| {
                part(number, request, stream, "Content-Type: multipart/byteranges; boundary=THIS_STRING")
            },
            "several parts",
        ),
        (
            |number, request, stream| {
                let range = format!("bytes {}-{}/{SIZE}", request.range.0, request.range.1);
                part(number, request, stream, &format!("Content-Range: {range}\r\nContent-Encoding: gzip"))
            },
            "encoding gzip",
        ),
        (
            |number, request, stream| match number {
                0 => well(request, stream),
                _ => write!(stream, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\nabc"),
            },
            "200",
        ),
    ];
    for (script, problem) in scripts {
        let (error, asked) = failure_of(script);
        assert!(error.to_string().contains(problem), "{problem}: {error}");
        assert_eq!(asked, 2, "{error}");
    }
}

fn part(number: usize, request: &Request, stream: &mut TcpStream, more: &str) -> std::io::Result<()> {
    if number == 0 {
        return well(request, stream);
    }
    let length = length(request);
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\n{more}\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(&vec![1; num::to_usize(length)])
}

#[test]
fn an_object_that_shrinks_or_that_has_another_weak_tag_or_time_has_changed() {
    let scripts: [Script; 3] = [
        |number, request, stream| match number {
            0 => well(request, stream),
            _ => empty(stream, "416 Range Not Satisfiable\r\nContent-Range: bytes */100"),
        },
        |number, request, stream| {
            let names = format!(
                "ETag: W/\"1\"\r\nLast-Modified: {number}\r\nContent-Length: {}\r\n",
                length(request)
            );
            stream.write_all(head(request, &names).as_bytes())?;
            stream.write_all(&vec![1; num::to_usize(length(request))])
        },
        |number, request, stream| {
            let names = format!("Last-Modified: {number}\r\nContent-Length: {}\r\n", length(request));
            stream.write_all(head(request, &names).as_bytes())?;
            stream.write_all(&vec![1; num::to_usize(length(request))])
        },
    ];
    for script in scripts {
        let (error, asked) = failure_of(script);
        assert!(error.to_string().contains("the object changed"), "{error}");
        assert_eq!(asked, 2, "{error}");
    }
}

#[test]
fn sizes_up_to_the_largest_number_are_sizes() {
    let server = Server::new("127.0.0.1", |_, request, stream| {
        let (first, last) = request.range;
        let range = format!("bytes {first}-{last}/{}", u64::MAX);
        write!(stream, "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Range: {range}\r\n")?;
        write!(stream, "Content-Length: {}\r\n\r\n", length(request))?;
        stream.write_all(&vec![7; num::to_usize(length(request))])
    });
    let server = server.unwrap();
    let source = server.open("127.0.0.1").unwrap();
    assert_eq!(source.size(), u64::MAX);
    let mut buf = [0; 512];
    source.read_at(&mut buf, u64::MAX - 512).unwrap();
    assert_eq!(buf, [7; 512]);
    assert!(source.read_at(&mut buf, u64::MAX - 511).is_err());
    source.will_need(5, u64::MAX);
    source.read_at(&mut buf, 1 << 62).unwrap();
}

#[test]
fn what_cannot_be_opened_says_why() {
    let scripts: [(Script, &str); 7] = [
        (|_, _, stream| empty(stream, "416 No\r\nContent-Range: bytes */5"), "does not serve ranges"),
        (
            |_, _, stream| empty(stream, "301 Moved\r\nLocation: http://x/?sig=s3cr3t"),
            "name the URL that it leads to",
        ),
        (
            |_, _, stream| {
                write!(
                    stream,
                    "HTTP/1.1 206 P\r\nETag: \"1\"\r\nContent-Range: bytes 0-0/18446744073709551616\r\nContent-Length: 1\r\n\r\nx"
                )
            },
            "says that it sends",
        ),
        (
            |_, _, stream| {
                write!(
                    stream,
                    "HTTP/1.1 206 P\r\nETag: \"1\"\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nxy"
                )
            },
            "given 0..2",
        ),
        (|_, _, stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "not HTTP"),
        (
            |_, _, stream| {
                stream.write_all(b"HTTP/1.1 206 P\r\n")?;
                loop {
                    stream.write_all(b"X-Header: and many more of its kind\r\n")?;
                }
            },
            "not HTTP",
        ),
        (|_, _, _| Err(std::io::ErrorKind::Other.into()), "tried 6 times"),
    ];
    for (script, problem) in scripts {
        let server = Server::new("127.0.0.1", script).unwrap();
        let error = server.open("127.0.0.1").err().unwrap();
        assert!(error.to_string().contains(problem), "{problem}: {error}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
    let server = Server::new("127.0.0.1", |_, _, stream| empty(stream, "416 No\r\nContent-Range: bytes */0"));
    assert_eq!(server.unwrap().open("127.0.0.1").unwrap().size(), 0);
}

/// Lists that are too long, one document or all of them, are not read to their end, and all of the blob is.
#[test]
fn lists_of_pages_have_bounds() {
    let scripts: [(Script, usize); 2] = [
        (|_, request, stream| listed(request, stream, 1024, 18 << 10), 1),
        (|_, request, stream| listed(request, stream, 1024, 15 << 10), 6),
    ];
    for (script, documents) in scripts {
        let server = Server::new("127.0.0.1", script).unwrap();
        let source = server.open("127.0.0.1").unwrap();
        assert_eq!(server.asked(), 1 + documents);
        let mut buf = [0; 512];
        source.read_at(&mut buf, 4096).unwrap();
        assert_eq!(buf[0], 0x10);
    }
}

#[test]
fn a_list_that_is_refused_or_of_another_version_is_done_without() {
    let scripts: [Script; 4] = [
        |_, request, stream| unlisted(request, stream, "403 Forbidden\r\nETag: \"1\""),
        |_, request, stream| unlisted(request, stream, "400 Bad Request"),
        |_, request, stream| unlisted(request, stream, "200 OK"),
        |_, request, stream| unlisted(request, stream, "200 OK\r\nETag: \"2\""),
    ];
    for script in scripts {
        let server = Server::new("127.0.0.1", script).unwrap();
        let source = server.open("127.0.0.1").unwrap();
        let mut buf = [0; 512];
        source.read_at(&mut buf, 4096).unwrap();
        assert_eq!((buf[0], server.asked()), (0x10, 3));
    }
}

/// A page blob, with such an answer to who asks for its list of pages.
fn unlisted(request: &Request, stream: &mut TcpStream, answer: &str) -> std::io::Result<()> {
    let body = "<PageList/>";
    match request.line.contains("comp=pagelist") {
        true => write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        false => page_blob(request, stream),
    }
}

fn page_blob(request: &Request, stream: &mut TcpStream) -> std::io::Result<()> {
    let more = format!("ETag: \"1\"\r\nx-ms-blob-type: PageBlob\r\nContent-Length: {}\r\n", length(request));
    stream.write_all(head(request, &more).as_bytes())?;
    let body: Vec<u8> = (request.range.0..=request.range.1).map(|at| at.to_le_bytes()[1]).collect();
    stream.write_all(&body)
}

/// A page blob, or a document that says that nothing was written, of so much text, with a marker for more.
fn listed(request: &Request, stream: &mut TcpStream, length_of: usize, times: usize) -> std::io::Result<()> {
    if !request.line.contains("comp=pagelist") {
        return page_blob(request, stream);
    }
    let (before, after) = ("<PageList><NextMarker>m</NextMarker>", "</PageList>");
    let length = before.len() + length_of * times + after.len();
    write!(stream, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {length}\r\n\r\n{before}")?;
    let text = " ".repeat(length_of);
    for _ in 0..times {
        stream.write_all(text.as_bytes())?;
    }
    stream.write_all(after.as_bytes())
}
