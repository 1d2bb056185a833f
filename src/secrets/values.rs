use zeroize::Zeroizing;

use super::Form;
use crate::document::{self, Node, Value};
use crate::model::{Limits, TreePath};

/// What is shown in place of a value.
const HIDDEN: &str = "(hidden)";
/// Bytes of the shortest value that is looked for: what is shorter is in every text.
const BYTES_MIN: usize = 4;
/// Values that are looked for; where there are more, nothing of a text is shown.
const VALUES_MAX: usize = 10_000;

/// The values of decrypted files, to be hidden wherever somebody else says them.
#[derive(Default)]
pub struct Values(Vec<Zeroizing<String>>);

impl Values {
    /// Adds what a decrypted file holds: values of documents and dotenv files, lines of others.
    pub fn add(&mut self, path: &TreePath, plain: &[u8], limits: &Limits) {
        let text = Zeroizing::new(String::from_utf8_lossy(plain).into_owned());
        match Form::of(path.as_str()) {
            Some(Form::Document(format)) => {
                if let Ok(documents) = document::parse(plain, format, limits) {
                    documents.iter().for_each(|document| self.node(&document.root));
                    return;
                }
            }
            Some(Form::Dotenv) => {
                let values = text.lines().filter_map(|line| line.split_once('='));
                values.for_each(|(_, value)| self.text(&value.replace("\\n", "\n")));
                return;
            }
            _ => {}
        }
        self.text(&text);
    }

    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar(scalar) => self.text(&scalar.text),
            Value::Sequence(items) => items.iter().for_each(|item| self.node(item)),
            Value::Mapping(pairs) => pairs.iter().for_each(|(_, value)| self.node(value)),
        }
    }

    /// Each line of a value may be said alone.
    fn text(&mut self, text: &str) {
        let lines = text.lines().map(|line| line.trim().trim_matches(['"', '\'']));
        for line in lines.filter(|line| line.len() >= BYTES_MIN) {
            if self.0.len() <= VALUES_MAX {
                self.0.push(Zeroizing::new(line.to_owned()));
            }
        }
    }

    /// The same text without any of them; nothing of it where there are too many to look for.
    #[must_use]
    pub fn hide(mut self, text: &str) -> String {
        if self.0.len() > VALUES_MAX {
            return HIDDEN.to_owned();
        }
        // The longest first: one may be a part of another.
        self.0.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut text = text.to_owned();
        for value in &self.0 {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), HIDDEN);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_in_what_others_say_of_them() {
        let mut values = Values::default();
        for (path, text) in [
            ("a.yaml", "user: admin\nkey: \"line one\\nline two\"\non: no\n"),
            ("b.env", "TOKEN=abc123\nN=1\n"),
            ("c.txt", "  the whole line\n"),
        ] {
            values.add(&TreePath::parse(path).unwrap(), text.as_bytes(), &Limits::default());
        }
        let said = "bad key 'line two' of admin, abc123, the whole line: no 1";
        assert_eq!(values.hide(said), "bad key '(hidden)' of (hidden), (hidden), (hidden): no 1");
    }
}
