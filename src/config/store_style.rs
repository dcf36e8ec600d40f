//! The `stores` of a config: how output is indented.

use serde_yaml::Value;

use super::fields::Fields;
use super::{ConfigError, Source};

/// How output is indented. `None` stands for sops's default: 4 blanks in YAML, a tab in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStyle {
    /// Blanks per level in YAML.
    pub yaml_indent: Option<usize>,
    /// Blanks per level in JSON; 0 puts every entry at the left margin.
    pub json_indent: Option<usize>,
    /// The same for encrypted binary files, which are JSON.
    pub json_binary_indent: Option<usize>,
}

impl StoreStyle {
    pub(super) fn parse(value: &Value, source: &mut Source<'_>) -> Result<Self, ConfigError> {
        let stores = Fields::checked(value, "stores", None, &["dotenv", "ini", "json_binary", "json", "yaml"], source)?;
        let mut indent = |store: &str, no_indent: i64| {
            let value = stores.value(store).unwrap_or(&Value::Null);
            let fields = Fields::checked(value, &format!("stores.{store}"), None, &["indent"], source)?;
            match fields.number("indent")? {
                None => Ok(None),
                Some(number) if number == no_indent => Ok(None),
                Some(number) => match usize::try_from(number) {
                    Ok(number) if number <= MAX_INDENT => Ok(Some(number)),
                    _ => Err(fields.fail(format!("indent: a number up to {MAX_INDENT} was expected"))),
                },
            }
        };
        Ok(Self {
            yaml_indent: indent("yaml", 0)?,
            json_indent: indent("json", -1)?,
            json_binary_indent: indent("json_binary", -1)?,
        })
    }
}

/// More would only make files grow.
const MAX_INDENT: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn defaults_have_their_own_numbers() {
        let style = |text: &str| Config::parse(text, "/c").map(|config| *config.style());
        assert_eq!(
            style("stores: {yaml: {indent: 2}, json: {indent: 0}, json_binary: null, dotenv: {}}"),
            Ok(StoreStyle { yaml_indent: Some(2), json_indent: Some(0), json_binary_indent: None })
        );
        assert_eq!(style("stores: {yaml: {indent: 0}, json: {indent: -1}}"), Ok(StoreStyle::default()));
        assert!(style("stores: {json: {indent: -2}}").is_err());
        assert!(style("stores: {json: {indent: 99999999999}}").is_err());
    }
}
