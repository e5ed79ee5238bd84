//! Requests in plain HTTP through a proxy: the proxy is connected to in place of the server, and the request's first line
//! has the whole URL (RFC 9112, section 3.2.2), as curl does it. `ureq` would ask for a tunnel (CONNECT), which many proxies
//! allow to port 443 only; so it does where TLS is spoken to the server, or to the proxy.

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
    },
};

/// Finds the proxy's address, whatever is asked for.
#[derive(Debug)]
pub(super) struct AtProxy {
    pub(super) proxy: Uri,
    pub(super) inner: DefaultResolver,
}

impl Resolver for AtProxy {
    fn resolve(&self, _: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.inner.resolve(&self.proxy, config, timeout)
    }
}

/// Puts a URL's scheme and authority before the path of each request.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) origin: String,
}

impl<In: Transport> Connector<In> for Whole {
    type Out = Relayed<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Relayed<In>>, Error> {
        Ok(chained.map(|inner| Relayed { inner, origin: self.origin.clone() }))
    }
}

/// A connection to a proxy.
#[derive(Debug)]
pub(super) struct Relayed<T> {
    inner: T,
    origin: String,
}

impl<T: Transport> Transport for Relayed<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let added = prefix(self.inner.buffers().output(), amount, self.origin.as_bytes());
        let amount = added.ok_or(Error::LargeResponseHeader(amount, amount))?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

/// Puts `origin` before the path, if the first `amount` bytes of `output` are the beginning of a request; how many they are
/// then. `None` if there is no room.
fn prefix(output: &mut [u8], amount: usize, origin: &[u8]) -> Option<usize> {
    const METHOD: &[u8] = b"GET ";
    if !output.get(..amount)?.starts_with(b"GET /") {
        return Some(amount);
    }
    let longer = amount.checked_add(origin.len())?;
    let rest = output.get_mut(METHOD.len()..longer)?;
    rest.copy_within(..amount.checked_sub(METHOD.len())?, origin.len());
    rest.get_mut(..origin.len())?.copy_from_slice(origin);
    Some(longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_has_the_whole_url() {
        let mut output = *b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n................";
        let amount = prefix(&mut output, 30, b"http://h:81").unwrap();
        assert_eq!(&output[..amount], b"GET http://h:81/a?b HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(prefix(&mut output, amount, b"http://h:81"), Some(amount), "it is whole");
        let mut full = *b"GET / HTTP";
        assert_eq!(prefix(&mut full, 10, b"http://h"), None);
    }
}
