//! Reads numbers from MATLAB files ("Level 5 MAT-File Format", The MathWorks). Supports what Flowers-102's labels and splits
//! need: real numeric arrays in little-endian files, compressed or not.
//!
//! A file is a header of 128 bytes, then elements. An element is a tag with type and length, then the content, padded to a
//! multiple of eight bytes. An array is an element that holds four others: flags, dimensions, name and values. The values have
//! the smallest type that fits.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::Fault;

const HEADER: usize = 128;

/// Element types.
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The most bytes that an array may unpack to. A damaged file could unpack to any length.
const MOST: u64 = 1 << 24;

/// The values of the array `name`, in the order of the file.
///
/// # Errors
/// If the file is damaged or has another format, or has no array `name` of whole numbers.
pub(crate) fn numbers(bytes: &[u8], name: &str) -> Result<Vec<i64>, Fault> {
    if bytes.get(126..HEADER) != Some(b"IM") {
        return Err(Fault::Matlab("no little-endian header"));
    }
    let mut rest = &bytes[HEADER..];
    while !rest.is_empty() {
        let (kind, body) = element(&mut rest)?;
        let unpacked = match kind {
            COMPRESSED => inflate(body)?,
            _ => Vec::new(),
        };
        let (kind, body) = match kind {
            COMPRESSED => element(&mut unpacked.as_slice())?,
            _ => (kind, body),
        };
        if kind == MATRIX {
            let mut parts = body;
            let (_flags, _dimensions) = (element(&mut parts)?, element(&mut parts)?);
            if element(&mut parts)?.1 == name.as_bytes() {
                return values(element(&mut parts)?);
            }
        }
    }
    Err(Fault::Matlab("no array of the expected name"))
}

fn inflate(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut unpacked = Vec::new();
    let read = ZlibDecoder::new(packed)
        .take(MOST)
        .read_to_end(&mut unpacked);
    read.map_err(|_| Fault::Matlab("damaged compression"))?;
    Ok(unpacked)
}

/// Removes one element from the front of `rest`. Returns its type and its bytes.
fn element<'a>(rest: &mut &'a [u8]) -> Result<(u32, &'a [u8]), Fault> {
    let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let whole = *rest;
    let (tag, body) = whole.split_at_checked(8).ok_or(TRUNCATED)?;
    let (kind, length) = (word(tag), word(&tag[4..]) as usize);
    // A short element: up to four bytes are in the tag itself, and the upper half of the type is their number.
    if kind >> 16 != 0 {
        let short = tag[4..].get(..(kind >> 16) as usize).ok_or(TRUNCATED)?;
        *rest = body;
        return Ok((kind & 0xffff, short));
    }
    let filled = match kind {
        COMPRESSED => length,
        _ => length.next_multiple_of(8),
    };
    *rest = body.get(filled..).unwrap_or_default();
    Ok((kind, body.get(..length).ok_or(TRUNCATED)?))
}

const TRUNCATED: Fault = Fault::Matlab("truncated");

/// The numbers in an element of a numeric type.
fn values((kind, bytes): (u32, &[u8])) -> Result<Vec<i64>, Fault> {
    fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> i64) -> Vec<i64> {
        bytes.as_chunks().0.iter().copied().map(number).collect()
    }
    Ok(match kind {
        1 => each(bytes, |b| i8::from_le_bytes(b).into()),
        2 => each(bytes, |b| u8::from_le_bytes(b).into()),
        3 => each(bytes, |b| i16::from_le_bytes(b).into()),
        4 => each(bytes, |b| u16::from_le_bytes(b).into()),
        5 => each(bytes, |b| i32::from_le_bytes(b).into()),
        6 => each(bytes, |b| u32::from_le_bytes(b).into()),
        9 => {
            let floats: Vec<f64> = bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect();
            // Above 2^53 an f64 does not hold every whole number.
            let whole = |float: &f64| float.fract() == 0.0 && float.abs() < 2_f64.powi(53);
            if !floats.iter().all(whole) {
                return Err(Fault::Matlab(
                    "an array with values that are not whole numbers",
                ));
            }
            floats.into_iter().map(|float| float as i64).collect()
        }
        _ => return Err(Fault::Matlab("an array that is not numeric")),
    })
}

/// Writes a file with arrays of 16-bit numbers, for tests.
#[cfg(test)]
pub(crate) fn file(arrays: &[(&str, &[u16])]) -> Vec<u8> {
    let element = |kind: u32, body: &[u8]| {
        let mut element = [kind.to_le_bytes(), (body.len() as u32).to_le_bytes()].concat();
        element.extend(body);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    };
    let mut file = vec![b' '; 126];
    file.extend(b"IM");
    for (name, numbers) in arrays {
        let values: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let parts = [
            element(6, &[11, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &[1, 0, 0, 0, numbers.len() as u8, 0, 0, 0]),
            element(1, name.as_bytes()),
            element(4, &values),
        ];
        file.extend(element(MATRIX, &parts.concat()));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that SciPy wrote (`scripts/golden/matlab.py`), compressed and not.
    const PACKED: &[u8] = include_bytes!("../tests/golden/packed.mat");
    const PLAIN: &[u8] = include_bytes!("../tests/golden/plain.mat");

    #[test]
    fn arrays_are_those_that_scipy_wrote() {
        for file in [PACKED, PLAIN] {
            let read = |name| numbers(file, name).unwrap();
            assert_eq!(
                read("labels"),
                (0..300).map(|i| i % 102 + 1).collect::<Vec<_>>()
            );
            assert_eq!(read("trnid"), [6765, 8189, 1]);
            assert_eq!(read("x"), [7]);
            assert_eq!(read("whole"), [-3, 0, 70_000]);
            assert_eq!(read("double"), [1, 2, 3]);
            assert!(numbers(file, "absent").is_err());
            assert!(numbers(file, "text").is_err());
        }
    }

    #[test]
    fn damage_is_an_error_or_harmless() {
        for file in [PACKED, PLAIN] {
            for length in 0..file.len() {
                // A cut after the array `labels` does no harm.
                if let Ok(found) = numbers(&file[..length], "labels") {
                    assert_eq!(found.len(), 300, "{length}");
                }
                let mut wrong = file.to_vec();
                for change in [0x01, 0x80, 0xff] {
                    wrong[length] ^= change;
                    let _ = numbers(&wrong, "labels");
                }
            }
            assert!(numbers(&file[..HEADER], "labels").is_err());
        }
        assert!(numbers(&[], "labels").is_err());
    }
}
