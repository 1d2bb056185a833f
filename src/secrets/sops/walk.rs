use regex_automata::meta::Regex;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::super::{Problem, SOPS_MARK};
use super::section::{Rules, Section};
use super::value::{self, Kind};
use crate::document::{Format, Node, Scalar, Style, Value};

/// What the MAC over encrypted values alone begins with: SHA-256 of `sops`.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];
/// Bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Decrypts value after value, in the order of the file, and adds them up for the MAC.
pub(super) struct Walk<'a> {
    section: &'a Section,
    key: &'a [u8; 32],
    format: Format,
    unencrypted: Option<Regex>,
    encrypted: Option<Regex>,
    hash: Sha512,
    way: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        section: &'a Section,
        key: &'a [u8; 32],
        format: Format,
    ) -> Result<Self, Problem> {
        let mut hash = Sha512::new();
        if section.mac_only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        let Rules { unencrypted_regex, encrypted_regex, .. } = &section.rules;
        let (unencrypted, encrypted) =
            (compile(unencrypted_regex.as_deref())?, compile(encrypted_regex.as_deref())?);
        Ok(Self { section, key, format, unencrypted, encrypted, hash, way: Vec::new() })
    }

    /// Decrypts all that is below a node, in place.
    pub(super) fn node(&mut self, node: &mut Node) -> Result<(), Problem> {
        match &mut node.value {
            Value::Sequence(items) => items.iter_mut().try_for_each(|item| self.node(item)),
            Value::Mapping(pairs) => {
                for (key, value) in pairs {
                    let key = key.text().ok_or(Problem::Section("a key of the file is no text"))?;
                    self.way.push(key.to_owned());
                    let done = self.node(value);
                    self.way.pop();
                    done?;
                }
                Ok(())
            }
            Value::Scalar(scalar) => {
                if let Some((text, style)) = self.scalar(scalar)? {
                    scalar.text = text.as_str().into();
                    scalar.style = style;
                    node.tag = None;
                }
                Ok(())
            }
        }
    }

    /// One value under a key, as dotenv files have them.
    pub(super) fn pair(&mut self, key: &str, text: &str) -> Result<Zeroizing<String>, Problem> {
        self.way.push(key.to_owned());
        let scalar = Scalar { text: text.into(), style: Style::DoubleQuoted };
        let done = self.scalar(&scalar);
        self.way.pop();
        Ok(done?.map_or_else(|| Zeroizing::new(text.to_owned()), |(plain, _)| plain))
    }

    fn scalar(&mut self, scalar: &Scalar) -> Result<Option<(Zeroizing<String>, Style)>, Problem> {
        // SOPS encrypts neither nulls nor empty texts, and they add nothing to the MAC.
        if scalar.is_null() || scalar.text.is_empty() {
            return Ok(None);
        }
        if !self.is_encrypted(&scalar.text) {
            if !self.section.mac_only_encrypted {
                let bytes = bytes_of(scalar, self.format);
                self.hash.update(bytes.as_bytes());
            }
            return Ok(None);
        }
        if !scalar.text.starts_with(SOPS_MARK) {
            return Err(Problem::Plain { key: self.name() });
        }
        let place = Zeroizing::new(format!("{}:", self.way.join(":")));
        let key = self.name();
        let wrong = |why| Problem::Value { key: key.clone(), why };
        let opened = value::open(&scalar.text, self.key, &place).map_err(wrong)?;
        self.hash.update(opened.text.as_bytes());
        let style = match opened.kind {
            Kind::Text => return Ok(Some((opened.text, Style::DoubleQuoted))),
            Kind::Comment => return Err(wrong("it is a comment, and not a value")),
            Kind::Integer if opened.text.parse::<i64>().is_ok() => Style::Plain,
            Kind::Float if opened.text.parse::<f64>().is_ok() => Style::Plain,
            Kind::Time if self.format == Format::Yaml => Style::Plain,
            Kind::Time => Style::DoubleQuoted,
            Kind::Bool => {
                let is_true = opened.text.eq_ignore_ascii_case("true");
                if !is_true && !opened.text.eq_ignore_ascii_case("false") {
                    return Err(wrong("it is not of the type that it says"));
                }
                return Ok(Some((Zeroizing::new(is_true.to_string()), Style::Plain)));
            }
            Kind::Integer | Kind::Float => {
                return Err(wrong("it is not of the type that it says"));
            }
        };
        Ok(Some((opened.text, style)))
    }

    /// Whether the file's own rules want the value at the way we are at to be encrypted.
    fn is_encrypted(&self, text: &str) -> bool {
        let Rules { unencrypted_suffix, encrypted_suffix, by_comments, .. } = &self.section.rules;
        if *by_comments {
            return text.starts_with(SOPS_MARK);
        }
        let ends = |suffix: &str| self.way.iter().any(|key| key.ends_with(suffix));
        let matches = |regex: &Regex| self.way.iter().any(|key| regex.is_match(key.as_str()));
        if let Some(regex) = &self.encrypted {
            return matches(regex);
        }
        if self.unencrypted.as_ref().is_some_and(matches) {
            return false;
        }
        if let Some(suffix) = encrypted_suffix {
            return ends(suffix);
        }
        !unencrypted_suffix.as_deref().is_some_and(ends)
    }

    fn name(&self) -> String {
        super::shown(&self.way.join("."))
    }

    /// Verifies the MAC over all that was walked.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Section { mac, last_modified, .. } = self.section;
        let expected = value::open(mac, self.key, last_modified).map_err(|_| Problem::Mac)?;
        let found: String = self.hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
        if found == *expected.text { Ok(()) } else { Err(Problem::Mac) }
    }
}

fn compile(pattern: Option<&str>) -> Result<Option<Regex>, Problem> {
    let Some(pattern) = pattern else { return Ok(None) };
    let config = Regex::config().nfa_size_limit(Some(PATTERN_BYTES_MAX));
    Regex::builder()
        .configure(config)
        .build(pattern)
        .map(Some)
        .map_err(|_| Problem::Section("one of its patterns (…_regex) cannot be read"))
}

/// A plain value as SOPS adds it to the MAC: the way Go prints what it was read as.
fn bytes_of(scalar: &Scalar, format: Format) -> String {
    let text = &*scalar.text;
    if scalar.style != Style::Plain {
        return text.to_owned();
    }
    match text {
        "true" | "True" | "TRUE" => return "True".to_owned(),
        "false" | "False" | "FALSE" => return "False".to_owned(),
        _ => {}
    }
    // JSON's numbers are all floats to SOPS; Go and Rust print those alike, without an exponent.
    let looks_like_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if !looks_like_number {
        return text.to_owned();
    }
    match (format, text.parse::<i64>(), text.parse::<f64>()) {
        (Format::Yaml, Ok(number), _) => number.to_string(),
        (_, _, Ok(number)) if number.is_finite() => number.to_string(),
        _ => text.to_owned(),
    }
}
