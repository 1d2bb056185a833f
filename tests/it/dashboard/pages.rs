use super::{FORM, Visitor, machine};
use crate::api::{served, token, with_tokens};
use crate::support::api::Api;
use crate::support::{Agent, Repo, wait_until};

const PAGES: [&str; 13] = [
    "/",
    "/history",
    "/deployments/2",
    "/deployments/2?view=split",
    "/diff?from=1&to=2",
    "/search",
    "/search?q=dev",
    "/plan",
    "/try",
    "/profiles",
    "/profiles/dev",
    "/nodes",
    "/audit",
];

#[test]
fn nobody_sees_a_page_without_signing_in_and_nothing_of_a_page_comes_from_elsewhere() {
    let (_repo, _agent, _serve, api) = machine();
    let nobody = api.nobody();
    for page in PAGES {
        let answer = nobody.get(page);
        assert_eq!(answer.status, 303, "{page}");
        let to = answer.header("location").unwrap_or_default();
        assert!(to.starts_with("/sign-in"), "{page}: {to}");
        // A token in a header is the API's, not the pages'.
        assert_eq!(api.get(page).status, 303, "{page}");
    }
    let visitor = Visitor::sign_in(&api);
    for page in PAGES {
        let answer = visitor.get(page);
        assert_eq!(answer.status, 200, "{page}: {answer:#?}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{page}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{page}");
        assert!(!answer.text.contains("hunter22"), "{page}");
        for outside in ["src=\"http", "href=\"http", "style=\"", "onclick"] {
            assert!(!answer.text.contains(outside), "{page} has {outside}");
        }
    }
    let asset = visitor.get("/assets/style.css");
    assert!(asset.header("cache-control").is_some_and(|cache| cache.contains("immutable")));
    let tag = asset.header("etag").expect("a tag").to_owned();
    let again = api.send("GET", "/assets/style.css", &[("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(visitor.get("/nowhere").status, 404);
    assert_eq!(visitor.get("/deployments/99").status, 404);
    assert_eq!(visitor.get("/deployments/x").status, 400);
    assert_eq!(visitor.get("/diff?from=nothing").status, 200);
}

#[test]
fn what_commits_say_is_text_and_never_markup() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "a: 1\n")]);
    let (agent, _serve, api) = served(&repo, "");
    let evil = "<script>alert(1)</script>\"'&";
    let change = repo.change().write("<b>.yaml", "a: \"<script>alert(1)</script>'&\"\n<i>: 2\n");
    let next = change.write("x.txt", evil).commit(&format!("{evil}\n\n{evil}"));
    agent.wait_until_live(&next);
    let visitor = Visitor::sign_in(&api);
    for page in
        ["/", "/history", "/deployments/2", "/deployments/2?view=split", "/diff?from=1&to=2"]
    {
        let text = visitor.get(page).text;
        assert!(!text.contains("<script>alert"), "{page}: {text}");
        assert!(!text.contains("<b>.yaml"), "{page}: {text}");
    }
    assert!(visitor.get("/deployments/2").text.contains("alert(1)"));
    let text = visitor.get("/diff?from=%22%3E%3Cscript%3E&to=2").text;
    assert!(!text.contains("\"><script>"), "{text}");
}

#[test]
fn a_form_counts_only_from_a_page_of_its_own_session() {
    let (_repo, agent, _serve, api) = machine();
    let visitor = Visitor::sign_in(&api);
    let cookie = ("cookie", visitor.cookie.as_str());
    let plain = visitor.api.send("POST", "/do/rollback", &[FORM, cookie], b"reason=x");
    assert_eq!(plain.status, 403, "{plain:#?}");
    let guessed = visitor.api.send("POST", "/do/rollback", &[FORM, cookie], b"form=guess&reason=x");
    assert_eq!(guessed.status, 403);
    let page = visitor.get("/").text;
    let mark = page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("form={mark}&reason=x");
    let foreign = [FORM, cookie, ("origin", "https://evil.example")];
    let answer = visitor.api.send("POST", "/do/rollback", &foreign, body.as_bytes());
    assert_eq!(answer.status, 403);
    let other = Visitor::sign_in(&api);
    let theirs = [FORM, ("cookie", other.cookie.as_str())];
    assert_eq!(visitor.api.send("POST", "/do/rollback", &theirs, body.as_bytes()).status, 403);
    assert_eq!(agent.json(&["status"])["live"]["deployment"], 2);
    let origin = format!("http://{}", api.address);
    let own = [FORM, cookie, ("origin", origin.as_str())];
    assert_eq!(visitor.api.send("POST", "/do/rollback", &own, body.as_bytes()).status, 303);
    let status = agent.json(&["status"]);
    assert_eq!(status["live"]["deployment"], 3, "{status:#}");
    // Who signed out is out, with every copy of the cookie.
    assert_eq!(visitor.send("/sign-out", "").status, 303);
    assert_eq!(visitor.get("/").status, 303);
    assert_eq!(other.get("/").status, 200);
}

#[test]
fn every_verb_can_be_done_by_a_form_and_is_audited_as_the_person() {
    let (repo, agent, _serve, api) = machine();
    let visitor = Visitor::sign_in(&api);
    let said = |path: &str, fields: &str| {
        let answer = visitor.send(path, fields);
        assert_eq!(answer.status, 303, "{path}: {answer:#?}");
        let page = visitor.get("/").text;
        let said = page.split("role=\"status\">").nth(1).and_then(|t| t.split('<').next());
        said.unwrap_or_default().to_owned()
    };
    assert!(said("/do/suspend", "reason=lunch&minutes=30").starts_with("suspended"));
    let status = agent.json(&["status"]);
    assert_eq!(status["suspended"]["reason"], "lunch", "{status:#}");
    let third = repo.commit(&[("notes.conf", "a = 3\n")]);
    wait_until("the third commit is held", || {
        let status = agent.json(&["status"]);
        status["desired"]["revision"] == third.as_str() && status["state"] == "suspended"
    });
    assert!(visitor.get("/").text.contains("/do/apply"), "the button that helps is there");
    assert!(said("/do/apply", &format!("revision={third}&reason=now")).starts_with("applied"));
    assert!(said("/do/resume", "").starts_with("resumed"));
    assert!(said("/do/look", "").starts_with("in sync"));
    assert!(said("/do/compare", "").starts_with("in sync"));
    assert!(said("/do/repair", "").starts_with("in sync"));
    assert!(said("/do/rollback", "reason=too+fast&hold=yes").starts_with("rolled back to"));
    let history = agent.json(&["history"]);
    assert_eq!(history["items"][0]["actor"], "admin", "{history:#}");
    assert_eq!(history["items"][0]["reason"], "too fast", "{history:#}");
    let bad = visitor.send("/do/suspend", "minutes=x");
    assert_eq!(bad.status, 400, "{bad:#?}");
    assert_eq!(visitor.send("/do/redeliver", "id=77").status, 404);
    let trail = api.get("/api/audit?limit=200").json();
    let items = trail["items"].as_array().unwrap();
    let by = |action: &str| items.iter().any(|r| r["action"] == action && r["known"] == "session");
    for action in ["order.apply", "order.rollback", "agent.suspend", "agent.resume"] {
        assert!(by(action), "{action}: {trail:#}");
    }
    assert!(items.iter().any(|record| record["action"] == "session.begin"));
}

#[test]
fn a_branch_is_planned_and_a_document_tried_and_nothing_is_kept_of_either() {
    let (repo, agent, _serve, api) = machine();
    let visitor = Visitor::sign_in(&api);
    repo.branch("feature", &repo.tip("main"));
    let pushed = |text: &str| {
        repo.change().on("feature").write("agents/scheduler.yaml", text).commit("a change")
    };
    let feature = pushed("name: scheduler\ninterval: 7s\n");
    let page = visitor.send("/plan", "revision=feature");
    assert_eq!(page.status, 200, "{page:#?}");
    assert!(page.text.contains("agents/scheduler.yaml"), "{}", page.text);
    assert!(page.text.contains("<ins>7s</ins>"), "{}", page.text);
    assert!(page.text.contains(&format!("name=\"revision\" value=\"{feature}\"")));
    let split = visitor.send("/plan", "revision=feature&view=split");
    assert!(split.text.contains("lines split"), "{}", split.text);
    let broken = pushed("a: 1\n  b: 2\n");
    let page = visitor.send("/plan", "revision=feature");
    assert!(page.text.contains("refused") && page.text.contains("yaml.syntax"), "{}", page.text);
    assert!(!page.text.contains(&format!("value=\"{broken}\"")), "what is refused has no button");
    let nowhere = visitor.send("/plan", "revision=nowhere");
    assert_eq!(nowhere.status, 200, "{nowhere:#?}");
    assert!(nowhere.text.contains("said bad"), "{}", nowhere.text);

    let good = visitor.send("/try", "path=agents/new.yaml&text=name%3A+new%0D%0A");
    assert!(good.text.contains("It would pass."), "{}", good.text);
    let bad = visitor.send("/try", "path=agents/new.yaml&text=a%3A+1%0D%0A++b%3A+%3Cb%3E");
    assert!(bad.text.contains("It would be refused."), "{}", bad.text);
    let place = bad.text.find("agents/new.yaml:2").expect("the finding has its place");
    assert!(place > bad.text.find("lines unified").expect("the lines"), "{}", bad.text);
    assert!(!bad.text.contains("<b>b"), "{}", bad.text);
    assert_eq!(visitor.send("/try", "text=a").status, 400);
    let status = agent.json(&["status"]);
    assert_eq!(status["live"]["deployment"], 2, "{status:#}");
    assert_eq!(status["quarantine"], serde_json::json!([]), "{status:#}");
}

#[test]
fn each_page_and_form_needs_the_right_of_its_route() {
    let repo = Repo::new();
    repo.commit(&[("agents/scheduler.yaml", "a: 1\n"), ("agents/other.yaml", "b: 1\n")]);
    let place = Agent::new();
    let (_agent, _serve, api) = served(&repo, &with_tokens(&place));
    let roles = ["viewer", "operator", "publisher", "read", "apply", "audit:read"];
    for role in roles {
        let visitor = Visitor::sign_in(&api.with(&token(role)));
        let may = crate::api::actions_of(role);
        for (page, needs) in [
            ("/", "read"),
            ("/history", "read"),
            ("/nodes", "read"),
            ("/audit", "audit:read"),
            ("/plan", "apply"),
            ("/try", "validate"),
        ] {
            let wanted = if may.contains(&needs) { 200 } else { 403 };
            assert_eq!(visitor.get(page).status, wanted, "{role} {page}");
        }
        for (form, needs) in [
            ("/do/look", "apply"),
            ("/do/apply", "apply"),
            ("/do/rollback", "rollback"),
            ("/do/suspend", "suspend"),
            ("/do/resume", "suspend"),
            ("/do/compare", "repair"),
            ("/do/repair", "repair"),
            ("/do/redeliver", "nodes:write"),
            ("/plan", "apply"),
            ("/try", "validate"),
        ] {
            if !may.contains(&needs) {
                let headers = [FORM, ("cookie", visitor.cookie.as_str())];
                let answer = visitor.api.send("POST", form, &headers, b"form=x");
                assert_eq!(answer.status, 403, "{role} {form}");
                assert!(answer.text.contains("has no right to"), "{role} {form}");
            }
        }
        if may.contains(&"read") {
            let page = visitor.get("/").text;
            assert_eq!(page.contains("/do/rollback"), may.contains(&"rollback"), "{role}");
            assert_eq!(page.contains("href=\"/audit\""), may.contains(&"audit:read"), "{role}");
        }
    }
    // Who sees one file sees no other, in no page.
    let narrow = Visitor::sign_in(&api.with(&token("narrow")));
    let second =
        repo.commit(&[("agents/scheduler.yaml", "a: 2\n"), ("agents/other.yaml", "b: 2\n")]);
    wait_until("the second is live", || {
        api.get("/api/config/status").json()["live"]["revision"] == second.as_str()
    });
    for page in ["/", "/history", "/deployments/2", "/diff?from=1&to=2"] {
        let text = narrow.get(page).text;
        assert!(!text.contains("other.yaml"), "{page}: {text}");
    }
    assert!(narrow.get("/deployments/2").text.contains("agents/scheduler.yaml"));
}

#[test]
fn wrong_tokens_cost_time_and_a_token_that_is_gone_ends_its_sessions() {
    let (_repo, agent, _serve, api) = machine();
    let visitor = Visitor::sign_in(&api);
    std::fs::write(agent.state_dir().join("admin.token"), "another token, quite as long\n")
        .unwrap();
    assert_eq!(visitor.get("/").status, 303);
    let nobody = api.nobody();
    let huge = vec![b'a'; 200_000];
    assert_eq!(nobody.send("POST", "/sign-in", &[FORM], &huge).status, 413);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(nobody.send("POST", "/sign-in", &[FORM], b"token=wrong-wrong-wrong").status);
    }
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429));
    // Of who has to wait nothing is read.
    assert_eq!(nobody.send("POST", "/sign-in", &[FORM], &huge).status, 429);
}

#[test]
fn a_document_of_sixty_kib_is_tried_whatever_it_is_made_of_and_one_of_more_says_whose_limit_that_is()
 {
    let (_repo, _agent, _serve, api) = machine();
    let visitor = Visitor::sign_in(&api);
    // Each of these bytes is three in a form.
    let text = |kib: usize| "%23%20%C3%A4%0A".repeat(kib * 1024 / 5);
    let tried = visitor.send("/try", &format!("path=a.yaml&text={}", text(60)));
    assert_eq!(tried.status, 200, "{}", tried.text);
    let tried = visitor.send("/try", &format!("path=a.yaml&text={}", text(64)));
    assert_eq!(tried.status, 413);
    assert!(tried.text.contains("this page tries"), "{}", tried.text);
    let tried = visitor.send("/try", &format!("path=a.yaml&text={}", text(300)));
    assert_eq!(tried.status, 413);
    assert!(!tried.text.contains("http_body_bytes_max"), "{}", tried.text);
}

#[test]
fn a_form_that_cannot_be_read_goes_back_to_nothing_and_nobody_is_sent_elsewhere() {
    let (_repo, agent, _serve, api) = machine();
    let visitor = Visitor::sign_in(&api);
    assert!(
        visitor.cookie.starts_with("kconfigd-0="),
        "the port is in the name: {}",
        visitor.cookie
    );
    assert_eq!(visitor.send("/do/rollback", "to=one&reason=x").status, 400);
    assert_eq!(agent.json(&["status"])["live"]["deployment"], 2);
    for back in ["/%09/evil.example", "//evil.example", "/%0d%0a", "/%01"] {
        let answer = visitor.get(&format!("/sign-in?back={back}"));
        assert_eq!(answer.header("location"), Some("/#"), "{back}: {answer:#?}");
    }
}

#[test]
fn a_plan_shows_all_of_a_first_commit_when_nothing_is_live_yet() {
    let repo = Repo::new();
    repo.commit(&[("agents/first.yaml", "a: 1\n")]);
    let agent = Agent::new();
    agent.settings(&format!(
        "state_dir: {}\nlive: {{path: {}}}\napi: {{listen: \"127.0.0.1:0\"}}\n\
         gitops: {{repository: \"{}\", auto_sync: false}}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
    ));
    let (_serve, api) = Api::serve(&agent);
    let page = Visitor::sign_in(&api).send("/plan", "");
    assert_eq!(page.status, 200, "{page:#?}");
    assert!(page.text.contains("agents/first.yaml"), "{}", page.text);
    assert_eq!(agent.live("agents/first.yaml"), None);
}
