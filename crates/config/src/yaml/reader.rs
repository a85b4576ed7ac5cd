//! A serde deserializer that reads a tree into the wanted type.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
        VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::fault::{A_BOOLEAN, A_LIST, Fault, Kind};
use super::scalar::Typed;
use super::spot::Source;
use super::tree::{Name, Node, Value};
use super::{number, sweep};

/// Reads `root` as a `T`.
pub(super) fn read<T: DeserializeOwned>(root: &Node) -> Result<T, Fault> {
    T::deserialize(Reader(root)).map_err(|fault| settle(fault, root))
}

/// Reads one node.
struct Reader<'a>(&'a Node);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Typed(Typed::Bool(value), _) => visitor.visit_bool(*value),
            Value::Typed(Typed::Unsigned(value), _) => visitor.visit_u64(*value),
            Value::Typed(Typed::Signed(value), _) => visitor.visit_i64(*value),
            Value::Typed(Typed::Float(value), _) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => {
                let mut rest = Items(items.iter());
                let value = visitor.visit_seq(&mut rest)?;
                match rest.0.len() {
                    0 => Ok(value),
                    more => {
                        let (all, taken) = (items.len(), items.len() - more);
                        let problem = format!("a list of {all} is not a list of {taken}");
                        Err(Fault::new(self.0.spot, problem))
                    }
                }
            }
            Value::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter(),
                value: None,
            }),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Typed(_, text) => visitor.visit_str(text),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == sweep::NAME {
            return visitor.visit_seq(Items(sweep::spell_out(self.0)?.iter()));
        }
        visitor.visit_newtype_struct(self)
    }

    /// An empty value is a mapping without entries, so every field has its default.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.value {
            Value::Null => visitor.visit_map(Entries {
                entries: [].iter(),
                value: None,
            }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.value {
            // serde would read the items as fields in their order, which is easy to get wrong by hand.
            Value::List(_) => Err(serde::de::Error::custom("a list is not a mapping")),
            _ => self.deserialize_map(visitor),
        }
    }

    /// `name`, `name:` or `name: content`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let node = self.0;
        match &node.value {
            Value::Typed(_, text) | Value::Text(text) => {
                let name = Name {
                    spot: node.spot,
                    text: text.clone(),
                };
                let content = Node::null(node.spot);
                visitor.visit_enum(Variant {
                    name: &name,
                    content: &content,
                })
            }
            Value::Map(entries) => match entries.as_slice() {
                [(name, content)] => visitor.visit_enum(Variant { name, content }),
                [] => Err(Fault::new(node.spot, "a name is missing")),
                [(first, _), (second, _), ..] => Err(Fault::new(
                    second.spot,
                    format!(
                        "only one name is allowed here, not `{}` and `{}`",
                        first.text, second.text
                    ),
                )
                .hint(match second.spot.source {
                    Source::File(_) => format!(
                        "indent `{0}` if it belongs to `{1}`, or make it `- {0}`",
                        second.text, first.text
                    ),
                    Source::Argument(_) if !names.contains(&second.text.as_str()) => {
                        format!("write `{}.{}` in the path", first.text, second.text)
                    }
                    Source::Argument(_) => format!(
                        "to replace `{}`, set the whole mapping, e.g. PATH={{{}: ...}}",
                        first.text, second.text
                    ),
                })),
            },
            Value::Null | Value::List(_) => Err(Fault::new(
                node.spot,
                format!("{} is not a name", node.value),
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct seq tuple tuple_struct identifier
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let item = |node| {
            seed.deserialize(Reader(node))
                .map_err(|fault| settle(fault, node))
        };
        self.0.next().map(item).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (Name, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        read_name(name, seed).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let node = self
            .value
            .take()
            .expect("serde asks for each key before its value");
        seed.deserialize(Reader(node))
            .map_err(|fault| settle(fault, node))
    }
}

struct Variant<'a> {
    name: &'a Name,
    content: &'a Node,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Fault> {
        Ok((read_name(self.name, seed)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match &self.content.value {
            Value::Null => Ok(()),
            Value::Map(entries) if entries.is_empty() => Ok(()),
            _ => Err(Fault::new(
                self.content.spot,
                format!("`{}` has no settings", self.name.text),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(Reader(self.content))
            .map_err(|fault| settle(fault, self.content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        Reader(self.content)
            .deserialize_any(visitor)
            .map_err(|fault| settle(fault, self.content))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Reader(self.content)
            .deserialize_struct("", fields, visitor)
            .map_err(|fault| settle(fault, self.content))
    }
}

fn read_name<'de, T: DeserializeSeed<'de>>(name: &Name, seed: T) -> Result<T::Value, Fault> {
    let text: StrDeserializer<'_, Fault> = name.text.as_str().into_deserializer();
    seed.deserialize(text)
        .map_err(|fault| fault.at_name(name.spot))
}

/// Sets the spot of a fault to the one of `node`, unless it is set already.
fn settle(mut fault: Fault, node: &Node) -> Fault {
    if fault.spot.is_none() {
        fault.spot = Some(node.spot);
        if let Kind::Expected(expected) = &fault.kind {
            fault.hint = fix(expected, &node.value);
            fault.kind = Kind::Message(format!("{} is not {expected}", node.value));
        }
    }
    fault
}

/// What to write instead of `value` where `expected` is wanted.
fn fix(expected: &str, value: &Value) -> Option<String> {
    match value {
        Value::Typed(_, text) | Value::Text(text) if expected == A_LIST => {
            Some(format!("write `[{text}]`"))
        }
        Value::Typed(Typed::Float(number), _)
            if expected.contains("whole number")
                && number.fract() == 0.0
                && number.abs() < 1e15 =>
        {
            Some(format!("write `{number}`"))
        }
        Value::Text(text) if expected == A_BOOLEAN => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some("write `true`, without quotes".to_owned()),
            "false" | "no" | "off" | "n" => Some("write `false`, without quotes".to_owned()),
            _ => None,
        },
        Value::Text(text) if expected.contains("number") => number::fix(text),
        Value::Null => Some("write a value, or leave the field out".to_owned()),
        _ => None,
    }
}
