//! Builds weight files: pickles, zip archives, files of old PyTorch versions and safetensors, valid and invalid. It uses only
//! the standard library, so tests of other crates can include it.

#![allow(dead_code)] // each test file uses only a part

/// A Python value.
#[derive(Clone, Debug)]
pub enum Py {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Py>),
    Tuple(Vec<Py>),
    Dict(Vec<(Py, Py)>),
    Global(&'static str, &'static str),
    Persistent(Box<Py>),
    Call(Box<Py>, Vec<Py>),
    /// An object, and the attributes set on it.
    Built(Box<Py>, Box<Py>),
}

pub fn text(text: &str) -> Py {
    Py::Text(text.into())
}

pub fn dict<const N: usize>(entries: [(&str, Py); N]) -> Py {
    Py::Dict(entries.map(|(key, value)| (text(key), value)).into())
}

fn sizes(numbers: &[i64]) -> Py {
    Py::Tuple(numbers.iter().map(|&n| Py::Int(n)).collect())
}

/// A reference to a storage outside the pickle.
pub fn storage(class: &'static str, key: &str, length: i64) -> Py {
    Py::Persistent(Box::new(Py::Tuple(vec![
        text("storage"),
        Py::Global("torch", class),
        text(key),
        text("cpu"),
        Py::Int(length),
    ])))
}

/// A tensor as a view of a storage.
pub fn view(storage: Py, offset: i64, shape: &[i64], strides: &[i64]) -> Py {
    let hooks = Py::Call(Box::new(Py::Global("collections", "OrderedDict")), vec![]);
    Py::Call(
        Box::new(Py::Global("torch._utils", "_rebuild_tensor_v2")),
        vec![
            storage,
            Py::Int(offset),
            sizes(shape),
            sizes(strides),
            Py::Bool(false),
            hooks,
        ],
    )
}

/// A vector of floats that covers a whole storage.
pub fn vector(key: &str, length: i64) -> Py {
    view(storage("FloatStorage", key, length), 0, &[length], &[1])
}

impl Py {
    /// The pickle of this value, as Python writes it in protocol 1 to 5, but without a memo.
    pub fn pickle(&self, protocol: u8) -> Vec<u8> {
        let mut out = Vec::new();
        if protocol >= 2 {
            out.extend([0x80, protocol]);
        }
        self.write(protocol, &mut out);
        out.push(b'.');
        out
    }

    fn write(&self, protocol: u8, out: &mut Vec<u8>) {
        match self {
            Self::None => out.push(b'N'),
            Self::Bool(value) if protocol < 2 => {
                out.extend(if *value { b"I01\n" } else { b"I00\n" });
            }
            Self::Bool(value) => out.push(0x89 - u8::from(*value)),
            Self::Int(number @ 0..=255) => out.extend([b'K', *number as u8]),
            Self::Int(number) if i32::try_from(*number).is_ok() => {
                out.push(b'J');
                out.extend((*number as i32).to_le_bytes());
            }
            Self::Int(number) => {
                out.extend([0x8a, 8]);
                out.extend(number.to_le_bytes());
            }
            Self::Float(number) => {
                out.push(b'G');
                out.extend(number.to_be_bytes());
            }
            Self::Text(text) if protocol >= 4 && text.len() < 256 => {
                out.extend([0x8c, text.len() as u8]);
                out.extend(text.as_bytes());
            }
            Self::Text(text) => {
                out.push(b'X');
                out.extend((text.len() as u32).to_le_bytes());
                out.extend(text.as_bytes());
            }
            Self::List(items) => {
                out.extend(b"](");
                for item in items {
                    item.write(protocol, out);
                }
                out.push(b'e');
            }
            Self::Tuple(items) => {
                out.push(b'(');
                for item in items {
                    item.write(protocol, out);
                }
                out.push(b't');
            }
            Self::Dict(entries) => {
                out.extend(b"}(");
                for (key, value) in entries {
                    key.write(protocol, out);
                    value.write(protocol, out);
                }
                out.push(b'u');
            }
            Self::Global(module, name) if protocol >= 4 => {
                text(module).write(protocol, out);
                text(name).write(protocol, out);
                out.push(0x93);
            }
            Self::Global(module, name) => out.extend(format!("c{module}\n{name}\n").into_bytes()),
            Self::Persistent(id) => {
                id.write(protocol, out);
                out.push(b'Q');
            }
            Self::Call(function, arguments) => {
                function.write(protocol, out);
                Self::Tuple(arguments.clone()).write(protocol, out);
                out.push(b'R');
            }
            Self::Built(object, state) => {
                object.write(protocol, out);
                state.write(protocol, out);
                out.push(b'b');
            }
        }
    }
}

pub fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// A zip archive of uncompressed entries. Names may repeat.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut about = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        about.extend(crc32(content).to_le_bytes());
        about.extend((content.len() as u32).to_le_bytes());
        about.extend((content.len() as u32).to_le_bytes());
        about.extend((name.len() as u16).to_le_bytes());
        about.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&about);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&about);
        out.extend(name.as_bytes());
        out.extend(*content);
    }
    let (start, count) = (out.len() as u32, entries.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

/// An archive as `torch.save` writes it.
pub fn archive(saved: &Py, storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    archive_of(&saved.pickle(2), storages)
}

/// Such an archive of a given pickle.
pub fn archive_of(pickle: &[u8], storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let names: Vec<String> = storages
        .iter()
        .map(|(key, _)| format!("archive/data/{key}"))
        .collect();
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("archive/data.pkl", pickle),
        ("archive/byteorder", b"little"),
    ];
    for (name, (_, content)) in names.iter().zip(storages) {
        entries.push((name, content));
    }
    entries.push(("archive/version", b"3\n"));
    zip(&entries)
}

/// A file as PyTorch wrote it before 1.6. Each storage comes with its number of elements.
pub fn legacy(saved: &Py, protocol: u8, storages: &[(&str, u64, Vec<u8>)]) -> Vec<u8> {
    let mut out = legacy_head(protocol, true);
    out.extend(saved.pickle(protocol));
    let keys = storages.iter().map(|(key, ..)| text(key)).collect();
    out.extend(Py::List(keys).pickle(protocol));
    for (_, length, content) in storages {
        out.extend(length.to_le_bytes());
        out.extend(content);
    }
    out
}

/// The first three pickles of such a file.
pub fn legacy_head(protocol: u8, little_endian: bool) -> Vec<u8> {
    let mut out = if protocol < 2 {
        b"L119547037146038801333356L\n.".to_vec()
    } else {
        let mut magic = vec![0x80, protocol, 0x8a, 10];
        magic.extend(b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
        magic
    };
    out.extend(Py::Int(1001).pickle(protocol));
    let machine = dict([
        ("protocol_version", Py::Int(1001)),
        ("little_endian", Py::Bool(little_endian)),
    ]);
    out.extend(machine.pickle(protocol));
    out
}

/// A tar archive of regular files.
pub fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in entries {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        out.extend(*content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// The entries `pickle`, `storages` and `tensors` of an archive of 2016 with the tensors of [`state_dict`]. The vector is a part of a
/// storage.
pub fn parts_of_2016() -> [Vec<u8>; 3] {
    let triple = |parts: [Py; 3]| Py::Tuple(parts.into()).pickle(2);
    let class = |name| Py::Global("torch", name);
    let numbers = |numbers: &[i64]| -> Vec<u8> {
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes());
        bytes.collect()
    };
    let storage = |key, values: &[f32]| {
        let about = triple([Py::Int(key), text("cpu"), class("FloatStorage")]);
        [about, numbers(&[values.len() as i64]), floats(values)].concat()
    };
    let part = [203, 202, 1, 2].map(Py::Int);
    let storages = [
        Py::Int(2).pickle(2),
        storage(201, &WEIGHT),
        storage(202, &[7.0, BIAS[0], BIAS[1], 9.0]),
        Py::List(vec![Py::Tuple(part.into())]).pickle(2),
    ];
    let tensor = |key, storage, metadata: &[i64]| {
        let about = triple([Py::Int(key), Py::Int(storage), class("FloatTensor")]);
        [about, numbers(metadata)].concat()
    };
    let tensors = [
        Py::Int(2).pickle(2),
        tensor(301, 201, &[2, 3, 2, 1, 3, 0]),
        tensor(302, 203, &[1, 2, 1, 0]),
    ];
    let outside = |key| Py::Persistent(Box::new(text(key)));
    let saved = dict([("fc.weight", outside("301")), ("fc.bias", outside("302"))]);
    [saved.pickle(2), storages.concat(), tensors.concat()]
}

/// An archive of 2016 of these parts.
pub fn tar_of_2016(parts: &[Vec<u8>]) -> Vec<u8> {
    tar(&[
        ("storages", &parts[1]),
        ("tensors", &parts[2]),
        ("pickle", &parts[0]),
    ])
}

/// A safetensors file with this header and data.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

/// The values of the tensors in [`corpus`], in storage order.
pub const WEIGHT: [f32; 6] = [0.5, -1.0, 2.0, 0.25, 8.0, -0.125];
pub const BIAS: [f32; 2] = [1.5, -3.0];

/// A state dict: a 3 by 2 matrix, stored by columns, and a vector.
pub fn state_dict() -> Py {
    dict([
        (
            "fc.weight",
            view(storage("FloatStorage", "0", 6), 0, &[3, 2], &[1, 3]),
        ),
        ("fc.bias", vector("1", 2)),
    ])
}

/// A file: its name, its parts, and the function that joins them.
pub type Sample = (&'static str, Vec<Vec<u8>>, fn(&[Vec<u8>]) -> Vec<u8>);

/// One valid file of each kind.
pub fn corpus() -> Vec<Sample> {
    let (weight, bias) = (floats(&WEIGHT), floats(&BIAS));
    let checkpoint = dict([
        ("epoch", Py::Int(3)),
        ("best_acc", Py::Float(91.5)),
        ("net", state_dict()),
        (
            "optimizer",
            dict([
                ("state", dict([("0", dict([("exp_avg", vector("1", 2))]))])),
                ("param_groups", Py::List(vec![])),
            ]),
        ),
    ]);
    let counted = |numbers: &[f32]| {
        let mut out = (numbers.len() as u64).to_le_bytes().to_vec();
        out.extend(floats(numbers));
        out
    };
    let keys = Py::List(vec![text("0"), text("1")]);
    let header = r#"{"__metadata__":{"format":"pt"},"fc.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}"#;
    let archive: fn(&[Vec<u8>]) -> Vec<u8> = |parts| {
        let storages = [("0", parts[1].clone()), ("1", parts[2].clone())];
        archive_of(&parts[0], &storages)
    };
    let together: fn(&[Vec<u8>]) -> Vec<u8> = |parts| parts.concat();
    vec![
        (
            "an archive",
            vec![state_dict().pickle(2), weight.clone(), bias.clone()],
            archive,
        ),
        (
            "an archive of protocol 4",
            vec![checkpoint.pickle(4), weight.clone(), bias.clone()],
            archive,
        ),
        (
            "an archive, as a whole",
            vec![archive_of(
                &checkpoint.pickle(2),
                &[("0", weight.clone()), ("1", bias.clone())],
            )],
            together,
        ),
        (
            "an old file",
            vec![
                legacy_head(2, true),
                checkpoint.pickle(2),
                keys.pickle(2),
                counted(&WEIGHT),
                counted(&BIAS),
            ],
            together,
        ),
        ("an archive of 2016", parts_of_2016().into(), tar_of_2016),
        (
            "safetensors",
            vec![header.into(), [weight, bias].concat()],
            |parts| {
                let mut out = (parts[0].len() as u64).to_le_bytes().to_vec();
                out.extend(parts.concat());
                out
            },
        ),
    ]
}
