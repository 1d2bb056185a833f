//! TLS towards those who call: the certificate of the settings, read again when its files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::access::lock;
use super::stamp::Stamp;
use crate::config::{ServerTls, Settings};

/// How long a client may take to agree on keys.
pub(super) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a file with certificates or a key.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path}: {problem}", path = path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What the files hold does not belong together.
    #[error("the certificate cannot be used: {0}")]
    Config(#[from] rustls::Error),
}

/// The TLS of the settings.
#[derive(Clone)]
pub(super) struct Tls {
    settings: watch::Receiver<Arc<Settings>>,
    made: Arc<Mutex<Option<Made>>>,
}

struct Made {
    of: Of,
    acceptor: TlsAcceptor,
    /// What was complained of last.
    complained: Option<Of>,
}

/// Settings, and the files that they name.
type Of = (ServerTls, Vec<Option<Stamp>>);

impl Tls {
    /// The TLS of the settings, where they want it.
    pub(super) fn new(settings: watch::Receiver<Arc<Settings>>) -> Result<Option<Self>, TlsError> {
        let is_wanted = settings.borrow().api.tls.is_some();
        let tls = Self { settings, made: Arc::default() };
        if is_wanted {
            // What cannot be used is told at the start.
            tls.acceptor()?;
        }
        Ok(is_wanted.then_some(tls))
    }

    /// What takes connections now. Files that cannot be used any more leave what was made before.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let wanted = self.settings.borrow().api.tls.clone();
        let mut made = lock(&self.made);
        let Some(wanted) = wanted.or_else(|| made.as_ref().map(|made| made.of.0.clone())) else {
            return Err(TlsError::Config(rustls::Error::NoCertificatesPresented));
        };
        let stamps = files(&wanted).into_iter().map(Stamp::of).collect();
        let of = (wanted, stamps);
        if let Some(made) = made.as_ref().filter(|made| made.of == of) {
            return Ok(made.acceptor.clone());
        }
        match (config(&of.0), made.as_mut()) {
            (Ok(config), _) => {
                let acceptor = TlsAcceptor::from(Arc::new(config));
                *made = Some(Made { of, acceptor: acceptor.clone(), complained: None });
                Ok(acceptor)
            }
            (Err(error), Some(before)) => {
                if before.complained.as_ref() != Some(&of) {
                    tracing::error!(%error, "the new certificate cannot be used: the one before stays");
                    before.complained = Some(of.clone());
                }
                // What could not be read is read again: nothing of the files has to change for that.
                if !matches!(error, TlsError::File { .. }) {
                    before.of = of;
                }
                Ok(before.acceptor.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

fn files(tls: &ServerTls) -> Vec<&Path> {
    let authority = tls.client_ca_file.as_deref();
    [Some(tls.cert_file.as_path()), Some(&tls.key_file), authority].into_iter().flatten().collect()
}

/// Whether what the settings name could be shown to clients now.
///
/// # Errors
/// Why not.
pub fn can_be_used(tls: &ServerTls) -> Result<(), TlsError> {
    config(tls).map(drop)
}

fn config(tls: &ServerTls) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| content(path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let shown = certificates(&tls.cert_file)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key_file)?)
        .map_err(|error| content(&tls.key_file, format!("holds no private key in PEM: {error}")))?;
    let mut config = builder.with_single_cert(shown, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| content(path, error.to_string()))?;
    if found.is_empty() {
        return Err(content(path, "holds no certificate in PEM".to_owned()));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    Ok(bytes)
}

fn content(path: &Path, problem: String) -> TlsError {
    TlsError::Content { path: path.to_owned(), problem }
}

/// A connection that is encrypted, and the certificate that the client showed, verified.
#[derive(Clone, Debug)]
pub(super) struct Encrypted(pub(super) Option<CertificateDer<'static>>);

impl Encrypted {
    /// Whether the client's certificate is for this name.
    pub(super) fn is_for(&self, name: &str) -> bool {
        let Some(certificate) = &self.0 else { return false };
        let (Ok(name), Ok(certificate)) =
            (ServerName::try_from(name), webpki::EndEntityCert::try_from(certificate))
        else {
            return false;
        };
        certificate.verify_is_valid_for_subject_name(&name).is_ok()
    }
}
