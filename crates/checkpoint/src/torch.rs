//! Interprets PyTorch's objects in a pickle: storages, and tensors as views of them.

use crate::dtype::Dtype;
use crate::error::{FLOAT, SAVE, Shown};
use crate::pickle::{Object, Pickle, Ref, Value};
use crate::view::View;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The name of such a file in messages.
pub(crate) const FORMAT: &str = "PyTorch file";

/// How many times a tensor may be wrapped, as a parameter or by a subclass. PyTorch wraps at most twice.
const MAX_WRAPPED: usize = 8;

/// The functions that build the tensors this crate reads.
const READ: [&str; 7] = [
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_from_type",
    "_rebuild_from_type_v2",
];

const QUANTISED: &str = "_rebuild_qtensor";

/// All storages of a pickle, by key. Tensors are views of them.
pub(crate) struct Storages(BTreeMap<String, Storage>);

/// What a file describes outside the pickle of the saved object, by key. Only the oldest files have any of it.
#[derive(Default)]
pub(crate) struct Outside {
    pub storages: BTreeMap<String, Storage>,
    /// The key of a storage, and the view.
    pub tensors: BTreeMap<String, (String, View)>,
}

/// An array of numbers that is stored outside the pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Storage {
    /// The element type; `None` if the storage holds untyped bytes.
    dtype: Option<Dtype>,
    /// The number of elements.
    length: usize,
}

impl Storage {
    /// A storage of `length` elements.
    pub fn new(dtype: Dtype, length: usize) -> Self {
        Self {
            dtype: Some(dtype),
            length,
        }
    }

    /// The length in bytes, unless it overflows.
    pub fn bytes(self) -> Option<usize> {
        self.length.checked_mul(self.dtype.map_or(1, Dtype::size))
    }
}

impl Storages {
    /// All storages that a pickle mentions, and those `known` from elsewhere.
    pub fn of(pickle: &Pickle<'_>, known: BTreeMap<String, Storage>) -> Result<Self> {
        let mut all = known;
        for value in pickle.values() {
            let Value::Persistent(id) = value else {
                continue;
            };
            if pickle.text(*id).is_some() {
                // The key of a tensor outside the pickle.
                continue;
            }
            let Some((key, storage, _)) = mention(pickle, *id) else {
                return Err(odd("a storage"));
            };
            if all
                .insert(key.to_owned(), storage)
                .is_some_and(|old| old != storage)
            {
                return Err(odd(&format!("two kinds of storage `{}`", Shown(key))));
            }
        }
        Ok(Self(all))
    }

    pub fn get(&self, key: &str) -> Option<Storage> {
        self.0.get(key).copied()
    }

    /// Whether `key` is a storage of `length` elements.
    pub fn has(&self, key: &str, length: u64) -> bool {
        self.0.get(key).is_some_and(|s| s.length as u64 == length)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A storage's key, the storage, and the element where the referenced part begins. Old PyTorch versions stored views of
/// storages; otherwise the part begins at 0.
fn mention<'a>(pickle: &Pickle<'a>, id: Ref) -> Option<(&'a str, Storage, usize)> {
    let (&[kind, class, key, _, length], rest) = pickle.sequence(id)?.split_first_chunk()?;
    if pickle.text(kind)? != "storage" {
        return None;
    }
    let (module, class) = pickle.global(class)?;
    let dtype = match class {
        _ if !module.starts_with("torch") => return None,
        "UntypedStorage" => None,
        class => Some(Dtype::of_storage(class)?),
    };
    let offset = match rest {
        [] => 0,
        [view] => match pickle.sequence(*view) {
            Some(&[_, offset, _]) => pickle.size(offset)?,
            _ if matches!(pickle.get(*view), Value::None) => 0,
            _ => return None,
        },
        _ => return None,
    };
    let length = pickle.size(length)?;
    Some((pickle.text(key)?, Storage { dtype, length }, offset))
}

/// The function that builds a value, if the value is a tensor of any kind (sparse and quantised ones included).
fn rebuilt<'a>(pickle: &Pickle<'a>, value: Ref) -> Option<&'a str> {
    let Value::Object(object) = pickle.get(value) else {
        return None;
    };
    let (module, name) = pickle.global(object.callee)?;
    (module.starts_with("torch") && name.starts_with("_rebuild")).then_some(name)
}

/// Whether a value is a tensor of any kind (sparse and quantised ones included).
pub(crate) fn is_tensor(pickle: &Pickle<'_>, value: Ref) -> bool {
    rebuilt(pickle, value).is_some() || outside(pickle, value).is_some()
}

/// The key of a tensor outside the pickle.
fn outside<'a>(pickle: &Pickle<'a>, value: Ref) -> Option<&'a str> {
    match pickle.get(value) {
        Value::Persistent(id) => pickle.text(*id),
        _ => None,
    }
}

/// Whether a value is a quantised tensor.
pub(crate) fn is_quantised(pickle: &Pickle<'_>, value: Ref) -> bool {
    rebuilt(pickle, value) == Some(QUANTISED)
}

/// The error that the tensor `name` is quantised.
pub(crate) fn quantised(name: &str) -> Error {
    Error::tensor(name, "is quantised", FLOAT)
}

/// The tensor `name` as a view of one of the `storages`, and the key of the storage. `known` are the tensors outside the pickle.
pub(crate) fn tensor(
    pickle: &Pickle<'_>,
    storages: &Storages,
    known: &BTreeMap<String, (String, View)>,
    name: &str,
    value: Ref,
) -> Result<(String, View)> {
    let problem = || {
        let problem = "is not built as PyTorch builds tensors";
        Error::tensor(name, problem, "copy the file again")
    };
    if let Some(key) = outside(pickle, value) {
        let (storage, view) = known.get(key).ok_or_else(problem)?;
        let name = name.to_owned();
        return Ok((
            storage.clone(),
            View {
                name,
                ..view.clone()
            },
        ));
    }
    let Value::Object(object) = pickle.get(value) else {
        return Err(problem());
    };
    let Object {
        mut callee,
        mut arguments,
        ..
    } = **object;
    for _ in 0..MAX_WRAPPED {
        let items = pickle.sequence(arguments).ok_or_else(problem)?;
        let function = pickle.global(callee).ok_or_else(problem)?.1;
        match (function, items) {
            // Parameters: the tensor, then values for training.
            ("_rebuild_parameter" | "_rebuild_parameter_with_state", [inner, ..]) => {
                let Value::Object(inner) = pickle.get(*inner) else {
                    return Err(problem());
                };
                (callee, arguments) = (inner.callee, inner.arguments);
            }
            // Tensor subclasses, and tensors with attributes: a function, the class, the function's arguments.
            ("_rebuild_from_type" | "_rebuild_from_type_v2", [inner, _, of, ..]) => {
                (callee, arguments) = (*inner, *of);
            }
            (
                "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3",
                [storage, offset, shape, strides, rest @ ..],
            ) => {
                let view = || {
                    let id = match pickle.get(*storage) {
                        Value::Persistent(id) => *id,
                        // Some archives of 2016 have the identifier itself.
                        Value::Tuple(_) => *storage,
                        _ => return None,
                    };
                    let (key, storage, start) = mention(pickle, id)?;
                    if storages.get(key) != Some(storage) {
                        return None;
                    }
                    let sizes = |list| {
                        let sizes = pickle.sequence(list)?.iter();
                        sizes
                            .map(|&size| pickle.size(size))
                            .collect::<Option<Vec<_>>>()
                    };
                    let dtype = match (storage.dtype, rest) {
                        (Some(dtype), _) => dtype,
                        // For an untyped storage the dtype follows two other arguments: `requires_grad` and hooks.
                        (None, [_, _, dtype, ..]) => Dtype::of_torch(pickle.global(*dtype)?.1)?,
                        (None, _) => return None,
                    };
                    let view = View {
                        name: name.to_owned(),
                        dtype,
                        offset: start.checked_add(pickle.size(*offset)?)?,
                        shape: sizes(*shape)?,
                        strides: sizes(*strides)?,
                    };
                    Some((storage.bytes()? / dtype.size(), key, view))
                };
                let (length, key, view) = view().ok_or_else(problem)?;
                view.check(length)?;
                return Ok((key.to_owned(), view));
            }
            (function, _) if READ.contains(&function) => return Err(problem()),
            (QUANTISED, _) => return Err(quantised(name)),
            _ => {
                let what = format!("is made by `{}`", Shown(function));
                return Err(Error::tensor(name, what, SAVE));
            }
        }
    }
    Err(problem())
}

fn odd(what: &str) -> Error {
    Error::damaged(FORMAT, format!("{what} that PyTorch does not write"))
}
