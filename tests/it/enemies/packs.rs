//! Packs that git would not make, put together by hand (gitformat-pack(5)).

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};

const BLOB: u8 = 3;
/// A difference to the object that is named by its id.
const DIFFERENCE: u8 = 7;

/// Two files, and a difference of the second that gives the first again.
pub(super) fn that_gives_what_it_has() -> Vec<u8> {
    let (one, other) = (b"one: 1\n", b"other: 2\n");
    pack(&[blob(one), blob(other), difference(&id(other), other.len(), one)])
}

/// A difference to a file of these bytes, which is not in the pack.
pub(super) fn to_what_it_has_not(base: &[u8]) -> Vec<u8> {
    pack(&[difference(&id(base), base.len(), b"new: 1\n")])
}

fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("few").to_be_bytes();
    let mut pack = [&b"PACK\0\0\0\x02"[..], &count, &entries.concat()].concat();
    let checksum = digest(&SHA1, &pack);
    pack.extend(checksum.as_ref());
    pack
}

fn id(blob: &[u8]) -> Vec<u8> {
    let bytes = [format!("blob {}\0", blob.len()).as_bytes(), blob].concat();
    digest(&SHA1, &bytes).as_ref().to_vec()
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    [head(BLOB, bytes.len()), deflated(bytes)].concat()
}

/// All of `result` is new in it.
fn difference(base: &[u8], base_length: usize, result: &[u8]) -> Vec<u8> {
    let length = |length: usize| u8::try_from(length).ok().filter(|it| *it < 128).expect("short");
    let told =
        [&[length(base_length), length(result.len()), length(result.len())], result].concat();
    [head(DIFFERENCE, told.len()), base.to_vec(), deflated(&told)].concat()
}

fn head(kind: u8, length: usize) -> Vec<u8> {
    let low = u8::try_from(length & 15).expect("four bits");
    let high = u8::try_from(length >> 4).ok().filter(|it| *it < 128).expect("short");
    if high == 0 { vec![kind << 4 | low] } else { vec![1 << 7 | kind << 4 | low, high] }
}

/// As zlib has it (RFC 1950), in one block that is not compressed.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let checksum = (b << 16 | a).to_be_bytes();
    let (length, inverse) = (length.to_le_bytes(), (!length).to_le_bytes());
    [&b"\x78\x01\x01"[..], &length, &inverse, bytes, &checksum].concat()
}
