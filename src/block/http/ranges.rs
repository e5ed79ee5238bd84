//! Which ranges of an Azure page blob were ever written ("Get Page Ranges"): the rest is zeros that need not be asked for.

use std::ops::Range;

use quick_xml::{Reader, events::Event};

use super::client::Client;
use crate::{limits, num};

/// The ranges in order; `None` if the server does not tell them, and all of the blob is to be read.
pub(super) fn of_page_blob(client: &Client) -> Option<Vec<Range<u64>>> {
    if client.lists_other_pages() {
        return None;
    }
    let mut ranges = Vec::new();
    let mut marker: Option<String> = None;
    let mut left = limits::HTTP_LIST_BYTES;
    for _ in 0..limits::HTTP_DOCUMENTS {
        let next = marker.as_ref().map_or(String::new(), |marker| format!("&marker={}", encoded(marker)));
        let document = client.document(&format!("comp=pagelist{next}")).ok()?;
        left = left.checked_sub(num::to_u64(document.len()))?;
        let page = parse(&document)?;
        ranges.extend(page.ranges);
        if ranges.len() > limits::HTTP_RANGES {
            return None;
        }
        marker = page.next;
        if marker.is_none() {
            let is_ordered = |pair: &[Range<u64>]| matches!(pair, [a, b] if a.end <= b.start);
            let is_list = ranges.iter().all(|one| one.start < one.end) && ranges.windows(2).all(is_ordered);
            return is_list.then_some(ranges);
        }
    }
    None
}

/// Text as a value in a query.
fn encoded(text: &str) -> String {
    let mut value = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                value.push(char::from(byte))
            }
            other => value.push_str(&format!("%{other:02X}")),
        }
    }
    value
}

/// One page of the list.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    ranges: Vec<Range<u64>>,
    /// What to ask for the next page with.
    next: Option<String>,
}

fn parse(text: &[u8]) -> Option<Page> {
    let mut reader = Reader::from_reader(text);
    let mut page = Page { ranges: Vec::new(), next: None };
    let (mut element, mut start, mut is_list) = (String::new(), None, false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                element = tag.name().as_ref().to_owned();
            }
            Event::Text(text) => {
                let text = text.as_ref().trim().to_owned();
                match element.as_str() {
                    "Start" => start = Some(text.parse().ok()?),
                    "End" => {
                        let last: u64 = text.parse().ok()?;
                        page.ranges.push(start.take()?..last.checked_add(1)?);
                    }
                    "NextMarker" if !text.is_empty() => page.next = Some(text),
                    _ => {}
                }
            }
            Event::End(tag) => {
                // A list that is cut would have the rest read as zeros.
                is_list |= tag.name().as_ref() == "PageList" && start.is_none();
                element.clear();
            }
            Event::Eof => break,
            // Text that is spelled so would be cut or left out.
            Event::GeneralRef(_) | Event::CData(_) => return None,
            _ => {}
        }
    }
    is_list.then_some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_values_of_a_query() {
        assert_eq!(encoded("2!72!MDAw+/=&"), "2%2172%21MDAw%2B%2F%3D%26");
    }

    #[test]
    fn a_list_of_pages_is_read_or_nothing_is_believed() {
        let text = b"<?xml version=\"1.0\"?><PageList><PageRange><Start>0</Start><End>511</End></PageRange>\
            <PageRange><Start>4096</Start><End>8191</End></PageRange><NextMarker>abc</NextMarker></PageList>";
        let page = Page { ranges: vec![0..512, 4096..8192], next: Some("abc".to_owned()) };
        assert_eq!(parse(text), Some(page));
        let empty = b"<PageList><NextMarker/></PageList>";
        assert_eq!(parse(empty), Some(Page { ranges: vec![], next: None }));
        for wrong in [
            &b"<html>no</html>"[..],
            b"",
            b"<PageList><PageRange><End>5</End></PageRange></PageList>",
            b"<PageList><PageRange><Start>0</Start><End>5",
            b"<PageList><PageRange><Start>0</Start><End>5&#49;</End></PageRange></PageList>",
            b"<PageList><PageRange><Start><![CDATA[0]]></Start></PageRange></PageList>",
            b"<PageList><NextMarker>a&amp;b</NextMarker></PageList>",
        ] {
            assert_eq!(parse(wrong), None);
        }
    }
}
