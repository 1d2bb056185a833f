use zeroize::Zeroizing;

use crate::document::{Node, Style, Value};

/// JSON as `sops decrypt` writes it: keys in their order, indented by tabs.
pub(super) fn write(root: &Node) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::new());
    node(root, 0, &mut out);
    out.push('\n');
    out
}

fn node(it: &Node, depth: usize, out: &mut String) {
    match &it.value {
        Value::Scalar(scalar) if scalar.style == Style::Plain => out.push_str(&scalar.text),
        Value::Scalar(scalar) => string(&scalar.text, out),
        Value::Sequence(items) if items.is_empty() => out.push_str("[]"),
        Value::Mapping(pairs) if pairs.is_empty() => out.push_str("{}"),
        Value::Sequence(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                begin(n, depth, out);
                node(item, depth + 1, out);
            }
            end(depth, out);
            out.push(']');
        }
        Value::Mapping(pairs) => {
            out.push('{');
            for (n, (key, value)) in pairs.iter().enumerate() {
                begin(n, depth, out);
                string(key.text().unwrap_or_default(), out);
                out.push_str(": ");
                node(value, depth + 1, out);
            }
            end(depth, out);
            out.push('}');
        }
    }
}

fn begin(n: usize, depth: usize, out: &mut String) {
    out.push_str(if n > 0 { ",\n" } else { "\n" });
    (0..=depth).for_each(|_| out.push('\t'));
}

fn end(depth: usize, out: &mut String) {
    out.push('\n');
    (0..depth).for_each(|_| out.push('\t'));
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
