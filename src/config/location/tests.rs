use super::*;

fn read(text: &str) -> Read<Location> {
    location(Path::new("/etc/kconfigd"), text)
}

fn ssh_to(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Location {
    Location::Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    }
}

#[test]
fn every_way_to_a_repository_is_read() {
    let at = |path: &str| Location::Path(path.into());
    let web = |url: &str| Location::Http(url.to_owned());
    for (text, expected) in [
        ("https://git.example.com/kos-config", web("https://git.example.com/kos-config")),
        ("HTTP://git.example.com:8080/a b", web("http://git.example.com:8080/a%20b")),
        ("git@host:kos/config.git", ssh_to(Some("git"), "host", None, "kos/config.git")),
        ("host:/srv/config.git", ssh_to(None, "host", None, "/srv/config.git")),
        ("git@[::1]:x", ssh_to(Some("git"), "::1", None, "x")),
        ("ssh://git@host:2222/srv/x.git", ssh_to(Some("git"), "host", Some(2222), "/srv/x.git")),
        ("ssh://host/~kim/x%20y", ssh_to(None, "host", None, "~kim/x y")),
        ("ssh://[2001:db8::1]:22/x", ssh_to(None, "2001:db8::1", Some(22), "/x")),
        ("file:///srv/a%20b", at("/srv/a b")),
        ("file://localhost/srv/x", at("/srv/x")),
        ("/srv/x.git", at("/srv/x.git")),
        ("../x.git", at("/etc/x.git")),
        ("./a:b", at("/etc/kconfigd/a:b")),
        ("embedded", Location::Embedded),
        ("./embedded", at("/etc/kconfigd/embedded")),
    ] {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_leads_nowhere_or_looks_like_an_option_is_refused() {
    for text in [
        "",
        "ftp://host/x",
        "https://",
        "https:///",
        "https://host/x?token=1",
        "ssh://",
        "ssh://host",
        "ssh://-oProxyCommand=x/y",
        "ssh://host:0/x",
        "ssh://host:99999/x",
        "ssh://host:+22/x",
        "-oProxyCommand=x:y",
        "git@-x:y",
        "-l@host:y",
        "host:-x",
        "host:",
        "ho st:x",
        "git@host:a\nb",
        "file://elsewhere/x",
        "file:x",
        "~/x",
        "ssh://host/%ff",
        "ssh://host/a%00",
    ] {
        assert!(read(text).is_err(), "{text:?} gave {:?}", read(text));
    }
}

#[test]
fn credentials_in_a_url_are_refused_with_advice_and_never_shown() {
    for text in [
        "https://kim:hunter2@git.example.com/x",
        "https://hunter2@git.example.com/x",
        "https://:hunter2@git.example.com/x",
        "ssh://kim:hunter2@host/x",
        "ssh://kim%3ahunter2@host/x",
        "kim:hunter2@host:x",
        "https://kim:hunter2@[broken/x",
        "https://kim:hunter2@host:port/x",
    ] {
        let wrong = read(text).unwrap_err();
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
    let wrong = read("https://kim:hunter2@git.example.com/x").unwrap_err();
    assert!(wrong.contains("gitops.auth.token_file"), "{wrong}");
}
