//! Checkpoints: reading returns what we or PyTorch wrote, and an error names a tensor that does not fit.

mod common;

use brink_models::{Error, Model, Network, Trainable, Weights};
use brink_random::Stream;
use candle_core::{DType, Device, Tensor};
use common::support::formula;
use common::{bits, flat};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn resnet20() -> (Model, Weights) {
    let model = common::model("resnet20");
    (model, common::weights(model, 10, DType::F32))
}

fn numbers(weights: &Weights, name: &str) -> Vec<f32> {
    weights.tensors()[name]
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .unwrap()
}

/// A file with this content, and the folder that must outlive it.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The error of reading a file, after its path.
fn refused(path: &Path) -> String {
    match Weights::read(path) {
        Err(error @ Error::File { .. }) => {
            let message = error.to_string();
            let path = format!("{}: ", path.display());
            message
                .strip_prefix(&path)
                .unwrap_or_else(|| panic!("`{message}` begins with the path"))
                .to_owned()
        }
        Err(other) => panic!("expected a file error, got: {other}"),
        Ok(_) => panic!("{} was read", path.display()),
    }
}

#[test]
fn a_state_dict_is_read_without_its_counters() {
    let weights = Weights::read(&golden("tiny.pth")).unwrap();
    assert_eq!(weights.names(), ["bn1.running_var", "conv1.weight"]);
    assert_eq!(weights.tensors()["conv1.weight"].dims(), [2, 3, 3, 3]);
    assert_eq!(
        numbers(&weights, "conv1.weight"),
        formula::parameter("conv1.weight", &[2, 3, 3, 3])
    );
    assert_eq!(
        numbers(&weights, "bn1.running_var"),
        formula::parameter("bn1.running_var", &[5])
    );
}

/// Data-parallel prefixes go; transposed views of a shared storage come out as the numbers that PyTorch shows.
#[test]
fn a_training_checkpoint_is_read() {
    let weights = Weights::read(&golden("wrapped.pth")).unwrap();
    assert_eq!(weights.names(), ["linear.bias", "linear.weight"]);
    let storage = formula::plain("storage", 20);
    assert_eq!(numbers(&weights, "linear.bias"), storage[2..5]);
    assert_eq!(weights.tensors()["linear.weight"].dims(), [3, 4]);
    let expected: Vec<f32> = (0..12).map(|i| storage[8 + i / 4 + 3 * (i % 4)]).collect();
    assert_eq!(numbers(&weights, "linear.weight"), expected);
}

#[test]
fn what_is_written_is_read_again_to_the_bit() {
    for model in common::models() {
        let weights = common::weights(model, 10, DType::F32);
        let (_folder, path) = file("weights.safetensors", &weights.to_bytes().unwrap());
        let again = Weights::read(&path).unwrap();
        assert_eq!(again.names(), weights.names(), "{model}");
        for (name, tensor) in weights.tensors() {
            assert_eq!(
                again.tensors()[name].dims(),
                tensor.dims(),
                "{model}: {name}"
            );
            assert_eq!(
                bits(&again.tensors()[name]),
                bits(tensor),
                "{model}: {name}"
            );
        }
        again.check(model, 10).unwrap();
    }
}

#[test]
fn weights_of_any_float_type_are_read_as_f32() {
    let (model, weights) = resnet20();
    let wide = weights.to(DType::F64, &Device::Cpu).unwrap();
    let (_folder, path) = file("wide.safetensors", &wide.to_bytes().unwrap());
    let again = Weights::read(&path).unwrap();
    again.check(model, 10).unwrap();
    for (name, tensor) in weights.tensors() {
        assert_eq!(again.tensors()[name].dtype(), DType::F32, "{name}");
        assert_eq!(flat(&again.tensors()[name]), flat(tensor), "{name}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = refused(Path::new("no-such-folder/weights.safetensors"));
    assert!(
        error.contains("cannot be opened") && error.contains("give the path"),
        "{error}"
    );
}

#[test]
fn truncated_files_are_refused() {
    let (_, weights) = resnet20();
    let bytes = weights.to_bytes().unwrap();
    // Within the header and the data, and one byte short.
    for length in [100, bytes.len() / 2, bytes.len() - 1] {
        let (_folder, path) = file("weights.safetensors", &bytes[..length]);
        let error = refused(&path);
        assert!(
            error.contains("not a whole safetensors file") && error.contains("copy it again"),
            "{length} bytes: {error}"
        );
    }
    let bytes = std::fs::read(golden("wrapped.pth")).unwrap();
    for length in [bytes.len() / 2, bytes.len() - 1] {
        let (_folder, path) = file("weights.pth", &bytes[..length]);
        let error = refused(&path);
        assert!(
            error.contains("not a whole PyTorch zip archive"),
            "{length} bytes: {error}"
        );
    }
}

/// What a file is, its content says.
#[test]
fn files_of_any_ending_are_read() {
    let (_, weights) = resnet20();
    for name in ["weights.onnx", "weights", "weights.PTH", "weights.pth.tar"] {
        let (_folder, path) = file(name, &weights.to_bytes().unwrap());
        assert_eq!(Weights::read(&path).unwrap().names(), weights.names());
    }
    let (_folder, path) = file("weights.pth", b"no weights at all");
    assert!(refused(&path).contains("give a .safetensors or .pth file"));
}

#[test]
fn a_file_without_tensors_is_refused() {
    let nothing = Weights::from_tensors([]).to_bytes().unwrap();
    let (_folder, path) = file("weights.safetensors", &nothing);
    assert!(refused(&path).starts_with("holds no tensors"));
}

/// A change of the tensors of a network, and what is said about it.
#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    type Change<'a> = Box<dyn Fn(&mut Vec<(String, Tensor)>) + 'a>;
    let remove = |name: &'static str| -> Change<'_> {
        Box::new(move |tensors| tensors.retain(|(n, _)| n != name))
    };
    let rename = |from: &'static str, to: &'static str| -> Change<'_> {
        Box::new(move |tensors| {
            for (name, _) in tensors.iter_mut().filter(|(n, _)| n == from) {
                *name = to.into();
            }
        })
    };
    let add = |name: &'static str| -> Change<'_> {
        Box::new(move |tensors| tensors.push((name.into(), tensor(&[3]))))
    };
    let cases: Vec<(Change<'_>, &str)> = vec![
        (
            remove("layer2.1.conv2.weight"),
            "`layer2.1.conv2.weight` is missing",
        ),
        (
            rename("linear.weight", "linear.weights"),
            "`linear.weight` is missing; the network does not have `linear.weights`",
        ),
        (
            add("layer1.3.conv1.weight"),
            "the network does not have `layer1.3.conv1.weight`",
        ),
        (add("mask"), "the network does not have `mask`"),
        (
            Box::new(|tensors| tensors.push(("conv1.weight".into(), tensor(&[64, 3, 7, 7])))),
            "`conv1.weight` has shape [64, 3, 7, 7], expected [16, 3, 3, 3]",
        ),
    ];
    let (model, weights) = resnet20();
    for (change, problem) in cases {
        let mut tensors: Vec<(String, Tensor)> = weights.tensors().clone().into_iter().collect();
        change(&mut tensors);
        let changed = Weights::from_tensors(tensors);
        let expected = format!("the weights do not fit resnet20 with 10 classes: {problem}");
        assert_eq!(changed.check(model, 10).unwrap_err().to_string(), expected);
        // Nothing is built of them, either.
        assert_eq!(
            Network::frozen(model, 10, &changed, None)
                .err()
                .unwrap()
                .to_string(),
            expected
        );
        assert_eq!(
            Trainable::new(model, 10, &changed, None)
                .err()
                .unwrap()
                .to_string(),
            expected
        );
    }
    let error = weights.check(model, 43).unwrap_err().to_string();
    assert_eq!(
        error,
        "the weights do not fit resnet20 with 43 classes: `linear.weight` has shape [10, 64], expected [43, 64]; the weights are for 10 classes; `head: new` beside `weights` gives them a new classifier"
    );
}

/// The same weights under names with `from` replaced.
fn renamed(weights: &Weights, from: &str, to: &str) -> Weights {
    let tensors = weights.tensors().iter();
    Weights::from_tensors(tensors.map(|(name, tensor)| {
        let name = match name.strip_prefix(from) {
            Some(rest) => format!("{to}{rest}"),
            None => name.clone(),
        };
        (name, tensor.clone())
    }))
}

#[test]
fn other_names_of_the_same_network() {
    let (model, weights) = resnet20();
    for (from, to) in [("", "resnet."), ("", "1.student."), ("linear.", "fc.")] {
        let other = renamed(&weights, from, to);
        assert!(other.check(model, 10).is_err(), "{to}");
        let named = other.named_for(model, 10).unwrap();
        named.check(model, 10).unwrap();
        for (name, tensor) in weights.tensors() {
            assert_eq!(bits(&named.tensors()[name]), bits(tensor), "{to}: {name}");
        }
        let said = (from == "linear.").then_some(("fc", "linear"));
        assert_eq!(named.renamed(), said, "{to}");
        let dropped = from.is_empty().then_some(to);
        assert_eq!(named.dropped_prefix(), dropped, "{to}");
    }
    // Its own names stay, and so does a network that has both.
    let named = weights.clone().named_for(model, 10).unwrap();
    assert_eq!((named.renamed(), named.dropped_prefix()), (None, None));
    let both = weights.tensors().clone().into_iter();
    let both =
        Weights::from_tensors(both.chain(renamed(&weights, "linear.", "fc.").tensors().clone()));
    let error = both.named_for(model, 10).unwrap().check(model, 10);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("the network does not have `fc.bias`, `fc.weight`")
    );
}

#[test]
fn the_cause_of_a_difference_is_named() {
    let (model, weights) = resnet20();
    let cause = |weights: Weights| {
        let error = weights.named_for(model, 10).unwrap().check(model, 10);
        let message = error.unwrap_err().to_string();
        let start = "the weights do not fit resnet20 with 10 classes: ";
        message.strip_prefix(start).unwrap().to_owned()
    };
    // All but the classifier within a backbone.
    let wrapped = Weights::from_tensors(weights.tensors().iter().map(|(name, tensor)| {
        let prefix = if name.starts_with("linear") {
            ""
        } else {
            "trunk."
        };
        (format!("{prefix}{name}"), tensor.clone())
    }));
    assert_eq!(
        cause(wrapped),
        "`conv1.weight` is missing, but there is `trunk.conv1.weight`: remove the prefix `trunk.` from the 95 of 97 names that have it"
    );
    let one = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
    let strangers =
        ["first_layer.gain", "second_layer.gain"].map(|name| (name.to_owned(), one.clone()));
    assert_eq!(
        cause(Weights::from_tensors(strangers)),
        "`conv1.weight` is missing, `bn1.weight` is missing, `bn1.bias` is missing and 94 more; the network does not have `first_layer.gain`, `second_layer.gain`"
    );
}

/// The network that the file holds is named, whatever its names are.
#[test]
fn another_network_is_named() {
    let theirs = common::model("resnet20-b");
    let weights = common::weights(theirs, 10, DType::F32);
    let tensors = weights.tensors().iter().map(|(name, tensor)| {
        let name = name
            .replace("downsample", "shortcut")
            .replace("fc.", "linear.");
        (name, tensor.clone())
    });
    let file = Weights::from_tensors(tensors);
    assert_eq!(file.fits().unwrap(), [(theirs, 10)]);
    let (model, _) = resnet20();
    let error = file.clone().named_for(model, 10).unwrap().check(model, 10);
    let message = error.unwrap_err().to_string();
    assert!(
        message.ends_with("; they fit resnet20-b with 10 classes"),
        "{message}"
    );
    assert!(
        message.contains("`layer2.0.shortcut.0.weight`"),
        "{message}"
    );

    // All but one tensor.
    let mut most = file.tensors().clone();
    most.remove("bn1.bias");
    let most = Weights::from_tensors(most);
    assert_eq!(most.fits().unwrap(), []);
    let message = most.check(model, 10).unwrap_err().to_string();
    assert!(
        message.contains("; the nearest network is resnet20-b, but "),
        "{message}"
    );
}

/// Each family's file becomes torchvision's. The names are those that its library writes.
#[test]
fn names_of_other_libraries() {
    /// What replaces what in a name, in this order.
    type Replacements = &'static [(&'static str, &'static str)];
    let cases: [(&str, &str, Replacements); 4] = [
        (
            "kuangliu's pytorch-cifar",
            "resnet18-3x3",
            &[("downsample", "shortcut"), ("fc.", "linear.")],
        ),
        (
            "weiaicunzai's pytorch-cifar100",
            "resnet18-3x3",
            &[
                (".conv1.", ".residual_function.0."),
                (".bn1.", ".residual_function.1."),
                (".conv2.", ".residual_function.3."),
                (".bn2.", ".residual_function.4."),
                ("conv1.", "conv1.0."),
                ("bn1.", "conv1.1."),
                ("downsample", "shortcut"),
                ("layer4", "conv5_x"),
                ("layer3", "conv4_x"),
                ("layer2", "conv3_x"),
                ("layer1", "conv2_x"),
            ],
        ),
        (
            "OpenMMLab",
            "resnet50",
            &[("layer", "backbone.layer"), ("fc.", "head.fc.")],
        ),
        (
            "Hugging Face",
            "resnet50",
            &[
                (".conv1.", ".layer.0.convolution."),
                (".bn1.", ".layer.0.normalization."),
                (".conv2.", ".layer.1.convolution."),
                (".bn2.", ".layer.1.normalization."),
                (".conv3.", ".layer.2.convolution."),
                (".bn3.", ".layer.2.normalization."),
                ("downsample.0", "shortcut.convolution"),
                ("downsample.1", "shortcut.normalization"),
                ("layer1.", "resnet.encoder.stages.0.layers."),
                ("layer2.", "resnet.encoder.stages.1.layers."),
                ("layer3.", "resnet.encoder.stages.2.layers."),
                ("layer4.", "resnet.encoder.stages.3.layers."),
                ("conv1.", "resnet.embedder.embedder.convolution."),
                ("bn1.", "resnet.embedder.embedder.normalization."),
                ("fc.", "classifier.1."),
            ],
        ),
    ];
    for (family, model, replacements) in cases {
        let model = common::model(model).with_width(0.0625);
        let ours = common::weights(model, 10, DType::F32);
        let theirs = ours.tensors().iter().map(|(name, tensor)| {
            let replace = |name: String, (from, to): &(&str, &str)| name.replace(from, to);
            let mut name = replacements.iter().fold(name.clone(), replace);
            if family == "OpenMMLab" && (name.starts_with("conv1") || name.starts_with("bn1")) {
                name = format!("backbone.{name}");
            }
            (name, tensor.clone())
        });
        let theirs = Weights::from_tensors(theirs);
        assert!(theirs.check(model, 10).is_err(), "{family}");
        let named = theirs.named_for(model, 10).unwrap();
        named
            .check(model, 10)
            .unwrap_or_else(|error| panic!("{family}: {error}"));
        assert_eq!(named.family(), Some(family));
        for (name, tensor) in ours.tensors() {
            assert_eq!(
                bits(&named.tensors()[name]),
                bits(tensor),
                "{family}: {name}"
            );
        }
    }
}

/// timm writes the first two linear layers of a VGG as convolutions.
#[test]
fn convolutions_over_whole_maps_are_linear_layers() {
    let model = common::model("vgg11").with_width(0.0625);
    let ours = common::weights(model, 10, DType::F32);
    let theirs = ours.tensors().iter().map(|(name, tensor)| {
        let name = name
            .replace("classifier.0", "pre_logits.fc1")
            .replace("classifier.3", "pre_logits.fc2")
            .replace("classifier.6", "head.fc");
        let shape = match (name.as_str(), tensor.dims()) {
            ("pre_logits.fc1.weight", &[o, i]) => vec![o, i / 49, 7, 7],
            ("pre_logits.fc2.weight", &[o, i]) => vec![o, i, 1, 1],
            (_, shape) => shape.to_vec(),
        };
        (name, tensor.reshape(shape).unwrap())
    });
    let named = Weights::from_tensors(theirs).named_for(model, 10).unwrap();
    named.check(model, 10).unwrap();
    assert_eq!(named.family(), Some("timm"));
    let name = "classifier.0.weight";
    assert_eq!(bits(&named.tensors()[name]), bits(&ours.tensors()[name]));
}

#[test]
fn a_negative_variance_is_refused() {
    let (_, weights) = resnet20();
    let mut tensors = weights.tensors().clone();
    let variance = Tensor::new(&[1f32, -0.5], &Device::Cpu).unwrap();
    tensors.insert("bn1.running_var".into(), variance);
    let bytes = Weights::from_tensors(tensors).to_bytes().unwrap();
    let (_folder, path) = file("weights.safetensors", &bytes);
    assert!(refused(&path).starts_with("tensor `bn1.running_var` has -0.5 at 1"));
}

#[test]
fn an_unknown_model_gets_the_nearest_name() {
    let error = "resnet8".parse::<Model>().unwrap_err().to_string();
    assert!(
        error.starts_with("unknown model `resnet8`; did you mean `resnet"),
        "{error}"
    );
}

/// A checkpoint of torchvision's layout for 1000 classes becomes one for ours: all but the classifier is the file's.
#[test]
fn a_checkpoint_gets_a_new_head() {
    for (name, head) in [
        ("resnet18", ["fc.weight", "fc.bias"]),
        ("vgg16", ["classifier.6.weight", "classifier.6.bias"]),
    ] {
        let model = common::model(name).with_width(0.125);
        let published = common::weights(model, 1000, DType::F32);
        let bytes = published.to_bytes().unwrap();
        let (_folder, path) = file("published.safetensors", &bytes);
        let ours = Weights::read(&path)
            .unwrap()
            .with_new_head(model, 43, &Stream::new(1))
            .unwrap();
        ours.check(model, 43).unwrap();
        for name in published.names() {
            if head.contains(&name) {
                assert_eq!(ours.tensors()[name].dims()[0], 43);
            } else {
                assert_eq!(numbers(&ours, name), numbers(&published, name), "{name}");
            }
        }
    }
    let (model, wrong) = resnet20();
    let other = common::model("resnet18");
    let error = wrong.with_new_head(other, 10, &Stream::new(1)).unwrap_err();
    assert!(error.to_string().contains(other.name()), "{error} {model}");
}
