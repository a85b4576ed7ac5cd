//! Reads a pickle without executing it. A call becomes an [`Object`] that records what would have been called.
//!
//! Values lie in one table and refer to each other by position. So a value that a pickle mentions many times is stored once,
//! nested values need no recursion, and a pickle of `n` bytes makes at most `n` values.

mod bytes;
mod calls;
mod machine;

use crate::Result;
use crate::error::Shown;
use machine::Machine;

/// A value's position in its pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ref(u32);

impl Ref {
    const NONE: Self = Self(0);
    const TRUE: Self = Self(1);
    const FALSE: Self = Self(2);
    const EMPTY: Self = Self(3);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// Bytes, text that is not UTF-8, or an integer of more than 64 bits.
    Bytes(&'a [u8]),
    List(Vec<Ref>),
    Tuple(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    /// A class or a function.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// An object stored outside the pickle, by its identifier.
    Persistent(Ref),
    Object(Box<Object>),
}

/// The object that a call would have built.
#[derive(Debug)]
pub(crate) struct Object {
    /// The class or function.
    pub callee: Ref,
    /// A tuple in any valid pickle; not checked here.
    pub arguments: Ref,
    /// The attributes, if the pickle sets them.
    pub state: Option<Ref>,
    /// The entries that were added, if it is a kind of dictionary.
    pub items: Vec<(Ref, Ref)>,
}

/// A parsed pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Ref,
    length: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the start of `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut machine = Machine::new(bytes);
        let root = machine.run()?;
        Ok(Self {
            values: machine.values,
            root,
            length: machine.bytes.read(),
        })
    }

    /// The length of the pickle in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The unpickled value.
    pub fn root(&self) -> Ref {
        self.root
    }

    pub fn get(&self, value: Ref) -> &Value<'a> {
        &self.values[value.index()]
    }

    /// All values, including those that the root does not lead to.
    pub fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    pub fn text(&self, value: Ref) -> Option<&'a str> {
        match self.get(value) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that is not negative.
    pub fn size(&self, value: Ref) -> Option<usize> {
        match self.get(value) {
            Value::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The elements of a tuple or list.
    pub fn sequence(&self, value: Ref) -> Option<&[Ref]> {
        match self.get(value) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a dictionary.
    pub fn entries(&self, value: Ref) -> Option<&[(Ref, Ref)]> {
        match self.get(value) {
            Value::Dict(items) => Some(items),
            Value::Object(object) if !object.items.is_empty() => Some(&object.items),
            _ => None,
        }
    }

    /// The value of a boolean in the dictionary that is the root.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let entries = self.entries(self.root)?;
        let entry = entries
            .iter()
            .find(|(key, _)| self.text(*key) == Some(name))?;
        match self.get(entry.1) {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The module and the name of a class or function.
    pub fn global(&self, value: Ref) -> Option<(&'a str, &'a str)> {
        match self.get(value) {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// Describes a value, for a message.
    pub fn describe(&self, value: Ref) -> String {
        let class = |class| match self.global(class) {
            Some((module, name)) => format!("{}.{}", Shown(module), Shown(name)),
            None => "an object".into(),
        };
        match self.get(value) {
            Value::None => "None".into(),
            Value::Bool(_) => "a boolean".into(),
            Value::Int(_) | Value::Float(_) => "a number".into(),
            Value::Text(_) => "a string".into(),
            Value::Bytes(_) => "bytes".into(),
            Value::List(_) => "a list".into(),
            Value::Tuple(_) => "a tuple".into(),
            Value::Dict(_) => "a dictionary".into(),
            Value::Global { .. } => class(value),
            Value::Persistent(_) => "a storage".into(),
            Value::Object(object) => {
                // NumPy builds its arrays with this function.
                match class(object.callee).as_str() {
                    "numpy.core.multiarray._reconstruct"
                    | "numpy._core.multiarray._reconstruct" => "a NumPy array".into(),
                    other => other.to_owned(),
                }
            }
        }
    }
}
