//! One array in NumPy's format: a head of text, then the numbers, row by row.

use crate::Fault;

/// The most bytes of a head.
const LONGEST_HEAD: usize = 1 << 12;

/// An array of whole numbers.
#[derive(Debug)]
pub(super) struct Array<'a> {
    /// The length of each dimension.
    pub(super) shape: Vec<usize>,
    kind: Kind,
    bytes: &'a [u8],
}

/// The type of a number: its bytes, and whether it has a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    bytes: usize,
    signed: bool,
}

impl<'a> Array<'a> {
    /// Reads an array.
    ///
    /// # Errors
    /// If the bytes are no array of whole numbers, lowest byte first and row by row.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, Fault> {
        let bad = |what: &str| Fault::Array(what.to_owned());
        let rest = file.strip_prefix(b"\x93NUMPY");
        let rest = rest.ok_or_else(|| bad("its head is not NumPy's"))?;
        let (length, rest) = match rest {
            [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]).into(), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => {
                (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest)
            }
            _ => return Err(bad("its version is unknown")),
        };
        let head = rest.get(..length).filter(|_| length <= LONGEST_HEAD);
        let head = head.and_then(|head| str::from_utf8(head).ok());
        let head = head.ok_or_else(|| bad("its head is damaged"))?;
        let numbers = &rest[length..];
        let damaged = || bad("its head is damaged");
        let name = field(head, "descr").and_then(|value| {
            let quote = value
                .chars()
                .next()
                .filter(|quote| "'\"".contains(*quote))?;
            value[1..].split(quote).next()
        });
        let kind = kind(name.ok_or_else(damaged)?)?;
        if !field(head, "fortran_order")
            .ok_or_else(damaged)?
            .starts_with("False")
        {
            return Err(bad(
                "it is stored column by column (Fortran order); save `numpy.ascontiguousarray(x)`",
            ));
        }
        let sides = field(head, "shape").and_then(|value| value.strip_prefix('(')?.split_once(')'));
        let sides = sides.ok_or_else(damaged)?.0.split(',').map(str::trim);
        let sides: Result<Vec<usize>, _> = sides
            .filter(|side| !side.is_empty())
            .map(str::parse)
            .collect();
        let shape = sides.map_err(|_| damaged())?;
        let product = shape
            .iter()
            .try_fold(kind.bytes, |all, side| all.checked_mul(*side));
        if product != Some(numbers.len()) {
            let found = numbers.len() as u64;
            let expected = product.map_or(u64::MAX, |product| product as u64);
            return Err(Fault::Size { found, expected });
        }
        Ok(Self {
            shape,
            kind,
            bytes: numbers,
        })
    }

    /// The numbers, if they are bytes.
    pub(super) fn pixels(&self) -> Result<&'a [u8], Fault> {
        match (self.kind.bytes, self.kind.signed) {
            (1, false) => Ok(self.bytes),
            _ => Err(Fault::Array(
                "its pixels are not `uint8`; save bytes from 0 to 255".to_owned(),
            )),
        }
    }

    /// The numbers, each as an integer. A `uint64` above the range of `i64` becomes the largest.
    pub(super) fn integers(&self) -> impl Iterator<Item = i64> {
        let Kind { bytes, signed } = self.kind;
        self.bytes.chunks_exact(bytes).map(move |number| {
            let negative = signed && number[bytes - 1] & 0x80 != 0;
            let mut whole = [if negative { 0xff } else { 0 }; 8];
            whole[..bytes].copy_from_slice(number);
            match signed {
                true => i64::from_le_bytes(whole),
                false => i64::try_from(u64::from_le_bytes(whole)).unwrap_or(i64::MAX),
            }
        })
    }
}

/// What follows `'name':` in a head.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let quoted = [format!("'{name}':"), format!("\"{name}\":")];
    let mut found = quoted
        .iter()
        .filter_map(|quoted| head.split_once(quoted.as_str()));
    found.next().map(|(_, value)| value.trim_start())
}

/// The type with NumPy's name, e.g. `<i8` or `|u1`.
fn kind(name: &str) -> Result<Kind, Fault> {
    let (order, rest) = name.split_at_checked(1).unwrap_or_default();
    let signed = match rest.as_bytes().first() {
        Some(b'i') => true,
        Some(b'u') => false,
        Some(b'O') => {
            return Err(Fault::Array(
                "it holds Python objects, which would have to be executed; save numbers".to_owned(),
            ));
        }
        _ => {
            return Err(Fault::Array(format!(
                "its type is `{name}`; save `uint8` pixels and whole numbers as labels"
            )));
        }
    };
    let bytes = match &rest[1..] {
        "1" => 1,
        "2" => 2,
        "4" => 4,
        "8" => 8,
        _ => 0,
    };
    match order {
        "<" | "|" if bytes > 0 => Ok(Kind { bytes, signed }),
        _ => Err(Fault::Array(format!(
            "its type is `{name}`; save numbers of at most 8 bytes, the lowest first"
        ))),
    }
}
