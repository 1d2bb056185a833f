use super::{Document, Node, Scalar, Style, Value};

/// Characters that a key without `? ` may have (YAML 1.2.2, 7.4.2), some kept for quotes.
const SIMPLE_KEY_MAX: usize = 1000;

/// Names how [`emit`] writes: what it makes of a document is part of digests, so it stays as it is, and
/// another way to write would be another number.
pub const EMITTER: u32 = 1;

/// Writes a document as YAML in block style that parses to the same tree. Scalars keep their text,
/// and their quotes where they can; aliases stay expanded, and comments are lost.
#[must_use]
pub fn emit(document: &Document) -> String {
    let mut writer = Writer { out: String::new() };
    let root = &document.root;
    match &root.value {
        Value::Scalar(scalar) => {
            // Behind `---` every scalar, also an empty one, is a document.
            writer.out.push_str("---");
            writer.tag(root);
            writer.scalar(scalar, 0, true);
            writer.out.push('\n');
        }
        _ if is_inline(root) || root.tag.is_some() => {
            writer.out.push_str("---");
            writer.behind(root, 0, false);
        }
        _ => writer.block(root, 0),
    }
    let inline = writer.out.strip_prefix("--- ").filter(|rest| matches!(*rest, "{}\n" | "[]\n"));
    if let Some(inline) = inline { inline.to_owned() } else { writer.out }
}

struct Writer {
    out: String,
}

impl Writer {
    /// A mapping or list that has parts, from the current position in column `indent` on.
    fn block(&mut self, node: &Node, indent: usize) {
        match &node.value {
            Value::Sequence(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.indent_unless_first(n, indent);
                    self.out.push('-');
                    self.behind(item, indent, true);
                }
            }
            Value::Mapping(pairs) => {
                for (n, (key, value)) in pairs.iter().enumerate() {
                    self.indent_unless_first(n, indent);
                    self.key(key, indent);
                    self.behind(value, indent, false);
                }
            }
            Value::Scalar(_) => {}
        }
    }

    fn key(&mut self, key: &Node, indent: usize) {
        let simple = match &key.value {
            Value::Scalar(scalar) => simple_key(scalar),
            _ => None,
        };
        match simple {
            Some(text) => {
                let tag = key.tag.as_deref().map_or(String::new(), |tag| format!("{tag} "));
                self.out.push_str(&tag);
                self.out.push_str(&text);
                self.out.push(':');
            }
            None => {
                self.out.push('?');
                self.behind(key, indent, true);
                self.spaces(indent);
                self.out.push(':');
            }
        }
    }

    /// A value behind `-`, `:`, `?` or `---`, with the line break that ends it. `compact`: a block
    /// may start on the same line.
    fn behind(&mut self, node: &Node, indent: usize, compact: bool) {
        self.tag(node);
        match &node.value {
            Value::Scalar(scalar) => {
                self.scalar(scalar, indent, false);
                self.out.push('\n');
            }
            Value::Sequence(items) if items.is_empty() => self.out.push_str(" []\n"),
            Value::Mapping(pairs) if pairs.is_empty() => self.out.push_str(" {}\n"),
            _ if compact && node.tag.is_none() => {
                self.out.push(' ');
                self.block(node, indent + 2);
            }
            _ => {
                self.out.push('\n');
                self.spaces(indent + 2);
                self.block(node, indent + 2);
            }
        }
    }

    fn tag(&mut self, node: &Node) {
        if let Some(tag) = &node.tag {
            self.out.push(' ');
            self.out.push_str(tag);
        }
    }

    /// A scalar with the space before it; `root`: its block's parent is the document.
    fn scalar(&mut self, scalar: &Scalar, indent: usize, root: bool) {
        let block = match scalar.style {
            Style::Literal => literal(&scalar.text),
            Style::Folded => folded(&scalar.text).or_else(|| literal(&scalar.text)),
            _ => None,
        };
        if let Some(block) = block
            && !(root && block.indicator)
        {
            self.block_scalar(&block, indent + 2);
            return;
        }
        let text = inline(scalar);
        if !text.is_empty() {
            self.out.push(' ');
            self.out.push_str(&text);
        }
    }

    fn block_scalar(&mut self, block: &Block<'_>, indent: usize) {
        self.out.push(' ');
        self.out.push(block.sign);
        if block.indicator {
            self.out.push('2');
        }
        self.out.push_str(block.chomping);
        for line in &block.lines {
            self.out.push('\n');
            if !line.is_empty() {
                self.spaces(indent);
                self.out.push_str(line);
            }
        }
    }

    fn indent_unless_first(&mut self, n: usize, indent: usize) {
        if n > 0 {
            self.spaces(indent);
        }
    }

    fn spaces(&mut self, n: usize) {
        self.out.extend(std::iter::repeat_n(' ', n));
    }
}

fn is_inline(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(_) => true,
        Value::Sequence(items) => items.is_empty(),
        Value::Mapping(pairs) => pairs.is_empty(),
    }
}

/// A block scalar, ready to be written.
struct Block<'a> {
    sign: char,
    /// Whether the indentation must be said, since it cannot be seen at the first line.
    indicator: bool,
    chomping: &'static str,
    lines: Vec<&'a str>,
}

fn literal(text: &str) -> Option<Block<'_>> {
    let content = text.trim_end_matches('\n');
    let plain = |c: char| c == '\n' || c == '\t' || (!needs_escape(c));
    if content.is_empty() || !text.chars().all(plain) {
        return None;
    }
    let ends = text.len() - content.len();
    let chomping = match ends {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let mut lines: Vec<_> = content.split('\n').collect();
    lines.extend(std::iter::repeat_n("", ends.saturating_sub(1)));
    Some(Block { sign: '|', indicator: content.starts_with([' ', '\t', '\n']), chomping, lines })
}

/// A folded block whose lines are as long as they are; only for texts in which no line starts with
/// white space, which folding treats differently.
fn folded(text: &str) -> Option<Block<'_>> {
    let mut block = literal(text)?;
    let content = text.trim_end_matches('\n');
    if block.indicator
        || block.chomping == "+"
        || content.contains("\n ")
        || content.contains("\n\t")
    {
        return None;
    }
    block.sign = '>';
    // One line break between two lines of text is folded into a space: one more is needed.
    block.lines = fold_runs(content);
    Some(block)
}

fn fold_runs(content: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut first = true;
    for line in content.split('\n') {
        if !first && !line.is_empty() {
            lines.push("");
        }
        lines.push(line);
        first = false;
    }
    lines
}

/// The scalar as a key before `:`; `None` when only `? ` can take it.
fn simple_key(scalar: &Scalar) -> Option<String> {
    let text = inline(scalar);
    let fits = text.chars().count() <= SIMPLE_KEY_MAX;
    (fits && !text.is_empty()).then_some(text)
}

/// The scalar on one line.
fn inline(scalar: &Scalar) -> String {
    let text = &*scalar.text;
    let escape = text.chars().any(|c| c != '\t' && needs_escape(c));
    match scalar.style {
        Style::Plain if text.is_empty() || is_plain(text) => text.to_owned(),
        Style::SingleQuoted if !escape => format!("'{}'", text.replace('\'', "''")),
        _ => double_quoted(text),
    }
}

/// Whether a text can stand without quotes in a block, as a value and as a key (7.3.3). One that
/// ends with a colon can only be a key, and is one when it was read without quotes.
fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let (Some(first), second) = (chars.next(), chars.next()) else { return false };
    let starts = match first {
        '-' | '?' | ':' => second.is_some_and(|c| !c.is_whitespace()),
        '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' | ',' | '[' | ']'
        | '{' | '}' => false,
        _ => true,
    };
    starts
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.contains(": ")
        && !text.contains(":\t")
        && !text.contains(" #")
        && !text.contains("\t#")
        && !text.chars().any(|c| c != '\t' && needs_escape(c))
}

/// Control characters, line breaks of any kind, and what is not seen or moves what is.
const fn needs_escape(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        | '\u{fffe}' | '\u{ffff}')
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if !needs_escape(c) => out.push(c),
            c => match u32::from(c) {
                n @ 0..=0xff => out.push_str(&format!("\\x{n:02x}")),
                n => out.push_str(&format!("\\u{n:04x}")),
            },
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
pub(super) mod arbitrary;
#[cfg(test)]
mod tests;
