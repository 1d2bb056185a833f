use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{served, token, with_tokens};
use crate::support::api::Api;
use crate::support::{Agent, Repo};

/// Places as `path`, or `path:line: text`.
fn places(api: &Api, query: &str) -> Vec<String> {
    let answer = api.get(&format!("/api/config/search?{query}"));
    assert_eq!(answer.status, 200, "{answer:#?}");
    let items = answer.json()["items"].as_array().expect("items").clone();
    let place = |item: &Value| {
        let path = item["path"].as_str().expect("a path");
        match (item["line"].as_u64(), item["text"].as_str()) {
            (Some(line), Some(text)) => format!("{path}:{line}: {text}"),
            (None, None) => path.to_owned(),
            odd => panic!("{odd:?} in {item:#}"),
        }
    };
    items.iter().map(place).collect()
}

#[test]
fn what_a_tree_says_is_found_in_names_and_lines_and_no_secret_is() {
    let repo = Repo::new();
    repo.commit(&[
        ("agents/redis.yaml", "name: cache\nurl: redis://kim:wordpass7@cache/1\n"),
        ("profiles/dev.yaml", "bus: Redis\npassword: hunter22\nsame: hunter22\n"),
        ("secrets.env", "REDIS_KEY=hunter33\n"),
        ("notes.txt", "no bus here\nbut REDIS=1 and token=hunter44\n"),
        ("binary.bin", "redis\0redis\n"),
    ]);
    let machine = Agent::new();
    let (agent, _serve, api) = served(&repo, &with_tokens(&machine));
    assert_eq!(
        places(&api, "q=redis"),
        [
            "agents/redis.yaml",
            "agents/redis.yaml:2: url: redis://kim:(hidden)@cache/1",
            "notes.txt:2: but REDIS=1 and token=(hidden)",
            "profiles/dev.yaml:1: bus: Redis",
        ]
    );
    for secret in ["hunter", "hunter22", "hunter33", "hunter44", "wordpass7", "wordp"] {
        assert_eq!(places(&api, &format!("q={secret}")), [""; 0], "{secret}");
    }
    // However it is written, and where its place alone says that it is one.
    let odd = repo.commit(&[
        ("quotes.yaml", "a: plain1\nenv:\n- name: API_TOKEN\n  value: 'it''s4secret'\nb: plain2\n"),
        ("folds.yaml", "env:\n- name: API_TOKEN\n  value: >-\n    first4secret\n    second4secret\nb: plain3\n"),
        ("short.yaml", "env:\n- name: PIN_PASSWORD\n  value: 4se\nc: 1\nb: plain4\n"),
        ("flow.json", "{\"password\":\n\"ab\\/4secret\", \"b\": \"plain5\"}\n"),
        ("lines.yaml", "env:\n- name: API_TOKEN\n  value: |\n    one4secret\n\n    two4secret\nc: 1\nb: plain6\n"),
    ]);
    agent.wait_until_live(&odd);
    for secret in ["4se", "it''s", "first4", "second4", "ab\\/4", "one4", "two4"] {
        assert_eq!(places(&api, &format!("q={secret}")), [""; 0], "{secret}");
    }
    assert_eq!(places(&api, "q=plain"), ["lines.yaml:8: b: plain6", "short.yaml:5: b: plain4"]);
    // Another tree, and those who see only some files.
    let second = repo
        .commit(&[("profiles/dev.yaml", "bus: nats\n"), ("agents/scheduler.yaml", "bus: redis\n")]);
    agent.wait_until_live(&second);
    assert_eq!(places(&api, "q=bus:%20redis"), ["agents/scheduler.yaml:1: bus: redis"]);
    assert_eq!(places(&api, "q=bus:%20redis&at=1"), ["profiles/dev.yaml:1: bus: Redis"]);
    let narrow = api.with(&token("narrow"));
    assert_eq!(places(&narrow, "q=redis"), ["agents/scheduler.yaml:1: bus: redis"]);
    for (query, code) in
        [("", "bad_request"), ("?q=r", "bad_request"), ("?q=re&at=99", "not_found")]
    {
        let answer = api.get(&format!("/api/config/search{query}"));
        assert!((400..500).contains(&answer.status), "{query}: {answer:#?}");
        assert_eq!(answer.json()["code"], code, "{query}: {answer:#?}");
    }
    let long = api.get(&format!("/api/config/search?q={}", "x".repeat(201)));
    assert_eq!(long.status, 400, "{long:#?}");
}

#[test]
fn a_search_that_finds_much_says_that_there_may_be_more() {
    let repo = Repo::new();
    let many = (0..250).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "key-{number}: found");
        text
    });
    repo.commit(&[("a.yaml", many.as_str()), ("b.yaml", "key: found last\n")]);
    let (_agent, _serve, api) = served(&repo, "");
    let all = api.get("/api/config/search?q=found").json();
    assert_eq!(
        (all["items"].as_array().map(Vec::len), &all["truncated"]),
        (Some(200), &json!(true))
    );
    let one = api.get("/api/config/search?q=found%20last").json();
    assert_eq!(one["items"], json!([{"path": "b.yaml", "line": 1, "text": "key: found last"}]));
    assert_eq!(one["truncated"], json!(false));
}
