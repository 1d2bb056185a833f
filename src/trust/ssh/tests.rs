//! What ssh-keygen cannot make without a device, and what it would not make.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};

use super::*;

const MESSAGE: &[u8] = b"what is signed";
const DEVICE: [u8; 5] = [1, 0, 0, 0, 42];

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|part| put(&mut out, part));
    out
}

/// What is signed for a message.
fn signed(namespace: &str, hash: &str) -> Vec<u8> {
    let digest = Sha512::digest(MESSAGE);
    [MAGIC, &joined(&[namespace.as_bytes(), b"", hash.as_bytes(), &digest])].concat()
}

fn text(key: &[u8], namespace: &str, hash: &str, algorithm: &str, rest: &[u8]) -> String {
    let signature = [&joined(&[algorithm.as_bytes()]), rest].concat();
    let parts = joined(&[key, namespace.as_bytes(), b"", hash.as_bytes(), &signature]);
    let bytes = [MAGIC, &1_u32.to_be_bytes(), &parts].concat();
    let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("-----BEGIN SSH SIGNATURE-----\n{base64}\n-----END SSH SIGNATURE-----\n")
}

fn owner() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn verify(text: &str) -> Result<(), Wrong> {
    SshSignature::read(text).unwrap().verify(MESSAGE)
}

#[test]
fn a_device_with_ed25519_signs_its_counter_and_its_application_too() {
    const KIND: &str = "sk-ssh-ed25519@openssh.com";
    let owner = owner();
    let key = joined(&[KIND.as_bytes(), owner.public_key().as_ref(), b"ssh:"]);
    let message = signed("git", "sha512");
    let parts = [&Sha256::digest(b"ssh:")[..], &DEVICE, &Sha256::digest(&message)[..]].concat();
    let signature = owner.sign(&parts);
    let with = |device: &[u8]| {
        let rest = [&joined(&[signature.as_ref()]), device].concat();
        text(&key, "git", "sha512", KIND, &rest)
    };
    assert_eq!(verify(&with(&DEVICE)), Ok(()));
    assert_eq!(verify(&with(&[1, 0, 0, 0, 43])), Err(Wrong::Forged));
    assert_eq!(verify(&with(&[0, 0, 0, 0, 42])), Err(Wrong::Forged));
    assert_eq!(SshSignature::read(&with(&DEVICE[..4])).unwrap_err(), "it ends early");
    assert_eq!(SshSignature::read(&with(&[0; 6])).unwrap_err(), "something follows it");
    assert!(SshKey::read(key).unwrap().shown().starts_with("ED25519-SK key SHA256:"));
}

#[test]
fn a_device_with_ecdsa_signs_them_too() {
    const KIND: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
    let (chance, how) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(how, &chance).unwrap();
    let owner = EcdsaKeyPair::from_pkcs8(how, pkcs8.as_ref(), &chance).unwrap();
    let key = joined(&[KIND.as_bytes(), b"nistp256", owner.public_key().as_ref(), b"ssh:"]);
    let message = signed("git", "sha512");
    let parts = [&Sha256::digest(b"ssh:")[..], &DEVICE, &Sha256::digest(&message)[..]].concat();
    let signature = owner.sign(&chance, &parts).unwrap();
    let (r, s) = signature.as_ref().split_at(32);
    let number = |bytes: &[u8]| [&[0], bytes].concat();
    let pair = joined(&[&number(r), &number(s)]);
    let with =
        |device: &[u8]| text(&key, "git", "sha512", KIND, &[&joined(&[&pair]), device].concat());
    assert_eq!(verify(&with(&DEVICE)), Ok(()));
    assert_eq!(verify(&with(&[5, 0, 0, 0, 42])), Err(Wrong::Forged));
}

#[test]
fn the_namespace_and_the_hash_are_part_of_what_is_signed() {
    let owner = owner();
    let key = joined(&[b"ssh-ed25519", owner.public_key().as_ref()]);
    let signature = owner.sign(&signed("file", "sha512"));
    let with = |namespace, hash| {
        text(&key, namespace, hash, "ssh-ed25519", &joined(&[signature.as_ref()]))
    };
    assert_eq!(verify(&with("file", "sha512")), Ok(()));
    assert_eq!(verify(&with("git", "sha512")), Err(Wrong::Forged));
    assert_eq!(verify(&with("file", "sha256")), Err(Wrong::Forged));
    assert!(matches!(verify(&with("file", "sha1")), Err(Wrong::Unsupported(_))));
}

#[test]
fn rsa_with_sha_1_and_algorithms_of_another_key_are_refused() {
    let rsa = joined(&[b"ssh-rsa", &[1, 0, 1], &[0x7F; 256]]);
    let old = text(&rsa, "git", "sha512", "ssh-rsa", &joined(&[&[1; 256]]));
    assert!(matches!(verify(&old), Err(Wrong::Unsupported(_))));
    let short = joined(&[b"ssh-rsa", &[1, 0, 1], &[0x7F; 128]]);
    let short = text(&short, "git", "sha512", "rsa-sha2-512", &joined(&[&[1; 128]]));
    assert_eq!(verify(&short), Err(Wrong::Unsupported("an RSA key of 1024 bits".into())));
    let key = joined(&[b"ssh-ed25519", &[1; 32]]);
    let other = text(&key, "git", "sha512", "rsa-sha2-512", &joined(&[&[1; 64]]));
    assert_eq!(verify(&other), Err(Wrong::Forged));
}

#[test]
fn what_is_no_signature_says_so() {
    let certificate = joined(&[b"ssh-ed25519-cert-v01@openssh.com", &[1; 32]]);
    let text = text(&certificate, "git", "sha512", "ssh-ed25519", &joined(&[&[1; 64]]));
    assert!(SshSignature::read(&text).unwrap_err().contains("certificate"));
    assert!(SshSignature::read(&text.repeat(2)).unwrap_err().contains("exactly one"));
    assert!(SshSignature::read("").unwrap_err().contains("exactly one"));
    let cut = text.replace("-----END", "----END");
    assert_eq!(SshSignature::read(&cut).unwrap_err(), "it has a beginning and no end");
}

/// An RSA key's modulus and what it signed with SHA-256, by `openssl dgst -sha256 -sign`: git takes
/// such signatures, and ssh-keygen makes those with SHA-512 alone.
const RSA_MODULUS: &str = "\
    tz+MoGUEpnOtRcXD0GMUqAziIaXHgo8Lh7Ul4AvC+cF/v9fomZ2/XatUkHBlYvNkSNAYkBfGt3xkPqSxzYT/k60u\
    K9AJGlUJtGT4KjPcxUC8P9kCMOyRkXJNl8dOdOAwjFImc9icleZyBT4BSBHMkMjlMgmUZ8UhNdABOlTni0BoMwdK\
    uio0Et1UxRifz3HrOi794Mw+ynTaPcQM6KaizilwNppF3wIAfhurWcV07cy8prbJorbJLWiGoenqXiAGT8+BgvH3\
    2w3St1gveBg+tt9sGBh55oTit58VHoDui7wQSr+NjmmGT+u6o+HO3ie94rkFysO0o7Yghsc+nyX8bw==";
const RSA_SIGNATURE: &str = "\
    jYw/IN01uvJm4NK0Exxx5O9MD67aplMlJdK/MlmEX7N/+/49wcmKdRW6J1wTb18QDG6Dr7pVGHgXVI/xHVelXMf7\
    2sS5TPOM1/vm5fkXjTmqvTq7+oFPyEauwpYCuX2sPyj0q6kCWLSDHxbwdLH6Y/JqezIXM+0ZCbh8k0H1pR9J07sr\
    bDh+Wy7h/nJX7e/CXM8OUw0hLeX0BIwlUfmJgbyt9/OlxwTd5okvajpkXgMUs8CrsRkdIq8/iBGw5NKN7/7sCXOP\
    rQc1bkLkQTpD7TklL4+HtFEy0NH+PI0hFaFJ2wZgmK5GX0YkgA4EuoVfLa7jErLSKUFj2V9RpixE4g==";

#[test]
fn rsa_signs_with_the_hash_that_its_algorithm_names() {
    let bytes = |text| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let modulus = [&[0][..], &bytes(RSA_MODULUS)].concat();
    let key = joined(&[b"ssh-rsa", &[1, 0, 1], &modulus]);
    let with = |algorithm| {
        let rest = joined(&[&bytes(RSA_SIGNATURE)]);
        verify(&text(&key, "git", "sha512", algorithm, &rest))
    };
    assert_eq!(with("rsa-sha2-256"), Ok(()));
    assert_eq!(with("rsa-sha2-512"), Err(Wrong::Forged));
}
