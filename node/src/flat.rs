//! Answers as flat text: a serde format that JavaScript reads faster than JSON, many answers from one string.
//!
//! Each byte is a character: a tag (`flat_writer.rs`), then what belongs to it. `flat.js` reads it. JSON would say the same at
//! three times the price: it repeats every name, and each of its characters is looked at.
//!
//! An answer of many kilobytes is JSON all the same: the texts of a flat one are parts of its string, which lives as
//! long as any of them.

use napi::bindgen_prelude::{JsObjectValue, JsValue, Object, Unknown};
use napi::{Env, Error, Result};
use napi_derive::napi;
use serde::Serialize;
use ttn_auth::{WriteAnswer, to_json};

use crate::error::internal;
use crate::outcome::Answer;
use crate::{flat_writer, hooks, shapes};

/// The longest answer that is written flat, in bytes.
const LONGEST: usize = 4 << 10;

/// Writes the answers of the named calls.
#[derive(Clone, Copy)]
pub(crate) struct ToJavaScript;

impl WriteAnswer for ToJavaScript {
    type Written = Answer;

    fn write<T: Serialize>(self, answer: &T) -> ttn_auth::Result<Answer> {
        let flat =
            flat_writer::write(answer).map_err(|e| internal("cannot write the answer").with_source(e))?;
        if flat.len() <= LONGEST {
            return Ok(Answer::Flat(flat));
        }
        let json = to_json(answer)?;
        Ok(Answer::Made(Box::new(|env| hooks::parse(env, json))))
    }
}

/// The names of a shape, for `flat.js`.
#[napi(catch_unwind, skip_typescript)]
pub fn shape(shape: u32) -> Vec<&'static str> {
    shapes::names(shape)
}

/// Flat values, one after the other, which are read in one go.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    count: u32,
}

impl Batch {
    pub(crate) fn push(&mut self, flat: &[u8]) {
        self.bytes.extend_from_slice(flat);
        self.count += 1;
    }

    /// The values, in their order.
    pub(crate) fn read<'a>(&self, env: &'a Env) -> Values<'a> {
        if self.count == 0 {
            return Values { values: None, next: 0 };
        }
        let text = env.create_string_latin1(&self.bytes);
        let values = text.and_then(|text| hooks::flat(env, text.to_unknown(), self.count));
        Values { values: values.ok(), next: 0 }
    }
}

/// Values that were read.
#[derive(Default)]
pub(crate) struct Values<'a> {
    values: Option<Object<'a>>,
    next: u32,
}

impl<'a> Values<'a> {
    /// The place of the next one.
    pub(crate) fn next(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn at(&self, place: u32) -> Result<Unknown<'a>> {
        let values =
            self.values.as_ref().ok_or_else(|| Error::from_reason("the answer could not be read"))?;
        values.get_element(place)
    }
}
