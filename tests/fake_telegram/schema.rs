//! The Bot API's schema (`tests/fixtures/telegram/schema.json`), and whether a request keeps to it.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::OnceLock;

pub(crate) type Fields = BTreeMap<String, Field>;

#[derive(Debug, Deserialize)]
pub(crate) struct Field {
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    one_of: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fields(Fields),
    Variants(Vec<String>),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Schema {
    methods: BTreeMap<String, Fields>,
    types: BTreeMap<String, Kind>,
}

/// Types of which a text is itself, not JSON in a string.
const TEXTS: [&str; 4] = ["String", "InputFile", "InputFile or String", "Integer or String"];

impl Schema {
    pub(crate) fn get() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| {
            let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/telegram/schema.json"));
            serde_json::from_str(text).expect("tests/fixtures/telegram/schema.json is what its script extract writes")
        })
    }

    /// A method by its name, in any case.
    pub(crate) fn method(&self, name: &str) -> Option<(&str, &Fields)> {
        let found = self.methods.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(name, fields)| (name.as_str(), fields))
    }

    /// The kinds of updates there are.
    pub(crate) fn update_kinds(&self) -> impl Iterator<Item = &str> {
        let fields = match self.types.get("Update") {
            Some(Kind::Fields(fields)) => Some(fields),
            _ => None,
        };
        fields.into_iter().flat_map(BTreeMap::keys).map(String::as_str).filter(|name| *name != "update_id")
    }

    /// What a method's parameters break, if anything.
    pub(crate) fn check_params(&self, fields: &Fields, params: &Map<String, Value>) -> Result<(), String> {
        self.check_fields(fields, params, "")
    }

    /// What a value breaks of its type, if anything.
    pub(crate) fn check(&self, kind: &str, value: &Value, path: &str) -> Result<(), String> {
        if let Some(inner) = kind.strip_prefix("Array of ") {
            let Some(values) = value.as_array() else { return Err(wrong(kind, value, path)) };
            let mut each = values.iter().enumerate();
            return each.try_for_each(|(at, value)| self.check(inner, value, &format!("{path}[{at}]")));
        }
        if kind.contains(" or ") {
            return self.check_any(kind.split(" or "), kind, value, path);
        }
        let fits = match kind {
            "Integer" => value.is_i64(),
            "String" | "InputFile" => value.is_string(),
            "Boolean" => value.is_boolean(),
            "True" => value == &Value::Bool(true),
            "Float" => value.is_number(),
            _ => match self.types.get(kind) {
                Some(Kind::Variants(variants)) => {
                    return self.check_any(variants.iter().map(String::as_str), kind, value, path);
                }
                Some(Kind::Fields(fields)) => {
                    let Some(object) = value.as_object() else { return Err(wrong(kind, value, path)) };
                    return self.check_fields(fields, object, path);
                }
                None => return Err(format!("{path}: the type {kind} is not in the extract of the schema")),
            },
        };
        if fits { Ok(()) } else { Err(wrong(kind, value, path)) }
    }

    fn check_any<'a>(
        &self,
        kinds: impl Iterator<Item = &'a str>,
        whole: &str,
        value: &Value,
        path: &str,
    ) -> Result<(), String> {
        let mut problems = Vec::new();
        for kind in kinds {
            match self.check(kind, value, path) {
                Ok(()) => return Ok(()),
                Err(problem) => problems.push(format!("as {kind}: {problem}")),
            }
        }
        Err(format!("{path} must be of type {whole} ({})", problems.join("; ")))
    }

    fn check_fields(&self, fields: &Fields, values: &Map<String, Value>, path: &str) -> Result<(), String> {
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for (name, value) in values {
            let Some(field) = fields.get(name) else { return Err(format!("unknown field \"{}\"", within(name))) };
            self.check(&field.kind, value, &within(name))?;
            let allowed = |one_of: &[String]| one_of.iter().any(|one| value == one);
            if let Some(one_of) = field.one_of.as_ref().filter(|one_of| !allowed(one_of)) {
                return Err(format!("{} must be one of {one_of:?}", within(name)));
            }
        }
        let missing = fields.iter().find(|(name, field)| field.required && !values.contains_key(*name));
        missing.map_or(Ok(()), |(name, _)| Err(format!("\"{}\" is required", within(name))))
    }
}

/// A parameter that came as text (a query, a form, or JSON in a string), as what its type says it is.
pub(crate) fn typed(fields: &Fields, name: &str, text: &str) -> Value {
    let Some(field) = fields.get(name) else { return text.into() };
    match field.kind.as_str() {
        "Integer or String" => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        kind if TEXTS.contains(&kind) => text.into(),
        _ => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

/// Parameters of a JSON body: what is an object or an array may also come as JSON in a string.
pub(crate) fn unwrapped(fields: &Fields, params: Map<String, Value>) -> Map<String, Value> {
    let scalar = ["Integer", "Boolean", "Float", "True"];
    let unwrap = |(name, value): (String, Value)| {
        let plain = fields.get(&name).is_none_or(|field| scalar.contains(&field.kind.as_str()));
        match value {
            Value::String(text) if !plain => (name.clone(), typed_unless_number(fields, &name, text)),
            value => (name, value),
        }
    };
    params.into_iter().map(unwrap).collect()
}

fn typed_unless_number(fields: &Fields, name: &str, text: String) -> Value {
    if fields.get(name).is_some_and(|field| TEXTS.contains(&field.kind.as_str())) {
        text.into()
    } else {
        typed(fields, name, &text)
    }
}

fn wrong(kind: &str, value: &Value, path: &str) -> String {
    let shown: String = value.to_string().chars().take(60).collect();
    format!("\"{path}\" must be of type {kind}, got {shown}")
}
