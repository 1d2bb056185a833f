//! docs/reliability.md names tests; each of them is there.

use super::{read, sources};

#[test]
fn every_test_that_the_docs_name_is_there() {
    let sources = sources();
    let is_there = |name: &str| {
        let line = format!("fn {name}(");
        sources.iter().any(|file| file.text.contains(&line))
    };
    let docs = read("docs/reliability.md");
    // The names of tests are sentences; those of verbs and calls are shorter.
    let named = docs.split('`').skip(1).step_by(2).filter(|text| {
        text.matches('_').count() >= 3 && !text.contains(|c: char| c.is_uppercase())
    });
    let mut count = 0;
    for name in named {
        assert!(is_there(name), "docs/reliability.md names `{name}`, which is no test");
        count += 1;
    }
    assert!(count > 30, "the names were not found");
}
