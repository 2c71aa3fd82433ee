//! Reading a TOML table key by key, so that every error names file, line, dotted key, value and what is allowed.
//!
//! serde's derive would be shorter, but its errors lose the dotted key or the line, and an unknown key wins over the
//! wrong value beside it.

use super::error::{ConfigError, Place, nearest};
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file's text, and how to point into it.
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) text: String,
}

/// Longest piece of a value repeated in an error, in characters.
const SHOWN_CHARS: usize = 80;

impl Source {
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'_>>, ConfigError> {
        DeTable::parse(&self.text).map_err(|e| ConfigError::Syntax {
            at: self.at(&e.span().unwrap_or_default()),
            problem: e.message().to_owned(),
        })
    }

    fn at(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or_default();
        Place { file: self.file.clone(), line: Some(before.matches('\n').count() + 1) }
    }

    fn shown(&self, span: Range<usize>) -> String {
        let value = self.text.get(span).unwrap_or_default();
        let mut shown: String = value.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if value.chars().nth(SHOWN_CHARS).is_some() {
            shown.push('…');
        }
        shown
    }
}

/// One table, read key by key; an absent one reads as empty.
pub(super) struct Section<'a> {
    source: &'a Source,
    /// Dotted; empty for the file itself.
    path: String,
    span: Range<usize>,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn root(source: &'a Source, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self { source, path: String::new(), span: 0..0, table: Some(table.get_ref()), known: Vec::new() }
    }

    /// The value of `key`, if set. Asking makes the key known.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Some(Field { source: self.source, key: self.dotted(key), value, secret: false })
    }

    /// Replaces `into` where `key` is set.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        into: &mut T,
        parse: impl FnOnce(&Field<'a>) -> Result<T, ConfigError>,
    ) -> Result<(), ConfigError> {
        if let Some(field) = self.get(key) {
            *into = parse(&field)?;
        }
        Ok(())
    }

    /// The value of `key`, or an error that says what it must be.
    pub(super) fn require(&mut self, key: &'static str, allowed: &str) -> Result<Field<'a>, ConfigError> {
        self.get(key).ok_or_else(|| ConfigError::MissingKey {
            at: self.source.at(&self.span),
            key: self.dotted(key),
            allowed: allowed.to_owned(),
        })
    }

    /// The table under `key`.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        self.get(key).map_or_else(
            || {
                let (path, span) = (self.dotted(key), self.span.clone());
                Ok(Self { source: self.source, path, span, table: None, known: Vec::new() })
            },
            |field| field.section(),
        )
    }

    /// The tables of `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Result<Vec<Self>, ConfigError> {
        let Some(field) = self.get(key) else { return Ok(Vec::new()) };
        let list = field.list().map_err(|_| field.bad(&format!("tables, each written as [[{key}]]")))?;
        list.iter().map(Field::section).collect()
    }

    /// Every key with its value, for tables whose keys are the owner's; sorted by key.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        self.table.into_iter().flatten().map(|(key, value)| {
            let name: &'a str = key.get_ref();
            (name, Field { source: self.source, key: self.dotted(name), value, secret: false })
        })
    }

    /// Refuses the first key nobody asked for.
    pub(super) fn finish(&self) -> Result<(), ConfigError> {
        let unknown = self.table.into_iter().flatten().map(|(key, _)| key);
        let unknown = unknown.filter(|key| !self.known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        Err(self.unknown_key(key.get_ref(), key.span(), &self.known))
    }

    /// A key that is none of `known`.
    pub(super) fn unknown_key(&self, key: &str, span: Range<usize>, known: &[&str]) -> ConfigError {
        ConfigError::UnknownKey {
            at: self.source.at(&span),
            key: self.dotted(key),
            nearest: nearest(key, known.iter().copied()).map(str::to_owned),
            known: known.join(", "),
        }
    }

    /// A rule over several keys is broken.
    pub(super) fn broken(&self, rule: &str) -> ConfigError {
        ConfigError::Rule { at: self.source.at(&self.span), key: self.path.clone(), rule: rule.to_owned() }
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// One value and where it stands.
pub(super) struct Field<'a> {
    source: &'a Source,
    key: String,
    value: &'a Spanned<DeValue<'a>>,
    secret: bool,
}

impl<'a> Field<'a> {
    /// The error for this value.
    pub(super) fn bad(&self, allowed: &str) -> ConfigError {
        let value = if self.secret { "(not shown)".into() } else { self.source.shown(self.value.span()) };
        ConfigError::Value {
            at: self.source.at(&self.value.span()),
            key: self.key.clone(),
            value,
            allowed: allowed.to_owned(),
        }
    }

    /// The same value, never repeated in an error.
    pub(super) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn text(&self, allowed: &str) -> Result<&'a str, ConfigError> {
        self.value.get_ref().as_str().ok_or_else(|| self.bad(allowed))
    }

    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.bad("true or false"))
    }

    /// A whole number within `range`, as whatever type holds it.
    pub(super) fn whole<T: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Result<T, ConfigError> {
        let allowed = || self.bad(&format!("a whole number from {} to {}", range.start(), range.end()));
        let number = self.value.get_ref().as_integer().ok_or_else(allowed)?;
        let number = u64::from_str_radix(number.as_str(), number.radix()).map_err(|_| allowed())?;
        if !range.contains(&number) {
            return Err(allowed());
        }
        T::try_from(number).map_err(|_| allowed())
    }

    /// A whole number that may be below zero; `allowed` says what it means.
    pub(super) fn integer(&self, range: RangeInclusive<i64>, allowed: &str) -> Result<i64, ConfigError> {
        let number = self.value.get_ref().as_integer();
        let number = number.and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| self.bad(allowed))
    }

    /// A number, whole or not, within `range`.
    pub(super) fn number(&self, range: RangeInclusive<f64>) -> Result<f64, ConfigError> {
        let text = match self.value.get_ref() {
            DeValue::Float(number) => Some(number.as_str()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            _ => None,
        };
        let number = text.and_then(|text| text.parse().ok()).filter(|number| range.contains(number));
        number.ok_or_else(|| self.bad(&format!("a number from {} to {}", range.start(), range.end())))
    }

    /// The elements of an array, as `key[0]`, `key[1]`, …
    pub(super) fn list(&self) -> Result<Vec<Self>, ConfigError> {
        let array = self.value.get_ref().as_array().ok_or_else(|| self.bad("a list, written as [ … ]"))?;
        let element =
            |(i, value)| Self { source: self.source, key: format!("{}[{i}]", self.key), value, secret: self.secret };
        Ok(array.iter().enumerate().map(element).collect())
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn section(&self) -> Result<Section<'a>, ConfigError> {
        let table = self.value.get_ref().as_table();
        let table = table.ok_or_else(|| self.bad(&format!("a table, written as [{}] or {{ … }}", self.key)))?;
        Ok(Section {
            source: self.source,
            path: self.key.clone(),
            span: self.value.span(),
            table: Some(table),
            known: Vec::new(),
        })
    }
}
