use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::tree::repeated_keys;
use super::{
    Document, FINDINGS_MAX, Format, NODES_MAX, Node, Scalar, Style, Value, depth_max,
    duplicate_key, explain, number, too_deep, too_many_nodes,
};
use crate::model::{Finding, Limits};

/// Bytes of text that the aliases of one file may repeat.
const ALIAS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Parses all documents of a YAML file. See [`super::parse`].
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Vec<Document>, Vec<Finding>> {
    if let Some(finding) = explain::forbidden_character(text) {
        return Err(vec![finding]);
    }
    let depth = usize::try_from(depth_max(limits)).unwrap_or(usize::MAX);
    let mut options = granit_parser::options! {
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::new(text, limits);
    let mut parser = Parser::<StrInput<'_>>::new_from_str_with_options(text, options);
    while let Some(event) = parser.next_event() {
        if let Err(finding) = builder.take(event) {
            builder.tell(*finding);
            break;
        }
    }
    if builder.findings.is_empty() { Ok(builder.documents) } else { Err(builder.findings) }
}

type Step = Result<(), Box<Finding>>;

/// Builds trees from the parser's events, without recursion.
struct Builder<'a> {
    text: &'a str,
    limits: &'a Limits,
    documents: Vec<Document>,
    findings: Vec<Finding>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchor>,
    /// Nodes of the whole file, those from aliases included.
    nodes: u64,
    /// Nodes and bytes of text that came from aliases.
    expanded: Size,
}

/// How much a subtree is.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: u64,
    bytes: u64,
    /// Mappings and lists inside each other.
    height: usize,
}

/// A mapping or list whose end has not come.
struct Open {
    line: u32,
    column: u32,
    tag: Option<Box<str>>,
    anchor: usize,
    size: Size,
    parts: Parts,
}

enum Parts {
    Items(Vec<Node>),
    Pairs(Vec<(Node, Node)>, Option<Node>),
}

/// An anchored node: where it is below the root, rather than a copy of it, so that a file full of
/// anchors costs no more than one without.
struct Anchor {
    /// Position in each of the mappings and lists above it; of a mapping's pair the key is `2n`,
    /// the value `2n + 1`.
    path: Box<[usize]>,
    /// `None` as long as it is open.
    size: Option<Size>,
}

impl Parts {
    /// The position that the next part gets.
    fn next(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Pairs(pairs, key) => pairs.len() * 2 + usize::from(key.is_some()),
        }
    }

    fn get(&self, position: usize) -> Option<&Node> {
        match self {
            Self::Items(items) => items.get(position),
            Self::Pairs(pairs, key) => match pairs.get(position / 2) {
                Some(pair) => Some(if position.is_multiple_of(2) { &pair.0 } else { &pair.1 }),
                None if position == pairs.len() * 2 => key.as_ref(),
                None => None,
            },
        }
    }
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        Self {
            text,
            limits,
            documents: Vec::new(),
            findings: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            expanded: Size::default(),
        }
    }

    fn tell(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    fn take(&mut self, event: Result<(Event<'_>, Span), ScanError>) -> Step {
        let (event, span) = event.map_err(|error| {
            Box::new(explain::syntax(&error, self.text, depth_max(self.limits)))
        })?;
        let place = (number(span.start.line()), number(span.start.col() + 1));
        match event {
            Event::DocumentStart(..) => self.start_document(place),
            Event::Scalar(text, style, anchor, tag) => {
                // The parser says `~` where nothing is written.
                let absent = style == ScalarStyle::Plain && span.start == span.end;
                let text = if absent { "".into() } else { text };
                let size = Size { nodes: 1, bytes: text.len() as u64, height: 0 };
                self.remember(anchor, Some(size), place)?;
                let scalar = Scalar { text: text.into(), style: style_of(style) };
                self.place_node(node(place, tag.as_deref(), Value::Scalar(scalar)), size)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.start(place, tag.as_deref(), anchor, Parts::Items(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.start(place, tag.as_deref(), anchor, Parts::Pairs(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.expand(anchor, place),
            _ => Ok(()),
        }
    }

    fn start_document(&mut self, place: (u32, u32)) -> Step {
        self.anchors.clear();
        if self.documents.len() as u64 >= self.limits.yaml_documents_max {
            let limit = self.limits.yaml_documents_max;
            return Err(Box::new(
                Finding::error(
                    "yaml.documents",
                    format!("the file has more than {limit} documents"),
                )
                .at(place.0, place.1)
                .hint("split the file, or raise `limits.yaml_documents_max`"),
            ));
        }
        Ok(())
    }

    /// Writes down where an anchored node is going to be.
    fn remember(&mut self, anchor: usize, size: Option<Size>, place: (u32, u32)) -> Step {
        if anchor == 0 {
            return Ok(());
        }
        if self.anchors.len() as u64 >= self.limits.yaml_aliases_max {
            return Err(self.too_many_aliases("anchors", place));
        }
        let path = self.open.iter().map(|open| open.parts.next()).collect();
        self.anchors.insert(anchor, Anchor { path, size });
        Ok(())
    }

    fn start(&mut self, place: (u32, u32), tag: Option<&Tag>, anchor: usize, parts: Parts) -> Step {
        self.check_depth(1, place)?;
        self.remember(anchor, None, place)?;
        let size = Size { nodes: 1, bytes: 0, height: 1 };
        let (line, column) = place;
        self.open.push(Open { line, column, tag: tag.map(tag_text), anchor, size, parts });
        Ok(())
    }

    fn end(&mut self) -> Step {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.parts {
            Parts::Items(items) => Value::Sequence(items),
            Parts::Pairs(pairs, _) => {
                for (first, again, name) in repeated_keys(&pairs) {
                    if self.findings.len() < FINDINGS_MAX {
                        self.findings.push(duplicate_key(Format::Yaml, first, again, &name));
                    }
                }
                Value::Mapping(pairs)
            }
        };
        if let Some(anchor) = self.anchors.get_mut(&open.anchor) {
            anchor.size = Some(open.size);
        }
        let node = Node { line: open.line, column: open.column, tag: open.tag, value };
        self.place_node(node, open.size)
    }

    /// Puts a finished node where it belongs.
    fn place_node(&mut self, node: Node, size: Size) -> Step {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Box::new(too_many_nodes(Format::Yaml).at(node.line, node.column)));
        }
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(Document { root: node });
            return Ok(());
        };
        parent.size.nodes += size.nodes;
        parent.size.bytes += size.bytes;
        parent.size.height = parent.size.height.max(size.height + 1);
        match &mut parent.parts {
            Parts::Items(items) => items.push(node),
            Parts::Pairs(pairs, key) => match key.take() {
                None => *key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
        }
        Ok(())
    }

    /// Puts a copy of an anchored node in place of its alias, after having counted what it costs.
    fn expand(&mut self, anchor: usize, place: (u32, u32)) -> Step {
        let Some(Anchor { path, size: Some(size) }) = self.anchors.get(&anchor) else {
            return Err(Box::new(
                Finding::error("yaml.aliases", "the alias stands inside of what it refers to")
                    .at(place.0, place.1)
                    .hint("write the value out: a value cannot be a part of itself"),
            ));
        };
        let size = *size;
        self.expanded.nodes += size.nodes;
        self.expanded.bytes += size.bytes;
        if self.expanded.nodes > self.limits.yaml_aliases_max {
            return Err(self.too_many_aliases("expanded keys and values of aliases", place));
        }
        if self.expanded.bytes > ALIAS_BYTES_MAX {
            return Err(Box::new(
                Finding::error(
                    "yaml.aliases",
                    format!("aliases repeat more than {ALIAS_BYTES_MAX} bytes of text"),
                )
                .at(place.0, place.1)
                .hint("write long texts once, in a file of their own"),
            ));
        }
        self.check_depth(size.height, place)?;
        let Some(mut node) = self.find(path).cloned() else { return Ok(()) };
        (node.line, node.column) = place;
        // place_node counts the node itself; the rest of the copy is counted here.
        self.nodes += size.nodes - 1;
        self.place_node(node, size)
    }

    /// The finished node at a path below the root of this document.
    fn find(&self, path: &[usize]) -> Option<&Node> {
        let first_closed = path
            .iter()
            .zip(&self.open)
            .position(|(position, open)| open.parts.get(*position).is_some())?;
        let mut rest = path.iter().skip(first_closed);
        let mut node = self.open.get(first_closed)?.parts.get(*rest.next()?)?;
        for &position in rest {
            node = match &node.value {
                Value::Sequence(items) => items.get(position)?,
                Value::Mapping(pairs) => {
                    let pair = pairs.get(position / 2)?;
                    if position.is_multiple_of(2) { &pair.0 } else { &pair.1 }
                }
                Value::Scalar(_) => return None,
            };
        }
        Some(node)
    }

    fn check_depth(&self, more: usize, place: (u32, u32)) -> Step {
        let limit = depth_max(self.limits);
        if (self.open.len() + more) as u64 > limit {
            return Err(Box::new(too_deep(Format::Yaml, limit).at(place.0, place.1)));
        }
        Ok(())
    }

    fn too_many_aliases(&self, what: &str, place: (u32, u32)) -> Box<Finding> {
        let limit = self.limits.yaml_aliases_max;
        Box::new(
            Finding::error("yaml.aliases", format!("the file has more than {limit} {what}"))
                .at(place.0, place.1)
                .hint("write the values out, or raise `limits.yaml_aliases_max`"),
        )
    }
}

fn node(place: (u32, u32), tag: Option<&Tag>, value: Value) -> Node {
    Node { line: place.0, column: place.1, tag: tag.map(tag_text), value }
}

const fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

/// A tag such that YAML reads the same one again, without the `%TAG` lines of the file.
fn tag_text(tag: &Tag) -> Box<str> {
    let (handle, suffix) = tag.parts();
    match (tag.core_suffix(), handle) {
        (Some(core), _) => format!("!!{}", escape_tag(core, "")),
        (None, "!") => format!("!{}", escape_tag(suffix, "")),
        (None, "") if suffix.starts_with('!') => {
            format!("!{}", escape_tag(suffix.get(1..).unwrap_or_default(), ""))
        }
        (None, _) => format!("!<{}{}>", escape_tag(handle, ",!"), escape_tag(suffix, ",!")),
    }
    .into()
}

/// Percent-escapes what a tag cannot hold (YAML 1.2.2, 6.9.1); `more` is what it can, beside.
fn escape_tag(text: &str, more: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || b"-_./:~@;?=&+$#*'()".contains(&byte)
            || more.as_bytes().contains(&byte)
        {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
