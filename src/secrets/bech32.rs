//! Bech32 (BIP 173) without its limit of 90 characters, as age writes keys.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const CHECKSUM_LEN: usize = 6;

fn polymod(sum: u32, value: u8) -> u32 {
    let top = sum >> 25;
    let sum = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
    GENERATOR.iter().enumerate().fold(sum, |sum, (bit, generator)| {
        if (top >> bit) & 1 == 1 { sum ^ generator } else { sum }
    })
}

fn checksum(prefix: &str, data: impl Iterator<Item = u8>) -> u32 {
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).chain(data).fold(1, polymod)
}

/// The 32 bytes behind `prefix`, which is in lower case; `text` is in one case.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mixed = text.bytes().any(|b| b.is_ascii_lowercase())
        && text.bytes().any(|b| b.is_ascii_uppercase());
    let text = Zeroizing::new(text.to_ascii_lowercase());
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let place = |byte: u8| ALPHABET.iter().position(|c| *c == byte);
    let values: Option<Vec<u8>> =
        data.bytes().map(|byte| place(byte).and_then(|at| u8::try_from(at).ok())).collect();
    let values = Zeroizing::new(values?);
    if mixed || checksum(prefix, values.iter().copied()) != 1 {
        return None;
    }
    let values = values.get(..values.len().checked_sub(CHECKSUM_LEN)?)?;
    let mut out = Zeroizing::new([0; 32]);
    let (mut held, mut bits, mut at) = (0_u32, 0, 0);
    for value in values {
        held = (held << 5) | u32::from(*value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *out.get_mut(at)? = u8::try_from((held >> bits) & 0xff).ok()?;
            held &= (1 << bits) - 1;
            at += 1;
        }
    }
    (at == out.len() && bits < 5 && held == 0).then_some(out)
}

/// `prefix` and 32 bytes, in lower case.
pub(super) fn encode(prefix: &str, bytes: &[u8; 32]) -> String {
    let mut values = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            values.push(five(held >> bits));
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        values.push(five(held << (5 - bits)));
    }
    let sum = checksum(prefix, values.iter().copied().chain([0; CHECKSUM_LEN])) ^ 1;
    values.extend((0..CHECKSUM_LEN).rev().map(|n| five(sum >> (5 * n))));
    let data = values.iter().filter_map(|v| ALPHABET.get(usize::from(*v))).map(|b| char::from(*b));
    format!("{prefix}1{}", data.collect::<String>())
}

fn five(value: u32) -> u8 {
    (value & 31).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_of_age_keygen_is_read() {
        let text = "AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7";
        let bytes = decode("age-secret-key-", text).unwrap();
        assert_eq!(encode("age-secret-key-", &bytes).to_uppercase(), text);
    }

    proptest! {
        #[test]
        fn keys_round_trip_and_a_wrong_character_is_found(
            bytes: [u8; 32], at in 4_usize..60, other in 0_usize..32,
        ) {
            let text = encode("age", &bytes);
            prop_assert_eq!(*decode("age", &text).unwrap(), bytes);
            let mut wrong = text.clone().into_bytes();
            wrong[at] = ALPHABET[other];
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(decode("age", &wrong).is_some(), wrong == text);
        }
    }
}
