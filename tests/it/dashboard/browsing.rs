use std::path::Path;

use super::machine;
use crate::support::browser::Browser;
use crate::support::wait_until;

/// Pictures for the documentation are written there when this is set.
const PICTURES: &str = "KCONFIGD_PICTURES";

fn picture(browser: &mut Browser, name: &str) {
    let bytes = browser.picture();
    assert!(bytes.len() > 2_000, "{name} shows something");
    if let Some(folder) = std::env::var_os(PICTURES) {
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).expect("a picture");
    }
}

#[test]
fn a_person_signs_in_sees_a_change_arrive_reads_its_diff_and_rolls_back() {
    let (repo, agent, _serve, api) = machine();
    let mut browser = Browser::start(1180, 860);
    let base = format!("http://{}", api.address);
    // Without a mouse: the field has the focus, Enter sends it.
    browser.open(&base);
    browser.wait_for_text("Sign in");
    browser.wait("the field has the focus", "document.activeElement?.name === 'token'");
    picture(&mut browser, "sign-in");
    browser.type_text("not the token, though long");
    browser.press("Enter");
    browser.wait_for_text("this token is not known here");
    // The browser's own log tells the 401 too.
    browser.complaints.clear();
    browser.wait("the field has the focus", "document.activeElement?.name === 'token'");
    browser.type_text(api.token.as_deref().expect("a token"));
    browser.press("Enter");
    browser.wait_for_text("In sync");
    browser.wait("events come", "document.body.dataset.live === 'yes'");

    // A change arrives while the page is open, and the page shows it without being loaded again.
    browser.eval("window.kept = true");
    let third = repo
        .change()
        .write(
            "agents/scheduler.yaml",
            "# When things happen.\nname: scheduler\ninterval: 5s\nqueue: 2000\n",
        )
        .write("agents/planner.yaml", "name: planner\n")
        .commit("scheduler: every 5 s");
    browser.wait_for_text("scheduler: every 5 s");
    browser.wait_for_text(&third[..12]);
    assert_eq!(browser.eval("window.kept"), true, "the page was loaded again");
    picture(&mut browser, "overview");

    // Its diff: keys and lines, on one side and on two.
    browser.eval("document.querySelector('a[href=\"/deployments/3\"]').click()");
    browser.wait_for_text("Deployment 3");
    let text = browser.text();
    for shown in [
        "interval",
        "30s".replace("30", "10").as_str(),
        "5s",
        "agents/planner.yaml",
        "scheduler: every 5 s",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    picture(&mut browser, "deployment");
    browser.eval("document.querySelector('.views a').click()");
    browser.wait("it is side by side", "document.querySelector('table.split') !== null");
    picture(&mut browser, "side-by-side");

    // What a branch in review would change, and a document that nobody has committed yet.
    repo.branch("review", &third);
    let text = "# When things happen.\nname: scheduler\ninterval: 5s\nqueue: 500\n";
    repo.change().on("review").write("agents/scheduler.yaml", text).commit("a smaller queue");
    browser.open(&format!("{base}/plan"));
    browser.click("input[name=revision]");
    browser.type_text("origin/review");
    browser.press("Enter");
    browser.wait_for_text("What it would change");
    assert!(browser.text().contains("2000"), "{}", browser.text());
    picture(&mut browser, "plan");
    browser.open(&format!("{base}/try"));
    browser.click("input[name=path]");
    browser.type_text("agents/planner.yaml");
    browser.click("textarea");
    browser.type_text("name: planner\nqueue: [1, 2\nworkers: 4\n");
    browser.click("form.try button");
    browser.wait_for_text("It would be refused.");
    picture(&mut browser, "try");

    // Where it says something.
    browser.open(&format!("{base}/search"));
    browser.click("input[name=q]");
    browser.type_text("planner");
    browser.press("Enter");
    browser.wait_for_text("2 places");
    assert!(browser.text().contains("agents/planner.yaml:1"), "{}", browser.text());
    picture(&mut browser, "search");

    // Back to the one before, with a reason.
    browser.open(&format!("{base}/deployments/2"));
    browser.wait_for_text("Roll back to this");
    browser.click("details.act > summary");
    browser.wait("the form is open", "document.querySelector('details.act').open");
    browser.click("details.act input[name=reason]");
    browser.type_text("five seconds flood the bus");
    picture(&mut browser, "rollback");
    browser.press("Enter");
    browser.wait_for_text("rolled back to");
    wait_until("the second is live again", || {
        agent.live("agents/scheduler.yaml").is_some_and(|text| text.contains("10s"))
    });
    browser.wait_for_text("five seconds flood the bus");
    let history = agent.json(&["history"]);
    assert_eq!(history["items"][0]["origin"], "rollback", "{history:#}");
    assert_eq!(history["items"][0]["actor"], "admin", "{history:#}");

    // Dark, and on a phone: nothing is wider than the screen.
    browser.dark(true);
    picture(&mut browser, "dark");
    browser.resize(390, 840);
    for page in [
        "/",
        "/history",
        "/deployments/3",
        "/search?q=name",
        "/plan",
        "/try",
        "/profiles/dev",
        "/nodes",
        "/audit",
    ] {
        browser.open(&format!("{base}{page}"));
        let fits = browser.eval("document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(fits, true, "{page} is wider than a phone");
    }
    browser.open(&base);
    picture(&mut browser, "phone");
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn all_of_it_works_without_a_script_and_a_link_with_a_token_signs_in() {
    let (_repo, agent, _serve, api) = machine();
    let mut browser = Browser::start(1000, 800);
    let base = format!("http://{}", api.address);
    let token = api.token.clone().expect("a token");
    browser.open(&format!("{base}/sign-in?back=%2Fhistory#{token}"));
    browser.wait_for_text("History");
    browser.wait("it is where it was to lead", "location.pathname === '/history'");
    assert_eq!(browser.eval("location.href.includes('kct_')"), false, "the token stays nowhere");
    assert_eq!(browser.eval("document.cookie"), "", "no script sees the session");
    // The link once more, by who is signed in already.
    browser.open(&format!("{base}/sign-in?back=%2Fnodes#{token}"));
    browser.wait("it leads there at once", "location.pathname === '/nodes'");
    assert_eq!(browser.eval("location.hash"), "", "nor in the address");

    browser.scripts(false);
    browser.open(&base);
    browser.wait_for_text("In sync");
    browser.click("section.orders details.act > summary");
    browser.click("section.orders details.act input[name=reason]");
    browser.type_text("without a script");
    browser.press("Enter");
    wait_until("it went back", || {
        agent.json(&["history"])["items"][0]["reason"] == "without a script"
    });
    browser.wait_for_text("rolled back to");
}
