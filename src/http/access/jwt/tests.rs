use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};
use serde_json::{Value, json};

use super::keys::{Keys, KeysError};
use super::token::{Claimed, Refused, Token};
use crate::config::{JwtKeys, JwtSettings};
use crate::model::{JwtAlgorithm, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SECONDS: i64 = NOW.0 / 1000;

fn settings() -> JwtSettings {
    JwtSettings {
        issuer: "https://id.example.com".to_owned(),
        audience: "kconfigd".to_owned(),
        keys: JwtKeys::Discovered,
        algorithms: JwtAlgorithm::ALL.to_vec(),
        role_claim: "role".to_owned(),
        ca_file: None,
        keep_keys: std::time::Duration::from_hours(1),
    }
}

fn p256() -> EcdsaKeyPair {
    let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap()
}

fn jwk_of(key: &EcdsaKeyPair, curve: &str, more: &Value) -> Value {
    let point = &key.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let mut jwk = json!({"kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y)});
    jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    jwk
}

fn set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn good() -> Value {
    json!({"iss": "https://id.example.com", "aud": ["other", "kconfigd"], "sub": "ann",
        "exp": SECONDS + 60, "iat": SECONDS, "role": "viewer"})
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = good();
    claims[key] = value;
    claims
}

fn token(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let signed = format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    );
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", encoded(signature.as_ref()))
}

fn judged(keys: &Keys, settings: &JwtSettings, token: &str) -> Result<Claimed, Refused> {
    let token = Token::read(token, &settings.algorithms)?;
    token.is_for(settings)?;
    if !keys.verify(&token.header, token.signed, &token.signature) {
        return Err(Refused::Signature);
    }
    token.claimed(settings, NOW)
}

#[test]
fn a_token_is_taken_when_all_of_it_is_right() {
    let key = p256();
    let keys = Keys::of_set(&set(&[jwk_of(&key, "P-256", &json!({"kid": "one"}))])).unwrap();
    let es256 = json!({"alg": "ES256", "kid": "one", "typ": "JWT"});
    let judge =
        |header: &Value, claims: &Value| judged(&keys, &settings(), &token(&key, header, claims));
    let ann = judge(&es256, &good()).unwrap();
    assert_eq!((ann.name.as_str(), ann.roles.as_slice()), ("ann", &["viewer".to_owned()][..]));
    assert_eq!(ann.until, Timestamp((SECONDS + 60) * 1000));
    let no_name_of_a_key = json!({"alg": "ES256"});
    assert!(judge(&no_name_of_a_key, &good()).is_ok());
    assert!(judge(&es256, &with("aud", json!("kconfigd"))).is_ok());
    assert!(judge(&es256, &with("exp", json!(SECONDS as f64 - 59.5))).is_ok(), "clocks differ");
    assert!(judge(&es256, &with("nbf", json!(SECONDS + 60))).is_ok());

    let wrong = [
        (json!({"alg": "none"}), good(), Refused::Algorithm),
        (json!({"alg": "HS256"}), good(), Refused::Algorithm),
        (json!({"alg": "es256"}), good(), Refused::Algorithm),
        (json!({"alg": "ES384"}), good(), Refused::Signature),
        (json!({"alg": "EdDSA"}), good(), Refused::Signature),
        (json!({"alg": "RS256"}), good(), Refused::Signature),
        (json!({"alg": "ES256", "kid": "two"}), good(), Refused::Signature),
        (json!({"alg": "ES256", "crit": ["exp"]}), good(), Refused::Critical),
        (json!({"kid": "one"}), good(), Refused::Unreadable),
        (es256.clone(), with("iss", json!("https://id.example.com/")), Refused::Issuer),
        (es256.clone(), with("iss", Value::Null), Refused::Issuer),
        (es256.clone(), with("aud", json!("kconfigd2")), Refused::Audience),
        (es256.clone(), with("aud", json!([])), Refused::Audience),
        (es256.clone(), with("exp", json!(SECONDS - 60)), Refused::Expired),
        (es256.clone(), with("exp", Value::Null), Refused::Claim("exp")),
        (es256.clone(), with("exp", json!("tomorrow")), Refused::Claim("exp")),
        (es256.clone(), with("exp", json!(1e300)), Refused::Claim("exp")),
        (es256.clone(), with("nbf", json!(SECONDS + 61)), Refused::Early),
        (es256.clone(), with("iat", json!(SECONDS + 61)), Refused::Early),
        (es256.clone(), with("sub", json!("")), Refused::Claim("sub")),
        (es256.clone(), with("sub", json!(7)), Refused::Claim("sub")),
    ];
    for (header, claims, refused) in wrong {
        assert_eq!(judge(&header, &claims), Err(refused), "{header} {claims}");
    }
    let narrow = JwtSettings { algorithms: vec![JwtAlgorithm::EdDsa], ..settings() };
    let right = token(&key, &es256, &good());
    assert_eq!(judged(&keys, &narrow, &right), Err(Refused::Algorithm));
    let (signed, signature) = right.rsplit_once('.').unwrap();
    let other = token(&p256(), &es256, &good());
    let stolen = other.rsplit_once('.').unwrap().1;
    let long = format!("{signed}.{}", "A".repeat(20_000));
    for (broken, refused) in [
        (format!("{signed}."), Refused::Signature),
        (format!("{signed}.{stolen}"), Refused::Signature),
        (format!("{signed}.{signature}="), Refused::Unreadable),
        (signed.to_owned(), Refused::Unreadable),
        ("..".to_owned(), Refused::Unreadable),
        (long, Refused::Unreadable),
    ] {
        assert_eq!(judged(&keys, &settings(), &broken), Err(refused), "{broken:.60}");
    }
}

#[test]
fn no_public_key_is_taken_for_a_shared_secret() {
    let key = p256();
    let keys = Keys::of_set(&set(&[jwk_of(&key, "P-256", &json!({}))])).unwrap();
    let head = encoded(br#"{"alg":"HS256"}"#);
    let signed = format!("{head}.{}", encoded(good().to_string().as_bytes()));
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.public_key().as_ref());
    let forged =
        format!("{signed}.{}", encoded(ring::hmac::sign(&secret, signed.as_bytes()).as_ref()));
    assert_eq!(judged(&keys, &settings(), &forged), Err(Refused::Algorithm));
}

#[test]
fn roles_are_found_at_a_claim_or_on_the_way_to_it() {
    let key = p256();
    let keys = Keys::of_set(&set(&[jwk_of(&key, "P-256", &json!({}))])).unwrap();
    let roles = |claim: &str, claims: &Value| {
        let settings = JwtSettings { role_claim: claim.to_owned(), ..settings() };
        judged(&keys, &settings, &token(&key, &json!({"alg": "ES256"}), claims)).unwrap().roles
    };
    let realm = with("realm_access", json!({"roles": ["offline", "operator", 7]}));
    assert_eq!(roles("realm_access.roles", &realm), ["offline", "operator"]);
    let url = with("https://kconfigd.example/role", json!("admin"));
    assert_eq!(roles("https://kconfigd.example/role", &url), ["admin"]);
    assert!(roles("groups", &good()).is_empty() && roles("role.x", &good()).is_empty());
}

#[test]
fn keys_that_are_for_something_else_are_passed_over() {
    let (one, two) = (p256(), p256());
    let no = |more: Value| Keys::of_set(&set(&[jwk_of(&one, "P-256", &more)])).err();
    for more in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "ECDH-ES"}),
        json!({"crv": "P-384"}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"x": "AA"}),
    ] {
        assert_eq!(no(more.clone()), Some(KeysError::NoneUsable), "{more}");
    }
    assert_eq!(no(json!({"use": "sig", "key_ops": ["verify"], "alg": "ES256"})), None);
    assert_eq!(Keys::of_set(b"[]").err(), Some(KeysError::Unreadable));
    let many = vec![jwk_of(&one, "P-256", &json!({})); 101];
    assert_eq!(Keys::of_set(&set(&many)).err(), Some(KeysError::TooMany));
    // The name leads to the key; a token of one key is not tried with another's.
    let named = [("one", &one), ("two", &two)]
        .map(|(name, key)| jwk_of(key, "P-256", &json!({"kid": name})));
    let keys = Keys::of_set(&set(&named)).unwrap();
    let of = |kid: &str| token(&two, &json!({"alg": "ES256", "kid": kid}), &good());
    assert!(judged(&keys, &settings(), &of("two")).is_ok());
    assert_eq!(judged(&keys, &settings(), &of("one")), Err(Refused::Signature));
}

#[test]
fn files_hold_keys_and_certificates_in_pem_of_every_kind() {
    let random = SystemRandom::new();
    let pem = |kind: &str, der: &[u8]| {
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
    };
    // SubjectPublicKeyInfo of P-256, P-384 and Ed25519, up to the key itself.
    let p256_head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let p384_head = "3076301006072a8648ce3d020106052b81040022036200";
    let key = p256();
    let info = [hex(p256_head), key.public_key().as_ref().to_vec()].concat();
    let keys = Keys::of_file(pem("PUBLIC KEY", &info).as_bytes()).unwrap();
    let named = json!({"alg": "ES256", "kid": "whatever"});
    assert!(judged(&keys, &settings(), &token(&key, &named, &good())).is_ok());

    let kind = &ECDSA_P384_SHA384_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap();
    let info = [hex(p384_head), key.public_key().as_ref().to_vec()].concat();
    let keys = Keys::of_file(pem("PUBLIC KEY", &info).as_bytes()).unwrap();
    assert!(judged(&keys, &settings(), &token(&key, &json!({"alg": "ES384"}), &good())).is_ok());

    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let info = [hex("302a300506032b6570032100"), key.public_key().as_ref().to_vec()].concat();
    let keys = Keys::of_file(pem("PUBLIC KEY", &info).as_bytes()).unwrap();
    let signed =
        format!("{}.{}", encoded(br#"{"alg":"EdDSA"}"#), encoded(good().to_string().as_bytes()));
    let signature = encoded(key.sign(signed.as_bytes()).as_ref());
    assert!(judged(&keys, &settings(), &format!("{signed}.{signature}")).is_ok());

    let certified = rcgen::generate_simple_self_signed(vec!["id.example.com".to_owned()]).unwrap();
    let der = certified.signing_key.serialize_der();
    let p256_kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::from_pkcs8(p256_kind, &der, &random).unwrap();
    let keys = Keys::of_file(certified.cert.pem().as_bytes()).unwrap();
    assert!(judged(&keys, &settings(), &token(&key, &json!({"alg": "ES256"}), &good())).is_ok());

    let private = pem("PRIVATE KEY", &der);
    for (text, error) in [
        ("", KeysError::NoneUsable),
        ("no key at all", KeysError::NoneUsable),
        (private.as_str(), KeysError::NoneUsable),
        ("-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----\n", KeysError::Unreadable),
        (&pem("PUBLIC KEY", &info[..20]), KeysError::NoneUsable),
        (&pem("CERTIFICATE", b"0"), KeysError::NoneUsable),
        ("{}", KeysError::Unreadable),
    ] {
        assert_eq!(Keys::of_file(text.as_bytes()).err(), Some(error), "{text}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

proptest::proptest! {
    #[test]
    fn no_token_is_taken_of_which_one_letter_was_changed(at in 0_usize..400, letter in "[A-Za-z0-9_.-]") {
        static RIGHT: std::sync::LazyLock<(Keys, String)> = std::sync::LazyLock::new(|| {
            let key = p256();
            let keys = Keys::of_set(&set(&[jwk_of(&key, "P-256", &json!({}))])).unwrap();
            (keys, token(&key, &json!({"alg": "ES256"}), &good()))
        });
        let (keys, right) = &*RIGHT;
        let at = at % right.len();
        let changed = format!("{}{letter}{}", &right[..at], &right[at + 1..]);
        proptest::prop_assert_eq!(judged(keys, &settings(), &changed).is_ok(), changed == *right);
    }

    #[test]
    fn whatever_is_read_for_a_key_or_a_token_is_refused_without_a_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        text in ".{0,100}",
    ) {
        proptest::prop_assert!(Keys::of_file(&bytes).is_err() && Keys::of_set(&bytes).is_err());
        proptest::prop_assert!(super::der::of_public_key(&bytes).is_none());
        proptest::prop_assert!(super::der::of_certificate(&bytes).is_none());
        proptest::prop_assert!(Token::read(&text, JwtAlgorithm::ALL).is_err());
    }
}
