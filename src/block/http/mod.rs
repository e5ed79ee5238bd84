//! A disk behind a URL, read with range requests (RFC 9110, section 14). What a server says of the whole object is pinned
//! by the first answer: an object that changes while it is read is an error, never a mixture.
//!
//! Reads become requests of whole pages, joined where they lie side by side; hints of coming reads are requested ahead by
//! a few threads that wait for the network. Of an Azure page blob only the ranges that were written are requested.

mod agent;
mod answer;
mod client;
mod download;
mod no_proxy;
mod pages;
mod pause;
mod proxy;
mod ranges;
mod relay;
mod remote;
mod target;
#[cfg(test)]
mod tests;

use std::{io, ops::Range, sync::Arc};

pub(super) use download::download;

use self::{
    agent::{Patience, Way},
    client::Client,
    remote::Remote,
    target::Target,
};
use super::{Counter, Source};

/// Opens what a URL names, if the server has it and serves ranges of it. `counter` gets the requests and their bytes.
pub(super) fn open(url: &str, counter: &Arc<Counter>) -> io::Result<Source> {
    let (target, patience) = (Target::parse(url)?, Patience::default());
    let way = Way::to(&target, &patience)?;
    Ok(Arc::new(open_by(target, way, patience, counter)?))
}

fn open_by(target: Target, way: Way, patience: Patience, counter: &Arc<Counter>) -> io::Result<Remote> {
    let (client, first) = Client::open(target, way, patience, Arc::clone(counter))?;
    let written = if first.is_page_blob { ranges::of_page_blob(&client) } else { None };
    let whole: Vec<Range<u64>> = std::iter::once(0..first.size).collect();
    Ok(Remote::new(client, first.size, written.unwrap_or(whole)))
}
