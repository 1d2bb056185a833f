use super::*;
use crate::document::{Format, parse};
use crate::model::Limits;

fn node(yaml: &str) -> Node {
    parse(yaml.as_bytes(), Format::Yaml, &Limits::default()).unwrap().remove(0).root
}

#[test]
fn durations_are_a_number_and_a_unit() {
    let read = |text: &str| duration(&node(text), Duration::from_millis(10));
    assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(read("30s"), Ok(Duration::from_secs(30)));
    assert_eq!(read("\"5m\""), Ok(Duration::from_secs(300)));
    assert_eq!(read("24h"), Ok(Duration::from_secs(86_400)));
    assert_eq!(read("7d"), Ok(Duration::from_secs(604_800)));
    assert_eq!(
        read("5 minutes").unwrap_err(),
        "\"5 minutes\" is not a duration; write 500ms, 30s, 5m, 24h or 7d"
    );
    for bad in ["5", "m", "-5m", "+5m", "1.5h", "1h30m", "5M", "99999999999999999999s", "[5m]"] {
        assert!(read(bad).is_err(), "{bad}");
    }
    assert_eq!(read("9ms").unwrap_err(), "9ms is too short; at least 10ms");
    assert_eq!(read("3651d").unwrap_err(), "3651d is too long; at most 3650d");
    assert_eq!(read("18446744073709551615d").unwrap_err().split(' ').nth(1), Some("is"));
}

#[test]
fn durations_are_shown_in_the_greatest_exact_unit() {
    for text in ["500ms", "30s", "90s", "5m", "36h", "7d", "0ms"] {
        assert_eq!(show_duration(parse_duration(text).unwrap()), text);
    }
}

#[test]
fn sizes_are_bytes_or_have_a_binary_unit() {
    let read = |text: &str| bytes(&node(text), 1);
    assert_eq!(read("4096"), Ok(4096));
    assert_eq!(read("20 KiB"), Ok(20 << 10));
    assert_eq!(read("16MiB"), Ok(16 << 20));
    assert_eq!(read("1 GiB"), Ok(1 << 30));
    for bad in
        ["0", "16 MB", "16 mib", "KiB", "1.5 MiB", "-1", "2000000 GiB", "99999999999999999999"]
    {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn booleans_are_true_and_false_and_nothing_else() {
    assert_eq!(boolean(&node("true")), Ok(true));
    assert_eq!(boolean(&node("false")), Ok(false));
    for bad in ["yes", "on", "\"true\"", "1", "True", "{}"] {
        assert!(boolean(&node(bad)).is_err(), "{bad}");
    }
}

#[test]
fn parts_and_numbers_of_files() {
    assert_eq!(percent(&node("10%")), Ok(0.1));
    assert_eq!(percent(&node("0")), Ok(0.0));
    for bad in ["10", "0.1", "101%", "-1%", "'%'", "inf%", "1e1%", "NaN%"] {
        assert!(percent(&node(bad)).is_err(), "{bad}");
    }
    assert_eq!(deletions(&node("50%")), Ok(MaxDeletions::Part(0.5)));
    assert_eq!(deletions(&node("0")), Ok(MaxDeletions::Files(0)));
    assert_eq!(deletions(&node("200")), Ok(MaxDeletions::Files(200)));
    assert!(deletions(&node("half")).is_err());
}

#[test]
fn modes_are_octal() {
    assert_eq!(mode(&node("\"0600\"")), Ok(0o600));
    assert_eq!(mode(&node("640")), Ok(0o640));
    assert_eq!(mode(&node("0o777")), Ok(0o777));
    for bad in ["1777", "0800", "+600", "6", "rw", "0x1ff", "00600"] {
        assert!(mode(&node(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_wrong_word_gets_the_one_that_was_meant() {
    let read = |text: &str| word(&node(text), &["repair", "report", "off"]);
    assert_eq!(read("off"), Ok("off"));
    let wrong = read("repiar").unwrap_err();
    assert_eq!(wrong, "\"repiar\" is not one of repair, report, off; did you mean repair?");
}

#[test]
fn time_zones_have_iana_names() {
    assert_eq!(timezone(&node("Europe/Berlin")), Ok(chrono_tz::Europe::Berlin));
    assert!(timezone(&node("Europe/Berln")).unwrap_err().contains("Europe/Berlin?"));
}

#[test]
fn owners_are_names_or_numbers() {
    let find = |name: &str| if name == "kos" { Ok(998) } else { Err("no such".to_owned()) };
    let read = |text: &str| owner(text, find, find);
    assert_eq!(read("kos:100"), Ok(Owner { uid: Some(998), gid: Some(100) }));
    assert_eq!(read("0"), Ok(Owner { uid: Some(0), gid: None }));
    assert_eq!(read(":kos"), Ok(Owner { uid: None, gid: Some(998) }));
    for bad in ["", ":", "x:kos", "4294967295", "99999999999", "kos:kos:kos"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_message_shows_a_value_cut_and_on_one_line() {
    assert_eq!(shown("a\nb"), r#""a\nb""#);
    assert!(shown(&"ä".repeat(1000)).chars().count() < 70);
}
