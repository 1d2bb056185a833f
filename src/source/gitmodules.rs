//! `.gitmodules`: git's configuration syntax (git-config(1)), the part that names submodules. Pure.

/// Bytes in the file.
pub(super) const BYTES_MAX: u64 = 256 * 1024;

/// One submodule as the file has it: nothing about it is trusted yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub name: String,
    pub path: Option<String>,
    pub url: Option<String>,
}

/// The submodules in the order of the file. The last of several values counts, as in git.
///
/// # Errors
/// The number of the line that is not understood.
pub(super) fn parse(text: &str) -> Result<Vec<Module>, usize> {
    let mut modules: Vec<Module> = Vec::new();
    let mut current = None;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let bad = number + 1;
        let mut rest = line.trim_start();
        if let Some(header) = rest.strip_prefix('[') {
            let (name, after) = section(header).ok_or(bad)?;
            current = name.map(|name| {
                let at = modules.iter().position(|module| module.name == name);
                at.unwrap_or_else(|| {
                    modules.push(Module { name, ..Module::default() });
                    modules.len() - 1
                })
            });
            rest = after.trim_start();
        }
        if rest.is_empty() || rest.starts_with(['#', ';']) {
            continue;
        }
        let (key, text) = rest.split_once('=').unwrap_or((rest, ""));
        let (key, mut value) = (key.trim(), Value::default());
        let mut more = value.read(text).ok_or(bad)?;
        while more {
            let (_, line) = lines.next().ok_or(bad)?;
            more = value.read(line).ok_or(bad)?;
        }
        let value = value.end().ok_or(bad)?;
        let Some(module) = current.and_then(|at: usize| modules.get_mut(at)) else { continue };
        if key.eq_ignore_ascii_case("path") {
            module.path = Some(value);
        } else if key.eq_ignore_ascii_case("url") {
            module.url = Some(value);
        }
    }
    Ok(modules)
}

/// The name in `[submodule "name"]`, `None` for another section, and what comes behind.
fn section(header: &str) -> Option<(Option<String>, &str)> {
    let Some((kind, rest)) = header.split_once('"') else {
        return header.split_once(']').map(|(_, after)| (None, after));
    };
    if kind.contains(']') {
        return header.split_once(']').map(|(_, after)| (None, after));
    }
    let mut name = String::new();
    let mut chars = rest.char_indices();
    loop {
        match chars.next()? {
            (_, '\\') => name.push(chars.next()?.1),
            (at, '"') => {
                let after = rest.get(at + 1..)?.trim_start().strip_prefix(']')?;
                let is_module = kind.trim().eq_ignore_ascii_case("submodule");
                return Some((is_module.then_some(name), after));
            }
            (_, c) => name.push(c),
        }
    }
}

/// A value while it is read: blanks at its ends do not count unless they are quoted.
#[derive(Default)]
struct Value {
    text: String,
    /// Length up to the last character that counts.
    kept: usize,
    quoted: bool,
}

impl Value {
    /// Reads a line of it; true when it goes on in the next.
    fn read(&mut self, line: &str) -> Option<bool> {
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    self.quoted = !self.quoted;
                    self.kept = self.text.len();
                }
                '\\' => match chars.next() {
                    None => return Some(true),
                    Some('n') => self.push('\n'),
                    Some('t') => self.push('\t'),
                    Some('b') => self.push('\u{8}'),
                    Some(c @ ('"' | '\\')) => self.push(c),
                    Some(_) => return None,
                },
                '#' | ';' if !self.quoted => return Some(false),
                c if c.is_whitespace() && !self.quoted => {
                    if !self.text.is_empty() {
                        self.text.push(c);
                    }
                }
                c => self.push(c),
            }
        }
        Some(false)
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
        self.kept = self.text.len();
    }

    /// The value; `None` while a quote is open.
    fn end(mut self) -> Option<String> {
        self.text.truncate(self.kept);
        (!self.quoted).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn module(name: &str, path: &str, url: &str) -> Module {
        Module { name: name.into(), path: Some(path.into()), url: Some(url.into()) }
    }

    #[test]
    fn what_git_writes_and_people_write_is_read() {
        let text = "\
# ours
[submodule \"themes\"]
\tpath = shared/themes
\turl = ../themes.git
[core] bare = true
[Submodule \"a \\\"b\\\\\"] path = \"with # sign\" ; a comment
  URL = https://git.example.com/\\
x.git   # split
  branch = main
[submodule \"themes\"]
\turl = ./last-one-counts
";
        let expected = [
            module("themes", "shared/themes", "./last-one-counts"),
            module("a \"b\\", "with # sign", "https://git.example.com/x.git"),
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line() {
        assert_eq!(parse("[submodule \"x\"]\n path = \"open\n"), Err(2));
        assert_eq!(parse("\n[submodule \"x\n"), Err(2));
        assert_eq!(parse("[submodule \"x\"]\nurl = \\q\n"), Err(2));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[\\[\\]\"\\\\=#;a \n\t]{0,60}") {
            let _ = parse(&text);
        }
    }
}
