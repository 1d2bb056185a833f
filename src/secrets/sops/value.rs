use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::super::SOPS_MARK;

/// SOPS takes nonces of 32 bytes, which is why this is not ring's AES.
type Cipher = AesGcm<Aes256, U32>;

const NONCE: usize = 32;
const TAG: usize = 16;

/// What a value was before it was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Float,
    Bool,
    Time,
    Comment,
}

/// A value, decrypted.
pub(super) struct Opened {
    pub(super) text: Zeroizing<String>,
    pub(super) kind: Kind,
}

/// Decrypts `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, bound to `place`.
///
/// # Errors
/// Why it cannot be; the value is not in it.
pub(super) fn open(sealed: &str, key: &[u8; 32], place: &str) -> Result<Opened, &'static str> {
    const FORM: &str = "it is not what SOPS writes";
    let parts = sealed.trim().strip_prefix(SOPS_MARK).and_then(|it| it.strip_suffix(']'));
    let mut parts = parts.ok_or(FORM)?.split(',');
    let mut part = |name: &str| {
        parts.next().and_then(|it| it.strip_prefix(name)?.strip_prefix(':')).ok_or(FORM)
    };
    let (data, nonce, tag, kind) = (part("data")?, part("iv")?, part("tag")?, part("type")?);
    let read = |text: &str| STANDARD.decode(text).map_err(|_| FORM);
    let mut data = Zeroizing::new(read(data)?);
    let nonce: [u8; NONCE] = read(nonce)?.try_into().map_err(|_| FORM)?;
    let tag: [u8; TAG] = read(tag)?.try_into().map_err(|_| FORM)?;
    let kind = match kind {
        "str" | "bytes" => Kind::Text,
        "int" | "int64" => Kind::Integer,
        "float" => Kind::Float,
        "bool" => Kind::Bool,
        "time" => Kind::Time,
        "comment" => Kind::Comment,
        _ => return Err("its type is not known"),
    };
    Cipher::new(key.into())
        .decrypt_in_place_detached(
            &nonce.into(),
            place.as_bytes(),
            &mut data,
            &Tag::<aes_gcm::aead::consts::U16>::from(tag),
        )
        .map_err(|_| "it was changed, or moved from another key")?;
    let text = String::from_utf8(std::mem::take(&mut *data)).map(Zeroizing::new);
    Ok(Opened { text: text.map_err(|_| "it is not UTF-8")?, kind })
}
