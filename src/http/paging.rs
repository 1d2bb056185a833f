//! Pages of lists: where one begins and ends, so that rows which come meanwhile neither repeat nor hide
//! any.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::problem::Problem;
use super::wire::Page;

/// Rows of a page, unless fewer are asked for.
pub(super) const PAGE_MAX: usize = 200;
/// What the place of a numbered row begins with.
const NUMBER: &str = "n:";
/// What the place of a named one begins with.
const NAME: &str = "t:";

/// Which page is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) limit: Option<usize>,
    /// The number of the last row that was seen.
    pub(super) before: Option<u64>,
    /// The same, as the page before gave it.
    pub(super) cursor: Option<String>,
    #[serde(default)]
    pub(super) failed: bool,
}

impl Paging {
    pub(super) fn limit(&self) -> usize {
        limit(self.limit)
    }

    /// The number below which a page of numbered rows begins.
    pub(super) fn below(&self) -> Result<Option<u64>, Problem> {
        below(self.before, self.cursor.as_deref())
    }

    /// A page of named rows, each of which is told apart by its name. Who asks for none gets all.
    pub(super) fn of_named<T>(
        &self,
        mut rows: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> Result<Page<T>, Problem> {
        if let Some(cursor) = &self.cursor {
            let after = decoded(cursor, NAME).ok_or_else(bad_cursor)?;
            let place = rows.iter().position(|row| name(row) == after).ok_or_else(bad_cursor)?;
            rows.drain(..=place);
        }
        let limit = match (&self.cursor, self.limit) {
            (None, None) => usize::MAX,
            _ => self.limit(),
        };
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let cursor = rows.last().filter(|_| has_more).map(|row| encoded(NAME, name(row)));
        Ok(Page { cursor, ..Page::new(rows, None) })
    }
}

/// Rows of a page.
pub(super) fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
}

/// The number below which a page begins, said in one of two ways.
pub(super) fn below(before: Option<u64>, cursor: Option<&str>) -> Result<Option<u64>, Problem> {
    match (before, cursor) {
        (before, None) => Ok(before),
        (None, Some(cursor)) => {
            let number = decoded(cursor, NUMBER).and_then(|text| text.parse().ok());
            number.map(Some).ok_or_else(bad_cursor)
        }
        (Some(_), Some(_)) => {
            Err(Problem::bad_request("`before` and `cursor` say the same: leave one of them out"))
        }
    }
}

/// A page of numbered rows; `next` is the number of its last one where there are more.
pub(super) fn of_numbered<T>(rows: Vec<T>, next: Option<u64>) -> Page<T> {
    Page { cursor: next.map(|id| encoded(NUMBER, &id.to_string())), ..Page::new(rows, next) }
}

fn bad_cursor() -> Problem {
    Problem::bad_request(
        "this `cursor` leads nowhere: it is the one that a page of this list gave, and what it stood at may be gone",
    )
}

fn encoded(kind: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}{place}"))
}

fn decoded(cursor: &str, kind: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(kind).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_rows_are_each_on_one_page_though_others_come_and_go() {
        let rows = |names: &[&'static str]| names.to_vec();
        let page =
            |paging: &Paging, names: &[&'static str]| paging.of_named(rows(names), |name| name);
        let mut paging = Paging { limit: Some(2), ..Paging::default() };
        let first = page(&paging, &["a", "b", "d", "e"]).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        paging.cursor = first.cursor;
        let second = page(&paging, &["0", "a", "b", "c", "d", "e"]).unwrap();
        assert_eq!(second.items, ["c", "d"]);
        paging.cursor = second.cursor;
        let last = page(&paging, &["a", "d", "e"]).unwrap();
        assert_eq!((last.items, last.cursor), (vec!["e"], None));
        assert!(page(&paging, &["a", "e"]).is_err(), "what it stood at is gone");
        let all = Paging::default();
        assert_eq!(page(&all, &["a"; 300]).unwrap().items.len(), 300);
    }

    #[test]
    fn a_cursor_of_another_list_or_none_at_all_is_told() {
        let page = of_numbered(vec![9, 8], Some(8));
        let cursor = page.cursor.as_deref();
        assert_eq!(below(None, cursor).unwrap(), Some(8));
        assert_eq!(below(Some(3), None).unwrap(), Some(3));
        assert!(below(Some(3), cursor).is_err());
        for bad in ["", "8", "%%", "dDo4", "bjo"] {
            assert!(below(None, Some(bad)).is_err(), "{bad}");
        }
        let named = Paging { cursor: page.cursor.clone(), ..Paging::default() };
        assert!(named.of_named(vec!["8"], |name| name).is_err());
    }
}
