use std::io::{self, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kconfigd::clock::{Clock as _, SystemClock};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use serde_json::{Value, json};

use super::http::{Handler, HttpServer, Next, Request, Traffic, header, write_whole};

/// A key that an issuer signs with. Written from RFC 7515, 7517 and 7518, not from the program.
pub(crate) enum SigningKey {
    Rsa(Box<RsaKeyPair>, String),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key that tokens of this algorithm are signed with.
    pub(crate) fn new(algorithm: &str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |kind| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
            EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).expect("a key")
        };
        match algorithm {
            "ES256" => Self::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Self::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            "EdDSA" => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"))
            }
            _ => {
                let pem = openssl(
                    &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                    b"",
                );
                let der = openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], &pem);
                let public = openssl(&["pkey", "-pubout"], &pem);
                let pair = RsaKeyPair::from_pkcs8(&der).expect("a key of openssl");
                Self::Rsa(Box::new(pair), String::from_utf8(public).expect("PEM"))
            }
        }
    }

    /// The public key as a member of a key set.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(pair, _) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": encoded(&parts.n), "e": encoded(&parts.e)})
            }
            Self::P256(pair) => point(pair, "P-256"),
            Self::P384(pair) => point(pair, "P-384"),
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = id.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// The public key in PEM; of those that there is a way to write it for.
    pub(crate) fn pem(&self) -> String {
        match self {
            Self::Rsa(_, pem) => pem.clone(),
            Self::P256(pair) => {
                let head = [
                    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
                ];
                let der = [&head[..], pair.public_key().as_ref()].concat();
                let text = STANDARD.encode(der);
                format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
            }
            Self::P384(_) | Self::Ed25519(_) => panic!("no test needs this"),
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, algorithm: &str, id: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm, "kid": id, "typ": "JWT"}).to_string();
        let signed =
            format!("{}.{}", encoded(header.as_bytes()), encoded(claims.to_string().as_bytes()));
        format!("{signed}.{}", encoded(&self.sign(algorithm, signed.as_bytes())))
    }

    fn sign(&self, algorithm: &str, bytes: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair, _) => {
                let padding: &dyn ring::signature::RsaEncoding = match algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, bytes, &mut signature).expect("a signature");
                signature
            }
            Self::P256(pair) | Self::P384(pair) => {
                pair.sign(&random, bytes).expect("a signature").as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(bytes).as_ref().to_vec(),
        }
    }
}

fn point(pair: &EcdsaKeyPair, curve: &str) -> Value {
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y)})
}

/// Seconds since 1970, as claims have them.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemClock.now().seconds()).unwrap_or_default()
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    use std::process::Stdio;
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    child.stdin.take().expect("its input").write_all(input).expect("its input is read");
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success() && !output.stdout.is_empty(), "openssl {arguments:?}");
    output.stdout
}

/// How an issuer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// It answers 503.
    Down,
    /// It never answers.
    Silent,
    /// It sends whoever asks for keys to another address.
    Elsewhere(String),
    /// Its key set never ends.
    Endless,
}

struct State {
    keys: Vec<Value>,
    health: Health,
    /// What it calls itself; empty: what it is.
    name: String,
    asked: Vec<String>,
    port: u16,
}

/// An OpenID Connect issuer with a description and a key set.
pub(crate) struct Issuer {
    state: Arc<Mutex<State>>,
    server: HttpServer,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            keys: Vec::new(),
            health: Health::Well,
            name: String::new(),
            asked: Vec::new(),
            port: 0,
        }));
        let handler = Arc::new(Answering(Arc::clone(&state)));
        let server = HttpServer::start(0, None, Arc::<Traffic>::default(), handler);
        lock(&state).port = server.port();
        Self { state, server }
    }

    /// What its tokens call it.
    pub(crate) fn name(&self) -> String {
        format!("http://127.0.0.1:{}/realm", self.server.port())
    }

    pub(crate) fn keys_url(&self) -> String {
        format!("{}/keys", self.name())
    }

    pub(crate) fn gives(&self, keys: &[Value]) {
        lock(&self.state).keys = keys.to_vec();
    }

    pub(crate) fn is(&self, health: Health) {
        lock(&self.state).health = health;
    }

    pub(crate) fn calls_itself(&self, name: &str) {
        lock(&self.state).name = name.to_owned();
    }

    /// The paths that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.state).asked.clone()
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Answering(Arc<Mutex<State>>);

impl Handler for Answering {
    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<Next> {
        let (health, body) = {
            let mut state = lock(&self.0);
            state.asked.push(request.target.clone());
            let own = format!("http://127.0.0.1:{}/realm", state.port);
            let body = match request.target.as_str() {
                "/realm/.well-known/openid-configuration" => {
                    let name = if state.name.is_empty() { &own } else { &state.name };
                    json!({"issuer": name, "jwks_uri": format!("{own}/keys")})
                }
                _ => json!({"keys": state.keys}),
            };
            (state.health.clone(), body)
        };
        let json = header("content-type", "application/json");
        match health {
            Health::Well => write_whole(out, 200, &[json], body.to_string().as_bytes())?,
            Health::Down => write_whole(out, 503, &[], b"")?,
            // The connection stays open, and nothing comes.
            Health::Silent => {}
            Health::Elsewhere(to) => write_whole(out, 302, &[header("location", to)], b"")?,
            Health::Endless => {
                out.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"keys\": [",
                )?;
                while out.write_all(&[b' '; 4096]).is_ok() {}
                return Ok(Next::Close);
            }
        }
        Ok(Next::Keep)
    }
}
