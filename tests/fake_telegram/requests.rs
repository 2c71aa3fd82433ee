//! Reads a request's parameters: query, form, JSON, or parts with files.

use super::answer::Refusal;
use super::methods::Part;
use super::schema::{self, Fields};
use super::server::BODY;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use reqwest::Url;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a request brought.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) params: Map<String, Value>,
    pub(crate) files: BTreeMap<String, Part>,
    /// The body as it came, for the recording: `{"json": …}`, or `{"texts": {…}, "files": {…}}`.
    pub(crate) raw: Value,
    pub(crate) by_hand: bool,
}

/// A header that says: a test wrote this request, no bot did.
pub(crate) const BY_HAND: &str = "x-by-hand";

impl Asked {
    /// Stands for a body that can't be read, so that its check fails with the reason.
    pub(crate) fn unreadable(refusal: &Refusal) -> Self {
        Self { params: Map::from_iter([(refusal.description.clone(), Value::Null)]), ..Self::default() }
    }
}

pub(crate) async fn read(request: Request, fields: &Fields) -> Result<Asked, Refusal> {
    let by_hand = request.headers().contains_key(BY_HAND);
    let mut asked = Asked { raw: json!({ "texts": {}, "files": {} }), by_hand, ..Asked::default() };
    asked.add_form(request.uri().query().unwrap_or_default(), fields);
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        let parts = Multipart::from_request(request, &()).await;
        let parts = parts.map_err(|problem| Refusal::wrong(format!("can't read the parts: {problem}")))?;
        asked.add_parts(parts, fields).await?;
        return Ok(asked);
    }
    let json = kind.starts_with("application/json");
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let body = to_bytes(request.into_body(), BODY).await;
    let body = body.map_err(|problem| Refusal::wrong(format!("can't read the body: {problem}")))?;
    if form {
        asked.add_form(&String::from_utf8_lossy(&body), fields);
    } else if json {
        let params = serde_json::from_slice(&body);
        let params: Map<_, _> =
            params.map_err(|problem| Refusal::wrong(format!("can't parse the body as JSON: {problem}")))?;
        asked.raw = json!({ "json": params });
        asked.params.extend(schema::unwrapped(fields, params));
    } else if !body.is_empty() {
        return Err(Refusal::wrong("the body has no content type Telegram reads"));
    }
    Ok(asked)
}

impl Asked {
    fn add_form(&mut self, text: &str, fields: &Fields) {
        let mut url = Url::parse("http://form/").expect("an address");
        url.set_query(Some(text).filter(|text| !text.is_empty()));
        for (name, value) in url.query_pairs() {
            self.raw["texts"][&*name] = value.as_ref().into();
            let value = schema::typed(fields, &name, &value);
            self.params.insert(name.into_owned(), value);
        }
    }

    async fn add_parts(&mut self, mut parts: Multipart, fields: &Fields) -> Result<(), Refusal> {
        let bad = |problem| Refusal::wrong(format!("can't read the parts: {problem}"));
        while let Some(part) = parts.next_field().await.map_err(bad)? {
            let name = part.name().unwrap_or_default().to_owned();
            if let Some(file) = part.file_name().map(str::to_owned) {
                let bytes = part.bytes().await.map_err(bad)?.to_vec();
                self.raw["files"][&name] = json!({ "name": file, "bytes": bytes.len() });
                self.files.insert(name, Part { name: file, bytes });
            } else {
                let text = part.text().await.map_err(bad)?;
                let value = schema::typed(fields, &name, &text);
                self.raw["texts"][&name] = text.into();
                self.params.insert(name, value);
            }
        }
        // A file may also stand in its parameter's own part. One that nothing refers to is an unknown field.
        for name in self.files.keys() {
            let reference = format!("attach://{name}");
            if !self.params.values().any(|value| value.as_str() == Some(&reference)) {
                self.params.insert(name.clone(), reference.into());
            }
        }
        Ok(())
    }
}
