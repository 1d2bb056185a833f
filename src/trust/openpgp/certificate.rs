use super::packet::{self, Key};
use super::signature::Signature;
use crate::trust::armor;
use crate::trust::ssh::Wrong;
use crate::trust::time::Span;

/// Keys with their subkeys in one file.
const CERTIFICATES_MAX: usize = 10_000;

/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 120;

/// What key flags say: this key may sign data.
const MAY_SIGN: u8 = 0x02;

/// Kinds of signatures over keys (RFC 9580, section 5.2.1).
const OVER_USER: std::ops::RangeInclusive<u8> = 0x10..=0x13;
const OVER_SUBKEY: u8 = 0x18;
const BY_SUBKEY: u8 = 0x19;
const OVER_KEY: u8 = 0x1F;
const REVOKES_KEY: u8 = 0x20;
const REVOKES_SUBKEY: u8 = 0x28;
const REVOKES_USER: u8 = 0x30;

/// A key with its names and subkeys, as far as its own signatures prove them.
#[derive(Clone, Debug)]
pub(in crate::trust) struct Certificate {
    /// The first name that it certifies.
    pub(in crate::trust) name: String,
    primary: Part,
    subkeys: Vec<Part>,
}

/// The key itself or one of its subkeys.
#[derive(Clone, Debug)]
struct Part {
    key: Key,
    proof: Proof,
    may_sign: bool,
}

/// What a key's owner says of it.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// It counts in this time.
    Valid(Span),
    /// It was taken back: why.
    Revoked(&'static str),
    /// Nothing that could be verified.
    None,
}

/// Whether a key may sign data, whatever the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::trust) enum Standing {
    /// In this time.
    MaySign(Span),
    /// It is there for something else.
    MayNotSign,
    /// Its owner took it back: why.
    Revoked(&'static str),
    /// No signature of its owner over it can be verified.
    Unproven,
}

impl Certificate {
    /// Its fingerprint, in hexadecimal digits.
    pub(in crate::trust) fn fingerprint(&self) -> String {
        self.primary.key.shown()
    }

    /// Whether this key or one of its subkeys may have made the signature; and if so, what of it:
    /// `Err` when it did not, or that cannot be told, else whether that part may sign.
    pub(in crate::trust) fn verify(
        &self,
        signature: &Signature,
        data: &[u8],
    ) -> Option<Result<Standing, Wrong>> {
        let parts = std::iter::once(&self.primary).chain(&self.subkeys);
        let mut wrong = None;
        for part in parts.filter(|part| signature.may_be_by(&part.key)) {
            match signature.verify(&part.key, data) {
                Ok(()) => return Some(Ok(self.standing(part))),
                Err(error) => wrong = Some(Err(error)),
            }
        }
        wrong
    }

    /// A subkey is worth no more than its key.
    fn standing(&self, part: &Part) -> Standing {
        match (self.primary.proof, part.proof) {
            (Proof::Revoked(why), _) | (_, Proof::Revoked(why)) => Standing::Revoked(why),
            (Proof::None, _) | (_, Proof::None) => Standing::Unproven,
            _ if !part.may_sign => Standing::MayNotSign,
            (Proof::Valid(key), Proof::Valid(own)) => Standing::MaySign(Span {
                from: key.from.max(own.from),
                until: key.until.into_iter().chain(own.until).min(),
            }),
        }
    }
}

/// Reads what `gpg --export` writes, armored or not.
pub(in crate::trust) fn read(bytes: &[u8]) -> Result<Vec<Certificate>, &'static str> {
    const LABEL: &str = "PGP PUBLIC KEY BLOCK";
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "));
    let blocks = match text {
        Some(text) if text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----") => {
            return Err("it has secret keys, which do not belong on this machine");
        }
        Some(text) => armor::blocks(text, LABEL)?,
        None => vec![bytes.to_vec()],
    };
    let mut certificates = Vec::new();
    for block in &blocks {
        let packets = packet::packets(block).ok_or("its packets cannot be read")?;
        let secret = [packet::SECRET_KEY, packet::SECRET_SUBKEY];
        if packets.iter().any(|(tag, _)| secret.contains(tag)) {
            return Err("it has secret keys, which do not belong on this machine");
        }
        let mut rest = &packets[..];
        while let Some(start) = rest.iter().position(|(tag, _)| *tag == packet::PUBLIC_KEY) {
            let (_, from) = rest.split_at(start);
            let next = from.iter().skip(1).position(|(tag, _)| *tag == packet::PUBLIC_KEY);
            let (of_key, behind) = from.split_at(next.map_or(from.len(), |next| next + 1));
            certificates.extend(certificate(of_key));
            rest = behind;
            if certificates.len() > CERTIFICATES_MAX {
                return Err("it has too many keys");
            }
        }
    }
    match certificates.is_empty() {
        true => Err("there is no key of OpenPGP's version 4 in it"),
        false => Ok(certificates),
    }
}

/// What a group of packets is about: the key, a name of it, or a subkey.
struct Group<'a> {
    tag: u8,
    body: &'a [u8],
    signatures: Vec<Signature>,
    /// Why the key was taken back, if it was. Whether that can be verified or not: who put it into
    /// this file means it, and a revocation that we cannot read must not be passed over.
    taken_back: Option<&'static str>,
}

impl Group<'_> {
    fn add(&mut self, body: &[u8]) {
        let signature = Signature::read(body);
        if [REVOKES_KEY, REVOKES_SUBKEY].contains(&Signature::kind_of(body)) {
            self.taken_back =
                Some(signature.as_ref().map_or("no reason is given", Signature::reason));
        }
        self.signatures.extend(signature);
    }
}

/// A key from its packets; `None`: it is of another version than 4.
fn certificate(packets: &[packet::Packet<'_>]) -> Option<Certificate> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (tag, body) in packets {
        match (*tag, groups.last_mut()) {
            (packet::SIGNATURE, Some(group)) => group.add(body),
            (
                packet::PUBLIC_KEY
                | packet::PUBLIC_SUBKEY
                | packet::USER_ID
                | packet::USER_ATTRIBUTE,
                _,
            ) => groups.push(Group { tag: *tag, body, signatures: Vec::new(), taken_back: None }),
            // padding, trust and what is to come
            _ => {}
        }
    }
    let (first, others) = groups.split_first()?;
    let key = Key::read(first.body)?;
    let direct = |it: &&Signature| {
        it.kind == OVER_KEY && it.may_be_by(&key) && it.verify(&key, &key.hashed()).is_ok()
    };
    let mut own: Vec<&Signature> = first.signatures.iter().filter(direct).collect();
    let mut name = None;
    for group in others.iter().filter(|group| group.tag == packet::USER_ID) {
        let certified = over_user(&key, group);
        if certified.is_some() && name.is_none() {
            name = Some(shown(group.body));
        }
        own.extend(certified);
    }
    let own = newest(own);
    let primary = Part {
        proof: proof(&key, first, own),
        // without flags a key may sign, as before there were any
        may_sign: own.and_then(Signature::key_flags).is_none_or(|flags| flags & MAY_SIGN != 0),
        key: key.clone(),
    };
    let subkeys = others.iter().filter(|group| group.tag == packet::PUBLIC_SUBKEY);
    let subkeys = subkeys.filter_map(|group| subkey(&key, group)).collect();
    let name = name.unwrap_or_else(|| "a key without a name".to_owned());
    Some(Certificate { name, primary, subkeys })
}

/// What `own`, the newest of the signatures over a key, says of it.
fn proof(key: &Key, group: &Group<'_>, own: Option<&Signature>) -> Proof {
    match (group.taken_back, own) {
        (Some(why), _) => Proof::Revoked(why),
        (None, None) => Proof::None,
        (None, Some(own)) => {
            Proof::Valid(Span { from: Some(key.created), until: own.key_until(key.created) })
        }
    }
}

/// The newest signature by which the key says that this name is its own, unless it took it back.
fn over_user<'g>(key: &Key, group: &'g Group<'_>) -> Option<&'g Signature> {
    let length = u32::try_from(group.body.len()).ok()?;
    let data = [&key.hashed()[..], &[0xB4], &length.to_be_bytes(), group.body].concat();
    let by_key = |it: &&Signature| it.may_be_by(key) && it.verify(key, &data).is_ok();
    let certifies = |it: &&Signature| OVER_USER.contains(&it.kind);
    let newest_one = newest(group.signatures.iter().filter(certifies).filter(by_key))?;
    let revokes = |it: &&Signature| it.kind == REVOKES_USER;
    let taken_back = group.signatures.iter().filter(revokes).filter(by_key);
    let newest_revocation = newest(taken_back).and_then(Signature::created);
    newest_revocation.is_none_or(|at| at < newest_one.created().unwrap_or(0)).then_some(newest_one)
}

fn subkey(key: &Key, group: &Group<'_>) -> Option<Part> {
    let own = Key::read(group.body)?;
    let data = [key.hashed(), own.hashed()].concat();
    let binds = |it: &&Signature| it.kind == OVER_SUBKEY && it.verify(key, &data).is_ok();
    let binding = newest(group.signatures.iter().filter(binds));
    let flags = binding.and_then(Signature::key_flags).unwrap_or(0);
    // a subkey that signs has to agree, or somebody else's could be taken in
    let agrees = || {
        let by_subkey = binding.and_then(Signature::embedded);
        by_subkey.is_some_and(|it| it.kind == BY_SUBKEY && it.verify(&own, &data).is_ok())
    };
    let may_sign = flags & MAY_SIGN != 0 && agrees();
    Some(Part { proof: proof(&own, group, binding), may_sign, key: own })
}

fn newest<'s>(signatures: impl IntoIterator<Item = &'s Signature>) -> Option<&'s Signature> {
    signatures.into_iter().max_by_key(|signature| signature.created())
}

/// A name as it is shown: never with a line break or what a terminal would obey.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}
