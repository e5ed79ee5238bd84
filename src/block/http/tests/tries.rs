//! Servers that fail, and those that come back.

use std::{io::Write, net::TcpStream, thread, time::Duration};

use super::{SIZE, Script, Server, empty, failure_of, failure_within, head, length, well};
use crate::{block::ReadAt, limits, num};

#[test]
fn another_try_waits_as_the_server_asks_or_twice_as_long_each_time() {
    let server = Server::new("127.0.0.1", |number, request, stream| match number {
        0 | 7.. => well(request, stream),
        1 => empty(stream, "503 Slow Down\r\nRetry-After: 7"),
        2 => empty(
            stream,
            "429 Too Many Requests\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT",
        ),
        3 => empty(stream, "503 Slow Down\r\nRetry-After: 86400"),
        4 => empty(stream, "503 Slow Down\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT"),
        _ => empty(stream, "500 Oops"),
    });
    let server = server.unwrap();
    let source = server.open("127.0.0.1").unwrap();
    let error = source.read_at(&mut [0; 512], 0).unwrap_err();
    assert!(error.to_string().contains("500") && error.to_string().contains("tried 6 times"), "{error}");
    assert_eq!(
        server.pauses(),
        [7000, 30_000, num::to_u64(limits::HTTP_PAUSE.as_millis().try_into().unwrap()), 2000, 4000]
    );
    source.read_at(&mut [0; 512], 0).unwrap();
}

#[test]
fn after_a_failure_less_is_tried_and_then_nothing() {
    let server = Server::new("127.0.0.1", |number, request, stream| match number {
        0 => well(request, stream),
        _ => empty(stream, "502 Bad Gateway"),
    });
    let server = server.unwrap();
    let source = server.open("127.0.0.1").unwrap();
    let told: Vec<String> =
        (0..20).map(|_| source.read_at(&mut [0; 512], 0).unwrap_err().to_string()).collect();
    assert!(told[0].contains("tried 6 times") && told[1].contains("tried 2 times"), "{told:?}");
    assert!(told[15].contains("502") && told[16].contains("failed too often"), "{told:?}");
    assert_eq!(server.pauses().len(), 5 + 15);
    assert_eq!(server.asked(), 1 + 6 + 2 * 15);
}

#[test]
fn a_server_that_is_slow_without_end_is_not_waited_for() {
    let scripts: [Script; 2] = [
        |number, request, stream| match number {
            0 => well(request, stream),
            _ => {
                let head = head(request, &format!("ETag: \"1\"\r\nContent-Length: {}\r\n", length(request)));
                stream.write_all(head.as_bytes())?;
                drop_by_drop(stream)
            }
        },
        |number, request, stream| match number {
            0 => well(request, stream),
            _ => {
                stream.write_all(b"HTTP/1.1 206 Partial Content\r\nX-Long: ")?;
                drop_by_drop(stream)
            }
        },
    ];
    for script in scripts {
        let (error, asked) = failure_within(script, Duration::from_millis(600));
        assert!(error.to_string().contains("timeout"), "{error}");
        assert_eq!(asked, 7, "{error}");
    }
}

fn drop_by_drop(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        stream.write_all(b"x")?;
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn connections_that_end_between_requests_are_made_anew() {
    let server = Server::new("127.0.0.1", |_, request, stream| {
        well(request, stream)?;
        Err(std::io::ErrorKind::Other.into())
    });
    let server = server.unwrap();
    let source = server.open("127.0.0.1").unwrap();
    for page in 0..4 {
        let mut buf = [0; 512];
        source.read_at(&mut buf, page * (256 << 10) + 4096).unwrap();
        assert_eq!(buf[0], 0x10);
    }
}

#[test]
fn a_signature_that_expires_is_no_change_of_the_object() {
    let (error, asked) = failure_of(|number, request, stream| match number {
        0 => well(request, stream),
        _ => empty(stream, "403 Server failed to authenticate the request"),
    });
    assert!(error.to_string().contains("403") && !error.to_string().contains("changed"), "{error}");
    assert_eq!((error.kind(), asked), (std::io::ErrorKind::PermissionDenied, 2));
}

#[test]
fn eight_threads_that_all_fail_end() {
    let server = Server::new("127.0.0.1", |number, request, stream| match number {
        0 => well(request, stream),
        _ => Err(std::io::ErrorKind::Other.into()),
    });
    let server = server.unwrap();
    let source = server.open("127.0.0.1").unwrap();
    thread::scope(|scope| {
        for thread in 0..8u64 {
            let source = &source;
            scope.spawn(move || {
                for round in 0..8 {
                    source.will_need(0, SIZE);
                    let error = source.read_at(&mut [0; 512], (thread ^ round) * (64 << 10)).unwrap_err();
                    assert_ne!(error.kind(), std::io::ErrorKind::UnexpectedEof);
                }
            });
        }
    });
    // Each thread's six tries, and what 16 failures and the hints of 64 reads may add.
    assert!(server.asked() < 8 * 6 + 24 * 2 + 64 * 4, "{}", server.asked());
    let error = source.read_at(&mut [0; 512], 0).unwrap_err();
    assert!(error.to_string().contains("failed too often"), "{error}");
}

#[test]
fn only_get_is_asked_with_the_url_s_user_and_a_pinned_tag() {
    let server = Server::new("127.0.0.1", |number, request, stream| {
        let has = |wanted: &str| request.headers.iter().any(|line| line.eq_ignore_ascii_case(wanted));
        // "user" and "p:w" of RFC 7617.
        let is_right = request.line == "GET /disk?sig=s3cr3t HTTP/1.1"
            && has("Authorization: Basic dXNlcjpwOnc=")
            && has("Accept-Encoding: identity")
            && has("If-Match: \"1\"") == (number > 0);
        if is_right { well(request, stream) } else { empty(stream, "405 Method Not Allowed") }
    });
    let server = server.unwrap();
    server.open("127.0.0.1").unwrap().read_at(&mut [0; 512], 4096).unwrap();
}

#[test]
fn addresses_of_ipv6_are_hosts() {
    // A machine without IPv6 has nothing to ask.
    let Some(server) = Server::new("::1", |_, request, stream| well(request, stream)) else { return };
    let mut buf = [0; 512];
    server.open("[::1]").unwrap().read_at(&mut buf, 4096).unwrap();
    assert_eq!(buf[0], 0x10);
}
