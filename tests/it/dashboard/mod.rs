//! The dashboard: pages over HTTP as browsers ask for them, and in a real browser.

mod browsing;
mod pages;

use crate::api::served;
use crate::support::api::{Answer, Api};
use crate::support::{Agent, Repo, Running};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Somebody who is signed in.
pub(crate) struct Visitor {
    api: Api,
    cookie: String,
}

impl Visitor {
    /// Signs in with the API's token.
    #[track_caller]
    pub(crate) fn sign_in(api: &Api) -> Self {
        let token = api.token.clone().expect("a token");
        let api = api.nobody();
        let answer = api.send("POST", "/sign-in", &[FORM], format!("token={token}").as_bytes());
        assert_eq!(answer.status, 303, "{answer:#?}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Self { api, cookie }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.api.send("GET", path, &[("cookie", &self.cookie)], b"")
    }

    /// Asks, and gives the connection on which the answer comes.
    pub(crate) fn begin(&self, path: &str) -> std::net::TcpStream {
        self.api.begin("GET", path, &[("cookie", &self.cookie)], b"")
    }

    /// Sends a form as the page that it is on would.
    #[track_caller]
    fn send(&self, path: &str, fields: &str) -> Answer {
        let page = self.get("/").text;
        let mark = page.split("name=\"form\" value=\"").nth(1).expect("a form on the page");
        let mark = mark.split('"').next().unwrap_or_default();
        let body = format!("form={mark}&{fields}");
        self.api.send("POST", path, &[FORM, ("cookie", &self.cookie)], body.as_bytes())
    }
}

/// A machine with two deployments and a commit that was refused.
fn machine() -> (Repo, Agent, Running, Api) {
    let repo = Repo::new();
    repo.commit(&[
        ("profiles/base.yaml", "bus: redis\npassword: hunter22\n"),
        ("profiles/dev.yaml", "extends: base\nbus: nats\n"),
        ("agents/scheduler.yaml", "# When things happen.\nname: scheduler\ninterval: 30s\n"),
        ("notes.conf", "a = <b>\n"),
    ]);
    let (agent, serve, api) = served(&repo, "");
    let second = repo.commit(&[
        ("agents/scheduler.yaml", "# When things happen.\nname: scheduler\ninterval: 10s\n"),
        ("notes.conf", "a = <i>\"\n"),
    ]);
    agent.wait_until_live(&second);
    (repo, agent, serve, api)
}
