//! `klp/peers.list`: approved federation peers, one a line: a name and an address.

use std::collections::HashMap;

use crate::gates::AtHand;
use crate::model::Finding;

/// Findings about one file.
const FINDINGS_MAX: usize = 1_000;

/// The peers with their lines.
fn lines<'a>(file: &AtHand<'a>) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
    let plain = |line: &'a str| line.split('#').next().unwrap_or_default().trim();
    file.lines().map(move |(n, line)| (n, plain(line))).filter(|(_, line)| !line.is_empty())
}

/// How many peers are listed.
pub(super) fn count(file: &AtHand<'_>) -> u32 {
    u32::try_from(lines(file).count()).unwrap_or(u32::MAX)
}

pub(super) fn check(file: &AtHand<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for (number, line) in lines(file) {
        if found.len() >= FINDINGS_MAX {
            break;
        }
        let mut words = line.split_whitespace();
        let (name, address, more) = (words.next(), words.next(), words.next());
        let wrong = match (name, address, more) {
            (Some(_), Some(address), None) => what_is_wrong(address),
            (Some(only), None, _) if only.contains("://") => Some("the peer has no name"),
            (Some(_), None, _) => Some("the peer has no address"),
            _ => Some("there is more than a name and an address"),
        };
        if let Some(wrong) = wrong {
            let hint = "write a name and an address: `peer-a klp://peer-a.example.com:7443`";
            found.push(Finding::error("kos.peers", wrong).at(number, 1).hint(hint));
        }
        for word in name.into_iter().chain(address) {
            if let Some(first) = seen.insert(word, number) {
                let word: String = word.chars().take(100).collect();
                let text = format!("`{word}` is there twice: at line {first}, and again here");
                let hint = "keep one of the two";
                found.push(Finding::error("kos.peers", text).at(number, 1).hint(hint));
            }
        }
    }
    found
}

/// `klp://host:port`; the port may be left out.
fn what_is_wrong(address: &str) -> Option<&'static str> {
    let Some(rest) = address.strip_prefix("klp://") else {
        return Some("the address does not start with `klp://`");
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if rest.contains('@') {
        return Some("the address holds a user or a password, which everybody could read here");
    }
    let of_a_host = |c: char| c.is_ascii_alphanumeric() || "-.[]:".contains(c);
    if host.is_empty() || !host.chars().all(of_a_host) {
        return Some("the address has no host");
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Some("the port is not a number from 1 to 65535"),
        _ => None,
    }
}
