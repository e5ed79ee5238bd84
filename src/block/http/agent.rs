//! What makes the requests: its patience, its certificates, and the way to the server.

use std::{env, io, sync::Arc, thread, time::Duration};

use ureq::{
    Agent, ProxyProtocol,
    http::Uri,
    tls::{RootCerts, TlsConfig},
    unversioned::transport::{Connector, TcpConnector},
};

use super::{
    proxy::Proxy,
    relay::{AtProxy, Whole},
    target::{Target, basic},
};

/// How long a server is waited for.
#[derive(Clone)]
pub(super) struct Patience {
    /// For its address, and then for a connection, with TLS and proxies.
    pub(super) connect: Duration,
    /// For the beginning of an answer.
    pub(super) answer: Duration,
    /// For all of its body: two MiB or a document, unless the whole object is asked for.
    pub(super) body: Duration,
    /// Waits before another try.
    pub(super) sleep: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Default for Patience {
    fn default() -> Self {
        let (connect, answer) = (Duration::from_secs(15), Duration::from_secs(60));
        Self { connect, answer, body: answer, sleep: Arc::new(thread::sleep) }
    }
}

/// The way to a server.
pub(super) struct Way {
    pub(super) agent: Agent,
    /// A header for a proxy that reads the requests.
    pub(super) proxy_authorization: Option<String>,
    /// The proxy, as messages show it.
    pub(super) proxy: Option<String>,
}

impl Way {
    /// The way that the environment tells.
    pub(super) fn to(target: &Target, patience: &Patience) -> io::Result<Self> {
        let proxy = Proxy::of(target, |name| env::var_os(name))?;
        Self::by(proxy.as_ref(), target, patience)
    }

    /// The way by a proxy, or without one.
    pub(super) fn by(proxy: Option<&Proxy>, target: &Target, patience: &Patience) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // A redirection would open what the caller did not name.
            .max_redirects(0)
            .user_agent(concat!("icecore/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_send_request(Some(patience.answer))
            .timeout_recv_response(Some(patience.answer))
            .timeout_recv_body(Some(patience.body));
        let way =
            |agent, proxy_authorization| Self { agent, proxy_authorization, proxy: proxy.map(Proxy::shown) };
        let Some(proxy) = proxy else { return Ok(way(config.proxy(None).build().into(), None)) };
        if target.is_tls || proxy.is_tls {
            return Ok(way(config.proxy(Some(tunnel(proxy)?)).build().into(), None));
        }
        let at: Uri = format!("http://{}/", proxy.shown()).parse().map_err(|_| unusable())?;
        let connector = ().chain(TcpConnector::default()).chain(Whole { origin: target.origin.clone() });
        let resolver = AtProxy { proxy: at, inner: <_>::default() };
        let agent = Agent::with_parts(config.proxy(None).build(), connector, resolver);
        Ok(way(agent, proxy.user.as_ref().map(basic)))
    }
}

/// A proxy that is asked for a tunnel to the server.
fn tunnel(proxy: &Proxy) -> io::Result<ureq::Proxy> {
    let protocol = if proxy.is_tls { ProxyProtocol::Https } else { ProxyProtocol::Http };
    let mut built = ureq::Proxy::builder(protocol).host(&proxy.host).port(proxy.port);
    if let Some((user, password)) = &proxy.user {
        let text = |bytes: &[u8]| str::from_utf8(bytes).map(str::to_owned).map_err(|_| unusable());
        built = built.username(&text(user)?).password(&text(password)?);
    }
    built.build().map_err(|_| unusable())
}

fn unusable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the proxy of the environment cannot be used")
}
