//! Files that are to be written into the repository, until that is done or given up.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::open::{read_meta, write_meta};
use super::{Journal, JournalError, error::query};
use crate::model::{Before, ObjectId, Publication, Revision, TreePath, Wish, WishKind};

/// The key of what is being pushed.
const PUSHING: &str = "pushing";

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS publications (
    wish INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    content BLOB,
    before TEXT NOT NULL,
    message TEXT
) STRICT;
";

const ABSENT: &str = "absent";
const PRESENT: &str = "present";

pub(super) fn insert(tx: &Transaction<'_>, wish: u64, one: &Publication) -> rusqlite::Result<()> {
    let before = match one.before {
        Before::Absent => ABSENT.to_owned(),
        Before::Present => PRESENT.to_owned(),
        Before::Blob(id) => id.to_string(),
    };
    tx.execute(
        "INSERT INTO publications (wish, path, content, before, message) VALUES (?1,?2,?3,?4,?5)",
        params![wish, one.path.as_str(), one.content, before, one.message],
    )?;
    Ok(())
}

/// Puts the file into its wish. One that cannot be read changes nothing.
pub(super) fn complete(connection: &Connection, wish: Wish) -> rusqlite::Result<Wish> {
    let row = connection
        .query_row(
            "SELECT path, content, before, message FROM publications WHERE wish = ?1",
            [wish.id],
            |row| {
                let texts: (String, String) = (row.get(0)?, row.get(2)?);
                Ok((texts, row.get(1)?, row.get(3)?))
            },
        )
        .optional()?;
    let Some(((path, before), content, message)) = row else { return Ok(wish) };
    let before = match before.as_str() {
        ABSENT => Some(Before::Absent),
        PRESENT => Some(Before::Present),
        blob => ObjectId::parse(blob).ok().map(Before::Blob),
    };
    let (Ok(path), Some(before)) = (TreePath::parse(&path), before) else { return Ok(wish) };
    let one = Publication { path, content, before, message };
    Ok(Wish { kind: WishKind::Publish(Box::new(one)), ..wish })
}

/// Forgets the file of a wish that was followed.
pub(super) fn forget(tx: &Transaction<'_>, wish: u64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM publications WHERE wish = ?1")?.execute([wish])?;
    Ok(())
}

impl Journal {
    /// Writes down, before a commit is pushed for an order, which one and to which branch: after a
    /// crash that is known again by it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_pushing(
        &self,
        wish: u64,
        commit: &Revision,
        reference: &str,
    ) -> Result<(), JournalError> {
        let text = format!("{wish} {commit} {reference}");
        self.transaction("write down what is pushed", |tx| write_meta(tx, PUSHING, Some(&text)))
    }

    /// The commit that was pushed last for an order, or was about to be, and its branch.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn pushing(&self, wish: u64) -> Result<Option<(Revision, String)>, JournalError> {
        let text = read_meta(&self.reader(), PUSHING).map_err(query("read what is pushed"))?;
        Ok(text.and_then(|text| {
            let mut parts = text.splitn(3, ' ');
            parts.next().filter(|of| of.parse() == Ok(wish))?;
            Some((Revision::parse(parts.next()?).ok()?, parts.next()?.to_owned()))
        }))
    }
}
