//! The schema of a type: the fields of a mapping, the names of an enum, the bounds of a number.
//!
//! serde's `Deserialize` says what it expects before it gets any data. So [`shape`] starts to deserialize the type, and
//! the deserializer stops with the answer as its error.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, Error, Expected, IntoDeserializer,
        MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor, value::StrDeserializer,
    },
};

/// What a grid file may hold in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing but the name.
    Nothing,
    /// A value, described in words, e.g. "a number above 0".
    Value(String),
    /// One of these names. A name may have content.
    OneOf(&'static [&'static str]),
    /// A mapping with these fields.
    Fields(&'static [&'static str]),
}

/// The shape of a `T` at `path`. The path has the names of fields and variants; an item of a list adds nothing to it.
///
/// ```
/// use brink_config::schema::{Shape, shape};
///
/// #[derive(serde::Deserialize)]
/// struct Step {
///     rate: Option<brink_config::checked::Positive>,
/// }
///
/// assert_eq!(shape::<Vec<Step>>(&[]), Shape::Fields(&["rate"]));
/// assert_eq!(shape::<Vec<Step>>(&["rate"]), Shape::Value("a number above 0".to_owned()));
/// ```
pub fn shape<T: DeserializeOwned>(path: &[&'static str]) -> Shape {
    match T::deserialize(Question(path)) {
        Ok(_) => Shape::Nothing,
        Err(Answer(shape)) => shape,
    }
}

/// Asks for the shape at the end of a path.
#[derive(Clone, Copy)]
struct Question<'p>(&'p [&'static str]);

/// The answer. It is an error type, because an error ends deserialization early.
#[derive(Debug)]
struct Answer(Shape);

impl Answer {
    fn value(words: &str) -> Self {
        Self(Shape::Value(words.to_owned()))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Answer {}

impl Error for Answer {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::value(&message.to_string())
    }

    /// A checked number reports its bounds as `expected`.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::value(&expected.to_string())
    }
}

macro_rules! values {
    ($($method:ident: $words:literal,)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
            Err(Answer::value($words))
        })*
    };
}

impl<'de> Deserializer<'de> for Question<'_> {
    type Error = Answer;

    values! {
        deserialize_bool: "true or false",
        deserialize_i8: "a whole number",
        deserialize_i16: "a whole number",
        deserialize_i32: "a whole number",
        deserialize_i64: "a whole number",
        deserialize_i128: "a whole number",
        deserialize_u8: "a whole number, 0 or above",
        deserialize_u16: "a whole number, 0 or above",
        deserialize_u32: "a whole number, 0 or above",
        deserialize_u64: "a whole number, 0 or above",
        deserialize_u128: "a whole number, 0 or above",
        deserialize_f32: "a number",
        deserialize_f64: "a number",
        deserialize_char: "text",
        deserialize_str: "text",
        deserialize_string: "text",
        deserialize_bytes: "text",
        deserialize_byte_buf: "text",
        deserialize_identifier: "text",
        deserialize_map: "a mapping",
        deserialize_ignored_any: "anything",
    }

    /// A value of several kinds reports what it takes as `expected`.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        Err(Answer::value(&(&visitor as &dyn Expected).to_string()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Answer> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Answer> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_seq(self).map_err(|answer| match answer {
            Answer(Shape::Value(words)) if self.0.is_empty() => {
                Answer(Shape::Value(format!("a list, each {words}")))
            }
            answer => answer,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, items: usize, _: V) -> Result<V::Value, Answer> {
        Err(Answer(Shape::Value(format!("a list of {items}"))))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        items: usize,
        visitor: V,
    ) -> Result<V::Value, Answer> {
        self.deserialize_tuple(items, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Answer> {
        match self.0 {
            [] => Err(Answer(Shape::Fields(fields))),
            [_, ..] => visitor.visit_map(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Answer> {
        match self.0 {
            [] => Err(Answer(Shape::OneOf(variants))),
            [_, ..] => visitor.visit_enum(self),
        }
    }
}

impl Question<'_> {
    fn name<'de, K: DeserializeSeed<'de>>(&self, seed: K) -> Result<K::Value, Answer> {
        let name = self.0.first().copied().unwrap_or_default();
        let name: StrDeserializer<'_, Answer> = name.into_deserializer();
        seed.deserialize(name)
    }

    /// The question after the name.
    fn rest(&self) -> Question<'_> {
        Question(self.0.get(1..).unwrap_or_default())
    }
}

/// A list of one item.
impl<'de> SeqAccess<'de> for Question<'_> {
    type Error = Answer;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Answer> {
        seed.deserialize(Question(self.0)).map(Some)
    }
}

/// A mapping with one field: the first name of the path. The answer ends it before serde asks for a second field.
impl<'de> MapAccess<'de> for Question<'_> {
    type Error = Answer;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Answer> {
        self.name(seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Answer> {
        seed.deserialize(self.rest())?;
        Err(Answer(Shape::Nothing))
    }
}

impl<'de> EnumAccess<'de> for Question<'_> {
    type Error = Answer;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Answer> {
        Ok((self.name(seed)?, self))
    }
}

impl<'de> VariantAccess<'de> for Question<'_> {
    type Error = Answer;

    fn unit_variant(self) -> Result<(), Answer> {
        Err(Answer(Shape::Nothing))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Answer> {
        seed.deserialize(self.rest())
    }

    fn tuple_variant<V: Visitor<'de>>(self, items: usize, visitor: V) -> Result<V::Value, Answer> {
        self.rest().deserialize_tuple(items, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Answer> {
        self.rest().deserialize_struct("", fields, visitor)
    }
}
