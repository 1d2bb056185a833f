use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse as _;

use super::secrets::Secret;
use super::signature::{Claim, Unverified, claims};
use super::{Ask, body, push, secrets};
use crate::config::{Location, Reference};
use crate::http::body::BODY_TIME_MAX;
use crate::model::{Revision, Timestamp};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// When the deliveries are looked at that say when they were sent.
const NOW: Timestamp = Timestamp(1_614_265_330_000);

fn matches(secrets: &[Secret], claims: &[Claim], body: &[u8]) -> bool {
    super::signature::matches(secrets, claims, body, NOW)
}

fn secrets_of(text: &[u8]) -> Result<Vec<Secret>, String> {
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
        ("x-hub-signature", github.as_str()),
    ] {
        let claims = claims(&headers(&[(name, value)])).unwrap();
        assert!(matches(&secrets, &claims, PUBLISHED_BODY), "{name}");
        assert!(!matches(&secrets, &claims, b"Hello, World?"), "{name}");
    }
}

#[test]
fn a_signature_in_the_wrong_shape_is_wrong_and_none_is_missing() {
    assert_eq!(claims(&headers(&[])), Err(Unverified::Missing));
    // SHA-1, which GitHub has beside the other.
    for old in [PUBLISHED, "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"] {
        assert_eq!(claims(&headers(&[("x-hub-signature", old)])), Err(Unverified::Missing));
    }
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
fn gitlab_shows_the_secret_itself_and_nothing_like_it_counts() {
    let secrets = secrets_of(b"another\ns3cret-of-gitlab\n").unwrap();
    let shown = |token: &str| claims(&headers(&[("x-gitlab-token", token)]));
    assert!(matches(&secrets, &shown("s3cret-of-gitlab").unwrap(), b"{}"));
    for token in ["s3cret-of-gitla", "s3cret-of-gitlab2", "S3cret-of-gitlab", "x"] {
        assert!(!matches(&secrets, &shown(token).unwrap(), b"{}"), "{token}");
    }
    assert_eq!(shown(""), Err(Unverified::Wrong));
}

/// From the documentation of Standard Webhooks.
const TIMED_SECRET: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
const TIMED_BODY: &[u8] = br#"{"test": 2432232314}"#;

fn timed(sent: &str, signature: &str) -> HeaderMap {
    headers(&[
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", sent),
        ("webhook-signature", signature),
    ])
}

#[test]
fn the_published_test_vector_of_standard_webhooks_is_believed_in_its_time() {
    let secrets = secrets_of(TIMED_SECRET).unwrap();
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let right = claims(&timed("1614265330", signature)).unwrap();
    assert!(matches(&secrets, &right, TIMED_BODY));
    assert!(!matches(&secrets, &right, b"{}"));
    let late = Timestamp(NOW.0 + 5 * 60 * 1000 + 1);
    assert!(!super::signature::matches(&secrets, &right, TIMED_BODY, late), "it is sent again");
    let several = claims(&timed("1614265330", &format!("v1a,x v1,AAAA {signature}"))).unwrap();
    assert!(matches(&secrets, &several, TIMED_BODY));
    let moved = claims(&timed("1614265331", signature)).unwrap();
    assert!(!matches(&secrets, &moved, TIMED_BODY));
    for headers in [timed("soon", signature), timed("1614265330", "v1,"), timed("1614265330", "")] {
        assert_eq!(claims(&headers), Err(Unverified::Wrong));
    }
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
    assert!(secrets_of(b" \n\n").err().unwrap().contains("holds no secret"));
    assert!(secrets_of(&b"hunter2\n".repeat(9)).err().unwrap().contains("more than 8 secrets"));
    assert!(!secrets_of(&b"hunter2\n".repeat(9)).err().unwrap().contains("hunter2"));
    assert_eq!(secrets_of(&b"hunter2\n".repeat(8)).unwrap().len(), 8);
    assert!(secrets_of(&[b'x'; 64 * 1024 + 1]).err().unwrap().contains("64 KiB"));
    assert_eq!(secrets_of(&[b'x'; 64 * 1024]).unwrap().len(), 1);
    let folder = secrets::read(std::path::Path::new("/")).err().unwrap();
    assert_eq!(folder.cause(), "not a regular file");
}

fn look(followed: &Reference, event: &[(&'static str, &str)], body: &str) -> bool {
    matches!(
        push::read(&headers(event), body.as_bytes(), followed, &Location::Embedded),
        Ask::Look(_)
    )
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
    assert_eq!(
        push::read(&headers(&[]), body, &main, &Location::Embedded),
        Ask::Nothing(said.to_owned())
    );
}

#[test]
fn pushes_of_gitlab_and_bitbucket_are_read_by_their_own_words() {
    let main = Reference::Branch("main".to_owned());
    let tag = Reference::Tag("v1".to_owned());
    let of = |kind: &str, name: &str| {
        format!(
            r#"{{"push":{{"changes":[{{"new":null,"old":{{"type":"branch","name":"gone"}}}},
               {{"old":null,"new":{{"type":"{kind}","name":"{name}"}}}}]}}}}"#
        )
    };
    let server = |name: &str| format!(r#"{{"changes":[{{"ref":{{"id":"refs/heads/{name}"}}}}]}}"#);
    let gitlab = |name: &str| format!(r#"{{"object_kind":"push","ref":"refs/heads/{name}"}}"#);
    let cloud = [("x-event-key", "repo:push")];
    assert!(look(&main, &cloud, &of("branch", "main")));
    assert!(!look(&main, &cloud, &of("tag", "main")));
    assert!(!look(&main, &cloud, &of("branch", "other")));
    assert!(look(&tag, &cloud, &of("tag", "v1")));
    assert!(look(&main, &cloud, &of("bookmark", "other")), "it is not understood");
    let data_center = [("x-event-key", "repo:refs_changed")];
    assert!(look(&main, &data_center, &server("main")));
    assert!(!look(&main, &data_center, &server("other")));
    for event in ["Push Hook", "System Hook"] {
        assert!(look(&main, &[("x-gitlab-event", event)], &gitlab("main")));
        assert!(!look(&main, &[("x-gitlab-event", event)], &gitlab("other")));
    }
    assert!(!look(&main, &[("x-gitlab-event", "Issue Hook")], &gitlab("main")));
    assert!(!look(&main, &[("x-event-key", "diagnostics:ping")], "{}"));
    let default = r#"{"ref":"refs/heads/x","project":{"default_branch":"main"}}"#;
    assert!(!look(&Reference::Head, &[], default));
}

#[test]
fn a_push_to_another_repository_says_so() {
    let main = Reference::Branch("main".to_owned());
    let ours = Location::Http("https://git.example.com/edge/config.git".to_owned());
    let body = br#"{"ref":"refs/heads/main","project":{"git_http_url":"https://git.example.com/edge/other.git"}}"#;
    let said =
        "https://git.example.com/edge/other.git was pushed to, and another repository is followed";
    let event = headers(&[("x-gitlab-event", "Push Hook")]);
    assert_eq!(push::read(&event, body, &main, &ours), Ask::Nothing(said.to_owned()));
}

#[test]
fn a_ping_asks_for_nothing() {
    let event = headers(&[("x-github-event", "ping")]);
    let said = Ask::Nothing("a ping, and its signature is right".to_owned());
    assert_eq!(push::read(&event, b"{\"zen\":\"\"}", &Reference::Head, &Location::Embedded), said);
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
    let Ask::Nothing(said) = push::read(&headers(&[]), long.as_bytes(), &main, &Location::Embedded)
    else {
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
