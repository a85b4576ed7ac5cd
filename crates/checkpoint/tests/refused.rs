//! Invalid files are refused, with a message that names the problem and the fix.

mod support;

use std::fmt::Write;
use support::{Py, archive, archive_of, dict, floats, legacy, state_dict, storage, text, vector};
use support::{safetensors, view};

/// The message of the error for a file.
#[track_caller]
fn refused(bytes: &[u8]) -> String {
    let read = brink_checkpoint::from_bytes(bytes).map(|read| read.tensors.len());
    let message = read.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// One line per file: its description and its message.
fn table(cases: &[(&str, Vec<u8>)]) -> String {
    cases.iter().fold(String::new(), |mut out, (what, bytes)| {
        writeln!(out, "{what}: {}", refused(bytes)).unwrap();
        out
    })
}

fn storages() -> [(&'static str, Vec<u8>); 2] {
    [
        ("0", floats(&support::WEIGHT)),
        ("1", floats(&support::BIAS)),
    ]
}

/// An archive of one tensor `w`.
fn one(tensor: Py, content: &[u8]) -> Vec<u8> {
    archive(&dict([("w", tensor)]), &[("0", content.to_vec())])
}

fn call(module: &'static str, name: &'static str, arguments: Vec<Py>) -> Py {
    Py::Call(Box::new(Py::Global(module, name)), arguments)
}

#[test]
fn what_can_be_understood_in_two_ways() {
    let pickle = state_dict().pickle(2);
    let two = |first: &str, second: &str| {
        archive(
            &dict([(first, vector("1", 2)), (second, vector("1", 2))]),
            &storages(),
        )
    };
    let entry = r#""w":{"dtype":"F32","shape":[1],"data_offsets":"#;
    let header = format!("{{{entry}[0,4]}},{entry}[4,8]}}}}");
    insta::assert_snapshot!(table(&[
        ("two networks", two("conv1.weight", "module.conv1.weight")),
        ("two networks, wrapped", two("module.w", "module.module.w")),
        ("a compiled one", two("_orig_mod.w", "w")),
        ("a name twice", two("w", "w")),
        ("a name twice in a header", safetensors(&header, &[0; 8])),
        (
            "two pickles",
            support::zip(&[("a/data.pkl", &pickle), ("b/data.pkl", &pickle)]),
        ),
        (
            "an entry twice",
            support::zip(&[
                ("a/data.pkl", &pickle),
                ("a/data/0", b""),
                ("a/data/0", b"")
            ]),
        ),
        (
            "an archive within the archive's gaps",
            [
                support::zip(&[("a/data.pkl", &pickle)]),
                support::zip(&[("a/data.pkl", &pickle)])
            ]
            .concat(),
        ),
        (
            "two state dicts",
            archive(
                &dict([("state_dict", state_dict()), ("ema", state_dict())]),
                &storages(),
            ),
        ),
        (
            "nested",
            archive(
                &dict([
                    ("layer1", dict([("weight", vector("1", 2))])),
                    ("layer2", dict([("weight", vector("1", 2))])),
                ]),
                &storages(),
            ),
        ),
    ]));
}

#[test]
fn what_is_no_finite_float() {
    let number = |value: f32| one(vector("0", 2), &floats(&[1.0, value]));
    let typed = |class, size: i64| {
        let tensor = view(storage(class, "0", 1), 0, &[1], &[1]);
        one(tensor, &vec![1; size as usize])
    };
    let double = view(storage("DoubleStorage", "0", 1), 0, &[1], &[1]);
    let of_header = |dtype, size: usize| {
        let header =
            format!(r#"{{"w":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{size}]}}}}"#);
        safetensors(&header, &vec![0xff; size])
    };
    insta::assert_snapshot!(table(&[
        ("NaN", number(f32::NAN)),
        ("infinite", number(f32::NEG_INFINITY)),
        ("too large", one(double, &1e300f64.to_le_bytes())),
        ("half", of_header("F16", 2)),
        ("int8", typed("CharStorage", 1)),
        ("uint8", typed("ByteStorage", 1)),
        ("int64", typed("LongStorage", 8)),
        ("bool", typed("BoolStorage", 1)),
        ("complex", typed("ComplexFloatStorage", 8)),
        ("U8", of_header("U8", 1)),
        ("BOOL", of_header("BOOL", 1)),
        ("I64", of_header("I64", 8)),
        ("F8_E4M3", of_header("F8_E4M3", 1)),
        (
            "quantised",
            one(call("torch._utils", "_rebuild_qtensor", vec![]), b""),
        ),
        (
            "sparse",
            one(call("torch._utils", "_rebuild_sparse_tensor", vec![]), b""),
        ),
        (
            "a NumPy array",
            archive(
                &dict([
                    ("fc.bias", vector("1", 2)),
                    (
                        "fc.weight",
                        call("numpy.core.multiarray", "_reconstruct", vec![]),
                    ),
                ]),
                &storages(),
            ),
        ),
    ]));
}

/// Bytes that are whole but cannot be the weights.
#[test]
fn what_is_no_weight() {
    let numbers: Vec<f32> = (1..=12u8).map(|n| 0.1 * f32::from(n)).collect();
    let turned: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    let named = |name, shape: &[i64], strides: &[i64], content: &[u8]| {
        let tensor = view(storage("FloatStorage", "0", 12), 0, shape, strides);
        archive(&dict([(name, tensor)]), &[("0", content.to_vec())])
    };
    let zeros = [0; 48];
    insta::assert_snapshot!(table(&[
        ("turned bytes", named("w", &[12], &[1], &turned)),
        ("zeros", named("conv1.weight", &[4, 3], &[3, 1], &zeros)),
        ("no variance", named("bn1.running_var", &[12], &[1], &zeros)),
    ]));
    // A new normalisation has such vectors.
    for name in ["bn1.bias", "bn1.running_mean", "bn1.weight"] {
        let file = named(name, &[12], &[1], &zeros);
        assert!(brink_checkpoint::from_bytes(&file).is_ok(), "{name}");
    }
}

#[test]
fn damaged_archives_of_2016() {
    let whole = support::parts_of_2016();
    let changed = |part: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut parts = whole.clone();
        change(&mut parts[part]);
        support::tar_of_2016(&parts)
    };
    let cut = |part| changed(part, &|bytes| bytes.truncate(bytes.len() - 1));
    let [pickle, storages, _] = &whole;
    insta::assert_snapshot!(table(&[
        ("another archive", support::tar(&[("model.pth", b"abc")])),
        ("a cut pickle", cut(0)),
        ("cut storages", changed(1, &|bytes| bytes.truncate(40))),
        ("cut tensors", cut(2)),
        (
            "a huge rank",
            changed(2, &|bytes| {
                let at = bytes.windows(2).position(|pair| pair == b"t.").unwrap();
                bytes[at + 2..at + 6].fill(0xff);
            })
        ),
        (
            "no tensors",
            support::tar(&[
                ("pickle", pickle),
                ("storages", storages),
                ("tensors", b"\x80\x02K\x00.")
            ])
        ),
        (
            "an entry twice",
            support::tar(&[("pickle", pickle), ("pickle", pickle)])
        ),
        ("another machine", {
            let machine = dict([("little_endian", Py::Bool(false))]).pickle(2);
            support::tar(&[
                ("pickle", pickle),
                ("storages", storages),
                ("sys_info", &machine),
            ])
        }),
    ]));
}

#[test]
fn damaged_archives() {
    let whole = archive(&state_dict(), &storages());
    let mut changed = whole.clone();
    // Change the middle of the first storage.
    let needle = floats(&support::WEIGHT);
    let at = whole.windows(24).position(|part| part == needle).unwrap();
    changed[at + 12..at + 24].fill(0);
    let mut version = whole.clone();
    let at = whole.windows(2).position(|part| part == b"3\n").unwrap();
    version[at] = b'4';
    let pickle = state_dict().pickle(2);
    let [zero, one] = storages();
    insta::assert_snapshot!(table(&[
        ("a changed storage", changed),
        ("a changed version", version),
        ("cut off", whole[..whole.len() - 1].to_vec()),
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        (
            "a storage is missing",
            archive(&state_dict(), std::slice::from_ref(&one))
        ),
        (
            "a storage is short",
            archive(&state_dict(), &[("0", zero.1[..20].to_vec()), one.clone()]),
        ),
        (
            "a storage is long",
            archive(
                &state_dict(),
                &[("0", [zero.1.clone(), vec![0; 4]].concat()), one]
            ),
        ),
        (
            "an unknown order",
            support::zip(&[("a/data.pkl", &pickle), ("a/byteorder", b"middle")]),
        ),
        ("no pickle", support::zip(&[("a/b.txt", b"")])),
        (
            "TorchScript",
            support::zip(&[("a/data.pkl", &pickle), ("a/code/net.py", b"")]),
        ),
        ("an empty pickle", archive_of(b"", &[])),
        ("a cut pickle", archive_of(&pickle[..pickle.len() - 1], &[])),
    ]));
}

/// Compressed archives are read, unless their content is much longer than the archive.
#[test]
fn compressed_archives() {
    let of = |length: usize, method| {
        use std::io::{Cursor, Write};
        let tensor = vector("0", length as i64 / 4);
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for (name, content) in [
            ("a/data.pkl", dict([("w", tensor)]).pickle(2)),
            ("a/data/0", vec![0; length]),
        ] {
            zip.start_file(name, options).unwrap();
            zip.write_all(&content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    use zip::CompressionMethod::{Deflated, Stored};
    assert!(brink_checkpoint::from_bytes(&of(400, Stored)).is_ok());
    assert!(brink_checkpoint::from_bytes(&of(400, Deflated)).is_ok());
    insta::assert_snapshot!(refused(&of(4_000_000, Deflated)));
}

#[test]
fn damaged_old_files() {
    let [zero, one] = storages();
    let right = [("0", 6, zero.1.clone()), ("1", 2, one.1.clone())];
    let whole = legacy(&state_dict(), 2, &right);
    let mut big = support::legacy_head(2, false);
    big.extend(&whole[support::legacy_head(2, true).len()..]);
    insta::assert_snapshot!(table(&[
        ("cut off", whole[..whole.len() - 1].to_vec()),
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("continued", [whole.clone(), vec![0; 3]].concat()),
        ("big-endian", big),
        (
            "another length",
            legacy(
                &state_dict(),
                2,
                &[("0", 7, zero.1.clone()), ("1", 2, one.1.clone())]
            ),
        ),
        (
            "a storage is missing",
            legacy(&state_dict(), 2, &right[..1])
        ),
        (
            "an unknown storage",
            legacy(
                &state_dict(),
                2,
                &[("0", 6, zero.1.clone()), ("2", 2, one.1)]
            ),
        ),
        ("a plain pickle", state_dict().pickle(2)),
        ("a plain pickle of protocol 4", state_dict().pickle(4)),
    ]));
}

#[test]
fn impossible_tensors() {
    let of = |offset, shape: &[i64], strides: &[i64]| {
        one(
            view(storage("FloatStorage", "0", 10), offset, shape, strides),
            &[0; 40],
        )
    };
    let large = i64::from(i32::MAX);
    insta::assert_snapshot!(table(&[
        ("beyond the end", of(9, &[2], &[1])),
        ("far beyond the end", of(1 << 62, &[2], &[1])),
        ("before the beginning", of(-1, &[2], &[1])),
        ("a negative length", of(0, &[-2], &[1])),
        ("a negative stride", of(4, &[2], &[-1])),
        ("2^31", of(0, &[large], &[1])),
        ("2^62", of(0, &[large, large], &[large, 1])),
        ("2^93", of(0, &[large, large, large], &[1, 1, 1])),
        (
            "an overflow beside nothing",
            of(0, &[0, i64::MAX, 5], &[1, 1, 1])
        ),
        ("no strides", of(0, &[2], &[])),
        ("65 dimensions", of(0, &[1; 65], &[1; 65])),
        ("a number seen often", of(0, &[1 << 30], &[0])),
        (
            "no arguments",
            one(call("torch._utils", "_rebuild_tensor_v2", vec![]), b"")
        ),
        (
            "no tensor",
            one(call("torch._utils", "_rebuild_parameter", vec![]), b"")
        ),
        (
            "no type",
            one(call("torch._tensor", "_rebuild_from_type_v2", vec![]), b"")
        ),
        (
            "an odd storage",
            one(view(storage("Storage", "0", 1), 0, &[1], &[1]), &[0; 4])
        ),
        (
            "a storage of two kinds",
            archive(
                &dict([
                    ("a.weight", vector("0", 2)),
                    (
                        "b.weight",
                        view(storage("HalfStorage", "0", 4), 0, &[4], &[1])
                    ),
                ]),
                &[("0", vec![0; 8])],
            ),
        ),
        (
            "a name of two lines",
            archive(&dict([("a\nb", vector("1", 2))]), &storages())
        ),
        (
            "a long name",
            archive(
                &dict([("w".repeat(300).as_str(), vector("1", 2))]),
                &storages()
            ),
        ),
    ]));
}

/// Few bytes that claim much: references to references, deep nesting, huge lengths.
#[test]
fn hostile_pickles() {
    let of = |pickle: Vec<u8>| archive_of(&pickle, &[]);
    let mut laughs = b"\x80\x02)q\0".to_vec();
    for level in 0..200u8 {
        laughs.extend([b'h', level, b'h', level, 0x86, b'q', level + 1]);
    }
    laughs.push(b'.');
    // A dictionary that contains itself.
    let cycle = b"\x80\x02}q\0X\x01\0\0\0ah\0s.".to_vec();
    // A dictionary that is copied again and again.
    let mut copies = b"\x80\x02}q\0(".to_vec();
    copies.extend(b"K\x01K\x02".repeat(2000));
    copies.extend(b"u0");
    copies.extend(b"ccollections\nCounter\nq\x01");
    copies.extend(b"h\x01h\0\x85R".repeat(2000));
    copies.push(b'.');
    let deep = |open: &[u8], close: &[u8]| {
        [
            b"\x80\x02",
            open.repeat(100_000).as_slice(),
            b"N",
            &close.repeat(100_000),
            b".",
        ]
        .concat()
    };
    let shared = {
        // One storage under a thousand names.
        let tensor = vector("0", 1000).pickle(2);
        let mut pickle = b"\x80\x02}(X\x08\0\0\0a.weight".to_vec();
        pickle.extend(&tensor[2..tensor.len() - 1]);
        pickle.extend(b"q\x07");
        for name in 0..1000 {
            pickle.extend(b"X\x04\0\0\0");
            pickle.extend(format!("{name:04}").into_bytes());
            pickle.extend(b"h\x07");
        }
        pickle.extend(b"u.");
        pickle
    };
    insta::assert_snapshot!(table(&[
        ("laughs", of(laughs)),
        ("a cycle", of(cycle)),
        ("copies", of(copies)),
        ("nested tuples", of(deep(b"", b"\x85"))),
        ("nested lists", of(deep(b"]", b"a"))),
        ("nested marks", of(deep(b"(", b"t"))),
        ("nested objects", of(deep(b"ca\nb\n(", b"tR"))),
        (
            "many values",
            of([b"K\x01".repeat(600_000), b".".to_vec()].concat())
        ),
        (
            "a deep stack",
            of([b"N".repeat(600_000), b".".to_vec()].concat())
        ),
        ("a text of 4 GiB", of(b"\x80\x02X\xff\xff\xff\xff".to_vec())),
        (
            "bytes of 2^64",
            of(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff".to_vec())
        ),
        (
            "a long number",
            of([b"\x80\x02\x8a\xff".as_slice(), &[0xff; 255], b"."].concat())
        ),
        (
            "a number of 2 GiB",
            of(b"\x80\x02\x8b\xff\xff\xff\x7f.".to_vec())
        ),
        ("a stop at once", of(b".".to_vec())),
        ("nothing to take", of(b"\x80\x02\x85.".to_vec())),
        ("nothing below the mark", of(b"\x80\x02N(0.".to_vec())),
        ("a memo of nothing", of(b"\x80\x02h\x05.".to_vec())),
        ("protocol 9", of(b"\x80\x09N.".to_vec())),
        ("an extension", of(b"\x80\x02\x82\x01.".to_vec())),
        (
            "a storage in many tensors",
            archive_of(&shared, &storages())
        ),
    ]));
}

#[test]
fn hostile_headers() {
    let entry = |shape: &str, from: u64, to: u64| {
        format!(r#""dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]"#)
    };
    let one = |shape: &str, from, to, data: usize| {
        safetensors(
            &format!("{{\"a\":{{{}}}}}", entry(shape, from, to)),
            &vec![0; data],
        )
    };
    let two = |first: (u64, u64), second: (u64, u64), data: usize| {
        let header = format!(
            "{{\"a\":{{{}}},\"b\":{{{}}}}}",
            entry("[1]", first.0, first.1),
            entry("[1]", second.0, second.1)
        );
        safetensors(&header, &vec![0; data])
    };
    let claim = |length: u64| [length.to_le_bytes().as_slice(), b"{}"].concat();
    let nested = format!("{{\"a\":{}", "[".repeat(100_000));
    let quiet = format!("{{\"__metadata__\":{}", "[".repeat(100_000));
    insta::assert_snapshot!(table(&[
        ("a header of 99 MB", claim(99_000_000)),
        ("a header of 2^63", claim(1 << 63)),
        ("a header of 2^64", claim(u64::MAX)),
        ("nothing", claim(2)),
        ("nested", safetensors(&nested, b"")),
        ("nested metadata", safetensors(&quiet, b"")),
        ("a negative length", one("[-1]", 0, 4, 4)),
        (
            "much from little",
            one("[1000000000,1000]", 0, 4_000_000_000_000, 8)
        ),
        ("an overflow", one("[4611686018427387904,8]", 0, 4, 4)),
        (
            "an overflow beside nothing",
            one("[0,18446744073709551615,5]", 0, 0, 0)
        ),
        ("ends before it begins", one("[1]", 4, 0, 4)),
        ("out of bounds", one("[2]", 0, 8, 4)),
        ("overlapping", two((0, 4), (2, 6), 6)),
        ("the same bytes", two((0, 4), (0, 4), 4)),
        ("a gap", two((0, 4), (8, 12), 12)),
        ("bytes of nobody", one("[1]", 0, 4, 8)),
        ("a shape that does not fit", one("[3]", 0, 4, 4)),
        (
            "an unknown type",
            safetensors(r#"{"a":{"dtype":"F31"}}"#, b"")
        ),
        ("no JSON", safetensors("{]", b"")),
        ("no entries", safetensors("{\"a\":3}", b"")),
    ]));
}

#[test]
fn other_files() {
    let mut tar = b"sys_info".to_vec();
    tar.resize(257, 0);
    tar.extend(b"ustar\0");
    let module = Py::Built(
        Box::new(call("models.resnet", "ResNet", vec![])),
        Box::new(dict([("_parameters", dict([])), ("_modules", dict([]))])),
    );
    let class = Py::Tuple(vec![
        text("module"),
        Py::Global("models.resnet", "ResNet"),
        text("resnet.py"),
        text("class ResNet: ..."),
    ]);
    let old = Py::Built(
        Box::new(Py::Call(Box::new(Py::Persistent(Box::new(class))), vec![])),
        Box::new(dict([("_parameters", dict([]))])),
    );
    insta::assert_snapshot!(table(&[
        ("an old module", legacy(&old, 2, &[])),
        ("nothing", vec![]),
        ("three bytes", b"abc".to_vec()),
        (
            "text",
            b"a pickle of an old version is no zip archive".to_vec()
        ),
        ("Keras", b"\x89HDF\r\n\x1a\n\0\0".to_vec()),
        ("TensorFlow Lite", b"\x1c\0\0\0TFL3\0\0".to_vec()),
        ("ONNX", b"\x08\x06\x12\x07pytorch\x1a\x031.8".to_vec()),
        ("tar", tar),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0".to_vec()),
        (
            "Git LFS",
            b"version https://git-lfs.github.com/spec/v1\n".to_vec()
        ),
        ("a web page", b"<!DOCTYPE html><html>".to_vec()),
        ("a tensor", archive(&vector("1", 2), &storages())),
        ("a module", archive(&dict([("net", module)]), &storages())),
        ("no tensors", archive(&dict([("epoch", Py::Int(3))]), &[])),
        ("a text", archive(&text("weights"), &[])),
    ]));
}
