/// Which room may name which: floors from the top, as ARCHITECTURE.md draws them.
pub(super) struct Map {
    floors: Vec<Vec<String>>,
    /// Named by all.
    anybodys: Vec<String>,
}

impl Map {
    /// Reads the drawing after "Who may name whom", and the sentence "… may be named by all".
    pub(super) fn read(architecture: &str) -> Self {
        let (_, after) = architecture.split_once("Who may name whom").expect("the map");
        let mut parts = after.split("```");
        let drawing = parts.nth(1).expect("the map's drawing");
        let names = |floor: &str| {
            let names = floor.trim().trim_matches(['{', '}']).split(',');
            names.map(|name| name.trim().to_owned()).collect()
        };
        let (sentence, _) = parts
            .next()
            .and_then(|text| text.split_once(" may be named by all"))
            .expect("who may be named by all");
        let anybodys = sentence.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Self { floors: drawing.split('→').map(names).collect(), anybodys }
    }

    pub(super) fn knows(&self, room: &str) -> bool {
        self.floor(room).is_some() || self.is_anybodys(room)
    }

    pub(super) fn may_name(&self, room: &str, other: &str) -> bool {
        if self.is_anybodys(other) {
            return true;
        }
        // What all may name can itself name the lowest floor only, or there would be a way up.
        let own = self.floor(room).unwrap_or(self.floors.len().saturating_sub(2));
        self.floor(other).is_some_and(|floor| floor > own)
    }

    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|floor| floor.iter().any(|name| name == room))
    }

    fn is_anybodys(&self, room: &str) -> bool {
        self.anybodys.iter().any(|name| name == room)
    }
}

/// The paths under `crate::` that a text names, two names deep, each with its line; groups are
/// taken apart, comments are left out.
pub(super) fn named(text: &str) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| if line.trim_start().starts_with("//") { "\n" } else { line })
        .flat_map(|line| [line.trim_end_matches('\n'), "\n"])
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code.get(..at).unwrap_or_default();
        if before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$') {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let mut paths = Vec::new();
        take_apart(code.get(at + 7..).unwrap_or_default(), "", &mut paths);
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// Reads one path, or a group of them; gives how much of the text that was.
fn take_apart(text: &str, before: &str, paths: &mut Vec<String>) -> usize {
    if !text.starts_with('{') {
        let name = text.find(|next: char| !(next.is_alphanumeric() || next == '_' || next == '*'));
        let name = text.get(..name.unwrap_or(text.len())).unwrap_or_default();
        let path = if before.is_empty() { name.to_owned() } else { format!("{before}::{name}") };
        let rest = text.get(name.len()..).unwrap_or_default();
        return name.len()
            + match rest.strip_prefix("::") {
                Some(deeper) if before.is_empty() => 2 + take_apart(deeper, &path, paths),
                // Two names are enough; what is deeper is read to be left out.
                Some(deeper) => {
                    paths.push(path);
                    2 + take_apart(deeper, "left out", &mut Vec::new())
                }
                None => {
                    paths.push(path);
                    0
                }
            };
    }
    let mut at = 1;
    while let Some(next) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match next {
            '}' => return at + 1,
            ',' | ' ' | '\n' => at += 1,
            _ => at += take_apart(text.get(at..).unwrap_or_default(), before, paths).max(1),
        }
    }
    at
}
