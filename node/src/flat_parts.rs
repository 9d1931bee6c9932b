//! What has parts, in flat text: lists and tuples, maps, objects.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};

use crate::flat_writer::{Done, Unwritable, Writer, no_such, tag};
use crate::shapes;

/// A list or a map whose length is written when it is known.
pub(crate) struct Items<'a> {
    writer: &'a mut Writer,
    /// How many there are; some if that was written already.
    left: usize,
}

/// An object whose shape is written when its names are known.
pub(crate) struct Fields<'a> {
    writer: &'a mut Writer,
    shape: usize,
    names: Vec<&'static str>,
}

impl<'a> Items<'a> {
    pub(crate) fn begin(writer: &'a mut Writer, tag: u8, length: Option<usize>) -> Result<Self, Unwritable> {
        let length = length.ok_or_else(|| no_such("a list of unknown length"))?;
        writer.tag(tag);
        writer.number(length as u64);
        Ok(Self { writer, left: length })
    }

    fn one(&mut self) -> Done {
        self.left = self.left.checked_sub(1).ok_or_else(|| no_such("a list longer than it says"))?;
        Ok(())
    }

    fn all(self) -> Done {
        if self.left == 0 { Ok(()) } else { Err(no_such("a list shorter than it says")) }
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.one()?;
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Done {
        self.all()
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Done {
        self.all()
    }
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Done {
        self.one()?;
        name.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Done {
        self.all()
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn begin(writer: &'a mut Writer, length: usize) -> Self {
        writer.tag(tag::OBJECT);
        let shape = writer.bytes.len();
        writer.bytes.extend_from_slice(&[0; 3]);
        Self { writer, shape, names: Vec::with_capacity(length) }
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.names.push(name);
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Done {
        let shape = shapes::of(&self.names);
        for (index, byte) in self.writer.bytes[self.shape..].iter_mut().take(3).enumerate() {
            *byte = (shape >> (7 * index)) as u8 & 0x7f;
        }
        Ok(())
    }
}
