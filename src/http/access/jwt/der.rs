//! The public key inside a certificate or a key in PEM: as much of DER as that takes.

/// A public key by its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// The modulus and the exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    /// A point of P-384, uncompressed.
    P384(Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
/// `[0]`, where a certificate says its version.
const VERSION: u8 = 0xa0;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ON_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ON_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The key of a `SubjectPublicKeyInfo` (RFC 5280, section 4.1; RFC 8410).
pub(super) fn of_public_key(der: &[u8]) -> Option<PublicKey> {
    let mut info = Reader(der).inner(SEQUENCE)?;
    let mut algorithm = info.inner(SEQUENCE)?;
    let kind = algorithm.take(OID)?;
    let (unused, key) = info.take(BIT_STRING)?.split_first()?;
    if *unused != 0 {
        return None;
    }
    match kind {
        RSA => of_rsa(key),
        ED25519 => Some(PublicKey::Ed25519(key.to_vec())),
        ELLIPTIC => match algorithm.take(OID)? {
            ON_P256 => Some(PublicKey::P256(key.to_vec())),
            ON_P384 => Some(PublicKey::P384(key.to_vec())),
            _ => None,
        },
        _ => None,
    }
}

/// The key of an `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn of_rsa(der: &[u8]) -> Option<PublicKey> {
    let mut key = Reader(der).inner(SEQUENCE)?;
    let mut number = || Some(without_zeros(key.take(INTEGER)?).to_vec());
    Some(PublicKey::Rsa { n: number()?, e: number()? })
}

/// The key of a certificate (RFC 5280, section 4.1). Nothing else of it counts.
pub(super) fn of_certificate(der: &[u8]) -> Option<PublicKey> {
    let mut certificate = Reader(der).inner(SEQUENCE)?.inner(SEQUENCE)?;
    if certificate.0.first() == Some(&VERSION) {
        certificate.take(VERSION)?;
    }
    certificate.take(INTEGER)?;
    // How it is signed, by whom, how long it is valid, and whose it is.
    for _ in 0..4 {
        certificate.take(SEQUENCE)?;
    }
    of_public_key(certificate.0)
}

/// A number without what stands before it, as JWK and ring have it.
pub(super) fn without_zeros(number: &[u8]) -> &[u8] {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(first..).unwrap_or_default()
}

struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// What the next value holds, where it is of this kind.
    fn take(&mut self, kind: u8) -> Option<&'d [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(*length) {
            short @ 0..0x80 => (short, rest),
            long => {
                let (digits, rest) = rest.split_at_checked(long - 0x80)?;
                if digits.len() > 4 {
                    return None;
                }
                (digits.iter().fold(0, |all, digit| all << 8 | usize::from(*digit)), rest)
            }
        };
        let (value, after) = rest.split_at_checked(length)?;
        self.0 = after;
        (*found == kind).then_some(value)
    }

    fn inner(&mut self, kind: u8) -> Option<Self> {
        self.take(kind).map(Self)
    }
}
