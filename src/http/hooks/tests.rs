use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse as _;

use super::signature::{Unverified, claims, matches};
use super::{Ask, body, push, secrets};
use crate::config::Reference;
use crate::http::body::BODY_TIME_MAX;
use crate::model::Revision;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn secrets_of(text: &[u8]) -> Result<Vec<ring::hmac::Key>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    secrets::read(file.path()).map_err(|error| format!("{error} {}", error.cause()))
}

/// From GitHub's documentation of webhooks.
const PUBLISHED: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const PUBLISHED_SECRET: &[u8] = b"It's a Secret to Everybody\n";
const PUBLISHED_BODY: &[u8] = b"Hello, World!";

#[test]
fn the_published_test_vector_of_github_is_believed_in_every_header() {
    let secrets = secrets_of(PUBLISHED_SECRET).unwrap();
    let github = format!("sha256={PUBLISHED}");
    let upper = PUBLISHED.to_uppercase();
    for (name, value) in [
        ("x-hub-signature-256", github.as_str()),
        ("x-gitea-signature", PUBLISHED),
        ("x-forgejo-signature", upper.as_str()),
    ] {
        let claims = claims(&headers(&[(name, value)])).unwrap();
        assert!(matches(&secrets, &claims, PUBLISHED_BODY), "{name}");
        assert!(!matches(&secrets, &claims, b"Hello, World?"), "{name}");
    }
}

#[test]
fn a_signature_in_the_wrong_shape_is_wrong_and_none_is_missing() {
    assert_eq!(claims(&headers(&[])), Err(Unverified::Missing));
    assert_eq!(claims(&headers(&[("x-hub-signature", PUBLISHED)])), Err(Unverified::Missing));
    let short = PUBLISHED.get(1..).unwrap();
    let long = format!("{PUBLISHED}0");
    let foreign = format!("g{short}");
    for value in ["", "sha256=", PUBLISHED, &format!("sha1={PUBLISHED}")] {
        let claimed = claims(&headers(&[("x-hub-signature-256", value)]));
        assert_eq!(claimed, Err(Unverified::Wrong), "{value}");
    }
    for value in [short, &long, &foreign] {
        let claimed = claims(&headers(&[("x-gitea-signature", value)]));
        assert_eq!(claimed, Err(Unverified::Wrong), "{value}");
    }
}

#[test]
fn during_a_change_every_secret_in_the_file_is_right() {
    let secrets = secrets_of(b"new\r\n\n  It's a Secret to Everybody \n").unwrap();
    assert_eq!(secrets.len(), 2);
    let claims = claims(&headers(&[("x-gitea-signature", PUBLISHED)])).unwrap();
    assert!(matches(&secrets, &claims, PUBLISHED_BODY));
    assert!(!matches(secrets.get(..1).unwrap(), &claims, PUBLISHED_BODY));
}

#[test]
fn a_wrong_signature_beside_a_right_one_does_no_harm() {
    let secrets = secrets_of(PUBLISHED_SECRET).unwrap();
    let zeros = "0".repeat(64);
    let both = [("x-forgejo-signature", PUBLISHED), ("x-gitea-signature", zeros.as_str())];
    assert!(matches(&secrets, &claims(&headers(&both)).unwrap(), PUBLISHED_BODY));
}

#[test]
fn the_secret_file_is_bounded_and_its_errors_tell_no_secret() {
    assert!(secrets_of(b" \n\n").unwrap_err().contains("holds no secret"));
    assert!(secrets_of(&b"hunter2\n".repeat(9)).unwrap_err().contains("more than 8 secrets"));
    assert!(!secrets_of(&b"hunter2\n".repeat(9)).unwrap_err().contains("hunter2"));
    assert_eq!(secrets_of(&b"hunter2\n".repeat(8)).unwrap().len(), 8);
    assert!(secrets_of(&[b'x'; 64 * 1024 + 1]).unwrap_err().contains("64 KiB"));
    assert_eq!(secrets_of(&[b'x'; 64 * 1024]).unwrap().len(), 1);
    let folder = secrets::read(std::path::Path::new("/")).unwrap_err();
    assert_eq!(folder.cause(), "not a regular file");
}

fn look(followed: &Reference, event: &[(&'static str, &str)], body: &str) -> bool {
    matches!(push::read(&headers(event), body.as_bytes(), followed), Ask::Look(_))
}

#[test]
fn a_push_to_what_is_followed_causes_a_look_and_others_say_why_not() {
    let revision = Revision::parse(&"1".repeat(40)).unwrap();
    let pull = Reference::Ref("refs/pull/7/head".to_owned());
    let [main, tag, other] = ["refs/heads/main", "refs/tags/v1.2.0", "refs/heads/other"];
    for (followed, looks) in [
        (Reference::Branch("main".to_owned()), [true, false, false]),
        (Reference::Tag("v1.2.0".to_owned()), [false, true, false]),
        (Reference::Semver(semver::VersionReq::STAR), [false, true, false]),
        (Reference::Ref("refs/heads/main".to_owned()), [true, false, false]),
        (Reference::Head, [true, false, false]),
        (Reference::Commit(revision), [true, true, true]),
        (pull.clone(), [true, true, true]),
    ] {
        for (pushed, looks) in [main, tag, other].into_iter().zip(looks) {
            let body = format!(r#"{{"ref":"{pushed}","repository":{{"default_branch":"main"}}}}"#);
            for event in ["x-github-event", "x-gitea-event", "x-forgejo-event"] {
                let event = [(event, "push")];
                assert_eq!(look(&followed, &event, &body), looks, "{followed:?} {pushed}");
            }
        }
    }
    // Nobody knows what HEAD is: it costs one request to see.
    assert!(look(&Reference::Head, &[], r#"{"ref":"refs/heads/other"}"#));
    // Pull requests have events of their own.
    assert!(look(&pull, &[("x-github-event", "pull_request")], "{}"));
    let main = Reference::Branch("main".to_owned());
    assert!(!look(&main, &[("x-github-event", "pull_request")], r#"{"ref":"main"}"#));
    assert!(look(&main, &[], r#"{"ref":"main"}"#));
    let body = br#"{"ref":"refs/heads/other"}"#;
    let said = "refs/heads/other was pushed, and refs/heads/main is followed";
    assert_eq!(push::read(&headers(&[]), body, &main), Ask::Nothing(said.to_owned()));
}

#[test]
fn a_ping_asks_for_nothing() {
    let event = headers(&[("x-github-event", "ping")]);
    let said = Ask::Nothing("a ping, and its signature is right".to_owned());
    assert_eq!(push::read(&event, b"{\"zen\":\"\"}", &Reference::Head), said);
}

#[test]
fn a_form_is_read_like_its_payload() {
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let main = Reference::Branch("main".to_owned());
    let of = |name| format!("x=1&payload=%7B%22ref%22%3A+%22refs%2Fheads%2F{name}%22%7D");
    assert!(look(&main, &form, &of("main")));
    assert!(!look(&main, &form, &of("other")));
    assert!(look(&main, &form, "payload"));
}

#[test]
fn what_is_not_understood_is_answered_with_a_look_and_names_are_cut() {
    let main = Reference::Branch("main".to_owned());
    let deep = "[".repeat(100_000);
    for body in ["", "null", "7", r#"{"ref":7}"#, r#"{"ref":"a","ref":"b"}"#, "\u{0}", &deep] {
        assert!(look(&main, &[], body), "{body:.20}");
    }
    let long = format!(r#"{{"ref":"refs/heads/\u001b[31m{}"}}"#, "x".repeat(10_000));
    let Ask::Nothing(said) = push::read(&headers(&[]), long.as_bytes(), &main) else {
        panic!("another branch")
    };
    assert!(said.len() < 300 && said.contains(r"refs/heads/\u{1b}[31mx"), "{said}");
}

#[tokio::test]
async fn a_body_is_read_within_its_limit_and_one_that_says_more_not_at_all() {
    let five = || Body::from("12345");
    assert_eq!(body::read(&headers(&[]), five(), 5, BODY_TIME_MAX).await.unwrap(), b"12345");
    let said = headers(&[("content-length", "6")]);
    let never = Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
    for problem in [
        body::read(&headers(&[]), five(), 4, BODY_TIME_MAX).await.unwrap_err(),
        body::read(&said, never, 5, BODY_TIME_MAX).await.unwrap_err(),
    ] {
        assert_eq!(problem.into_response().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_ends_within_its_time() {
    let never = Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
    let problem = body::read(&headers(&[]), never, 5, Duration::ZERO).await.unwrap_err();
    assert_eq!(problem.into_response().status(), StatusCode::REQUEST_TIMEOUT);
}
