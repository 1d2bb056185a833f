//! How the journal is brought into line with what the live path shows, after whatever happened.

/// What the live path shows, as far as this decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// A tree of ours, by its folder's name.
    Tree(&'a str),
    /// Something that is not ours, or a tree of ours that nothing is known of.
    Unknown,
}

/// What is to be done to the journal. The live path is never changed by recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing: they agree.
    Agreed,
    /// The rename happened and its completion did not: complete it.
    Finish,
    /// The rename did not happen: the intent is dropped, the tree before is what is live.
    Drop,
    /// The live path shows a tree that the journal does not have as live: what its manifest tells
    /// becomes the record.
    Follow,
    /// Nothing of ours is live.
    Clear,
    /// The live path shows something that is not ours while the journal has a tree as live: that
    /// is drift, and the record stays so that it can be repaired.
    Drifted,
}

/// Decides: the link is the truth.
#[must_use]
pub fn decide(shown: Shown<'_>, recorded: Option<&str>, intent: Option<&str>) -> Recovery {
    match (shown, recorded, intent) {
        (Shown::Tree(tree), _, Some(new)) if tree == new => Recovery::Finish,
        (Shown::Tree(tree), Some(recorded), Some(_)) if tree == recorded => Recovery::Drop,
        (Shown::Tree(tree), Some(recorded), None) if tree == recorded => Recovery::Agreed,
        (Shown::Tree(_), _, _) => Recovery::Follow,
        (Shown::Nothing, None, None) => Recovery::Agreed,
        (Shown::Nothing | Shown::Unknown, None, Some(_)) => Recovery::Drop,
        (Shown::Unknown, None, None) => Recovery::Clear,
        (Shown::Nothing | Shown::Unknown, Some(_), _) => Recovery::Drifted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_decides_in_every_case() {
        use Recovery::*;
        use Shown::*;
        for (shown, recorded, intent, expected) in [
            (Nothing, None, None, Agreed),
            (Nothing, None, Some("b"), Drop),
            (Nothing, Some("a"), None, Drifted),
            (Nothing, Some("a"), Some("b"), Drifted),
            (Tree("a"), Some("a"), None, Agreed),
            (Tree("a"), Some("a"), Some("b"), Drop),
            (Tree("b"), Some("a"), Some("b"), Finish),
            (Tree("b"), None, Some("b"), Finish),
            (Tree("b"), Some("a"), None, Follow),
            (Tree("c"), Some("a"), Some("b"), Follow),
            (Tree("a"), None, None, Follow),
            (Unknown, None, None, Clear),
            (Unknown, None, Some("b"), Drop),
            (Unknown, Some("a"), None, Drifted),
        ] {
            assert_eq!(
                decide(shown, recorded, intent),
                expected,
                "{shown:?} {recorded:?} {intent:?}"
            );
        }
    }
}
