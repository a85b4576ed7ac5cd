//! Calls in a pickle. Nothing is called: dictionaries are built here, and all else becomes an [`Object`].

use super::machine::Machine;
use super::{Object, Ref, Value};

impl Machine<'_> {
    /// The result of a call. Calls that build dictionaries are carried out; all others become an [`Object`].
    pub(super) fn call(&mut self, callee: Ref, arguments: Ref) {
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

    /// The class in a persistent identifier. Old PyTorch versions stored a module's class there, with its source code; the oldest ones
    /// had it in front.
    pub(super) fn class_with_source(&self, id: Ref) -> Option<Ref> {
        let Value::Tuple(parts) = &self.values[id.index()] else {
            return None;
        };
        let &[kind, class, ..] = parts.as_slice() else {
            return None;
        };
        match self.values[kind.index()] {
            Value::Text("module") => Some(class),
            Value::Global { .. } => Some(kind),
            _ => None,
        }
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
}
