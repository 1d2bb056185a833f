//! TLS: what is encrypted, whose certificates count, and how a new one comes.

use std::path::Path;
use std::process::Command;

use super::{actions_of, profiles};
use crate::support::tls::Authority;
use crate::support::{Agent, Repo, Running, wait_for, wait_until};

struct Site {
    agent: Agent,
    _serve: Running,
    url: String,
    token: String,
    _repo: Repo,
}

fn served(authority: &Authority, at: &Path, more: &str) -> Site {
    let repo = Repo::new();
    profiles(&repo);
    let agent = Agent::new();
    authority.write_server(at, "server");
    agent.settings(&format!(
        "state_dir: {}\nlive: {{path: {}}}\ngitops: {{repository: \"{}\", sync_interval: 50ms}}\n\
         api:\n  listen: \"127.0.0.1:0\"\n  tls: {{cert_file: {}, key_file: {}{more}}}\n",
        agent.state_dir().display(),
        agent.live_path().display(),
        repo.path().display(),
        at.join("server.pem").display(),
        at.join("server.key").display(),
    ));
    let serve = agent.start(&["serve", "-v"]);
    let url = wait_for("serve listens", || {
        let said = serve.stderr();
        let (_, after) = said.split_once("the dashboard is at ")?;
        Some(after.split_whitespace().next()?.trim_matches('"').trim_end_matches('/').to_owned())
    });
    let token = std::fs::read_to_string(agent.state_dir().join("admin.token"));
    let token = token.expect("the first admin token").trim().to_owned();
    Site { agent, _serve: serve, url, token, _repo: repo }
}

/// What curl says: its exit code, and the status with the body behind it.
fn curl(site: &Site, authority: &Authority, path: &str, more: &[&str]) -> (i32, String) {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "-w", "\n%{http_code}", "--cacert"])
        .arg(authority.ca_file())
        .args(more)
        .arg(format!("{}{path}", site.url))
        .output()
        .expect("curl");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap_or(-1), said + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn with_a_certificate_only_tls_is_spoken_and_a_renewed_one_needs_no_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let site = served(&authority, folder.path(), "");
    assert!(site.url.starts_with("https://127.0.0.1:"), "{}", site.url);
    wait_until("something is live", || curl(&site, &authority, "/readyz", &[]).1.contains("\n200"));
    let bearer = format!("Authorization: Bearer {}", site.token);
    let (code, said) = curl(&site, &authority, "/api/config/status", &["-H", &bearer]);
    assert!(code == 0 && said.contains("in_sync"), "{said}");
    let plain = Command::new("curl")
        .args(["-sS", "--max-time", "20"])
        .arg(site.url.replace("https", "http"))
        .output()
        .expect("curl");
    assert!(!plain.status.success(), "{plain:?}");
    // A session's cookie goes over TLS alone.
    let form = format!("token={}", site.token);
    let (_, said) = curl(&site, &authority, "/sign-in", &["-i", "-d", &form]);
    assert!(said.contains("; Secure"), "{said}");

    let serial = |site: &Site| {
        let (_, said) = curl(site, &authority, "/healthz", &["-w", "%{certs}"]);
        said.lines().find(|line| line.starts_with("Serial")).unwrap_or_default().to_owned()
    };
    let before = serial(&site);
    authority.write_server(folder.path(), "server");
    wait_until("the new certificate is shown", || serial(&site) != before);
    // One that cannot be used changes nothing.
    let renewed = serial(&site);
    std::fs::write(folder.path().join("server.pem"), "no certificate\n").expect("a file");
    assert_eq!(serial(&site), renewed);
    assert_eq!(site.agent.run(&["status"]).code, 0, "the verbs go over the socket");
}

#[test]
fn clients_are_known_by_their_certificates_and_strangers_are_not_listened_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let more = format!(
        ", client_ca_file: {}, clients: [{{name: localhost, role: viewer}}]",
        authority.ca_file().display()
    );
    let site = served(&authority, folder.path(), &more);
    let (cert, key) = (authority.client_cert_file(), authority.client_key_file());
    let shown = ["--cert", cert.to_str().expect("UTF-8"), "--key", key.to_str().expect("UTF-8")];
    let (code, said) = curl(&site, &authority, "/healthz", &[]);
    assert!(code != 0, "{said}");
    wait_until("something is live", || {
        curl(&site, &authority, "/api/config/status", &shown).1.contains("in_sync")
    });
    let (_, said) =
        curl(&site, &authority, "/api/config/rollback", &[&shown[..], &["-X", "POST"]].concat());
    assert!(said.contains("\n403") && said.contains("localhost"), "{said}");
    // A certificate of somebody else's authority is none.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = Authority::new(elsewhere.path());
    let (cert, key) = (other.client_cert_file(), other.client_key_file());
    let theirs = ["--cert", cert.to_str().expect("UTF-8"), "--key", key.to_str().expect("UTF-8")];
    assert!(curl(&site, &authority, "/healthz", &theirs).0 != 0);
    // With a token a client has that token's role.
    let bearer = format!("Authorization: Bearer {}", site.token);
    let (_, said) = curl(
        &site,
        &authority,
        "/api/audit?outcome=refused",
        &[&shown[..], &["-H", &bearer]].concat(),
    );
    assert!(said.contains("\"known\":\"certificate\""), "{said}");
}

#[test]
fn the_rights_of_a_certificate_are_its_roles_on_every_route() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let more = format!(
        ", client_ca_file: {}, clients: [{{name: localhost, role: operator}}]",
        authority.ca_file().display()
    );
    let site = served(&authority, folder.path(), &more);
    let (cert, key) = (authority.client_cert_file(), authority.client_key_file());
    let shown = ["--cert", cert.to_str().expect("UTF-8"), "--key", key.to_str().expect("UTF-8")];
    wait_until("something is live", || {
        curl(&site, &authority, "/readyz", &shown).1.contains("\n200")
    });
    let (_, said) = curl(&site, &authority, "/openapi.json", &shown);
    let text = said.rsplit_once('\n').map_or("", |(text, _)| text);
    let document: serde_json::Value = serde_json::from_str(text).expect("the description");
    let may = actions_of("operator");
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let Some(action) = operation["x-kconfigd-action"].as_str() else { continue };
            if path == "/api/events" {
                continue;
            }
            let (method, path) = (method.to_uppercase(), path.replace("{id}", "999999"));
            let request = [&shown[..], &["-X", &method]].concat();
            let (code, said) = curl(&site, &authority, &path, &request);
            assert_eq!(code, 0, "{method} {path}: {said}");
            assert_eq!(!said.ends_with("\n403"), may.contains(&action), "{method} {path}: {said}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked} requests are too few to be all");
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_at_the_start() {
    let agent = Agent::new();
    let repo = Repo::new();
    profiles(&repo);
    let settings = |tls: &str| {
        format!(
            "state_dir: {}\nlive: {{path: {}}}\ngitops: {{repository: \"{}\"}}\n\
             api: {{listen: \"127.0.0.1:0\", tls: {{{tls}}}}}\n",
            agent.state_dir().display(),
            agent.live_path().display(),
            repo.path().display(),
        )
    };
    agent.settings(&settings("cert_file: /nowhere.pem, key_file: /nowhere.key"));
    let ran = agent.run(&["serve"]);
    assert_eq!(ran.code, 10, "{ran:#?}");
    assert!(ran.stderr.contains("/nowhere.pem"), "{ran:#?}");
    agent.settings(&settings("cert_file: /nowhere.pem"));
    assert!(agent.run(&["config", "check"]).stderr.contains("needs `key_file`"));
    agent.settings(&settings(
        "cert_file: a.pem, key_file: a.key, clients: [{name: x, role: viewer}]",
    ));
    assert!(agent.run(&["config", "check"]).stderr.contains("needs `client_ca_file`"));
}
