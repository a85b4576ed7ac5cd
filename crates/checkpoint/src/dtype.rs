//! The types of elements, under PyTorch's names.

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dtype {
    F16,
    BF16,
    F32,
    F64,
    /// No float that weights are kept in.
    Other {
        name: &'static str,
        /// Bytes of an element.
        size: usize,
    },
}

impl Dtype {
    /// That of one of PyTorch's storages, such as `FloatStorage`.
    pub fn of_storage(class: &str) -> Option<Self> {
        Self::named(class.strip_suffix("Storage")?, 0)
    }

    /// That of PyTorch's name, such as `float32`.
    pub fn of_torch(name: &str) -> Option<Self> {
        Self::named(name, 1)
    }

    fn named(name: &str, column: usize) -> Option<Self> {
        TORCH
            .iter()
            .find(|(names, _)| names[column] == name)
            .map(|(_, dtype)| *dtype)
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Other { size, .. } => size,
        }
    }
}

const fn other(name: &'static str, size: usize) -> Dtype {
    Dtype::Other { name, size }
}

/// PyTorch's names of storages, without the end, and of types.
const TORCH: &[([&str; 2], Dtype)] = &[
    (["Float", "float32"], Dtype::F32),
    (["Half", "float16"], Dtype::F16),
    (["BFloat16", "bfloat16"], Dtype::BF16),
    (["Double", "float64"], Dtype::F64),
    (["Byte", "uint8"], other("uint8", 1)),
    (["Char", "int8"], other("int8", 1)),
    (["Short", "int16"], other("int16", 2)),
    (["Int", "int32"], other("int32", 4)),
    (["Long", "int64"], other("int64", 8)),
    (["Bool", "bool"], other("bool", 1)),
    (["ComplexFloat", "complex64"], other("complex64", 8)),
    (["ComplexDouble", "complex128"], other("complex128", 16)),
    (["QInt8", "qint8"], other("qint8", 1)),
    (["QUInt8", "quint8"], other("quint8", 1)),
    (["QInt32", "qint32"], other("qint32", 4)),
    (["QUInt4x2", "quint4x2"], other("quint4x2", 1)),
    (["QUInt2x4", "quint2x4"], other("quint2x4", 1)),
    (["", "uint16"], other("uint16", 2)),
    (["", "uint32"], other("uint32", 4)),
    (["", "uint64"], other("uint64", 8)),
    (["", "complex32"], other("complex32", 4)),
    (["", "float8_e4m3fn"], other("float8_e4m3fn", 1)),
    (["", "float8_e5m2"], other("float8_e5m2", 1)),
    (["", "float8_e4m3fnuz"], other("float8_e4m3fnuz", 1)),
    (["", "float8_e5m2fnuz"], other("float8_e5m2fnuz", 1)),
    (["", "float8_e8m0fnu"], other("float8_e8m0fnu", 1)),
];
