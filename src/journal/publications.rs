//! Files that are to be written into the repository, until that is done or given up.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::model::{Before, ObjectId, Publication, TreePath, Wish, WishKind};

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
