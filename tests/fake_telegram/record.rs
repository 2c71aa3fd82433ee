//! What was asked, as it came, for a second opinion: `OVERNIGHT_RECORD_REQUESTS=FILE` appends a line of JSON a request.
//!
//! Each line has the raw parameters, before anything here has read them, and what this fake thinks of them, so that
//! another implementation can be asked the same (`tests/live/second_opinion`).

use super::html;
use super::requests::Asked;
use super::schema::Schema;
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;

const VARIABLE: &str = "OVERNIGHT_RECORD_REQUESTS";

/// The file, opened once: a write to it is a whole line, so that stories side by side do not mix.
fn recording() -> Option<&'static File> {
    static RECORDING: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        #[expect(
            clippy::disallowed_methods,
            reason = "the fake depends on nothing of the bot, nor on its configuration"
        )]
        let path = std::env::var_os(VARIABLE)?;
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Some(file.unwrap_or_else(|problem| panic!("{VARIABLE}: {}: {problem}", path.display())))
    };
    RECORDING.get_or_init(open).as_ref()
}

/// What is written down of a request, if that is wanted. One that can't be read has no parameters to ask about.
pub(crate) fn noted(method: &str, asked: Option<&Asked>) -> Option<Value> {
    let asked = recording().and(asked)?;
    let schema = Schema::get();
    let refused = schema.method(method).and_then(|(_, fields)| schema.check_params(fields, &asked.params).err());
    let mut line = asked.raw.clone();
    line["method"] = method.into();
    line["by_hand"] = asked.by_hand.into();
    line["refused"] = refused.into();
    line["markup"] = markup(&asked.params);
    Some(line)
}

/// Writes it down, and whether the fake had anything against it: its limits know more than a schema does.
pub(crate) fn write(noted: Option<Value>, violated: bool) {
    let (Some(mut file), Some(mut line)) = (recording(), noted) else { return };
    line["violated"] = violated.into();
    file.write_all(format!("{line}\n").as_bytes()).expect("room for a recorded request");
}

/// How this fake reads the request's HTML.
fn markup(params: &Map<String, Value>) -> Value {
    let text = |name: &str| params.get(name).and_then(Value::as_str);
    if !text("parse_mode").is_some_and(|mode| mode.eq_ignore_ascii_case("html")) {
        return Value::Null;
    }
    let source = text("caption").or_else(|| text("text")).unwrap_or_default();
    match html::parse(source) {
        Ok(parsed) => json!({
            "source": source, "text": parsed.text, "entities": parsed.entities, "remarks": parsed.remarks,
        }),
        Err(problem) => json!({ "source": source, "refused": problem }),
    }
}
