//! netrc files: `machine HOST login USER password WORD`, and `default`.

use crate::model::Secret;

/// The login for `host`: its own entry, else the default one. Entries without a password do not
/// count; macros are skipped.
pub(super) fn login(text: &str, host: &str) -> Option<(String, Secret)> {
    let mut words = words(text).into_iter();
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" => entries.push(Entry { host: words.next(), ..Entry::default() }),
            "default" => entries.push(Entry::default()),
            "login" => {
                let login = words.next();
                entries.last_mut()?.login = login;
            }
            "password" => {
                let password = words.next().map(Secret::new);
                entries.last_mut()?.password = password;
            }
            "account" => {
                words.next();
            }
            _ => {}
        }
    }
    let complete = |entry: &Entry| Some((entry.login.clone()?, entry.password.clone()?));
    let own = |entry: &&Entry| entry.host.as_ref().is_some_and(|h| h.eq_ignore_ascii_case(host));
    let default = |entry: &&Entry| entry.host.is_none();
    entries
        .iter()
        .filter(own)
        .find_map(complete)
        .or_else(|| entries.iter().filter(default).find_map(complete))
}

#[derive(Default)]
struct Entry {
    host: Option<String>,
    login: Option<String>,
    password: Option<Secret>,
}

/// The words of a netrc: separated by blanks, quoted where they have some, without comments and
/// macros (which end with an empty line).
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, after) = word(rest);
            if word == "macdef" {
                in_macro = true;
                break;
            }
            words.push(word);
            rest = after.trim_start();
        }
    }
    words
}

fn word(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        return (word.to_owned(), rest);
    };
    let mut word = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (word, quoted.get(at + 1..).unwrap_or("")),
            '\\' => word.extend(chars.next().map(|(_, c)| c)),
            c => word.push(c),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    const FILE: &str = "\
# for the build machine
machine other.example.com login eve password wrong
machine git.example.com
  login ada
  password \"a \\\"b#\"
macdef init
machine git.example.com login nobody password none

machine short.example.com login x
default login anonymous password guest
";

    #[test]
    fn the_entry_of_the_host_counts_and_no_other() {
        let (login, password) = super::login(FILE, "GIT.example.com").unwrap();
        assert_eq!((login.as_str(), password.expose()), ("ada", "a \"b#"));
        let (login, _) = super::login(FILE, "elsewhere.example.com").unwrap();
        assert_eq!(login, "anonymous");
        assert!(super::login("machine a login b password c", "d").is_none());
    }

    #[test]
    fn nothing_in_a_file_breaks_the_reader() {
        for odd in ["", "machine", "login x", "machine a login", "\"", "password", "\"\\"] {
            assert!(super::login(odd, "a").is_none(), "{odd}");
        }
    }
}
