//! One map of a config, read field by field, as leniently as Go's decoder reads it.

use serde_yaml::{Mapping, Value};

use super::{ConfigError, Source};

/// A map of the config and where it stands.
pub(super) struct Fields<'a> {
    map: Option<&'a Mapping>,
    error: ConfigError,
}

impl<'a> Fields<'a> {
    /// The fields of `value`; null counts as a map without any.
    pub(super) fn of(
        value: &'a Value,
        place: &str,
        line: Option<usize>,
        source: &Source<'_>,
    ) -> Result<Self, ConfigError> {
        let error = source.error(line, place, "");
        match value {
            Value::Null => Ok(Self { map: None, error }),
            Value::Mapping(map) => Ok(Self { map: Some(map), error }),
            _ => Err(ConfigError { problem: "a map was expected".into(), ..error }),
        }
    }

    /// The same, and warns of every key that is not in `known`.
    pub(super) fn checked(
        value: &'a Value,
        place: &str,
        line: Option<usize>,
        known: &[&'static str],
        source: &mut Source<'_>,
    ) -> Result<Self, ConfigError> {
        let fields = Self::of(value, place, line, source)?;
        for key in fields.unknown(known) {
            source.warn(key, line, place, known);
        }
        Ok(fields)
    }

    /// Keys that are not in `known`, in the order of the file.
    pub(super) fn unknown<'k>(&self, known: &'k [&str]) -> impl Iterator<Item = &'a str> + use<'a, 'k> {
        let keys = self.map.into_iter().flat_map(Mapping::keys);
        keys.filter_map(Value::as_str).filter(move |key| !known.contains(key))
    }

    /// An error that names this place.
    pub(super) fn fail(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError { problem: problem.into(), ..self.error.clone() }
    }

    /// A field's value; null counts as absent.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.map?.get(name).filter(|value| !value.is_null())
    }

    /// A text; numbers and booleans are texts too. Empty when absent.
    pub(super) fn text(&self, name: &str) -> Result<String, ConfigError> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(value) => scalar(value).ok_or_else(|| self.fail(format!("{name}: a text was expected"))),
        }
    }

    /// A boolean; false when absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "" | "false" | "no" | "off" | "n" => Ok(false),
            "true" | "yes" | "on" | "y" => Ok(true),
            _ => Err(self.fail(format!("{name}: true or false was expected"))),
        }
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ConfigError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => {
                value.as_i64().map(Some).ok_or_else(|| self.fail(format!("{name}: a whole number was expected")))
            }
        }
    }

    /// A list; empty when absent.
    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], ConfigError> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Value::Sequence(items)) => Ok(items),
            Some(_) => Err(self.fail(format!("{name}: a list was expected"))),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        let text = |value| scalar(value).ok_or_else(|| self.fail(format!("{name}: a list of texts was expected")));
        self.list(name)?.iter().map(text).collect()
    }

    /// A list of texts, or one text in which commas stand between them. Empty parts are dropped.
    pub(super) fn comma_texts(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        let texts = match self.value(name) {
            Some(Value::Sequence(_)) => self.texts(name)?,
            _ => vec![self.text(name)?],
        };
        let parts = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        Ok(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
