//! What a plan is expected to cost, from what earlier ones took.

/// Deployments that are looked at.
pub const PAST_MAX: usize = 50;

/// Milliseconds that changing `files` files is expected to take: the median of what earlier
/// deployments took for a file beyond the least that any took, on top of that least. `past` holds
/// files and milliseconds; without any there is nothing to expect.
#[must_use]
pub fn expected_ms(past: &[(u64, u64)], files: u64) -> Option<u64> {
    let least = past.iter().map(|(_, ms)| *ms).min()?;
    let mut each: Vec<u64> = past
        .iter()
        .filter(|(files, _)| *files > 0)
        .map(|(files, ms)| (ms - least) * 1000 / files)
        .collect();
    each.sort_unstable();
    let each = each.get(each.len() / 2).copied().unwrap_or(0);
    Some(least + each.saturating_mul(files) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_ones_took_is_expected_again() {
        assert_eq!(expected_ms(&[], 1), None);
        assert_eq!(expected_ms(&[(1, 8)], 1), Some(8));
        let past = [(1, 10), (1, 12), (10_000, 1_010), (1_000, 110)];
        assert_eq!(expected_ms(&past, 1_000), Some(110));
        assert_eq!(expected_ms(&past, 1), Some(10));
    }

    #[test]
    fn one_that_changed_no_file_tells_the_least_and_nothing_of_a_file() {
        assert_eq!(expected_ms(&[(0, 5), (1, 8)], 2), Some(11));
    }
}
