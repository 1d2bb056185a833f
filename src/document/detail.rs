use std::time::Duration;

use similar::{Algorithm, ChangeTag, TextDiff};

use super::keys::masked_key_changes;
use super::mask::HIDDEN;
use super::{Document, Format, Masker, cut, parse};
use crate::model::{Digest, FileMode, KeyChange, Limits, TreePath, blob_digest};

/// Bytes from the start of a file in which a NUL makes it binary, as git has it.
const BINARY_BYTES: usize = 8 * 1024;

/// Bytes of a text that is compared line by line.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Lines of a difference between texts.
const DIFF_LINES_MAX: usize = 400;

/// Bytes of a difference between texts.
const DIFF_BYTES_MAX: usize = 64 * 1024;

/// Characters of one of its lines.
const LINE_CHARS_MAX: usize = 500;

/// Equal lines shown around what differs.
const CONTEXT_LINES: usize = 3;

/// How long the shortest difference is looked for; then a longer one has to do.
const DIFF_TIME_MAX: Duration = Duration::from_millis(500);

/// Secrets of a file that are looked for in the text of its other, unreadable side.
const KNOWN_SECRETS_MAX: usize = 200;

/// What is different in a file, for people to read; no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Keys of a YAML or JSON file; none when only comments or formatting differ in a file that
    /// holds secrets, whose text therefore is not shown.
    Keys(Vec<KeyChange>),
    /// A unified difference without file names, three lines around each change; cut at 400 lines
    /// and 64 KiB, and its last line says so then.
    Text(String),
    /// Size in bytes and digest of each side.
    Binary {
        /// Before; `None` when there was no file.
        old: Option<(u64, Digest)>,
        /// After; `None` when there will be no file.
        new: Option<(u64, Digest)>,
    },
    /// The file's mode alone.
    Mode,
    /// Where a link leads; for a side that is a file, its size in brackets.
    Link {
        /// Before; `None` when there was nothing.
        old: Option<String>,
        /// After; `None` when there will be nothing.
        new: Option<String>,
    },
    /// The file is secret as a whole: that it changed is all there is to say.
    Secret,
}

/// Compares the two sides of a file, `None` where there is no file. Links have their target as
/// their bytes.
#[must_use]
pub fn detail(
    path: &TreePath,
    old: Option<(FileMode, &[u8])>,
    new: Option<(FileMode, &[u8])>,
    mask: &Masker,
    limits: &Limits,
) -> Detail {
    if let (Some(old), Some(new)) = (old, new)
        && old.1 == new.1
        && (old.0 == FileMode::Link) == (new.0 == FileMode::Link)
    {
        return Detail::Mode;
    }
    let sides = [old, new];
    if mask.hides_file(path) || sides.iter().flatten().any(|(_, bytes)| is_sops(bytes)) {
        return Detail::Secret;
    }
    if sides.iter().flatten().any(|(mode, _)| *mode == FileMode::Link) {
        return Detail::Link {
            old: old.map(|o| target(o, mask)),
            new: new.map(|n| target(n, mask)),
        };
    }
    let [old, new] = sides.map(|side| side.map(|(_, bytes)| bytes));
    let (Some(old_text), Some(new_text)) = (text(old), text(new)) else {
        let facts = |bytes: &[u8]| (bytes.len() as u64, blob_digest(bytes));
        return Detail::Binary { old: old.map(facts), new: new.map(facts) };
    };
    let Some(format) = Format::of_path(path.as_str()) else {
        return Detail::Text(difference(old_text, new_text, mask, &[]));
    };
    let read = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => parse(bytes, format, limits).ok(),
        None => Some(Vec::new()),
    };
    let (old_tree, new_tree) = (read(old), read(new));
    let both: Vec<&[Document]> =
        [&old_tree, &new_tree].into_iter().flatten().map(Vec::as_slice).collect();
    let known: Vec<&str> = both.iter().flat_map(|documents| mask.secrets(documents)).collect();
    if let [old_tree, new_tree] = both.as_slice() {
        let changes = masked_key_changes(old_tree, new_tree, mask);
        if !changes.is_empty() || !known.is_empty() {
            return Detail::Keys(changes);
        }
    }
    Detail::Text(difference(old_text, new_text, mask, &known))
}

/// The difference of two texts, line by line as in [`Detail::Text`], for a file whose detail may be
/// its keys. `None` where there is no text that may be shown: a secret file, a link, bytes that are
/// no text, and a document with secrets in it, of which the keys tell enough.
#[must_use]
pub fn text_difference(
    path: &TreePath,
    old: Option<(FileMode, &[u8])>,
    new: Option<(FileMode, &[u8])>,
    mask: &Masker,
    limits: &Limits,
) -> Option<String> {
    let sides = [old, new];
    let is_link = sides.iter().flatten().any(|(mode, _)| *mode == FileMode::Link);
    let is_sealed = sides.iter().flatten().any(|(_, bytes)| is_sops(bytes));
    if mask.hides_file(path) || is_link || is_sealed {
        return None;
    }
    let [old, new] = sides.map(|side| side.map(|(_, bytes)| bytes));
    let (old_text, new_text) = (text(old)?, text(new)?);
    if let Some(format) = Format::of_path(path.as_str()) {
        for bytes in [old, new].into_iter().flatten() {
            let documents = parse(bytes, format, limits).ok()?;
            if !mask.secrets(&documents).is_empty() {
                return None;
            }
        }
    }
    Some(difference(old_text, new_text, mask, &[]))
}

/// Whether [`shown_lines`] may have lines of a file of this size: it need not be read otherwise.
#[must_use]
pub fn may_have_lines(path: &TreePath, mode: FileMode, bytes: u64, mask: &Masker) -> bool {
    mode != FileMode::Link && bytes <= TEXT_BYTES_MAX as u64 && !mask.hides_file(path)
}

/// The lines of a file as anybody may see them. `None` where there are none: a secret file, a link,
/// bytes that are no text, more than 1 MiB, a document that cannot be read, of which nobody knows
/// what is secret in it, and one with a secret that is written otherwise than it reads, so that it is not known
/// where else it stands. Of others those lines are hidden on which a secret is, or may go on.
#[must_use]
pub fn shown_lines(
    path: &TreePath,
    (mode, bytes): (FileMode, &[u8]),
    mask: &Masker,
    limits: &Limits,
) -> Option<Vec<String>> {
    if !may_have_lines(path, mode, bytes.len() as u64, mask) || is_sops(bytes) {
        return None;
    }
    let whole = text(Some(bytes))?;
    let documents = match Format::of_path(path.as_str()) {
        Some(format) => parse(bytes, format, limits).ok()?,
        None => Vec::new(),
    };
    let known = mask.secrets(&documents);
    let mut of_secrets = known.iter().flat_map(|secret| secret.lines());
    if !of_secrets.all(|line| whole.contains(line.trim())) {
        return None;
    }
    let mut lines = shown(whole, mask, &known)?;
    for range in mask.secret_lines(&documents) {
        let place = |line: u32| usize::try_from(line).unwrap_or(usize::MAX);
        let (start, end) =
            (place(*range.start()).saturating_sub(1), place(*range.end()).min(lines.len()));
        for line in lines.get_mut(start..end).unwrap_or_default() {
            HIDDEN.clone_into(line);
        }
    }
    // What a terminal would obey is shown, not sent.
    let line = |line: String| line.trim_end_matches('\r').replace(odd, "�");
    Some(lines.into_iter().map(line).collect())
}

fn odd(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// Whether SOPS has encrypted it. One side is enough: the other is then the plain text.
fn is_sops(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.contains("ENC[AES256_GCM,")
            || text.lines().any(|line| line.starts_with("sops:") || line.starts_with("sops_mac="))
            || (text.contains("\"sops\"") && text.contains("\"mac\""))
    })
}

fn target((mode, bytes): (FileMode, &[u8]), mask: &Masker) -> String {
    if mode == FileMode::Link {
        cut(&mask.text(&String::from_utf8_lossy(bytes)), LINE_CHARS_MAX)
            .replace(char::is_control, "�")
    } else {
        format!("(a file of {} bytes)", bytes.len())
    }
}

/// The text of a side; `None` when it is binary.
fn text(bytes: Option<&[u8]>) -> Option<&str> {
    let bytes = bytes.unwrap_or_default();
    if bytes.iter().take(BINARY_BYTES).any(|b| *b == 0) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

fn difference(old: &str, new: &str, mask: &Masker, known: &[&str]) -> String {
    if old.len().max(new.len()) > TEXT_BYTES_MAX {
        let (old, new) = (old.len(), new.len());
        return format!("… too large to be compared by line: {old} → {new} bytes\n");
    }
    let (Some(old_shown), Some(new_shown)) = (shown(old, mask, known), shown(new, mask, known))
    else {
        return format!(
            "… {HIDDEN}: the file holds secrets, and one of its sides cannot be read\n"
        );
    };
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(DIFF_TIME_MAX)
        .diff_slices(&old, &new);
    let mut page = Page::default();
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        page.line(&hunk.header().to_string());
        for change in hunk.iter_changes() {
            let (sign, line) = match change.tag() {
                ChangeTag::Delete => ('-', change.old_index().and_then(|n| old_shown.get(n))),
                ChangeTag::Insert => ('+', change.new_index().and_then(|n| new_shown.get(n))),
                ChangeTag::Equal => (' ', change.new_index().and_then(|n| new_shown.get(n))),
            };
            let line = line.map_or("", String::as_str);
            page.line(&format!("{sign}{}", cut(line.trim_end_matches('\r'), LINE_CHARS_MAX)));
            if change.missing_newline() {
                page.line("\\ No newline at end of file");
            }
        }
    }
    page.finish()
}

/// A text's lines without secrets: what their place gives away, and where else `known` ones stand.
/// `None` where those are too many to be looked for.
fn shown(text: &str, mask: &Masker, known: &[&str]) -> Option<Vec<String>> {
    let mut known: Vec<&str> = known.iter().flat_map(|s| s.lines()).map(str::trim).collect();
    known.retain(|line| line.len() > 3);
    if known.len() > KNOWN_SECRETS_MAX {
        return None;
    }
    let lines = mask.lines(text).into_iter().zip(text.split('\n'));
    let shown = lines.map(|(shown, raw)| match known.iter().any(|secret| raw.contains(secret)) {
        true => HIDDEN.to_owned(),
        false => shown,
    });
    Some(shown.collect())
}

/// Lines up to a limit.
#[derive(Default)]
struct Page {
    text: String,
    lines: usize,
    left_out: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        if self.lines >= DIFF_LINES_MAX || self.text.len() + line.len() >= DIFF_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        // What a terminal would obey is shown, not sent.
        self.text.extend(line.chars().map(|c| if odd(c) { '�' } else { c }));
        self.text.push('\n');
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.text.push_str(&format!("… and {} more lines\n", self.left_out));
        }
        self.text
    }
}

#[cfg(test)]
mod tests;
