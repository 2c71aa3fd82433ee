//! `parse_mode=HTML` as Telegram documents it: the plain text, its entities, or why it can't be parsed.

use serde_json::{Map, Value, json};

/// A text as people see it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) text: String,
    /// As in the Bot API; offsets and lengths in UTF-16 units.
    pub(crate) entities: Vec<Value>,
    /// What Telegram would silently leave out or take apart.
    pub(crate) remarks: Vec<String>,
}

/// A tag that is open.
struct Open {
    name: String,
    /// `href`, the language, or `expandable`.
    argument: Option<String>,
    offset: usize,
    /// Where its text begins in the plain text.
    from: usize,
    /// How many entities were complete when it opened.
    before: usize,
}

/// How many UTF-16 units a text has, which is how Telegram counts.
pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The plain text and its entities, trimmed as Telegram trims.
pub(crate) fn parse(html: &str) -> Result<Parsed, String> {
    let mut parser = Parser { rest: html, at: 0, parsed: Parsed::default(), open: Vec::new() };
    parser.run()?;
    let mut parsed = parser.parsed;
    parsed.entities.sort_by_key(|entity| (number(entity, "offset"), std::cmp::Reverse(number(entity, "length"))));
    Ok(trimmed(parsed))
}

/// Text without markup, trimmed as Telegram trims.
pub(crate) fn plain(text: &str, entities: Vec<Value>) -> Parsed {
    trimmed(Parsed { text: text.to_owned(), entities, remarks: Vec::new() })
}

struct Parser<'a> {
    rest: &'a str,
    /// Bytes read so far.
    at: usize,
    parsed: Parsed,
    open: Vec<Open>,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '&' => self.character(),
                '<' if self.rest.starts_with("</") => self.end_tag()?,
                '<' => self.start_tag()?,
                _ => {
                    self.parsed.text.push(next);
                    self.skip(next.len_utf8());
                }
            }
        }
        self.open
            .last()
            .map_or(Ok(()), |open| Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.name)))
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.at += bytes;
        skipped
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.skip(end)
    }

    fn character(&mut self) {
        let (decoded, bytes) = decoded(self.rest).unwrap_or(('&', 1));
        self.parsed.text.push(decoded);
        self.skip(bytes);
    }

    fn start_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        let unclosed = || format!("Unclosed start tag at byte offset {begin}");
        self.skip(1);
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '>').to_ascii_lowercase();
        if self.rest.is_empty() {
            return Err(unclosed());
        }
        if entity_of(&name).is_none() && !matches!(name.as_str(), "a" | "span" | "tg-emoji") {
            return Err(format!("Unsupported start tag \"{name}\" at byte offset {begin}"));
        }
        let attributes = self.attributes(&name, begin)?;
        let value = |wanted: &str| attributes.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone());
        let mut argument = None;
        match name.as_str() {
            "a" => argument = value("href"),
            "code" => argument = value("class").and_then(|class| Some(class.strip_prefix("language-")?.to_owned())),
            "blockquote" => {
                argument = value("expandable").map(|_| "expandable".to_owned());
                if self.open.iter().any(|open| open.name == "blockquote") {
                    return Err(format!("Blockquote entities can't be nested, at byte offset {begin}"));
                }
            }
            "span" if value("class").as_deref() != Some("tg-spoiler") => {
                return Err(format!("Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"));
            }
            _ => {}
        }
        let known = ["href", "class", "expandable", "emoji-id"];
        for (key, _) in attributes.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            self.parsed.remarks.push(format!("the tag {name} has no attribute {key}: Telegram ignores it"));
        }
        let (offset, from) = (utf16(&self.parsed.text), self.parsed.text.len());
        let before = self.parsed.entities.len();
        self.open.push(Open { name, argument, offset, from, before });
        Ok(())
    }

    /// Up to and with the `>`.
    fn attributes(&mut self, tag: &str, begin: usize) -> Result<Vec<(String, String)>, String> {
        let unclosed = || format!("Unclosed start tag at byte offset {begin}");
        let mut attributes = Vec::new();
        loop {
            self.take_while(|c| c.is_ascii_whitespace());
            if self.rest.starts_with('>') {
                self.skip(1);
                return Ok(attributes);
            }
            let key = self.take_while(|c| !c.is_ascii_whitespace() && c != '=' && c != '>').to_ascii_lowercase();
            if key.is_empty() {
                let problem = format!("Empty attribute name in the tag \"{tag}\" at byte offset {begin}");
                return Err(if self.rest.is_empty() { unclosed() } else { problem });
            }
            self.take_while(|c| c.is_ascii_whitespace());
            if !self.rest.starts_with('=') {
                if self.rest.is_empty() {
                    return Err(unclosed());
                }
                if tag != "blockquote" {
                    return Err(format!(
                        "Expected equal sign in declaration of an attribute of the tag \"{tag}\" at byte offset {begin}"
                    ));
                }
                attributes.push((key, String::new()));
                continue;
            }
            self.skip(1);
            self.take_while(|c| c.is_ascii_whitespace());
            attributes.push((key, self.attribute_value().ok_or_else(unclosed)?));
        }
    }

    fn attribute_value(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        if quote != '"' && quote != '\'' {
            let token = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
            return Some(token.to_ascii_lowercase());
        }
        self.skip(1);
        let mut value = String::new();
        loop {
            let next = self.rest.chars().next()?;
            let (next, bytes) = match next {
                '&' => decoded(self.rest).unwrap_or(('&', 1)),
                _ if next == quote => {
                    self.skip(1);
                    return Some(value);
                }
                _ => (next, next.len_utf8()),
            };
            value.push(next);
            self.skip(bytes);
        }
    }

    fn end_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.skip(2);
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '>').to_ascii_lowercase();
        self.take_while(|c| c.is_ascii_whitespace());
        let Some(open) = self.open.pop() else {
            return Err(format!("Unexpected end tag at byte offset {begin}"));
        };
        if !self.rest.starts_with('>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.skip(1);
        // An end tag without a name ends whatever is open.
        if !name.is_empty() && name != open.name {
            let expected = &open.name;
            return Err(format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{expected}>\", found \"</{name}>\""
            ));
        }
        self.complete(&open);
        Ok(())
    }

    fn complete(&mut self, open: &Open) {
        let text = self.parsed.text[open.from..].to_owned();
        let length = utf16(&text);
        if length == 0 {
            return;
        }
        let mut entity = Map::new();
        let mut kind = entity_of(&open.name).unwrap_or("spoiler");
        match (open.name.as_str(), &open.argument) {
            ("a", href) => {
                let url = href.clone().filter(|href| !href.is_empty()).unwrap_or(text);
                if !is_url(&url) {
                    self.parsed.remarks.push(format!("\"{url}\" is no address: Telegram leaves the link out"));
                    return;
                }
                kind = "text_link";
                entity.insert("url".into(), url.into());
            }
            ("tg-emoji", _) => {
                self.parsed.remarks.push("custom emoji are not simulated".into());
                return;
            }
            ("blockquote", Some(_)) => kind = "expandable_blockquote",
            ("code", Some(language)) if self.open.last().is_some_and(|outer| outer.name == "pre") => {
                if let Some(outer) = self.open.last_mut() {
                    outer.argument = Some(language.clone());
                }
                return;
            }
            ("pre", Some(language)) => {
                entity.insert("language".into(), language.clone().into());
            }
            _ => {}
        }
        let inside = &self.parsed.entities[open.before..];
        if matches!(kind, "pre" | "code") && !inside.is_empty() {
            self.parsed.remarks.push(format!("{kind} can't contain other entities: Telegram takes them apart"));
        }
        entity.insert("type".into(), kind.into());
        entity.insert("offset".into(), open.offset.into());
        entity.insert("length".into(), length.into());
        self.parsed.entities.push(Value::Object(entity));
    }
}

/// The type of the entity a tag makes, where it depends on nothing else.
fn entity_of(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "code" => "code",
        "pre" => "pre",
        "tg-spoiler" => "spoiler",
        "blockquote" => "blockquote",
        _ => return None,
    })
}

/// What a `&…;` at the start of `text` stands for, and how many bytes it takes. Telegram knows four names and all numbers.
fn decoded(text: &str) -> Option<(char, usize)> {
    let body = &text[1..];
    let (found, mut bytes) = if let Some(number) = body.strip_prefix('#') {
        let (digits, radix, before) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16, 3),
            None => (number, 10, 2),
        };
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let code = u32::from_str_radix(&digits[..end], radix).ok()?;
        (char::from_u32(code).filter(|c| *c != '\0')?, before + end)
    } else {
        let end = body.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(body.len());
        let named = match &body[..end] {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            _ => return None,
        };
        (named, 1 + end)
    };
    bytes += usize::from(text[bytes..].starts_with(';'));
    Some((found, bytes))
}

/// Addresses that Telegram makes links of.
fn is_url(url: &str) -> bool {
    let schemes = ["http://", "https://", "tg://", "ton://", "mailto:", "tel:"];
    let host = |rest: &str| rest.split(['/', '?', '#']).next().is_some_and(|host| !host.is_empty());
    schemes.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(host))
        || (!url.contains(':') && url.split('/').next().is_some_and(|host| host.contains('.') && !host.contains(' ')))
}

pub(crate) fn number(entity: &Value, key: &str) -> usize {
    entity[key].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

/// White space at both ends goes, and the entities move along.
fn trimmed(mut parsed: Parsed) -> Parsed {
    let start = parsed.text.trim_start();
    let cut = utf16(&parsed.text[..parsed.text.len() - start.len()]);
    let text = start.trim_end().to_owned();
    let end = utf16(&text);
    parsed.entities.retain_mut(|entity| {
        let from = number(entity, "offset").saturating_sub(cut).min(end);
        let to = (number(entity, "offset") + number(entity, "length")).saturating_sub(cut).min(end);
        entity["offset"] = json!(from);
        entity["length"] = json!(to - from);
        to > from
    });
    parsed.text = text;
    parsed
}
