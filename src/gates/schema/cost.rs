//! How many steps a schema takes on a document, before it takes them.
//!
//! Parts of a schema that refer to others twice, which refer to others twice again, take a time that
//! doubles with each: a schema of a kilobyte would never end. Here the steps are counted by what
//! each part comes to on each value, once for each pair of them, so counting them is quick.

use std::collections::HashMap;

use serde_json::Value as Json;

/// Steps that are always allowed on one document: about a tenth of a second.
const STEPS_MAX: u64 = 1_000_000;
/// Steps that are allowed for each value of it.
const STEPS_A_VALUE: u64 = 20;
/// Parts inside each other, those that are referred to among them.
const DEPTH_MAX: usize = 1_000;

/// Keywords whose parts are about the same value.
const LISTS_IN_PLACE: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const PARTS_IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords whose part is about each value of a mapping, or each item of a list.
const OF_VALUES: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];
const OF_ITEMS: [&str; 4] = ["items", "additionalItems", "unevaluatedItems", "contains"];

/// What has to be known of a schema to count its steps.
pub(super) struct Cost {
    /// Parts and values of it.
    size: u64,
    has_references: bool,
    /// Parts that have a name, by JSON pointers to them.
    anchors: HashMap<String, String>,
}

impl Cost {
    pub(super) fn new(schema: &Json) -> Self {
        let mut cost = Self { size: 0, has_references: false, anchors: HashMap::new() };
        cost.look_at(schema, &mut String::new());
        cost
    }

    fn look_at(&mut self, part: &Json, pointer: &mut String) {
        self.size += 1;
        let length = pointer.len();
        match part {
            Json::Object(keys) => {
                self.has_references |=
                    ["$ref", "$dynamicRef", "$recursiveRef"].iter().any(|k| keys.contains_key(*k));
                for (key, prefix) in [("$anchor", "#"), ("$dynamicAnchor", "#"), ("$id", "")] {
                    if let Some(name) = keys.get(key).and_then(Json::as_str) {
                        self.anchors.insert(format!("{prefix}{name}"), pointer.clone());
                    }
                }
                for (key, value) in keys {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    self.look_at(value, pointer);
                    pointer.truncate(length);
                }
            }
            Json::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{n}"));
                    self.look_at(item, pointer);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Whether the steps of this schema on a document are few enough to be taken.
    pub(super) fn is_bearable(&self, schema: &Json, instance: &Json) -> bool {
        let values = size(instance);
        let most = STEPS_MAX.max(values.saturating_mul(STEPS_A_VALUE));
        if !self.has_references && self.size.saturating_mul(values) <= most {
            return true;
        }
        let mut counted = Counted { cost: self, schema, known: HashMap::new(), most };
        counted.steps(schema, instance, 0) <= most
    }
}

fn size(value: &Json) -> u64 {
    1 + match value {
        Json::Object(keys) => keys.values().map(size).sum(),
        Json::Array(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}

/// The steps of each part on each value so far; parts and values are known by their address.
struct Counted<'a> {
    cost: &'a Cost,
    schema: &'a Json,
    known: HashMap<(*const Json, *const Json), u64>,
    most: u64,
}

impl<'a> Counted<'a> {
    fn steps(&mut self, part: &'a Json, value: &Json, depth: usize) -> u64 {
        let Json::Object(keys) = part else { return 1 };
        if depth > DEPTH_MAX {
            return u64::MAX;
        }
        let pair = (std::ptr::from_ref(part), std::ptr::from_ref(value));
        // While it is counted it counts for one: a part that refers to itself ends there.
        if let Some(known) = self.known.get(&pair) {
            return *known;
        }
        self.known.insert(pair, 1);
        let mut here = 1_u64;
        let mut add = |steps: u64| here = here.saturating_add(steps);
        for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(target) = keys.get(key).and_then(Json::as_str) {
                add(self.steps(self.target(target), value, depth + 1));
            }
        }
        for key in LISTS_IN_PLACE {
            for part in keys.get(key).and_then(Json::as_array).into_iter().flatten() {
                add(self.steps(part, value, depth + 1));
            }
        }
        for part in PARTS_IN_PLACE.iter().filter_map(|key| keys.get(*key)) {
            add(self.steps(part, value, depth + 1));
        }
        for key in ["dependentSchemas", "dependencies"] {
            for part in keys.get(key).and_then(Json::as_object).into_iter().flatten() {
                add(self.steps(part.1, value, depth + 1));
            }
        }
        add(self.inside(keys, value, depth));
        // To know what nobody looked at, all of it is looked at once more.
        if keys.contains_key("unevaluatedProperties") || keys.contains_key("unevaluatedItems") {
            here = here.saturating_mul(2);
        }
        // Beyond the bound all is the same.
        let here = here.min(self.most.saturating_add(1));
        self.known.insert(pair, here);
        here
    }

    /// The steps on what is inside a value.
    fn inside(
        &mut self,
        keys: &'a serde_json::Map<String, Json>,
        value: &Json,
        depth: usize,
    ) -> u64 {
        let mut steps = 0_u64;
        match value {
            Json::Object(values) => {
                let named = keys.get("properties").and_then(Json::as_object);
                let by_pattern = keys.get("patternProperties").and_then(Json::as_object);
                for (name, value) in values {
                    let named = named.and_then(|named| named.get(name)).into_iter();
                    let by_pattern = by_pattern.into_iter().flat_map(|parts| parts.values());
                    let rest = OF_VALUES.iter().filter_map(|key| keys.get(*key));
                    for part in named.chain(by_pattern).chain(rest) {
                        steps = steps.saturating_add(self.steps(part, value, depth + 1));
                    }
                }
            }
            Json::Array(items) => {
                let first = keys.get("prefixItems").and_then(Json::as_array);
                for (n, item) in items.iter().enumerate() {
                    let first = first.and_then(|parts| parts.get(n)).into_iter();
                    for part in first.chain(OF_ITEMS.iter().filter_map(|key| keys.get(*key))) {
                        steps = steps.saturating_add(self.steps(part, item, depth + 1));
                    }
                }
            }
            _ => {}
        }
        steps
    }

    /// What a reference leads to; the whole schema where that is not known here.
    fn target(&self, reference: &str) -> &'a Json {
        let pointer = match reference.strip_prefix('#') {
            Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => Some(pointer),
            _ => self.cost.anchors.get(reference).map(String::as_str),
        };
        pointer.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(self.schema)
    }
}
