//! Element types, and PyTorch's names for them.

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dtype {
    F16,
    BF16,
    F32,
    F64,
    /// Any other type. Tensors of these types are refused.
    Other {
        name: &'static str,
        /// The size of an element in bytes.
        size: usize,
    },
}

impl Dtype {
    /// The type for the name of a PyTorch storage class, such as `FloatStorage`.
    pub fn of_storage(class: &str) -> Option<Self> {
        let name = class.strip_suffix("Storage")?;
        TORCH
            .iter()
            .find(|of| of.storage == Some(name))
            .map(|of| of.dtype)
    }

    /// The type for its PyTorch name, such as `float32`.
    pub fn of_torch(name: &str) -> Option<Self> {
        TORCH.iter().find(|of| of.name == name).map(|of| of.dtype)
    }

    /// PyTorch's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::Other { name, .. } => name,
        }
    }

    /// The size of an element in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Other { size, .. } => size,
        }
    }
}

/// An element type and its names in PyTorch.
struct Torch {
    /// The name of its storage class without `Storage`. Newer types have no such class.
    storage: Option<&'static str>,
    name: &'static str,
    dtype: Dtype,
}

const fn float(storage: &'static str, name: &'static str, dtype: Dtype) -> Torch {
    let storage = Some(storage);
    Torch {
        storage,
        name,
        dtype,
    }
}

const fn other(storage: Option<&'static str>, name: &'static str, size: usize) -> Torch {
    let dtype = Dtype::Other { name, size };
    Torch {
        storage,
        name,
        dtype,
    }
}

const TORCH: &[Torch] = &[
    float("Float", "float32", Dtype::F32),
    float("Half", "float16", Dtype::F16),
    float("BFloat16", "bfloat16", Dtype::BF16),
    float("Double", "float64", Dtype::F64),
    other(Some("Byte"), "uint8", 1),
    other(Some("Char"), "int8", 1),
    other(Some("Short"), "int16", 2),
    other(Some("Int"), "int32", 4),
    other(Some("Long"), "int64", 8),
    other(Some("Bool"), "bool", 1),
    other(Some("ComplexFloat"), "complex64", 8),
    other(Some("ComplexDouble"), "complex128", 16),
    other(Some("QInt8"), "qint8", 1),
    other(Some("QUInt8"), "quint8", 1),
    other(Some("QInt32"), "qint32", 4),
    other(Some("QUInt4x2"), "quint4x2", 1),
    other(Some("QUInt2x4"), "quint2x4", 1),
    other(None, "uint16", 2),
    other(None, "uint32", 4),
    other(None, "uint64", 8),
    other(None, "complex32", 4),
    other(None, "float8_e4m3fn", 1),
    other(None, "float8_e5m2", 1),
    other(None, "float8_e4m3fnuz", 1),
    other(None, "float8_e5m2fnuz", 1),
    other(None, "float8_e8m0fnu", 1),
];
