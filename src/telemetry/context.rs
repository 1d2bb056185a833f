use ring::rand::SystemRandom;

/// Where in which trace something is, as W3C Trace Context tells others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    trace: [u8; 16],
    span: [u8; 8],
    parent: Option<[u8; 8]>,
}

impl Trace {
    /// A new trace for so many of all; `None`: not this one, or there is no chance to be had.
    pub(super) fn begin(sample: f64) -> Option<Self> {
        let trace: [u8; 16] = random()?;
        // The last bytes are chance by the standard's second level; they decide for all alike.
        let chance = u32::from_be_bytes([trace[12], trace[13], trace[14], trace[15]]);
        let taken = f64::from(chance) < sample * (f64::from(u32::MAX) + 1.0);
        if !taken || trace == [0; 16] {
            return None;
        }
        Some(Self { trace, span: span_id()?, parent: None })
    }

    /// Something that follows from what a header tells of; `None`: that tells of nothing.
    #[must_use]
    pub fn after(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (Some("00"), Some(trace), Some(span), Some(flags), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let (trace, parent, _) = (bytes(trace)?, bytes(span)?, bytes::<1>(flags)?);
        let is_known = trace != [0; 16] && parent != [0; 8];
        is_known.then_some(())?;
        Some(Self { trace, span: span_id()?, parent: Some(parent) })
    }

    /// The header `traceparent` for what follows from this.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id(), self.span_id())
    }

    pub(super) fn trace_id(&self) -> String {
        hex(&self.trace)
    }

    pub(super) fn span_id(&self) -> String {
        hex(&self.span)
    }

    pub(super) fn parent_id(&self) -> Option<String> {
        self.parent.map(|parent| hex(&parent))
    }
}

pub(super) fn span_id() -> Option<[u8; 8]> {
    random().filter(|id| *id != [0; 8])
}

fn random<const N: usize>() -> Option<[u8; N]>
where
    [u8; N]: ring::rand::RandomlyConstructable,
{
    ring::rand::generate::<[u8; N]>(&SystemRandom::new()).ok().map(ring::rand::Random::expose)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lower-case digits, as the standard has them.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_follows_is_in_the_same_trace_below_what_it_follows_from() {
        let first = Trace::begin(1.0).unwrap();
        let second = Trace::after(&first.traceparent()).unwrap();
        assert_eq!(second.trace_id(), first.trace_id());
        assert_eq!(second.parent_id(), Some(first.span_id()));
        assert_ne!(second.span_id(), first.span_id());
        assert_eq!(first.traceparent().len(), 55);
    }

    #[test]
    fn a_part_of_all_is_taken() {
        assert_eq!(Trace::begin(0.0), None);
        let taken = (0..1000).filter(|_| Trace::begin(0.5).is_some()).count();
        assert!((300..700).contains(&taken), "{taken}");
    }

    #[test]
    fn what_tells_of_no_trace_is_not_followed() {
        let zero = format!("00-{}-{}-01", "0".repeat(32), "a".repeat(16));
        let upper = format!("00-{}-{}-01", "A".repeat(32), "a".repeat(16));
        let long = format!("00-{}-{}-01-x", "a".repeat(32), "a".repeat(16));
        for text in ["", "00", "00---", &zero, &upper, &long] {
            assert_eq!(Trace::after(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in ".{0,80}") {
            prop_assert!(Trace::after(&text).is_none_or(|trace| trace.traceparent().len() == 55));
        }
    }
}
