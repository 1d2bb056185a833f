use super::Mirror;
use super::mirror::oid;
use crate::model::Revision;

/// Characters of a name that are told.
const NAME_CHARS_MAX: usize = 100;
/// Characters of the first line that are told.
const TITLE_CHARS_MAX: usize = 200;
/// Characters of the rest that are told.
const BODY_CHARS_MAX: usize = 4_000;

/// What a commit says of itself, for people: nobody vouches for it where signatures are not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitWords {
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub title: String,
    /// The rest of its message; empty where there is none.
    pub body: String,
}

impl Mirror {
    /// What a commit says of itself; `None` where it is not in the store.
    #[must_use]
    pub fn words_of(&self, revision: &Revision) -> Option<CommitWords> {
        let commit = self.repository().find_commit(oid(revision.id())).ok()?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let (title, body) = message.trim_start().split_once('\n').unwrap_or((message.trim(), ""));
        let author = String::from_utf8_lossy(commit.author().name_bytes()).into_owned();
        Some(CommitWords {
            author: shown(&author, NAME_CHARS_MAX),
            title: shown(title.trim(), TITLE_CHARS_MAX),
            body: shown(body.trim(), BODY_CHARS_MAX),
        })
    }
}

/// What is shown is cut, and obeyed by nobody.
fn shown(text: &str, chars: usize) -> String {
    text.chars()
        .take(chars)
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '�' } else { c })
        .collect()
}
