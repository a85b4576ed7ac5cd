//! The safetensors format: the length of a JSON header, the header, and the tensors' values in little-endian order.

use crate::dtype::Dtype;
use crate::error::Shown;
use crate::float::Order;
use crate::view::View;
use crate::{Checkpoint, Container, Error, Origin, Result, names};
use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The one key that does not name a tensor.
const METADATA: &str = "__metadata__";

/// Reads a whole file.
pub(crate) fn read(bytes: &[u8]) -> Result<Checkpoint> {
    let (length, rest) = bytes
        .split_first_chunk()
        .ok_or_else(|| damaged("the end of the file"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok();
    let Some((header, data)) = length.and_then(|length| rest.split_at_checked(length)) else {
        return Err(damaged("a header that is longer than the file"));
    };
    let Header(mut entries) = serde_json::from_slice(header).map_err(damaged)?;
    // Each byte must belong to exactly one tensor.
    entries.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in &entries {
        let name = Shown(name);
        let (from, to) = info.data_offsets;
        if from != end {
            let what = if from < end {
                "overlaps another"
            } else {
                "leaves a gap"
            };
            return Err(damaged(format!("tensor `{name}` {what}")));
        }
        let size = info
            .shape
            .iter()
            .try_fold(info.dtype.bitsize(), |n, &side| n.checked_mul(side));
        if to > data.len() || size != to.checked_sub(from).and_then(|size| size.checked_mul(8)) {
            let problem = format!("tensor `{name}` has the wrong number of bytes for its shape");
            return Err(damaged(problem));
        }
        end = to;
    }
    if end != data.len() {
        let problem = format!("{} bytes belong to no tensor", data.len() - end);
        return Err(damaged(problem));
    }
    let entries = entries
        .into_iter()
        .map(|(name, info)| (name.clone(), (name, info)));
    let settled = names::settle(entries.collect())?;
    let tensors = settled.tensors.into_iter().map(|(bare, (name, info))| {
        let (from, to) = info.data_offsets;
        let view = View::contiguous(name, dtype(info.dtype), 0, info.shape);
        Ok((bare, view.read(&data[from..to], Order::Little)?))
    });
    Ok(Checkpoint {
        tensors: tensors.collect::<Result<_>>()?,
        claim: None,
        origin: Origin {
            container: Container::Safetensors,
            within: String::new(),
            prefix: settled.prefix,
            counters: settled.counters,
        },
    })
}

fn dtype(of: safetensors::Dtype) -> Dtype {
    use safetensors::Dtype as File;
    let other = |name| Dtype::Other {
        name,
        size: of.bitsize().div_ceil(8),
    };
    match of {
        File::F16 => Dtype::F16,
        File::BF16 => Dtype::BF16,
        File::F32 => Dtype::F32,
        File::F64 => Dtype::F64,
        File::BOOL => other("BOOL"),
        File::U8 => other("U8"),
        File::I8 => other("I8"),
        File::U16 => other("U16"),
        File::I16 => other("I16"),
        File::U32 => other("U32"),
        File::I32 => other("I32"),
        File::U64 => other("U64"),
        File::I64 => other("I64"),
        File::C64 => other("C64"),
        _ => other("F8 or smaller"),
    }
}

/// All entries of a header. The library's own type drops entries with a duplicate name; here they are kept and refused later.
struct Header(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an entry for each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn damaged(problem: impl fmt::Display) -> Error {
    Error::damaged("safetensors file", problem)
}
