use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;

use super::backend::Backend;
use super::*;
use crate::model::Reason;
use crate::source::SourceError;

/// Files of a private authority, and of a client that it vouches for.
struct Authority {
    ca_file: PathBuf,
    cert_file: PathBuf,
    key_file: PathBuf,
    server: Arc<ServerConfig>,
}

fn authority(folder: &Path) -> Authority {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let issued = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = issued("localhost");
    let (client, client_key) = issued("client");
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let private = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let server = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], private)
        .unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    Authority {
        ca_file: file("ca.pem", root.pem()),
        cert_file: file("client.pem", client.pem()),
        key_file: file("client.key", client_key.serialize_pem()),
        server: Arc::new(server),
    }
}

#[test]
fn a_private_authority_and_a_client_certificate_are_used_and_read_again() {
    let place = Place::new();
    let first = place.commit("a", "1");
    place.push();
    let authority = authority(place.folder.path());
    let served = place.folder.path().join("served");
    let backend = Backend::start_with(&served, Some(authority.server));
    let url = Location::Http(format!("{}/config.git", backend.url));
    let mut with = settings(url, Reference::Head);
    let error = place.remote_with(&with).ask().unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "nobody vouches for it: {error}");
    with.tls.ca_file = Some(authority.ca_file);
    assert!(place.remote_with(&with).ask().is_err(), "it wants to see a certificate");
    with.tls.client_cert_file = Some(authority.cert_file.clone());
    with.tls.client_key_file = Some(authority.key_file);
    let mut remote = place.remote_with(&with);
    assert_eq!(ask(&mut remote).revision, first);
    let mirror = place.mirror();
    remote.fetch(&Head::of(first.clone()), None, &mirror, &|| {}).unwrap();
    let taken = backend.taken();
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|one| one.connection == taken[0].connection), "it is kept");
    let good = fs::read_to_string(&authority.cert_file).unwrap();
    fs::write(&authority.cert_file, "not a certificate\n").unwrap();
    assert!(matches!(remote.ask(), Err(SourceError::Tls { .. })));
    fs::remove_file(&authority.cert_file).unwrap();
    assert_eq!(remote.ask().unwrap_err().reason(), Reason::CredentialsRefused);
    fs::write(&authority.cert_file, good).unwrap();
    assert_eq!(ask(&mut remote).revision, first);
}
