//! Colours for what configuration is written in: keys, texts, numbers and comments, a line at a time.

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// YAML, and what looks like it.
    Yaml,
    /// JSON.
    Json,
    /// `NAME=value`.
    Env,
    /// Something else.
    None,
}

impl Language {
    /// By a file's name.
    pub(super) fn of(path: &str) -> Self {
        match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "yaml" | "yml" => Self::Yaml,
            "json" => Self::Json,
            "env" | "toml" | "ini" | "conf" | "properties" => Self::Env,
            _ => Self::None,
        }
    }
}

/// A line as HTML: escaped, and coloured by `<b class=…>`.
pub(super) fn highlight(line: &str, language: Language) -> String {
    let mut html = String::with_capacity(line.len() + 16);
    let (code, comment) = match language {
        Language::Yaml | Language::Env => comment(line),
        Language::Json | Language::None => (line, ""),
    };
    let value = match language {
        Language::None => {
            escape(code, &mut html);
            ""
        }
        Language::Yaml => key(code, ':', &mut html),
        Language::Json => key(code, ':', &mut html),
        Language::Env => key(code, '=', &mut html),
    };
    coloured_value(value, &mut html);
    if !comment.is_empty() {
        marked("c", comment, &mut html);
    }
    html
}

/// A line up to its comment, and the comment.
fn comment(line: &str) -> (&str, &str) {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '#') if before.is_whitespace() => return line.split_at(at),
            _ => {}
        }
        before = c;
    }
    (line, "")
}

/// Writes what stands before the value, and gives the value.
fn key<'l>(code: &'l str, sign: char, html: &mut String) -> &'l str {
    let found = code.char_indices().find(|(at, c)| {
        let next = code.get(at + 1..).and_then(|rest| rest.chars().next());
        *c == sign && (sign == '=' || next.is_none_or(char::is_whitespace))
    });
    let Some((at, _)) = found else { return code };
    let (name, rest) = code.split_at(at);
    let bare = name.trim_start_matches([' ', '\t', '-']);
    let (indent, name) = name.split_at(name.len() - bare.len());
    escape(indent, html);
    marked("k", name, html);
    rest
}

fn coloured_value(value: &str, html: &mut String) {
    let bare = value.trim_start_matches([':', '=', ' ', '-']).trim_end();
    let Some(at) = value.find(bare).filter(|_| !bare.is_empty()) else {
        escape(value, html);
        return;
    };
    let plain = bare.trim_end_matches(',');
    let kind = if plain.starts_with(['"', '\'']) {
        "s"
    } else if plain.parse::<f64>().is_ok()
        || matches!(plain, "true" | "false" | "null" | "~" | "yes" | "no")
    {
        "n"
    } else {
        ""
    };
    let (before, rest) = value.split_at(at);
    let (bare, after) = rest.split_at(bare.len());
    escape(before, html);
    if kind.is_empty() {
        escape(bare, html);
    } else {
        marked(kind, bare, html);
    }
    escape(after, html);
}

fn marked(class: &str, text: &str, html: &mut String) {
    html.push_str("<b class=");
    html.push_str(class);
    html.push('>');
    escape(text, html);
    html.push_str("</b>");
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_texts_numbers_and_comments_have_their_colours() {
        assert_eq!(
            highlight("  - port: 80  # it <listens>", Language::Yaml),
            "  - <b class=k>port</b>: <b class=n>80</b>  <b class=c># it &lt;listens&gt;</b>"
        );
        assert_eq!(
            highlight("name: \"a # b\"", Language::Yaml),
            "<b class=k>name</b>: <b class=s>&quot;a # b&quot;</b>"
        );
        assert_eq!(highlight("A=http://x", Language::Env), "<b class=k>A</b>=http://x");
        assert_eq!(highlight("a: b & c", Language::None), "a: b &amp; c");
        assert_eq!(highlight("url: http://x", Language::Yaml), "<b class=k>url</b>: http://x");
    }

    proptest! {
        #[test]
        fn whatever_a_line_holds_only_our_own_marks_are_html(
            line in "\\PC{0,60}",
            language in prop::sample::select(vec![
                Language::Yaml, Language::Json, Language::Env, Language::None
            ]),
        ) {
            let html = highlight(&line, language);
            let mut bare = html.clone();
            for mark in ["<b class=k>", "<b class=s>", "<b class=n>", "<b class=c>", "</b>"] {
                bare = bare.replace(mark, "");
            }
            prop_assert!(!bare.contains(['<', '>', '"', '\'']), "{html}");
            let text = bare.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
                .replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(text, line);
        }
    }
}
