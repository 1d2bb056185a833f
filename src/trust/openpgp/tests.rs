//! What gpg does not make by itself: keys built by hand, each with one thing wrong.

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::packet::{Key, Material, packets};
use super::*;
use crate::trust::ssh::Wrong;
use crate::trust::time::Span;

const MADE: u32 = 1_700_000_000;
const DATA: &[u8] = b"what is signed";

/// A key of ours that can sign.
struct Owner(Ed25519KeyPair);

impl Owner {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn body(&self) -> Vec<u8> {
        [&[4], &MADE.to_be_bytes()[..], &[27], self.0.public_key().as_ref()].concat()
    }

    fn key(&self) -> Key {
        Key::read(&self.body()).unwrap()
    }

    /// A signature's packet: its kind, hash and covered parts, over some data.
    fn sign(&self, kind: u8, hash: u8, parts: &[(u8, &[u8])], data: &[u8]) -> Vec<u8> {
        let parts = parts_of(parts);
        let length = u16::try_from(parts.len()).unwrap().to_be_bytes();
        let hashed = [&[4, kind, 27, hash], &length[..], &parts].concat();
        let end = u32::try_from(hashed.len()).unwrap().to_be_bytes();
        let signed = [data, &hashed, &[4, 0xFF], &end].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &signed);
        let signature = self.0.sign(digest.as_ref());
        [&hashed, &[0, 0, 0, 0][..], signature.as_ref()].concat()
    }
}

fn parts_of(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let one = |(kind, value): &(u8, &[u8])| {
        let length = value.len() + 1;
        let length = match u8::try_from(length) {
            Ok(length @ 0..192) => vec![length],
            _ => {
                let high = (length - 192) / 256 + 192;
                vec![u8::try_from(high).unwrap(), u8::try_from((length - 192) % 256).unwrap()]
            }
        };
        [&length[..], &[*kind], value].concat()
    };
    parts.iter().flat_map(one).collect()
}

fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xC0 | tag, 0xFF], &length[..], body].concat()
}

const NAME: &[u8] = b"Alice \x1b[1m<alice@example.com>";

fn over_name(owner: &Owner) -> Vec<u8> {
    let length = u32::try_from(NAME.len()).unwrap().to_be_bytes();
    [&owner.key().hashed()[..], &[0xB4], &length, NAME].concat()
}

fn certified(owner: &Owner, hash: u8, parts: &[(u8, &[u8])]) -> Vec<u8> {
    let made = MADE.to_be_bytes();
    let parts = [&[(2, &made[..])], parts].concat();
    packet(2, &owner.sign(0x13, hash, &parts, &over_name(owner)))
}

/// A key whose name is certified with these parts.
fn plain(owner: &Owner, parts: &[(u8, &[u8])]) -> Vec<u8> {
    [packet(6, &owner.body()), packet(13, NAME), certified(owner, 8, parts)].concat()
}

/// What the keyring says of a signature over the data by `signer`.
fn verdict(keyring: &[u8], signer: &Owner) -> Option<Result<Standing, Wrong>> {
    let fingerprint = [&[4], &signer.key().fingerprint[..]].concat();
    let parts: &[(u8, &[u8])] = &[(2, &MADE.to_be_bytes()), (33, &fingerprint)];
    let signature = Signature::read(&signer.sign(0, 8, parts, DATA)).unwrap();
    read_keyring(keyring).unwrap()[0].verify(&signature, DATA)
}

fn may_sign(until: Option<i64>) -> Option<Result<Standing, Wrong>> {
    Some(Ok(Standing::MaySign(Span { from: Some(i64::from(MADE)), until })))
}

#[test]
fn a_key_signs_within_the_time_that_its_newest_certification_gives_it() {
    let owner = Owner::new(1);
    assert_eq!(verdict(&plain(&owner, &[]), &owner), may_sign(None));
    let day = 86_400_u32.to_be_bytes();
    let until = Some(i64::from(MADE) + 86_400);
    let short = plain(&owner, &[(9, &day)]);
    assert_eq!(verdict(&short, &owner), may_sign(until));
    let later = (MADE + 10).to_be_bytes();
    let renewed = owner.sign(0x13, 8, &[(2, &later)], &over_name(&owner));
    assert_eq!(verdict(&[short, packet(2, &renewed)].concat(), &owner), may_sign(None));
    // a certification that lapses is worth as much as a key that does
    assert_eq!(verdict(&plain(&owner, &[(3, &day)]), &owner), may_sign(until));
    let name = &read_keyring(&plain(&owner, &[])).unwrap()[0].name;
    assert_eq!(name, "Alice [1m<alice@example.com>");
}

#[test]
fn a_key_for_something_else_may_not_sign() {
    let owner = Owner::new(1);
    assert_eq!(verdict(&plain(&owner, &[(27, &[0x01])]), &owner), Some(Ok(Standing::MayNotSign)));
    assert_eq!(verdict(&plain(&owner, &[(27, &[0x03])]), &owner), may_sign(None));
}

#[test]
fn what_its_owner_did_not_prove_is_no_key() {
    let (owner, other) = (Owner::new(1), Owner::new(2));
    let unproven = Some(Ok(Standing::Unproven));
    let bare = packet(6, &owner.body());
    assert_eq!(verdict(&bare, &owner), unproven);
    // somebody else's certification, one with a broken hash, one that says what we do not know
    let forged = other.sign(0x13, 8, &[(2, &MADE.to_be_bytes())], &over_name(&owner));
    let critical: (u8, &[u8]) = (0x80 | 60, b"x");
    for wrong in [packet(2, &forged), certified(&owner, 2, &[]), certified(&owner, 8, &[critical])]
    {
        let keyring = [&bare[..], &packet(13, NAME), &wrong].concat();
        assert_eq!(verdict(&keyring, &owner), unproven);
    }
}

#[test]
fn a_name_is_gone_once_its_owner_takes_it_back_and_here_again_when_it_is_certified_later() {
    let (owner, other) = (Owner::new(1), Owner::new(2));
    let with = |signer: &Owner, at: u32| {
        let back = signer.sign(0x30, 8, &[(2, &at.to_be_bytes())], &over_name(&owner));
        verdict(&[plain(&owner, &[]), packet(2, &back)].concat(), &owner)
    };
    assert_eq!(with(&owner, MADE + 10), Some(Ok(Standing::Unproven)));
    assert_eq!(with(&owner, MADE), Some(Ok(Standing::Unproven)), "in the same second");
    assert_eq!(with(&owner, MADE - 1), may_sign(None));
    assert_eq!(with(&other, MADE + 10), may_sign(None));
}

#[test]
fn a_signature_over_the_key_alone_proves_it_too() {
    let (owner, other) = (Owner::new(1), Owner::new(2));
    let day = 86_400_u32.to_be_bytes();
    let with = |signer: &Owner, kind, over: &[u8]| {
        let signature = signer.sign(kind, 8, &[(2, &MADE.to_be_bytes()), (9, &day)], over);
        [packet(6, &owner.body()), packet(2, &signature)].concat()
    };
    let hashed = owner.key().hashed();
    let good = with(&owner, 0x1F, &hashed);
    assert_eq!(verdict(&good, &owner), may_sign(Some(i64::from(MADE) + 86_400)));
    assert_eq!(read_keyring(&good).unwrap()[0].name, "a key without a name");
    let wrong =
        [with(&owner, 0x18, &hashed), with(&owner, 0x1F, b"x"), with(&other, 0x1F, &hashed)];
    for keyring in wrong {
        assert_eq!(verdict(&keyring, &owner), Some(Ok(Standing::Unproven)));
    }
}

#[test]
fn the_first_name_that_its_owner_certified_is_shown() {
    let owner = Owner::new(1);
    let certified = |name: &[u8]| {
        let length = u32::try_from(name.len()).unwrap().to_be_bytes();
        let data = [&owner.key().hashed()[..], &[0xB4], &length, name].concat();
        packet(2, &owner.sign(0x13, 8, &[(2, &MADE.to_be_bytes())], &data))
    };
    let (bob, carol) = (packet(13, b"Bob"), packet(13, b"Carol"));
    let names = |first: &[u8]| {
        let key = [&packet(6, &owner.body())[..], &bob, first, &carol, &certified(b"Carol")];
        read_keyring(&key.concat()).unwrap()[0].name.clone()
    };
    assert_eq!(names(&certified(b"Bob")), "Bob");
    assert_eq!(names(&[]), "Carol");
}

#[test]
fn a_revocation_counts_even_where_it_cannot_be_verified() {
    let owner = Owner::new(1);
    let keyring = |revocation: &[u8]| {
        let parts = [packet(6, &owner.body()), packet(2, revocation), packet(13, NAME)].concat();
        [parts, certified(&owner, 8, &[])].concat()
    };
    let revoked = |why| Some(Ok(Standing::Revoked(why)));
    let why: &[(u8, &[u8])] = &[(2, &MADE.to_be_bytes()), (29, b"\x02stolen")];
    let good = owner.sign(0x20, 8, why, &owner.key().hashed());
    assert_eq!(verdict(&keyring(&good), &owner), revoked("it was compromised"));
    let by_another = Owner::new(2).sign(0x20, 8, why, b"");
    assert_eq!(verdict(&keyring(&by_another), &owner), revoked("it was compromised"));
    // of older and newer versions, and cut off
    for unread in [&[3, 5, 0x20, 0, 0][..], &[6, 0x20, 27, 8], &[4, 0x20, 27]] {
        assert_eq!(verdict(&keyring(unread), &owner), revoked("no reason is given"));
    }
}

/// A subkey with its binding; `agrees`: the subkey says that it belongs there.
fn with_subkey(owner: &Owner, subkey: &Owner, flags: u8, agrees: bool) -> Vec<u8> {
    let data = [owner.key().hashed(), subkey.key().hashed()].concat();
    let back = subkey.sign(0x19, 8, &[(2, &MADE.to_be_bytes())], &data);
    let made = MADE.to_be_bytes();
    let mut parts: Vec<(u8, &[u8])> = vec![(2, &made), (27, std::slice::from_ref(&flags))];
    if agrees {
        parts.push((32, &back));
    }
    let binding = owner.sign(0x18, 8, &parts, &data);
    [packet(14, &subkey.body()), packet(2, &binding)].concat()
}

#[test]
fn a_subkey_signs_when_both_keys_say_so_and_no_longer_than_its_key() {
    let (owner, subkey) = (Owner::new(1), Owner::new(2));
    let with = |of_key: &[(u8, &[u8])], flags, agrees| {
        [plain(&owner, of_key), with_subkey(&owner, &subkey, flags, agrees)].concat()
    };
    assert_eq!(verdict(&with(&[(27, &[1])], 2, true), &subkey), may_sign(None));
    assert_eq!(verdict(&with(&[], 0, true), &subkey), Some(Ok(Standing::MayNotSign)));
    assert_eq!(verdict(&with(&[], 2, false), &subkey), Some(Ok(Standing::MayNotSign)));
    let day = 86_400_u32.to_be_bytes();
    let until = Some(i64::from(MADE) + 86_400);
    assert_eq!(verdict(&with(&[(9, &day)], 2, true), &subkey), may_sign(until));
    let revocation = packet(2, &[4, 0x28, 27, 8]);
    let revoked = [with(&[], 2, true), revocation].concat();
    let told = Some(Ok(Standing::Revoked("no reason is given")));
    assert_eq!(verdict(&revoked, &subkey), told);
    assert_eq!(verdict(&revoked, &owner), may_sign(None));
    // a subkey of another key, taken in without its agreement
    let stolen = [plain(&owner, &[]), packet(14, &subkey.body())].concat();
    assert_eq!(verdict(&stolen, &subkey), Some(Ok(Standing::Unproven)));
}

#[test]
fn a_subkey_is_bound_by_its_key_alone_and_agrees_by_itself_alone() {
    let (owner, subkey) = (Owner::new(1), Owner::new(2));
    let data = [owner.key().hashed(), subkey.key().hashed()].concat();
    let with = |(binds, kind): (&Owner, u8), (agrees, back): (&Owner, u8)| {
        let made = MADE.to_be_bytes();
        let back = agrees.sign(back, 8, &[(2, &made)], &data);
        let binding = binds.sign(kind, 8, &[(2, &made), (27, &[2]), (32, &back)], &data);
        let bound = [packet(14, &subkey.body()), packet(2, &binding)].concat();
        verdict(&[plain(&owner, &[]), bound].concat(), &subkey)
    };
    assert_eq!(with((&owner, 0x18), (&subkey, 0x19)), may_sign(None));
    for binding in [(&owner, 0x19), (&subkey, 0x18)] {
        assert_eq!(with(binding, (&subkey, 0x19)), Some(Ok(Standing::Unproven)));
    }
    for back in [(&subkey, 0x18), (&owner, 0x19)] {
        assert_eq!(with((&owner, 0x18), back), Some(Ok(Standing::MayNotSign)));
    }
}

#[test]
fn as_many_keys_and_packets_as_the_bounds_are_taken_and_no_more() {
    let key = packet(6, &Owner::new(1).body());
    assert_eq!(read_keyring(&key.repeat(10_000)).unwrap().len(), 10_000);
    assert_eq!(read_keyring(&key.repeat(10_001)).unwrap_err(), "it has too many keys");
    let empty = packet(2, b"");
    assert_eq!(packets(&empty.repeat(100_000)).unwrap().len(), 100_000);
    assert_eq!(packets(&empty.repeat(100_001)), None);
}

#[test]
fn a_key_answers_only_for_what_names_it() {
    let (owner, other) = (Owner::new(1), Owner::new(2));
    assert_eq!(verdict(&plain(&owner, &[]), &other), None);
    let keyring = [plain(&other, &[]), plain(&owner, &[])].concat();
    assert_eq!(read_keyring(&keyring).unwrap().len(), 2);
}

#[test]
fn secret_keys_do_not_belong_here() {
    let owner = Owner::new(1);
    let secret = [plain(&owner, &[]), packet(7, &[4])].concat();
    assert!(read_keyring(&secret).unwrap_err().contains("secret"));
    let armored = b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n";
    assert!(read_keyring(armored).unwrap_err().contains("secret"));
}

#[test]
fn packets_that_end_early_or_have_no_length_are_none() {
    assert_eq!(packets(&packet(2, b"x")).unwrap(), [(2, &b"x"[..])]);
    assert_eq!(packets(&[0x88, 1, 7]).unwrap(), [(2, &[7][..])]);
    for wrong in [&[0xC2][..], &[0xC2, 2, 0], &[0xC2, 0xE1, 0, 0], &[0x8B, 0], &[0x12], &[0x89, 1]]
    {
        assert_eq!(packets(wrong), None, "{wrong:?}");
    }
    let long = vec![7; 300];
    let two_octets = [&[0xC2, 192, 108][..], &long].concat();
    assert_eq!(packets(&two_octets).unwrap(), [(2, &long[..])]);
}

#[test]
fn keys_of_other_kinds_are_known_by_name() {
    let key = |body: &[u8]| Key::read(&[&[4, 0, 0, 0, 1][..], body].concat());
    assert_eq!(key(&[17]).unwrap().material, Material::Other("DSA"));
    assert_eq!(key(&[1]), None);
    assert_eq!(Key::read(&[6, 0, 0, 0, 1, 27]), None);
    let brainpool = key(&[19, 1, 0x2B, 0, 8, 4]).unwrap();
    assert!(matches!(brainpool.material, Material::Other(_)));
}
