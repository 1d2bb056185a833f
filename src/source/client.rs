//! The HTTP client: TLS, proxy and what is sent with every request. Made anew when a file that it
//! was made from changes.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Identity, Proxy, Url, redirect};

use super::SourceError;
use super::credentials::read;
use super::origin;
use crate::config::Tls;
use crate::model::Secret;

/// Some servers look for `git/` in it before they speak git.
const USER_AGENT: &str = concat!("git/2.0 (kconfigd ", env!("CARGO_PKG_VERSION"), ")");

/// A client, and what it is made from.
pub(super) struct Client {
    tls: Tls,
    proxy: Option<String>,
    connect: Duration,
    /// Whether a proxy is reached over TLS, whatever is asked through it.
    has_tls_proxy: bool,
    made: Option<(Files, reqwest::Client)>,
}

/// What a client is made from: the contents of files, and whether they are for TLS at all. Reading
/// the machine's own certificates takes milliseconds and a megabyte.
#[derive(PartialEq, Eq)]
struct Files {
    is_tls: bool,
    ca: Option<Secret>,
    identity: Option<Secret>,
}

impl Client {
    /// For one origin: the client certificate in `tls` is shown to whatever is asked.
    pub(super) fn new(tls: Tls, proxy: Option<String>, connect: Duration) -> Self {
        let has_tls_proxy = proxy.as_deref().is_some_and(is_https) || environment_has_tls_proxy();
        Self { tls, proxy, connect, has_tls_proxy, made: None }
    }

    /// The client for an address, with what the files hold now.
    pub(super) fn get(&mut self, url: &Url) -> Result<reqwest::Client, SourceError> {
        let files = self.files(self.has_tls_proxy || url.scheme() == "https")?;
        if let Some((from, client)) = &self.made
            && *from == files
        {
            return Ok(client.clone());
        }
        let client = self.make(&files).map_err(|error| SourceError::Tls {
            place: origin::shown(url),
            source: error.without_url().into(),
        })?;
        self.made = Some((files, client.clone()));
        Ok(client)
    }

    /// Whether it has what TLS takes.
    pub(super) fn is_with_tls(&self) -> bool {
        self.made.as_ref().is_some_and(|(files, _)| files.is_tls)
    }

    /// Ends the connections: what is asked next gets a new one.
    pub(super) fn end_connections(&mut self) {
        self.made = None;
    }

    fn files(&self, is_tls: bool) -> Result<Files, SourceError> {
        let ca = self.tls.ca_file.as_ref().map(|path| read("the CA file", path)).transpose()?;
        let cert = |path: &PathBuf| read("the client certificate", path);
        let certificate = self.tls.client_cert_file.as_ref().map(cert).transpose()?;
        let key = |path: &PathBuf| read("the client key", path);
        let key = self.tls.client_key_file.as_ref().map(key).transpose()?;
        let identity = certificate.map(|certificate| {
            let key = key.as_ref().map_or("", Secret::expose);
            Secret::new(format!("{}\n{key}\n", certificate.expose()))
        });
        Ok(Files { is_tls, ca, identity })
    }

    fn make(&self, files: &Files) -> Result<reqwest::Client, reqwest::Error> {
        // the process may have installed a provider already; either is ours
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .http1_only()
            .gzip(false)
            .redirect(redirect::Policy::none())
            .connect_timeout(self.connect)
            .pool_idle_timeout(None)
            .pool_max_idle_per_host(1)
            .tcp_keepalive(Duration::from_secs(60));
        if !files.is_tls {
            builder = builder.tls_certs_only([]);
        } else if let Some(ca) = &files.ca {
            let certificates = Certificate::from_pem_bundle(ca.expose().as_bytes())?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(identity) = &files.identity {
            builder = builder.identity(Identity::from_pem(identity.expose().as_bytes())?);
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(Proxy::all(proxy)?);
        }
        builder.build()
    }
}

fn is_https(address: &str) -> bool {
    address.starts_with("https:")
}

/// The variables that reqwest takes a proxy for `http` addresses from.
fn environment_has_tls_proxy() -> bool {
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|address| is_https(&address)))
}
