//! Reading what JavaScript passes: by hand, so that a wrong argument is an `AuthError` that names it.

use std::time::Duration;

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Unknown};
use napi::{Env, JsValue, ValueType};
use ttn_auth::{Error, Result};

use crate::error::{invalid, unreadable};
use crate::hooks;

/// An object with named options.
pub(crate) struct Fields<'a> {
    object: Option<Object<'a>>,
}

impl<'a> Fields<'a> {
    /// An object that must be there.
    pub(crate) fn required(value: Unknown<'a>, what: &str) -> Result<Self> {
        match kind(value)? {
            ValueType::Object => value
                .coerce_to_object()
                .map(|object| Self { object: Some(object) })
                .map_err(|error| unreadable(what, &error)),
            other => Err(invalid(format!("{what} must be an object, not {}", name(other)))),
        }
    }

    /// An object that may be left out.
    pub(crate) fn optional(value: Option<Unknown<'a>>, what: &str) -> Result<Self> {
        match value {
            Some(value) if !is_absent(value)? => Self::required(value, what),
            _ => Ok(Self { object: None }),
        }
    }

    /// Whether there is a field of this name, its own and not its prototype's, whatever its value is.
    pub(crate) fn has(&self, name: &str) -> Result<bool> {
        let has = self.object.as_ref().map(|object| object.has_own_property(name)).transpose();
        Ok(has.map_err(|error| unreadable(name, &error))?.unwrap_or_default())
    }

    /// The names of the fields.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let names = self.object.as_ref().map(Object::keys).transpose();
        Ok(names.map_err(|error| unreadable("names", &error))?.unwrap_or_default())
    }

    /// Refuses a field of another name: a misspelt option would be as good as none.
    pub(crate) fn only(&self, known: &[&str]) -> Result<()> {
        match self.names()?.into_iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(invalid(format!("there is no option {name:?}; there are: {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }

    /// Whether a field is there, and `null`.
    pub(crate) fn is_null(&self, field: &str) -> Result<bool> {
        let Some(object) = &self.object else { return Ok(false) };
        let value: Option<Unknown<'a>> = object.get(field).map_err(|error| unreadable(field, &error))?;
        Ok(value.map(kind).transpose()? == Some(ValueType::Null))
    }

    /// The value of a field; `undefined` and `null` are the same as none.
    pub(crate) fn value(&self, field: &str) -> Result<Option<Unknown<'a>>> {
        let Some(object) = &self.object else { return Ok(None) };
        let value: Option<Unknown<'a>> = object.get(field).map_err(|error| unreadable(field, &error))?;
        match value {
            Some(value) if !is_absent(value)? => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// A field of another class or type, which `expected` names.
    pub(crate) fn typed<T: FromNapiValue>(&self, field: &str, expected: &str) -> Result<Option<T>> {
        match (&self.object, self.value(field)?) {
            (Some(object), Some(_)) => {
                object.get(field).map_err(|_| invalid(format!("{field} must be {expected}")))
            }
            _ => Ok(None),
        }
    }

    fn of_type<T: FromNapiValue>(
        &self,
        field: &str,
        expected: &[ValueType],
        described: &str,
    ) -> Result<Option<T>> {
        match self.value(field)?.map(kind).transpose()? {
            None => Ok(None),
            Some(found) if expected.contains(&found) => self.typed(field, described),
            Some(found) => Err(invalid(format!("{field} must be {described}, not {}", name(found)))),
        }
    }

    pub(crate) fn text(&self, field: &str) -> Result<Option<String>> {
        self.of_type(field, &[ValueType::String], "a string")
    }

    pub(crate) fn flag(&self, field: &str) -> Result<Option<bool>> {
        self.of_type(field, &[ValueType::Boolean], "true or false")
    }

    pub(crate) fn number(&self, field: &str) -> Result<Option<f64>> {
        self.of_type(field, &[ValueType::Number], "a number")
    }

    /// A whole number from 0 on.
    pub(crate) fn count<T: TryFrom<u64>>(&self, field: &str) -> Result<Option<T>> {
        let Some(number) = self.number(field)? else { return Ok(None) };
        let out_of_range = || invalid(format!("{field} must be a whole number that is not too large"));
        // 2^53: above, not every whole number has its own double.
        if number.fract() != 0.0 || !(0.0..9_007_199_254_740_992.0).contains(&number) {
            return Err(out_of_range());
        }
        T::try_from(number as u64).map(Some).map_err(|_| out_of_range())
    }

    /// A time limit in milliseconds.
    pub(crate) fn millis(&self, field: &str) -> Result<Option<Duration>> {
        let Some(number) = self.number(field)? else { return Ok(None) };
        // Longer than a year is a mistake, and would overflow the clock somewhere.
        if number > 0.0 && number <= 366.0 * 86_400_000.0 {
            Ok(Some(Duration::from_secs_f64(number / 1000.0)))
        } else {
            Err(invalid(format!("{field} must be a number of milliseconds above 0")))
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, field: &str) -> Result<Option<Vec<String>>> {
        self.value(field)?.map(|value| texts(value, field)).transpose()
    }

    /// An object, as it is.
    pub(crate) fn object(&self, field: &str) -> Result<Option<Unknown<'a>>> {
        self.of_type::<Unknown>(field, &[ValueType::Object], "an object")?;
        self.value(field)
    }

    /// An object whose values become text; without those that are `undefined` or `null`.
    pub(crate) fn entries(&self, env: &Env, field: &str) -> Result<Vec<(String, String)>> {
        let Some(value) = self.object(field)? else { return Ok(Vec::new()) };
        let entries = hooks::entries(env, value).map_err(|error| unreadable(field, &error))?;
        Ok(entries
            .into_iter()
            .filter_map(|entry| <[String; 2]>::try_from(entry).ok().map(|[name, value]| (name, value)))
            .collect())
    }
}

/// A text argument.
pub(crate) fn text(value: Unknown, what: &str) -> Result<String> {
    match kind(value)? {
        ValueType::String => value
            .coerce_to_string()
            .and_then(|text| text.into_utf8())
            .and_then(|text| text.into_owned())
            .map_err(|error| unreadable(what, &error)),
        other => Err(invalid(format!("{what} must be a string, not {}", name(other)))),
    }
}

/// A list of texts.
pub(crate) fn texts(value: Unknown, what: &str) -> Result<Vec<String>> {
    let wrong = || invalid(format!("{what} must be a list of strings"));
    // Asked first: what cannot become an object would throw.
    if kind(value)? != ValueType::Object {
        return Err(wrong());
    }
    let object = value.coerce_to_object().map_err(|_| wrong())?;
    if !object.is_array().map_err(|_| wrong())? {
        return Err(wrong());
    }
    let length = object.get_array_length().map_err(|_| wrong())?;
    (0..length)
        .map(|index| text(object.get_element(index).map_err(|_| wrong())?, what).map_err(|_| wrong()))
        .collect()
}

/// The JSON of an object, for the core to read.
pub(crate) fn json(env: &Env, value: Unknown, what: &str) -> Result<String> {
    match kind(value)? {
        ValueType::Object => hooks::stringify(env, value)
            .map_err(|error| unreadable(what, &error))?
            .ok_or_else(|| invalid(format!("{what} cannot be written as JSON"))),
        other => Err(invalid(format!("{what} must be an object, not {}", name(other)))),
    }
}

pub(crate) fn kind(value: Unknown) -> Result<ValueType> {
    value.get_type().map_err(|error: napi::Error| -> Error { unreadable("argument", &error) })
}

fn is_absent(value: Unknown) -> Result<bool> {
    Ok(matches!(kind(value)?, ValueType::Undefined | ValueType::Null))
}

fn name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Undefined => "undefined",
        ValueType::Null => "null",
        ValueType::Boolean => "a boolean",
        ValueType::Number => "a number",
        ValueType::String => "a string",
        ValueType::Symbol => "a symbol",
        ValueType::Object => "an object",
        ValueType::Function => "a function",
        _ => "another type",
    }
}
