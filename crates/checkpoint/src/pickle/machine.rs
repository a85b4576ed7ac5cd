//! The stack machine of a pickle.

use super::bytes::Bytes;
use super::{Ref, Value};
use crate::{Error, Result};
use std::collections::HashMap;

/// The limit for each of these in one pickle: values, stack entries, copied entries, marks, memo entries. A training state of
/// ResNet152 has 30,000 values.
const MAX_VALUES: usize = 500_000;

/// Executes the opcodes of a pickle, except for its calls.
pub(super) struct Machine<'a> {
    pub bytes: Bytes<'a>,
    pub values: Vec<Value<'a>>,
    /// The number of entries copied from one value to another. Only here can a few bytes of a pickle cause much work.
    pub copied: usize,
    stack: Vec<Ref>,
    /// The height of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Ref>,
}

impl<'a> Machine<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes::new(bytes),
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
        }
    }

    /// The root of the pickle.
    pub fn run(&mut self) -> Result<Ref> {
        loop {
            if self.values.len().max(self.stack.len()).max(self.copied) > MAX_VALUES
                || self.marks.len().max(self.memo.len()) > MAX_VALUES
            {
                let problem = format!("holds more than {MAX_VALUES} values besides its tensors");
                return Err(Error::Limit(problem));
            }
            let opcode = self.bytes.byte()?;
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
                let version = self.bytes.byte()?;
                if version > 5 {
                    return Err(self.bytes.damaged(&format!("protocol {version}")));
                }
            }
            0x95 => drop(self.bytes.take(8)?),
            // Constants.
            b'N' => self.push(Ref::NONE),
            0x88 => self.push(Ref::TRUE),
            0x89 => self.push(Ref::FALSE),
            b')' => self.push(Ref::EMPTY),
            // Numbers.
            b'J' => {
                let number = i32::from_le_bytes(self.bytes.array()?);
                self.make(Value::Int(number.into()));
            }
            b'K' => {
                let number = self.bytes.byte()?;
                self.make(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.bytes.array()?);
                self.make(Value::Int(number.into()));
            }
            b'G' => {
                let number = f64::from_be_bytes(self.bytes.array()?);
                self.make(Value::Float(number));
            }
            0x8a => self.long::<1>()?,
            0x8b => self.long::<4>()?,
            b'I' => match self.bytes.line()? {
                "00" => self.push(Ref::FALSE),
                "01" => self.push(Ref::TRUE),
                digits => self.integer(digits),
            },
            b'L' => {
                let digits = self.bytes.line()?;
                self.integer(digits.strip_suffix('L').unwrap_or(digits));
            }
            b'F' => {
                let Ok(number) = self.bytes.line()?.parse() else {
                    return Err(self.bytes.damaged("an invalid number"));
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
                let text = self.bytes.line()?;
                let quoted = ['\'', '"']
                    .iter()
                    .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
                let Some(text) = quoted else {
                    return Err(self.bytes.damaged("a string without its quotes"));
                };
                self.escaped(text);
            }
            b'V' => {
                let text = self.bytes.line()?;
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
                let key = self.bytes.line()?;
                self.recall(key.parse().ok())?;
            }
            b'h' => {
                let key = self.bytes.byte()?;
                self.recall(Some(key.into()))?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.bytes.array()?);
                self.recall(Some(key.into()))?;
            }
            b'p' => {
                let key = self.bytes.line()?;
                self.remember(key.parse().ok())?;
            }
            b'q' => {
                let key = self.bytes.byte()?;
                self.remember(Some(key.into()))?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.bytes.array()?);
                self.remember(Some(key.into()))?;
            }
            0x94 => {
                let key = self.memo.len() as u64;
                self.remember(Some(key))?;
            }
            // Classes, functions, calls.
            b'c' => {
                let (module, name) = (self.bytes.line()?, self.bytes.line()?);
                self.make(Value::Global { module, name });
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) =
                    (&self.values[module.index()], &self.values[name.index()])
                else {
                    return Err(self.bytes.damaged("a class without a name"));
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
                let (module, name) = (self.bytes.line()?, self.bytes.line()?);
                let arguments = self.marked()?;
                let callee = self.add(Value::Global { module, name });
                let arguments = self.add(Value::Tuple(arguments));
                self.call(callee, arguments);
            }
            b'o' => {
                let items = self.marked()?;
                let Some((&callee, arguments)) = items.split_first() else {
                    return Err(self.bytes.damaged("an object without a class"));
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
            other => return Err(self.bytes.damaged(&format!("opcode {other:#04x}"))),
        }
        Ok(())
    }

    fn append(&mut self, items: impl IntoIterator<Item = Ref>) -> Result<()> {
        let top = self.top()?;
        match &mut self.values[top.index()] {
            Value::List(list) => list.extend(items),
            // A subclass of `list`; its elements are not needed.
            Value::Object(_) => {}
            _ => {
                return Err(self
                    .bytes
                    .damaged("an element appended to a value that is not a list"));
            }
        }
        Ok(())
    }

    fn set(&mut self, pairs: impl IntoIterator<Item = (Ref, Ref)>) -> Result<()> {
        let top = self.top()?;
        match &mut self.values[top.index()] {
            Value::Dict(items) => items.extend(pairs),
            Value::Object(object) => object.items.extend(pairs),
            _ => {
                return Err(self
                    .bytes
                    .damaged("an entry set in a value that is not a dictionary"));
            }
        }
        Ok(())
    }

    fn recall(&mut self, key: Option<u64>) -> Result<()> {
        match key.and_then(|key| self.memo.get(&key)) {
            Some(&value) => {
                self.push(value);
                Ok(())
            }
            None => Err(self.bytes.damaged("a reference to nothing")),
        }
    }

    fn remember(&mut self, key: Option<u64>) -> Result<()> {
        let top = self.top()?;
        match key {
            Some(key) => drop(self.memo.insert(key, top)),
            None => return Err(self.bytes.damaged("a reference to nothing")),
        }
        Ok(())
    }

    /// Reads a little-endian two's complement integer, after its length of `N` bytes.
    fn long<const N: usize>(&mut self) -> Result<()> {
        let bytes = self.bytes.counted::<N>()?;
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
        let bytes = self.bytes.counted::<N>()?;
        self.make(std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text));
        Ok(())
    }

    fn raw<const N: usize>(&mut self) -> Result<()> {
        let bytes = self.bytes.counted::<N>()?;
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
    pub fn make(&mut self, value: Value<'a>) {
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
            _ => Err(self.bytes.damaged("a missing value")),
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
            None => Err(self.bytes.damaged("a missing mark")),
        }
    }

    fn marked_pairs(&mut self) -> Result<Vec<(Ref, Ref)>> {
        let items = self.marked()?;
        match items.as_chunks::<2>() {
            (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.bytes.damaged("a key without a value")),
        }
    }
}
