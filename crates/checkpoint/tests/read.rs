//! Files from PyTorch are read as PyTorch reads them: values, element order, names, and the state dict among other objects.

mod support;

use brink_checkpoint::{Checkpoint, Claim, Container, Origin, from_bytes};
use support::{Py, archive, dict, floats, legacy, state_dict, storage, text, vector, view};

fn storages() -> [(&'static str, Vec<u8>); 2] {
    [
        ("0", floats(&support::WEIGHT)),
        ("1", floats(&support::BIAS)),
    ]
}

/// Reads a file and checks that it holds the tensors of [`state_dict`].
#[track_caller]
fn the_state_dict(bytes: &[u8]) -> Checkpoint {
    let read = from_bytes(bytes).unwrap();
    let names: Vec<&str> = read.tensors.keys().map(String::as_str).collect();
    assert_eq!(names, ["fc.bias", "fc.weight"]);
    let [a, b, c, d, e, f] = support::WEIGHT;
    assert_eq!(read.tensors["fc.weight"].shape, [3, 2]);
    assert_eq!(read.tensors["fc.weight"].values, [a, d, b, e, c, f]);
    assert_eq!(read.tensors["fc.bias"].values, support::BIAS);
    read
}

#[test]
fn every_protocol_and_both_layouts() {
    let [zero, one] = storages();
    for protocol in [1, 2, 3, 4, 5] {
        the_state_dict(&support::archive_of(
            &state_dict().pickle(protocol),
            &storages(),
        ));
        let old = [("0", 6, zero.1.clone()), ("1", 2, one.1.clone())];
        the_state_dict(&legacy(&state_dict(), protocol, &old));
    }
}

#[test]
fn tar_archives_of_2016() {
    let parts = support::parts_of_2016();
    let read = the_state_dict(&support::tar_of_2016(&parts));
    assert_eq!(read.origin.container, Container::Tar);
    // A later form describes the tensors in the pickle.
    let counted = |key, values: &[f32]| {
        let about = [text(key), text("cpu"), Py::Global("torch", "FloatStorage")];
        let length = (values.len() as u64).to_le_bytes().to_vec();
        [Py::Tuple(about.into()).pickle(2), length, floats(values)].concat()
    };
    let storages = [
        Py::Int(2).pickle(2),
        counted("0", &support::WEIGHT),
        counted("1", &support::BIAS),
    ];
    let saved = state_dict().pickle(2);
    the_state_dict(&support::tar(&[
        ("pickle", &saved),
        ("storages", &storages.concat()),
    ]));
}

/// The same tensors have the same hash, whatever holds them; other values, shapes or names have another.
#[test]
fn the_hash_is_of_the_content() {
    let [zero, one] = storages();
    let old = [("0", 6, zero.1.clone()), ("1", 2, one.1.clone())];
    let hash = |bytes: &[u8]| from_bytes(bytes).unwrap().sha256();
    let expected = hash(&archive(&state_dict(), &storages()));
    assert_eq!(
        hash(&legacy(&dict([("net", state_dict())]), 2, &old)),
        expected
    );
    assert_eq!(
        hash(&support::tar_of_2016(&support::parts_of_2016())),
        expected
    );
    let of = |name: &str, shape: &[i64], value: f32| {
        let mut values = support::BIAS.to_vec();
        values[1] = value;
        let tensor = view(
            storage("FloatStorage", "0", 2),
            0,
            shape,
            &vec![1; shape.len()],
        );
        hash(&archive(&dict([(name, tensor)]), &[("0", floats(&values))]))
    };
    let all = [
        of("a", &[2], 1.0),
        of("b", &[2], 1.0),
        of("a", &[2, 1], 1.0),
        of("a", &[2], 1.0f32.next_up()),
    ];
    for (at, hash) in all.iter().enumerate() {
        assert!(!all[..at].contains(hash), "{at}");
    }
}

#[test]
fn what_was_around_the_tensors_is_told() {
    let Py::Dict(entries) = state_dict() else {
        unreachable!()
    };
    let prefixed = entries.into_iter().map(|(key, value)| {
        let Py::Text(key) = key else { unreachable!() };
        (text(&format!("module.{key}")), value)
    });
    let counter = view(storage("LongStorage", "2", 1), 0, &[], &[]);
    let counter = (text("module.bn.num_batches_tracked"), counter);
    let network = Py::Dict(prefixed.chain([counter]).collect());
    let [zero, one] = storages();
    let counter = ("2", 7u64.to_le_bytes().to_vec());
    let saved = dict([("best", dict([("net", network)]))]);
    let read = the_state_dict(&archive(&saved, &[zero, one, counter]));
    let expected = Origin {
        container: Container::Archive,
        within: "best.net".into(),
        prefix: "module.".into(),
        counters: 1,
    };
    assert_eq!(read.origin, expected);
    assert_eq!(read.tensors["fc.bias"].dtype, "float32");
}

/// The file extension does not matter, nor does its case.
#[test]
fn files_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive(&state_dict(), &storages());
    for name in [
        "a.pth",
        "a.PT",
        "a.t7",
        "a.pth.tar",
        "a.bin",
        "a.ckpt",
        "a.safetensors",
        "a",
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(
            brink_checkpoint::read(&path).unwrap(),
            from_bytes(&bytes).unwrap()
        );
    }
}

#[test]
fn a_state_dict_in_whatever_it_was_saved_with() {
    let namespace = Py::Built(
        Box::new(Py::Call(
            Box::new(Py::Global("argparse", "Namespace")),
            vec![],
        )),
        Box::new(dict([("lr", Py::Float(0.1))])),
    );
    let optimizer = dict([
        (
            "state",
            Py::Dict(vec![(
                Py::Int(0),
                dict([("step", vector("1", 2)), ("exp_avg", vector("1", 2))]),
            )]),
        ),
        (
            "param_groups",
            Py::List(vec![dict([("lr", Py::Float(0.1))])]),
        ),
    ]);
    let around = |key, state_dict| {
        let entries = [
            ("epoch", Py::Int(90)),
            (key, state_dict),
            ("optimizer", optimizer.clone()),
            ("args", namespace.clone()),
            ("losses", Py::List(vec![Py::Float(0.5), Py::None])),
            ("mean", vector("1", 2)),
        ];
        dict(entries)
    };
    for saved in [
        around("state_dict", state_dict()),
        around("net", state_dict()),
        around("whatever", state_dict()),
        around("state_dict", Py::List(vec![state_dict()])),
        around("model", dict([("model_state_dict", state_dict())])),
        Py::Tuple(vec![Py::Int(3), state_dict()]),
        // Alone in a dictionary.
        dict([("net", state_dict())]),
    ] {
        the_state_dict(&archive(&saved, &storages()));
    }
}

#[test]
fn a_prefix_that_all_names_have_is_dropped() {
    let prefixed = |prefix: &str| {
        let Py::Dict(entries) = state_dict() else {
            unreachable!()
        };
        let counter = view(storage("LongStorage", "2", 1), 0, &[], &[]);
        let counter = (text("bn.num_batches_tracked"), counter);
        let named = entries.into_iter().chain([counter]).map(|(key, value)| {
            let Py::Text(key) = key else { unreachable!() };
            (text(&format!("{prefix}{key}")), value)
        });
        Py::Dict(named.collect())
    };
    for prefix in [
        "",
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "model.module.",
        "backbone.",
    ] {
        let [zero, one] = storages();
        let counter = ("2", 7u64.to_le_bytes().to_vec());
        the_state_dict(&archive(&prefixed(prefix), &[zero, one, counter]));
    }
}

#[test]
fn the_claimed_accuracy() {
    let claims = |key, value| {
        let saved = dict([(key, value), ("net", state_dict())]);
        from_bytes(&archive(&saved, &storages())).unwrap().claim
    };
    let claim = |name: &str, percent| {
        Some(Claim {
            name: name.into(),
            percent,
        })
    };
    assert_eq!(claims("acc", Py::Float(92.12)), claim("acc", 92.12));
    assert_eq!(claims("best_acc", Py::Int(92)), claim("best_acc", 92.0));
    assert_eq!(claims("accuracy", Py::Float(0.5)), claim("accuracy", 50.0));
    for none in [
        Py::Float(f64::NAN),
        Py::Float(-1.0),
        Py::Int(1000),
        text("92"),
    ] {
        assert_eq!(claims("acc", none), None);
    }
}

/// Every float type is converted to the nearest `f32`, in both byte orders.
#[test]
fn every_float() {
    let one_of = |class: &'static str, order: &[u8], bytes: &[u8]| {
        let saved = dict([("w", view(storage(class, "0", 1), 0, &[1], &[1]))]).pickle(2);
        let file = support::zip(&[
            ("a/data.pkl", &saved),
            ("a/byteorder", order),
            ("a/data/0", bytes),
        ]);
        from_bytes(&file).unwrap().tensors["w"].values[0]
    };
    // One third, rounded to each type.
    let cases: [(&str, &[u8], f32); 4] = [
        ("HalfStorage", &[0x55, 0x35], 0.333_251_95),
        ("BFloat16Storage", &[0xab, 0x3e], 0.333_984_38),
        ("FloatStorage", &[0xab, 0xaa, 0xaa, 0x3e], 1.0 / 3.0),
        (
            "DoubleStorage",
            &[0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f],
            1.0 / 3.0,
        ),
    ];
    for (class, bytes, value) in cases {
        let turned: Vec<u8> = bytes.iter().rev().copied().collect();
        assert_eq!(one_of(class, b"little", bytes), value, "{class}");
        assert_eq!(one_of(class, b"big", &turned), value, "{class}");
    }
    assert!(one_of("FloatStorage", b"little", &[0, 0, 0, 0x80]).is_sign_negative());
    // The smallest positive number.
    assert_eq!(
        one_of("FloatStorage", b"little", &[1, 0, 0, 0]).to_bits(),
        1
    );
    // Numbers too small for f32 round to zero.
    assert_eq!(
        one_of("DoubleStorage", b"little", &1e-300f64.to_le_bytes()),
        0.0
    );
}

/// Views with many strides are compared with the definition of strides.
#[test]
fn views_of_a_shared_storage() {
    let numbers: Vec<f32> = (0..60u8).map(f32::from).collect();
    for (offset, shape, strides) in [
        (0, vec![3, 4, 5], vec![20, 5, 1]),
        (7, vec![2, 3], vec![3, 1]),
        (0, vec![5, 4, 3], vec![1, 5, 20]),
        (1, vec![3, 2, 2, 2], vec![16, 1, 8, 2]),
        (0, vec![6, 2], vec![2, 31]),
        (59, vec![1, 1], vec![1000, 0]),
        (5, vec![], vec![]),
        (0, vec![0, 4], vec![4, 1]),
    ] {
        let saved = dict([(
            "w",
            view(storage("FloatStorage", "0", 60), offset, &shape, &strides),
        )]);
        let read = from_bytes(&archive(&saved, &[("0", floats(&numbers))])).unwrap();
        let mut expected = vec![offset];
        for (side, stride) in shape.iter().zip(&strides) {
            expected = expected
                .iter()
                .flat_map(|at| (0..*side).map(move |i| at + i * stride))
                .collect();
        }
        let expected: Vec<f32> = expected.iter().map(|&at| at as f32).collect();
        assert_eq!(read.tensors["w"].values, expected, "{shape:?}, {strides:?}");
    }
}

/// Parameters, tensor subclasses, untyped storages with a dtype, and views of storages in old files.
#[test]
fn every_way_in_which_pytorch_makes_a_tensor() {
    let call = |module, name, arguments| Py::Call(Box::new(Py::Global(module, name)), arguments);
    let plain = || vector("0", 2);
    let Py::Call(function, arguments) = plain() else {
        unreachable!()
    };
    let sizes = || Py::Tuple(vec![Py::Int(2)]);
    let ones = || Py::Tuple(vec![Py::Int(1)]);
    let bytes = call(
        "torch._utils",
        "_rebuild_tensor_v3",
        vec![
            storage("UntypedStorage", "0", 8),
            Py::Int(0),
            sizes(),
            ones(),
            Py::Bool(false),
            Py::None,
            Py::Global("torch", "float32"),
            dict([]),
        ],
    );
    let oldest = call(
        "torch._utils",
        "_rebuild_tensor",
        vec![storage("FloatStorage", "0", 2), Py::Int(0), sizes(), ones()],
    );
    let parameter = call(
        "torch._utils",
        "_rebuild_parameter",
        vec![plain(), Py::Bool(true), dict([])],
    );
    let of_a_class = call(
        "torch._tensor",
        "_rebuild_from_type_v2",
        vec![
            *function,
            Py::Global("mine", "Tensor"),
            Py::Tuple(arguments),
            dict([]),
        ],
    );
    for tensor in [plain(), bytes, oldest, parameter, of_a_class] {
        let file = archive(&dict([("w", tensor)]), &[("0", floats(&support::BIAS))]);
        assert_eq!(
            from_bytes(&file).unwrap().tensors["w"].values,
            support::BIAS
        );
    }
    let Py::Persistent(id) = storage("FloatStorage", "0", 6) else {
        unreachable!()
    };
    let Py::Tuple(mut id) = *id else {
        unreachable!()
    };
    id.push(Py::Tuple(vec![text("view"), Py::Int(3), Py::Int(3)]));
    let part = view(Py::Persistent(Box::new(Py::Tuple(id))), 1, &[2], &[1]);
    let file = legacy(
        &dict([("w", part)]),
        2,
        &[("0", 6, floats(&support::WEIGHT))],
    );
    let read = from_bytes(&file).unwrap();
    assert_eq!(read.tensors["w"].values, support::WEIGHT[4..]);
}

/// A call in a pickle is only recorded; nothing is executed.
#[test]
fn nothing_is_executed() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("executed");
    let evil = Py::Call(
        Box::new(Py::Global("os", "system")),
        vec![text(&format!("touch {}", mark.display()))],
    );
    the_state_dict(&archive(
        &dict([("net", state_dict()), ("args", evil)]),
        &storages(),
    ));
    assert!(!mark.exists());
}
