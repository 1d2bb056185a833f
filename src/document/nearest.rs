/// Bytes of a name that somebody mistyped; comparing longer ones costs their lengths multiplied.
const BYTES_MAX: usize = 256;

/// Whatever in `names` is nearest to `text`, when it is near enough to be meant.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ENOUGH: f64 = 0.8;
    if text.len() > BYTES_MAX {
        return None;
    }
    let text = text.to_lowercase();
    names
        .into_iter()
        .filter(|name| name.len() <= BYTES_MAX)
        .map(|name| (strsim::jaro_winkler(&text, &name.to_lowercase()), name))
        .filter(|(nearness, _)| *nearness >= ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_is_looked_at_in_no_time() {
        assert_eq!(nearest("planer", ["planner", "bus"]), Some("planner"));
        let long = "a".repeat(16 << 20);
        assert_eq!(nearest(&long, [long.as_str(), "bus"]), None);
        assert_eq!(nearest("bus", [long.as_str(), "bus"]), Some("bus"));
    }
}
