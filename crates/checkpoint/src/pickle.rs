//! Reads a pickle without executing it. A call becomes an [`Object`] that records what would have been called.
//!
//! Values lie in one table and refer to each other by position. So a value that a pickle mentions many times is stored once,
//! nested values need no recursion, and a pickle of `n` bytes makes at most `n` values.

use crate::error::Shown;
use crate::{Error, Result};
use std::collections::HashMap;

/// The limit for each of these in one pickle: values, stack entries, copied entries, marks, memo entries. A training state of
/// ResNet152 has 30,000 values.
const MAX_VALUES: usize = 500_000;

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
        let mut machine = Machine {
            bytes,
            at: 0,
            values: vec![
                Value::None,
                Value::Bool(true),
                Value::Bool(false),
                Value::Tuple(Vec::new()),
            ],
            copied: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run()?;
        Ok(Self {
            values: machine.values,
            root,
            length: machine.at,
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

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    /// The number of entries copied from one value to another. Only here can a few bytes of a pickle cause much work.
    copied: usize,
    stack: Vec<Ref>,
    /// The height of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Ref>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Ref> {
        loop {
            if self.values.len().max(self.stack.len()).max(self.copied) > MAX_VALUES
                || self.marks.len().max(self.memo.len()) > MAX_VALUES
            {
                let problem = format!("holds more than {MAX_VALUES} values besides its tensors");
                return Err(Error::Limit(problem));
            }
            let opcode = self.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // Framing.
            0x80 => {
                let version = self.byte()?;
                if version > 5 {
                    return Err(self.damaged(&format!("protocol {version}")));
                }
            }
            0x95 => drop(self.take(8)?),
            // Constants.
            b'N' => self.push(Ref::NONE),
            0x88 => self.push(Ref::TRUE),
            0x89 => self.push(Ref::FALSE),
            b')' => self.push(Ref::EMPTY),
            // Numbers.
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.make(Value::Int(number.into()));
            }
            b'K' => {
                let number = self.byte()?;
                self.make(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.make(Value::Int(number.into()));
            }
            b'G' => {
                let number = f64::from_be_bytes(self.array()?);
                self.make(Value::Float(number));
            }
            0x8a => self.long::<1>()?,
            0x8b => self.long::<4>()?,
            b'I' => match self.line()? {
                "00" => self.push(Ref::FALSE),
                "01" => self.push(Ref::TRUE),
                digits => self.integer(digits),
            },
            b'L' => {
                let digits = self.line()?;
                self.integer(digits.strip_suffix('L').unwrap_or(digits));
            }
            b'F' => {
                let Ok(number) = self.line()?.parse() else {
                    return Err(self.damaged("an invalid number"));
                };
                self.make(Value::Float(number));
            }
            // Strings and bytes.
            b'U' | 0x8c => self.string::<1>()?,
            b'T' | b'X' => self.string::<4>()?,
            0x8d => self.string::<8>()?,
            b'C' => self.raw::<1>()?,
            b'B' => self.raw::<4>()?,
            0x8e | 0x96 => self.raw::<8>()?,
            b'S' => {
                let text = self.line()?;
                let quoted = ['\'', '"']
                    .iter()
                    .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
                let Some(text) = quoted else {
                    return Err(self.damaged("a string without its quotes"));
                };
                self.escaped(text);
            }
            b'V' => {
                let text = self.line()?;
                self.escaped(text);
            }
            // Collections.
            b']' | 0x8f => self.make(Value::List(Vec::new())),
            b'}' => self.make(Value::Dict(Vec::new())),
            b'(' => self.marks.push(self.stack.len()),
            b't' => {
                let items = self.marked()?;
                self.make(Value::Tuple(items));
            }
            b'l' | 0x91 => {
                let items = self.marked()?;
                self.make(Value::List(items));
            }
            b'd' => {
                let items = self.marked_pairs()?;
                self.make(Value::Dict(items));
            }
            0x85..=0x87 => {
                let mut items = vec![Ref::NONE; usize::from(opcode - 0x84)];
                for item in items.iter_mut().rev() {
                    *item = self.pop()?;
                }
                self.make(Value::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append([item])?;
            }
            b'e' | 0x90 => {
                let items = self.marked()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set([(key, value)])?;
            }
            b'u' => {
                let pairs = self.marked_pairs()?;
                self.set(pairs)?;
            }
            // The stack.
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = self.top()?;
                self.push(top);
            }
            // The memo.
            b'g' => {
                let key = self.line()?;
                self.recall(key.parse().ok())?;
            }
            b'h' => {
                let key = self.byte()?;
                self.recall(Some(key.into()))?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(Some(key.into()))?;
            }
            b'p' => {
                let key = self.line()?;
                self.remember(key.parse().ok())?;
            }
            b'q' => {
                let key = self.byte()?;
                self.remember(Some(key.into()))?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(Some(key.into()))?;
            }
            0x94 => {
                let key = self.memo.len() as u64;
                self.remember(Some(key))?;
            }
            // Classes, functions, calls.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.make(Value::Global { module, name });
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) =
                    (&self.values[module.index()], &self.values[name.index()])
                else {
                    return Err(self.damaged("a class without a name"));
                };
                let (module, name) = (*module, *name);
                self.make(Value::Global { module, name });
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments);
            }
            0x92 => {
                let (_, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callee, arguments);
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let arguments = self.marked()?;
                let callee = self.add(Value::Global { module, name });
                let arguments = self.add(Value::Tuple(arguments));
                self.call(callee, arguments);
            }
            b'o' => {
                let items = self.marked()?;
                let Some((&callee, arguments)) = items.split_first() else {
                    return Err(self.damaged("an object without a class"));
                };
                let arguments = self.add(Value::Tuple(arguments.to_vec()));
                self.call(callee, arguments);
            }
            b'b' => {
                let state = self.pop()?;
                let top = self.top()?;
                if let Value::Object(object) = &mut self.values[top.index()] {
                    object.state = Some(state);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                match self.class_with_source(id) {
                    Some(class) => self.push(class),
                    None => self.make(Value::Persistent(id)),
                }
            }
            other => return Err(self.damaged(&format!("opcode {other:#04x}"))),
        }
        Ok(())
    }

    /// The result of a call. Calls that build dictionaries are carried out; all others become an [`Object`].
    fn call(&mut self, callee: Ref, arguments: Ref) {
        let made = match &self.values[callee.index()] {
            Value::Global {
                module: "collections",
                name: "OrderedDict" | "defaultdict" | "Counter",
            }
            | Value::Global {
                module: "builtins" | "__builtin__",
                name: "dict",
            } => self.dictionary(arguments),
            _ => None,
        };
        let made = match made {
            Some(items) => Value::Dict(items),
            None => Value::Object(Box::new(Object {
                callee,
                arguments,
                state: None,
                items: Vec::new(),
            })),
        };
        self.make(made);
    }

    /// The class in a persistent identifier. Old PyTorch versions stored a module's class there, with its source code.
    fn class_with_source(&self, id: Ref) -> Option<Ref> {
        let Value::Tuple(parts) = &self.values[id.index()] else {
            return None;
        };
        let &[kind, class, ..] = parts.as_slice() else {
            return None;
        };
        matches!(self.values[kind.index()], Value::Text("module")).then_some(class)
    }

    /// The entries of a dictionary built from `arguments`: nothing, a default factory, pairs, or another dictionary.
    fn dictionary(&mut self, arguments: Ref) -> Option<Vec<(Ref, Ref)>> {
        let value = |at: Ref| &self.values[at.index()];
        let Value::Tuple(arguments) = value(arguments) else {
            return None;
        };
        let items = match arguments.as_slice() {
            [] => Vec::new(),
            [one] => match value(*one) {
                Value::Global { .. } | Value::None => Vec::new(),
                Value::Dict(items) => items.clone(),
                Value::List(pairs) | Value::Tuple(pairs) => pairs
                    .iter()
                    .map(|&pair| match value(pair) {
                        Value::List(pair) | Value::Tuple(pair) => match pair.as_slice() {
                            &[key, item] => Some((key, item)),
                            _ => None,
                        },
                        _ => None,
                    })
                    .collect::<Option<_>>()?,
                _ => return None,
            },
            _ => return None,
        };
        self.copied += items.len();
        Some(items)
    }

    fn append(&mut self, items: impl IntoIterator<Item = Ref>) -> Result<()> {
        let top = self.top()?;
        match &mut self.values[top.index()] {
            Value::List(list) => list.extend(items),
            // A subclass of `list`; its elements are not needed.
            Value::Object(_) => {}
            _ => return Err(self.damaged("an element appended to a value that is not a list")),
        }
        Ok(())
    }

    fn set(&mut self, pairs: impl IntoIterator<Item = (Ref, Ref)>) -> Result<()> {
        let top = self.top()?;
        match &mut self.values[top.index()] {
            Value::Dict(items) => items.extend(pairs),
            Value::Object(object) => object.items.extend(pairs),
            _ => return Err(self.damaged("an entry set in a value that is not a dictionary")),
        }
        Ok(())
    }

    fn recall(&mut self, key: Option<u64>) -> Result<()> {
        match key.and_then(|key| self.memo.get(&key)) {
            Some(&value) => {
                self.push(value);
                Ok(())
            }
            None => Err(self.damaged("a reference to nothing")),
        }
    }

    fn remember(&mut self, key: Option<u64>) -> Result<()> {
        let top = self.top()?;
        match key {
            Some(key) => drop(self.memo.insert(key, top)),
            None => return Err(self.damaged("a reference to nothing")),
        }
        Ok(())
    }

    /// Reads a little-endian two's complement integer, after its length of `N` bytes.
    fn long<const N: usize>(&mut self) -> Result<()> {
        let bytes = self.counted::<N>()?;
        let value = if bytes.len() > 8 {
            Value::Bytes(bytes)
        } else {
            let sign = bytes.last().map_or(0, |&top| (top as i8 >> 7) as u8);
            let mut number = [sign; 8];
            number[..bytes.len()].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(number))
        };
        self.make(value);
        Ok(())
    }

    fn integer(&mut self, digits: &'a str) {
        let value = digits
            .parse()
            .map_or(Value::Bytes(digits.as_bytes()), Value::Int);
        self.make(value);
    }

    fn string<const N: usize>(&mut self) -> Result<()> {
        let bytes = self.counted::<N>()?;
        self.make(std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text));
        Ok(())
    }

    fn raw<const N: usize>(&mut self) -> Result<()> {
        let bytes = self.counted::<N>()?;
        self.make(Value::Bytes(bytes));
        Ok(())
    }

    /// Makes a string with backslash escapes. They are not decoded, because no name of a tensor has any.
    fn escaped(&mut self, text: &'a str) {
        self.make(if text.contains('\\') {
            Value::Bytes(text.as_bytes())
        } else {
            Value::Text(text)
        });
    }

    /// Adds a value to the table, and pushes it.
    fn make(&mut self, value: Value<'a>) {
        let at = self.add(value);
        self.push(at);
    }

    /// Adds a value to the table alone.
    fn add(&mut self, value: Value<'a>) -> Ref {
        let at = Ref(self.values.len() as u32);
        self.values.push(value);
        at
    }

    fn push(&mut self, value: Ref) {
        self.stack.push(value);
    }

    /// The top of the stack. Fails if nothing lies above the last mark.
    fn top(&self) -> Result<Ref> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&top) if self.stack.len() > floor => Ok(top),
            _ => Err(self.damaged("a missing value")),
        }
    }

    fn pop(&mut self) -> Result<Ref> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Removes the last mark, and the values above it, which are returned.
    fn marked(&mut self) -> Result<Vec<Ref>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.drain(mark..).collect()),
            None => Err(self.damaged("a missing mark")),
        }
    }

    fn marked_pairs(&mut self) -> Result<Vec<(Ref, Ref)>> {
        let items = self.marked()?;
        match items.as_chunks::<2>() {
            (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.damaged("a key without a value")),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(&array) => {
                self.at += N;
                Ok(array)
            }
            None => Err(self.damaged("the end of the file")),
        }
    }

    /// Reads a length, stored in `N` little-endian bytes, and takes that many bytes.
    fn counted<const N: usize>(&mut self) -> Result<&'a [u8]> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.array::<N>()?);
        match usize::try_from(u64::from_le_bytes(length)) {
            Ok(length) => self.take(length),
            Err(_) => Err(self.damaged("the end of the file")),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.get(..length) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(self.damaged("the end of the file")),
        }
    }

    /// Reads up to the next newline, which is consumed but not returned.
    fn line(&mut self) -> Result<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.damaged("the end of the file"));
        };
        self.at += length + 1;
        match std::str::from_utf8(&rest[..length]) {
            Ok(line) => Ok(line),
            Err(_) => Err(self.damaged("a line that is not UTF-8")),
        }
    }

    fn damaged(&self, met: &str) -> Error {
        let problem = format!("{met} at byte {}", self.at);
        Error::damaged("PyTorch pickle", problem)
    }
}
