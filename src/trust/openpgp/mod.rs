//! OpenPGP (RFC 9580), as far as signatures need it: keys of version 4, their certifications,
//! expiry and revocation, and detached signatures of version 4.
//!
//! Supported are RSA from 2048 bits, Ed25519, and ECDSA over P-256 and P-384, with SHA-2: what
//! `ring` verifies. Nothing is decrypted here, and nothing is signed.

mod certificate;
mod packet;
mod signature;

pub(super) use certificate::{Certificate, Standing, read as read_keyring};
pub(super) use signature::Signature;

#[cfg(test)]
mod tests;
