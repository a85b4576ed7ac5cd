//! Recognises the format of a file by its first bytes.

use crate::{Container, Error, Result};

/// The format of a file.
pub(crate) fn of(bytes: &[u8]) -> Result<Container> {
    // A safetensors file begins with the header's length, whose bytes can look like the start of a pickle. So it is tried first.
    match bytes {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Ok(Container::Archive),
        [_, _, _, _, _, _, _, _, b'{', ..] => return Ok(Container::Safetensors),
        [0x80, 0..=5, ..] | [b'L', b'1', b'1', b'9', ..] => return Ok(Container::Legacy),
        _ if starts_at(bytes, 257, b"ustar") => return Ok(Container::Tar),
        [] => {
            return Err(Error::Format {
                what: "empty",
                fix: "copy it again",
            });
        }
        _ => {}
    }
    let known = FOREIGN
        .iter()
        .find(|foreign| starts_at(bytes, foreign.offset, foreign.magic))
        .map_or((UNKNOWN, USE), |foreign| (foreign.what, foreign.fix));
    Err(Error::Format {
        what: known.0,
        fix: known.1,
    })
}

const UNKNOWN: &str = "neither a safetensors file nor written by torch.save";
const USE: &str = "give a .safetensors or .pth file";
const PYTORCH: &str = r#"copy its weights into a PyTorch model and type `torch.save(model.state_dict(), "weights.pth")`"#;
const UNPACK: &str = "unpack it first";

fn starts_at(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    bytes
        .get(offset..)
        .is_some_and(|rest| rest.starts_with(magic))
}

/// A format that this crate does not read, but names in the message.
struct Foreign {
    offset: usize,
    magic: &'static [u8],
    what: &'static str,
    fix: &'static str,
}

const fn foreign(
    offset: usize,
    magic: &'static [u8],
    what: &'static str,
    fix: &'static str,
) -> Foreign {
    Foreign {
        offset,
        magic,
        what,
        fix,
    }
}

const FOREIGN: &[Foreign] = &[
    foreign(
        0,
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file, as Keras writes",
        PYTORCH,
    ),
    foreign(4, b"TFL3", "a TensorFlow Lite model", PYTORCH),
    // Field 1 is the IR version, field 2 the producer's name.
    foreign(0, b"\x08\x03\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x04\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x05\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x06\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x07\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x08\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x09\x12", "an ONNX model", PYTORCH),
    foreign(0, b"\x08\x0a\x12", "an ONNX model", PYTORCH),
    foreign(0, b"GGUF", "a GGUF model", PYTORCH),
    foreign(0, b"\x93NUMPY", "a NumPy array", PYTORCH),
    foreign(0, b"\x1f\x8b", "compressed with gzip", UNPACK),
    foreign(0, b"BZh", "compressed with bzip2", UNPACK),
    foreign(0, b"\xfd7zXZ\0", "compressed with xz", UNPACK),
    foreign(0, b"\x28\xb5\x2f\xfd", "compressed with zstd", UNPACK),
    foreign(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    foreign(
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself",
        "fetch the file with `git lfs pull`",
    ),
    foreign(0, b"<!DOCTYPE", "a web page", "download the file itself"),
    foreign(0, b"<!doctype", "a web page", "download the file itself"),
    foreign(0, b"<html", "a web page", "download the file itself"),
];
