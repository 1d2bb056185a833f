//! Writes what age and SOPS write, small and simple, for tests: also for those of the program as a
//! whole, which take this file in.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use sha2::{Digest as _, Sha512};

/// A key pair of age, as age-keygen writes it.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) identity: &'static str,
    pub(crate) recipient: &'static str,
}

pub(crate) const ALICE: Pair = Pair {
    identity: "AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7",
    recipient: "age1lzd99uklcjnc0e7d860axevet2cz99ce9pq6tzuzd05l5nr28ams36nvun",
};
pub(crate) const BOB: Pair = Pair {
    identity: "AGE-SECRET-KEY-1432K5YRNSC44GC4986NXMX6GVZ52WTMT9C79CLUVWYY4DKDHD5JSNDP4MC",
    recipient: "age1afnrdrkyvy0sl5e08t9ffs4c7g5e5npc8luf7hjc77syewg5gajsls4r90",
};

const LAST_MODIFIED: &str = "2026-01-01T00:00:00Z";
const DATA_KEY: [u8; 32] = [7; 32];

fn public(recipient: &str) -> [u8; 32] {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = recipient.strip_prefix("age1").expect("a good test");
    let data = &data[..data.len() - 6];
    let bits = data.chars().flat_map(|c| {
        let value = ALPHABET.find(c).expect("a good test");
        (0..5).rev().map(move |bit| (value >> bit) & 1)
    });
    let bits: Vec<usize> = bits.collect();
    let bytes = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum * 2 + bit));
    bytes
        .map(|byte| u8::try_from(byte).expect("a good test"))
        .collect::<Vec<_>>()
        .try_into()
        .expect("a good test")
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    secret
        .expand(&[info], hkdf::HKDF_SHA256)
        .expect("a good test")
        .fill(&mut key)
        .expect("a good test");
    key
}

fn seal(key: &[u8; 32], nonce: [u8; 12], plain: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("a good test"));
    let mut bytes = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes)
        .expect("a good test");
    bytes
}

/// A file of age, not armored.
pub(crate) fn age(plain: &[u8], to: &[Pair]) -> Vec<u8> {
    let file_key = [3; 16];
    let mut out = "age-encryption.org/v1\n".to_owned();
    for (n, pair) in (1..).zip(to) {
        let ephemeral = [n; 32];
        let share = x25519_dalek::x25519(ephemeral, x25519_dalek::X25519_BASEPOINT_BYTES);
        let public = public(pair.recipient);
        let common = x25519_dalek::x25519(ephemeral, public);
        let wrap = derive(&[share, public].concat(), &common, b"age-encryption.org/v1/X25519");
        let body = STANDARD_NO_PAD.encode(seal(&wrap, [0; 12], &file_key));
        out.push_str(&format!("-> X25519 {}\n{body}\n", STANDARD_NO_PAD.encode(share)));
    }
    out.push_str("---");
    let mac = hmac::Key::new(hmac::HMAC_SHA256, &derive(&[], &file_key, b"header"));
    let mac = hmac::sign(&mac, out.as_bytes());
    out.push_str(&format!(" {}\n", STANDARD_NO_PAD.encode(mac)));
    let mut out = out.into_bytes();
    let nonce = [5; 16];
    out.extend(nonce);
    let key = derive(&nonce, &file_key, b"payload");
    let mut chunks: Vec<&[u8]> = plain.chunks(64 * 1024).collect();
    if chunks.is_empty() {
        chunks.push(b"");
    }
    for (n, chunk) in chunks.iter().enumerate() {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&(n as u64).to_be_bytes());
        nonce[11] = u8::from(n + 1 == chunks.len());
        out.extend(seal(&key, nonce, chunk));
    }
    out
}

pub(crate) fn armored(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        (0..encoded.len()).step_by(64).map(|at| &encoded[at..encoded.len().min(at + 64)]).collect();
    let body = lines.join("\n");
    format!("-----BEGIN AGE ENCRYPTED FILE-----\n{body}\n-----END AGE ENCRYPTED FILE-----\n")
}

/// A value as SOPS writes it.
pub(crate) fn value(plain: &str, kind: &str, place: &str) -> String {
    let cipher = aes_gcm::AesGcm::<Aes256, U32>::new(&DATA_KEY.into());
    let nonce = [9; 32];
    let mut bytes = plain.as_bytes().to_vec();
    let tag = cipher
        .encrypt_in_place_detached(&nonce.into(), place.as_bytes(), &mut bytes)
        .expect("a good test");
    let [data, nonce, tag] =
        [&bytes[..], &nonce, tag.as_slice()].map(|bytes| STANDARD.encode(bytes));
    format!("ENC[AES256_GCM,data:{data},iv:{nonce},tag:{tag},type:{kind}]")
}

/// The MAC over plain values in their order, as the section has it.
pub(crate) fn mac(values: &[&str]) -> String {
    let mut hash = Sha512::new();
    values.iter().for_each(|value| hash.update(value.as_bytes()));
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
    value(&hash, "str", LAST_MODIFIED)
}

/// The `sops` section of a YAML file; `more` are further lines of it.
pub(crate) fn section(to: &[Pair], mac: &str, more: &str) -> String {
    let mut out = "sops:\n    age:\n".to_owned();
    for pair in to {
        out.push_str(&format!("        - recipient: {}\n          enc: |\n", pair.recipient));
        for line in armored(&age(&DATA_KEY, &[*pair])).lines() {
            out.push_str(&format!("            {line}\n"));
        }
    }
    if to.is_empty() {
        out = "sops:\n    age: []\n".to_owned();
    }
    let more: String = more.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "{out}    lastmodified: \"{LAST_MODIFIED}\"\n    mac: {mac}\n{more}    version: 3.9.0\n"
    )
}

/// A YAML file of texts under keys at its top, all encrypted.
pub(crate) fn yaml(pairs: &[(&str, &str)], to: &[Pair]) -> String {
    let values: Vec<&str> = pairs.iter().map(|(_, value)| *value).collect();
    let lines: String = pairs
        .iter()
        .map(|(key, plain)| format!("{key}: {}\n", value(plain, "str", &format!("{key}:"))))
        .collect();
    lines + &section(to, &mac(&values), "unencrypted_suffix: _unencrypted")
}

/// A JSON file of texts under keys at its top, all encrypted.
pub(crate) fn json(pairs: &[(&str, &str)], to: &[Pair]) -> String {
    let values: Vec<&str> = pairs.iter().map(|(_, value)| *value).collect();
    let mut document = serde_json::Map::new();
    for (key, plain) in pairs {
        document.insert((*key).to_owned(), value(plain, "str", &format!("{key}:")).into());
    }
    let age: Vec<_> = to
        .iter()
        .map(|pair| {
            let enc = armored(&age(&DATA_KEY, &[*pair]));
            serde_json::json!({"recipient": pair.recipient, "enc": enc})
        })
        .collect();
    let section = serde_json::json!({
        "kms": null, "age": age, "lastmodified": LAST_MODIFIED, "mac": mac(&values),
        "pgp": null, "unencrypted_suffix": "_unencrypted", "version": "3.9.0",
    });
    document.insert("sops".to_owned(), section);
    serde_json::to_string_pretty(&document).expect("a good test")
}

/// A dotenv file, all encrypted.
pub(crate) fn dotenv(pairs: &[(&str, &str)], to: &[Pair]) -> String {
    let values: Vec<&str> = pairs.iter().map(|(_, value)| *value).collect();
    let mut out = format!("#{}\n", value("a comment", "comment", ""));
    for (key, plain) in pairs {
        out.push_str(&format!("{key}={}\n", value(plain, "str", &format!("{key}:"))));
    }
    for (n, pair) in to.iter().enumerate() {
        let enc = armored(&age(&DATA_KEY, &[*pair])).replace('\n', "\\n");
        out.push_str(&format!("sops_age__list_{n}__map_enc={enc}\n"));
        out.push_str(&format!("sops_age__list_{n}__map_recipient={}\n", pair.recipient));
    }
    let mac = mac(&values);
    out + &format!(
        "sops_lastmodified={LAST_MODIFIED}\nsops_mac={mac}\nsops_unencrypted_suffix=_unencrypted\nsops_version=3.9.0\n"
    )
}
