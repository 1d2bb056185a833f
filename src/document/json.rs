use super::tree::repeated_keys;
use super::{
    Document, FINDINGS_MAX, Format, NODES_MAX, Node, Scalar, Style, Value, depth_max,
    duplicate_key, number, too_deep, too_many_nodes,
};
use crate::model::{Finding, Limits};

type Read<T> = Result<T, Box<Finding>>;

/// Parses the one document of a JSON file, as RFC 8259 has it. See [`super::parse`].
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, Vec<Finding>> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        counted: (0, 1),
        nodes: 0,
        depth: 0,
        depth_max: depth_max(limits),
        findings: Vec::new(),
    };
    let read = reader.document();
    match read {
        Ok(document) if reader.findings.is_empty() => Ok(document),
        Ok(_) => Err(reader.findings),
        Err(finding) => {
            reader.findings.push(*finding);
            Err(reader.findings)
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Byte offset of what is read next.
    at: usize,
    line: u32,
    /// A byte offset in the current line, and its column: columns are counted on from there, so a
    /// file of one long line costs no more than one of many.
    counted: (usize, u32),
    nodes: u64,
    depth: u64,
    depth_max: u64,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn document(&mut self) -> Read<Document> {
        self.skip_space()?;
        if self.peek().is_none() {
            return Err(self.refuse("the file is empty", "write at least `{}`"));
        }
        let root = self.value()?;
        self.skip_space()?;
        match self.peek() {
            None => Ok(Document { root }),
            Some(_) => Err(self.refuse(
                "there is more behind the end of the document",
                "a JSON file holds one value: look for a bracket that is closed too early",
            )),
        }
    }

    fn value(&mut self) -> Read<Node> {
        let (line, column) = self.place();
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Box::new(too_many_nodes(Format::Json).at(line, column)));
        }
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$') => self.word()?,
            _ => return Err(self.no_value()),
        };
        Ok(Node { line, column, tag: None, value })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Value>) -> Read<Value> {
        self.depth += 1;
        if self.depth > self.depth_max {
            let (line, column) = self.place();
            return Err(Box::new(too_deep(Format::Json, self.depth_max).at(line, column)));
        }
        self.at += 1;
        self.skip_space()?;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Read<Value> {
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Value::Sequence(items));
        }
        loop {
            items.push(self.value()?);
            if self.more(b']', "`,` or `]`")? {
                return Ok(Value::Sequence(items));
            }
        }
    }

    fn object(&mut self) -> Read<Value> {
        let mut pairs = Vec::new();
        if !self.eat(b'}') {
            loop {
                let key = self.key()?;
                self.skip_space()?;
                if !self.eat(b':') {
                    return Err(self.refuse(
                        "`:` is missing between a key and its value",
                        "write `\"key\": value`",
                    ));
                }
                self.skip_space()?;
                pairs.push((key, self.value()?));
                if self.more(b'}', "`,` or `}`")? {
                    break;
                }
            }
        }
        for (first, again, name) in repeated_keys(&pairs) {
            if self.findings.len() < FINDINGS_MAX {
                self.findings.push(duplicate_key(Format::Json, first, again, &name));
            }
        }
        Ok(Value::Mapping(pairs))
    }

    fn key(&mut self) -> Read<Node> {
        match self.peek() {
            Some(b'"') => self.value(),
            Some(b'\'') | None => Err(self.no_value()),
            Some(_) => Err(self.refuse(
                "a key in double quotes is expected here",
                "write `\"key\": value`; keys are quoted in JSON",
            )),
        }
    }

    /// Reads what follows a part: the end (`true`), or a comma and the start of the next part.
    fn more(&mut self, end: u8, expected: &str) -> Read<bool> {
        self.skip_space()?;
        if self.eat(end) {
            return Ok(true);
        }
        let comma = self.place();
        if !self.eat(b',') {
            return Err(match self.peek() {
                None => self.refuse("the file ends too early", "close the open bracket or brace"),
                Some(_) => self.refuse(
                    &format!("{expected} is expected here"),
                    "is a comma missing at the end of the line before, or a bracket closed twice?",
                ),
            });
        }
        self.skip_space()?;
        if matches!(self.peek(), Some(b']' | b'}')) {
            let message = "there is a comma behind the last part";
            return Err(refuse_at(comma, message, "remove it: JSON has no trailing commas"));
        }
        Ok(false)
    }

    fn string(&mut self) -> Read<Value> {
        let open = self.place();
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let run = rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20);
            let Some(run) = run else {
                return Err(refuse_at(open, "a string is not closed", "add the closing `\"`"));
            };
            out.push_str(rest.get(..run).unwrap_or_default());
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(scalar(&out, Style::DoubleQuoted));
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(b'\n' | b'\r') => {
                    let hint =
                        "add the closing `\"`; a line break inside a string is written `\\n`";
                    return Err(refuse_at(open, "a string is not closed on its line", hint));
                }
                _ => {
                    return Err(self.refuse(
                        "a string holds a control character",
                        "write it as an escape: `\\t` for a tab, `\\u0000` and the like for others",
                    ));
                }
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let start = self.place();
        self.at += 1;
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = self.hex(start)?;
                let mut code = high;
                if (0xd800..0xdc00).contains(&high)
                    && self.text.get(self.at..).is_some_and(|t| t.starts_with("\\u"))
                {
                    self.at += 2;
                    let low = self.hex(start)?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    }
                }
                char::from_u32(code).ok_or_else(|| {
                    let message = "half of a surrogate pair is no character";
                    refuse_at(start, message, "write both halves, or the character itself")
                })?
            }
            _ => {
                let hint = "a backslash is written `\\\\`";
                return Err(refuse_at(start, "an unknown escape follows the backslash", hint));
            }
        })
    }

    fn hex(&mut self, start: (u32, u32)) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).ok_or_else(|| {
            refuse_at(start, "`\\u` is not followed by four hexadecimal digits", "write `\\u00e9`")
        })?;
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Read<Value> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.bytes().position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(&b)));
        let literal = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if !is_number(literal) {
            return Err(self.refuse(
                "this is not a number as JSON writes it",
                "no leading zeros, no `+`, digits on both sides of the dot; \
                 put it in double quotes if it is text",
            ));
        }
        self.at += literal.len();
        Ok(scalar(literal, Style::Plain))
    }

    fn word(&mut self) -> Read<Value> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if !matches!(word, "true" | "false" | "null") {
            let hint = match word.to_ascii_lowercase().as_str() {
                "true" | "false" | "null" => "`true`, `false` and `null` are lower case",
                "none" | "nil" | "undefined" => "write `null`",
                "nan" | "infinity" => "JSON has no such number: use `null`, or text",
                _ => "put text in double quotes",
            };
            return Err(self.refuse("this word is no JSON value", hint));
        }
        self.at += word.len();
        Ok(scalar(word, Style::Plain))
    }

    fn no_value(&self) -> Box<Finding> {
        match self.peek() {
            None => self.refuse("the file ends too early", "close the open bracket or brace"),
            Some(b'\'') => {
                self.refuse("single quotes are not JSON", "use double quotes: `\"text\"`")
            }
            Some(b',') => self.refuse("a value is missing before this comma", "remove the comma"),
            Some(b']' | b'}') => {
                self.refuse("a value is missing before this bracket", "write one, or `null`")
            }
            Some(b'<') if self.text.contains("\n<<<<<<< ") || self.text.starts_with("<<<<<<< ") => {
                self.refuse(
                    "a conflict of a git merge is not resolved",
                    "decide between the two sides, and remove the marks of git",
                )
            }
            Some(_) => self.refuse("a value is expected here", "put text in double quotes"),
        }
    }

    fn skip_space(&mut self) -> Read<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                    self.counted = (self.at, 1);
                }
                Some(b'/' | b'#') => {
                    return Err(self.refuse(
                        "JSON has no comments",
                        "remove it, or keep it as a value under a key such as `\"_comment\"`",
                    ));
                }
                _ => return Ok(()),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn place(&mut self) -> (u32, u32) {
        let (from, column) = self.counted;
        self.counted = (self.at, column.saturating_add(self.columns(from)));
        (self.line, self.counted.1)
    }

    fn columns(&self, from: usize) -> u32 {
        let bytes = self.text.as_bytes().get(from..self.at).unwrap_or_default();
        number(bytes.iter().filter(|b| **b & 0xc0 != 0x80).count())
    }

    fn refuse(&self, message: &str, hint: &str) -> Box<Finding> {
        let (from, column) = self.counted;
        refuse_at((self.line, column.saturating_add(self.columns(from))), message, hint)
    }
}

fn refuse_at((line, column): (u32, u32), message: &str, hint: &str) -> Box<Finding> {
    Box::new(Finding::error("json.syntax", message).at(line, column).hint(hint))
}

fn scalar(text: &str, style: Style) -> Value {
    Value::Scalar(Scalar { text: text.into(), style })
}

/// RFC 8259, section 6.
fn is_number(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
        }
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
