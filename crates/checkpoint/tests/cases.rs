//! Weight files from other sources, real and hostile, in a folder `cases` beside the data folder in BRINK_DATA. Each file must
//! give the expected tensors or the expected message. Without the folder the tests are skipped, and say so.

use brink_checkpoint::Checkpoint;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The expected result for a file.
enum Right {
    /// This many tensors.
    Read(usize),
    /// The same tensors as another file.
    Same(&'static str),
    /// A message that contains this text.
    Refused(&'static str),
}

use Right::{Read, Refused, Same};

const AKAMASTER: &str = "../datasets/weights/cifar10_resnet20_akamaster.safetensors";
const BENJAMES: &str = "weights/benjames03-resnet20.pth";
const KEJEON: &str = "weights/kuangliu-style-resnet20.pth";
const INTEGER: &str = "and weights must be floats";
const CUT: &str = "the end of the file at byte";
const NOTHING: &str = "holds no tensors";

/// The expected result for each file.
const RIGHT: &[(&str, Right)] = &[
    ("weights/resnet20-12fca82f.th", Same(AKAMASTER)),
    (
        "weights/resnet56-4bfd9763.th",
        Same("../datasets/weights/cifar10_resnet56_akamaster.safetensors"),
    ),
    (KEJEON, Read(97)),
    ("weights/ckpt.t7", Read(107)),
    (BENJAMES, Read(107)),
    ("weights/fattorib-resnet20.pth", Read(139)),
    ("weights/cifar_conv_small_pgd.pth", Read(8)),
    ("weights/quantized-demo/checkpoint.pth.tar", Read(20)),
    (
        "weights/quantized-demo/model_fp32.pt",
        Refused("TorchScript program"),
    ),
    (
        "weights/quantized-demo/model_int8.pt",
        Refused("TorchScript program"),
    ),
    (
        "weights/quantized-demo/model_int8.pth",
        Refused("`feature1.0.weight` is quantised"),
    ),
    (
        "weights/mlcommons-tiny/pretrainedResnet.h5",
        Refused("HDF5"),
    ),
    (
        "weights/mlcommons-tiny/pretrainedResnet.tflite",
        Refused("TensorFlow Lite"),
    ),
    (
        "weights/mlcommons-tiny/pretrainedResnet_quant.tflite",
        Refused("TensorFlow Lite"),
    ),
    ("onnx/resnet2b.pth", Read(16)),
    ("onnx/resnet_2b.onnx", Refused("ONNX")),
    ("derived/big_endian.pth", Same(BENJAMES)),
    ("derived/big_endian_kejeon.pth", Same(KEJEON)),
    (
        "derived/name_collision.safetensors",
        Refused("`bn1.bias` and `module.bn1.bias`"),
    ),
    (
        "derived/one_nan.safetensors",
        Refused("`layer2.0.conv1.weight` has NaN at 0"),
    ),
    (
        "derived/two_pickles.pth",
        Refused("`ckpt/data.pkl` and `zz/data.pkl`"),
    ),
    (
        "derived/two_pickles_plain.pth",
        Refused("`resnet20_100/data.pkl` and `zz/data.pkl`"),
    ),
    ("derived-weights/big_endian_aka.pth", Same(AKAMASTER)),
    ("derived-weights/channels_last.pth", Same(AKAMASTER)),
    ("derived-weights/legacy.pth", Same(AKAMASTER)),
    ("derived-weights/one_v1.pth", Same(AKAMASTER)),
    ("derived-weights/prefix__orig_mod-.pth", Same(AKAMASTER)),
    ("derived-weights/proto4.pth", Same(AKAMASTER)),
    ("derived-weights/wrap_net.pth", Same(AKAMASTER)),
    (
        "derived-weights/crc_half.pth",
        Refused("tensor `layer3.0.conv2.weight`, entry `archive/data/74`: Invalid checksum"),
    ),
    (
        "derived-weights/two_pickles_aka.pth",
        Refused("`archive/data.pkl` and `zz/data.pkl`"),
    ),
    (
        "derived-weights/dtype_BOOL.pth",
        Refused("`bn1.bias` is of type bool"),
    ),
    (
        "derived-weights/dtype_I8.pth",
        Refused("`bn1.bias` is of type int8"),
    ),
    (
        "derived-weights/one_U8.safetensors",
        Refused("`layer2.0.conv1.weight` is of type U8"),
    ),
    (
        "derived-weights/f64_overflow.safetensors",
        Refused("`linear.bias` has 1e300 at 0"),
    ),
    (
        "derived-weights/val_bn1.running_var_inf.safetensors",
        Refused("`bn1.running_var` has inf at 0"),
    ),
    (
        "derived-weights/val_linear.bias_inf.safetensors",
        Refused("`linear.bias` has inf at 0"),
    ),
    ("fuzz/pth_over2GiB_1.pth", Refused(CUT)),
    ("fuzz/pth_panic_1.pth", Refused("`layer1.1.conv1.weight`")),
    ("hostile/big_claim.safetensors", Refused("`a`")),
    ("hostile/empty_pkl.pth", Refused(CUT)),
    (
        "hostile/hdr_2e63.safetensors",
        Refused("longer than the file"),
    ),
    (
        "hostile/hdr_99mb.safetensors",
        Refused("longer than the file"),
    ),
    ("hostile/hdr_empty.safetensors", Refused(NOTHING)),
    ("hostile/hdr_nested.safetensors", Refused("neither")),
    ("hostile/laughs25.pth", Refused(NOTHING)),
    ("hostile/laughs40.pth", Refused(NOTHING)),
    ("hostile/long10.pth", Refused(NOTHING)),
    ("hostile/long255.pth", Refused(NOTHING)),
    ("hostile/neg.safetensors", Refused("integer `-1`")),
    ("hostile/nested_tuple_1e4.pth", Refused(NOTHING)),
    ("hostile/nested_tuple_1e5.pth", Refused(NOTHING)),
    (
        "hostile/no_storage.pth",
        Refused("storage `0` of tensor `a` is missing"),
    ),
    ("hostile/off_big.pth", Refused("beyond the end")),
    ("hostile/off_neg.pth", Refused("`a`")),
    ("hostile/reduce_param_empty.pth", Refused("`a`")),
    ("hostile/reduce_short.pth", Refused("`a`")),
    ("hostile/reduce_type_empty.pth", Refused("`a`")),
    ("hostile/shape_2e31.pth", Refused("beyond the end")),
    ("hostile/shape_2e31_sq.pth", Refused("more elements")),
    ("hostile/shape_2e62.pth", Refused("beyond the end")),
    ("hostile/shape_overflow.pth", Refused("more elements")),
    ("hostile/shape_overflow.safetensors", Refused("`a`")),
    ("hostile/shape_zero.safetensors", Refused("`a`")),
    ("hostile/stop_only.pth", Refused("a missing value")),
    ("hostile/unicode4g.pth", Refused(CUT)),
    ("formats/burn/batch_norm__batch_norm2d.pt", Read(4)),
    ("formats/burn/config__weights_with_config.pt", Read(3)),
    ("formats/burn/key_remap__key_remap.pt", Read(3)),
    ("formats/burn/key_remap_chained__key_remap.pt", Read(15)),
    (
        "formats/burn/non_contiguous_indexes__non_contiguous_indexes.pt",
        Read(10),
    ),
    (
        "formats/burn/store__test_data__model_without_enum_variants.pt",
        Read(4),
    ),
    ("formats/burn/top_level_key__top_level_key.pt", Read(2)),
    ("formats/burn/reader__test_data__bfloat16.pt", Read(1)),
    ("formats/burn/reader__test_data__bool.pt", Refused(INTEGER)),
    (
        "formats/burn/reader__test_data__broken.pt",
        Refused("neither"),
    ),
    (
        "formats/burn/reader__test_data__buffers.pt",
        Refused(INTEGER),
    ),
    ("formats/burn/reader__test_data__checkpoint.pt", Read(4)),
    (
        "formats/burn/reader__test_data__complex_structure.pt",
        Refused("`state.decoder` and `state.encoder.layer_0`"),
    ),
    ("formats/burn/reader__test_data__empty.pt", Read(1)),
    ("formats/burn/reader__test_data__extreme_values.pt", Read(1)),
    ("formats/burn/reader__test_data__float16.pt", Read(1)),
    ("formats/burn/reader__test_data__float32.pt", Read(1)),
    ("formats/burn/reader__test_data__float64.pt", Read(1)),
    ("formats/burn/reader__test_data__int16.pt", Refused(INTEGER)),
    ("formats/burn/reader__test_data__int32.pt", Refused(INTEGER)),
    ("formats/burn/reader__test_data__int64.pt", Refused(INTEGER)),
    ("formats/burn/reader__test_data__int8.pt", Refused(INTEGER)),
    ("formats/burn/reader__test_data__large_shape.pt", Read(1)),
    (
        "formats/burn/reader__test_data__legacy_shared_storage.pt",
        Read(3),
    ),
    (
        "formats/burn/reader__test_data__legacy_uncloned_views.pt",
        Read(2),
    ),
    (
        "formats/burn/reader__test_data__legacy_with_offsets.pt",
        Read(3),
    ),
    (
        "formats/burn/reader__test_data__mixed_types.pt",
        Refused(INTEGER),
    ),
    (
        "formats/burn/reader__test_data__nested_dict.pt",
        Refused("`layer1` and `layer2`"),
    ),
    ("formats/burn/reader__test_data__parameter.pt", Read(1)),
    ("formats/burn/reader__test_data__scalar.pt", Read(1)),
    ("formats/burn/reader__test_data__simple_legacy.pt", Read(3)),
    (
        "formats/burn/reader__test_data__special_values.pt",
        Refused("`tensor` has NaN"),
    ),
    ("formats/burn/reader__test_data__state_dict.pt", Read(4)),
    ("formats/burn/reader__test_data__tar_2d_tensor.tar", Read(1)),
    ("formats/burn/reader__test_data__tar_float32.tar", Read(1)),
    ("formats/burn/reader__test_data__tar_float64.tar", Read(1)),
    (
        "formats/burn/reader__test_data__tar_int64.tar",
        Refused(INTEGER),
    ),
    (
        "formats/burn/reader__test_data__tar_multi_dtype.tar",
        Refused(INTEGER),
    ),
    (
        "formats/burn/reader__test_data__tar_weight_bias.tar",
        Read(2),
    ),
    ("formats/burn/reader__test_data__tensor_2d.pt", Read(1)),
    ("formats/burn/reader__test_data__tensor_3d.pt", Read(1)),
    ("formats/burn/reader__test_data__tensor_4d.pt", Read(1)),
    ("formats/burn/reader__test_data__uint8.pt", Refused(INTEGER)),
    ("formats/candle/fortran_tensor_3d.pth", Refused(INTEGER)),
    ("formats/candle/test.pt", Refused(INTEGER)),
    ("formats/candle/test_with_key.pt", Refused(INTEGER)),
];

/// The folder of the cases. If it is missing, prints what is skipped.
fn cases() -> Option<PathBuf> {
    let cases = std::env::var_os("BRINK_DATA")
        .map(|data| Path::new(&data).join("../cases"))
        .filter(|cases| cases.join("MANIFEST.md").is_file());
    if cases.is_none() {
        let line = "skipped: weight files from other sources. Set BRINK_DATA to the data folder; they lie beside it, in `cases`\n";
        // Unlike `eprintln!`, a direct write is shown for tests that pass.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    cases
}

fn bits(read: &Checkpoint) -> Vec<(&str, &[usize], Vec<u32>)> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    let tensors = read.tensors.iter();
    tensors
        .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice(), bits(&tensor.values)))
        .collect()
}

#[test]
fn every_file_gets_its_right_answer() {
    let Some(cases) = cases() else {
        return;
    };
    for (name, right) in RIGHT {
        let begin = Instant::now();
        let read = brink_checkpoint::read(&cases.join(name));
        let time = begin.elapsed();
        assert!(time < Duration::from_secs(1), "{name}: {time:?}");
        match (right, read) {
            (Read(tensors), Ok(read)) => assert_eq!(read.tensors.len(), *tensors, "{name}"),
            (Same(other), Ok(read)) => {
                let other = brink_checkpoint::read(&cases.join(other)).unwrap();
                assert!(bits(&read) == bits(&other), "{name}: other numbers");
            }
            (Refused(reason), Err(error)) => {
                let message = error.to_string();
                assert!(message.contains(reason), "{name}: {message}");
                assert!(!message.contains('\n'), "{name}: {message}");
            }
            (_, Ok(read)) => panic!("{name}: {} tensors were read", read.tensors.len()),
            (_, Err(error)) => panic!("{name}: {error}"),
        }
    }
}

/// Every file in the folder must be listed in `RIGHT`.
#[test]
fn there_is_an_answer_for_every_file() {
    let Some(cases) = cases() else {
        return;
    };
    let answered: BTreeSet<PathBuf> = RIGHT.iter().map(|(name, _)| cases.join(name)).collect();
    let mut folders: Vec<PathBuf> = [
        "weights",
        "onnx",
        "derived",
        "derived-weights",
        "formats",
        "hostile",
        "fuzz",
    ]
    .map(|folder| cases.join(folder))
    .into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(answered.contains(&path), "{}", path.display());
            }
        }
    }
}

#[test]
fn claims_are_read() {
    let Some(cases) = cases() else {
        return;
    };
    for (name, percent) in [
        ("weights/resnet20-12fca82f.th", 91.78),
        (KEJEON, 92.12),
        ("weights/ckpt.t7", 59.44),
        ("onnx/resnet2b.pth", 69.25),
    ] {
        let claim = brink_checkpoint::read(&cases.join(name))
            .unwrap()
            .claim
            .unwrap();
        assert!((claim.percent - percent).abs() < 0.01, "{name}: {claim:?}");
    }
}
