//! What PyTorch's objects in a pickle mean: storages, and tensors as views of them.

use crate::dtype::Dtype;
use crate::error::{SAVE, Shown};
use crate::pickle::{Object, Pickle, Ref, Value};
use crate::view::View;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What a file with such a pickle is.
pub(crate) const FORMAT: &str = "file of PyTorch's";

/// How deeply a tensor may be wrapped in a parameter or a class of its own; PyTorch wraps twice.
const MAX_WRAPPED: usize = 8;

/// The functions that make the tensors that are read.
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

/// The arrays that tensors are views of.
pub(crate) struct Storages<'a>(BTreeMap<&'a str, Storage>);

/// An array of numbers that is stored outside of the pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Storage {
    /// That of its elements; none if it is a storage of bytes.
    dtype: Option<Dtype>,
    /// Number of elements.
    length: usize,
}

impl Storage {
    /// Its length in bytes.
    pub fn bytes(self) -> Option<usize> {
        self.length.checked_mul(self.dtype.map_or(1, Dtype::size))
    }
}

impl<'a> Storages<'a> {
    /// All storages that a pickle mentions.
    pub fn of(pickle: &Pickle<'a>) -> Result<Self> {
        let mut all = BTreeMap::new();
        for value in pickle.values() {
            let Value::Persistent(id) = value else {
                continue;
            };
            let Some((key, storage, _)) = mention(pickle, *id) else {
                return Err(odd("a storage"));
            };
            if all.insert(key, storage).is_some_and(|old| old != storage) {
                return Err(odd(&format!("two kinds of storage `{}`", Shown(key))));
            }
        }
        Ok(Self(all))
    }

    pub fn get(&self, key: &str) -> Option<Storage> {
        self.0.get(key).copied()
    }

    /// Whether `key` is one of them, of so many elements.
    pub fn has(&self, key: &str, length: u64) -> bool {
        self.0.get(key).is_some_and(|s| s.length as u64 == length)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A storage's key, the storage, and the element at which the mentioned part begins: old versions stored views of storages.
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

/// The function that makes a value, if it is a tensor, or what PyTorch makes instead of one.
fn rebuilt<'a>(pickle: &Pickle<'a>, value: Ref) -> Option<&'a str> {
    let Value::Object(object) = pickle.get(value) else {
        return None;
    };
    let (module, name) = pickle.global(object.callee)?;
    (module.starts_with("torch") && name.starts_with("_rebuild")).then_some(name)
}

/// Whether a value is a tensor, or what PyTorch makes instead of one.
pub(crate) fn is_tensor(pickle: &Pickle<'_>, value: Ref) -> bool {
    rebuilt(pickle, value).is_some()
}

/// Whether a value is a quantised tensor.
pub(crate) fn is_quantised(pickle: &Pickle<'_>, value: Ref) -> bool {
    rebuilt(pickle, value) == Some(QUANTISED)
}

/// That the tensor `name` is quantised.
pub(crate) fn quantised(name: &str) -> Error {
    let fix = "save the float network, before it is quantised";
    Error::tensor(name, "is quantised", fix)
}

/// The tensor `name` as a view of a storage, and the key of the storage.
pub(crate) fn tensor<'a>(pickle: &Pickle<'a>, name: &str, value: Ref) -> Result<(&'a str, View)> {
    let problem = || {
        let problem = "is made in a way that PyTorch does not make tensors";
        Error::tensor(name, problem, "copy the file again")
    };
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
            // Parameters: the tensor, and what training needs.
            ("_rebuild_parameter" | "_rebuild_parameter_with_state", [inner, ..]) => {
                let Value::Object(inner) = pickle.get(*inner) else {
                    return Err(problem());
                };
                (callee, arguments) = (inner.callee, inner.arguments);
            }
            // Tensors of a class of their own, or with attributes: a function, the class, the function's arguments.
            ("_rebuild_from_type" | "_rebuild_from_type_v2", [inner, _, of, ..]) => {
                (callee, arguments) = (*inner, *of);
            }
            (
                "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3",
                [storage, offset, shape, strides, rest @ ..],
            ) => {
                let view = || {
                    let Value::Persistent(id) = pickle.get(*storage) else {
                        return None;
                    };
                    let (key, storage, start) = mention(pickle, *id)?;
                    let sizes = |list| {
                        let sizes = pickle.sequence(list)?.iter();
                        sizes
                            .map(|&size| pickle.size(size))
                            .collect::<Option<Vec<_>>>()
                    };
                    let dtype = match (storage.dtype, rest) {
                        (Some(dtype), _) => dtype,
                        // With a storage of bytes comes the type: after whether there is a gradient, and hooks.
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
                return Ok((key, view));
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
