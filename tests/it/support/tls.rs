use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A private certificate authority, with a certificate for 127.0.0.1 and localhost and one for a
/// client.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// Makes one and writes `ca.pem`, `client.pem` and `client.key` into `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a private authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a root certificate");
        let authority = Self { issuer, folder: folder.to_owned() };
        let (certificate, key) = authority.certificate("client");
        std::fs::write(authority.ca_file(), authority.issuer.pem()).expect("ca.pem");
        std::fs::write(authority.client_cert_file(), certificate.pem()).expect("client.pem");
        std::fs::write(authority.client_key_file(), key.serialize_pem()).expect("client.key");
        authority
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn client_cert_file(&self) -> PathBuf {
        self.folder.join("client.pem")
    }

    pub(crate) fn client_key_file(&self) -> PathBuf {
        self.folder.join("client.key")
    }

    /// What a server needs; with `client_certificate`, it takes nobody without one of ours.
    pub(crate) fn server(&self, client_certificate: bool) -> Arc<ServerConfig> {
        let (certificate, key) = self.certificate("server");
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("protocol versions");
        let builder = if client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("our root");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = builder
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Writes a new certificate for a server as `<name>.pem` and its key as `<name>.key`.
    pub(crate) fn write_server(&self, folder: &Path, name: &str) {
        let (certificate, key) = self.certificate(name);
        let write = |ending: &str, text: String| {
            let file = folder.join(format!("{name}.{ending}"));
            let beside = file.with_extension("new");
            std::fs::write(&beside, text).expect("a file");
            std::fs::rename(beside, file).expect("a file");
        };
        write("key", key.serialize_pem());
        write("pem", certificate.pem());
    }

    fn certificate(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate, key)
    }
}
