//! The serde format of `flat.rs`: what JSON can say, and nothing more.

use std::fmt::{self, Display};

use serde::ser::{self, Impossible, Serialize, SerializeStruct, Serializer};

use crate::flat_parts::{Fields, Items};

/// What begins a value. `flat.js` has the same.
pub(crate) mod tag {
    pub(crate) const NULL: u8 = 0;
    pub(crate) const FALSE: u8 = 1;
    pub(crate) const TRUE: u8 = 2;
    /// A number.
    pub(crate) const WHOLE: u8 = 3;
    /// Eight bytes: an IEEE 754 double, the lowest first.
    pub(crate) const DOUBLE: u8 = 4;
    /// How many characters, then each, below U+0100.
    pub(crate) const NARROW: u8 = 5;
    /// How many units of UTF-16, then two bytes for each, the lower first.
    pub(crate) const WIDE: u8 = 6;
    /// How many values, then each.
    pub(crate) const LIST: u8 = 7;
    /// How many names, then a text and a value for each.
    pub(crate) const MAP: u8 = 8;
    /// A shape in three bytes of 7 bits, then a value for each of its names.
    pub(crate) const OBJECT: u8 = 9;
    /// JavaScript's `undefined`.
    pub(crate) const NOTHING: u8 = 10;
}

/// From here on not every whole number has its own double.
const END_OF_WHOLE: u64 = 1 << 53;

/// What a call without an answer answers.
pub(crate) fn nothing() -> Vec<u8> {
    vec![tag::NOTHING]
}

/// A value's text.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, Unwritable> {
    let mut writer = Writer { bytes: Vec::with_capacity(USUAL) };
    value.serialize(&mut writer)?;
    Ok(writer.bytes)
}

/// Most values are shorter, in bytes.
const USUAL: usize = 512;

/// Writes one value.
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

/// Never made: there is nothing here that cannot be written. serde wants a type.
#[derive(Debug)]
pub(crate) struct Unwritable(String);

impl Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

pub(crate) type Done = Result<(), Unwritable>;

impl Writer {
    pub(crate) fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn text(&mut self, text: &str) {
        if text.is_ascii() {
            self.tag(tag::NARROW);
            self.number(text.len() as u64);
            self.bytes.extend_from_slice(text.as_bytes());
        } else if text.chars().all(|c| u8::try_from(c).is_ok()) {
            self.tag(tag::NARROW);
            self.number(text.chars().count() as u64);
            self.bytes.extend(text.chars().filter_map(|c| u8::try_from(c).ok()));
        } else {
            self.tag(tag::WIDE);
            self.number(text.encode_utf16().count() as u64);
            self.bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        }
    }

    fn double(&mut self, value: f64) {
        if !value.is_finite() {
            // As JSON has it.
            self.tag(tag::NULL);
        } else if value.fract() == 0.0
            && (0.0..END_OF_WHOLE as f64).contains(&value)
            && value.is_sign_positive()
        {
            self.tag(tag::WHOLE);
            self.number(value as u64);
        } else {
            self.tag(tag::DOUBLE);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
}

macro_rules! doubles {
    ($($function:ident: $type:ty),*) => { $(
        fn $function(self, value: $type) -> Done {
            self.double(value as f64);
            Ok(())
        }
    )* };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Impossible<(), Unwritable>;
    type SerializeTupleVariant = Impossible<(), Unwritable>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Unwritable>;

    // As JavaScript would read JSON's numbers.
    doubles!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64
    );

    fn serialize_bool(self, value: bool) -> Done {
        self.tag(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Done {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        value.serialize(self)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.tag(tag::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let mut fields = self.serialize_struct("", 1)?;
        SerializeStruct::serialize_field(&mut fields, variant, value)?;
        SerializeStruct::end(fields)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'a>, Unwritable> {
        Items::begin(self, tag::LIST, length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Items<'a>, Unwritable> {
        Items::begin(self, tag::MAP, length)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Fields<'a>, Unwritable> {
        Ok(Fields::begin(self, length))
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'a>, Unwritable> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unwritable> {
        Err(no_such(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unwritable> {
        Err(no_such(name))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unwritable> {
        Err(no_such(name))
    }
}

/// No message has one.
pub(crate) fn no_such(what: &str) -> Unwritable {
    Unwritable(format!("{what}: no message of V2's has such a value"))
}
