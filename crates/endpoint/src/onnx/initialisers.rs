//! The weights of an ONNX file: its initialisers of float32, under names that say what they are.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor};
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// A weight of the file.
pub struct Initialiser {
    /// Its place in the graph's list.
    at: usize,
    /// Its name in [`brink_models::Weights`].
    pub name: String,
    /// Its values. The output channels of a layer come first.
    pub tensor: Tensor,
    /// Whether the file has the output channels last.
    transposed: bool,
}

/// What an operation does with an initialiser.
#[derive(Clone, Copy)]
enum Role {
    /// A factor of a product, with the output channels last or first.
    Layer {
        transposed: bool,
    },
    Bias,
    Mean,
    Variance,
    /// A vector that scales, or another tensor that is added.
    Other,
    /// A setting of the operation.
    Setting,
}

/// The weights of `graph` in the order in which its operations use them.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub fn read(graph: &GraphProto) -> Result<Vec<Initialiser>, String> {
    let places: BTreeMap<&str, usize> = graph
        .initializer
        .iter()
        .enumerate()
        .map(|(at, it)| (it.name.as_str(), at))
        .collect();
    let (mut found, mut seen, mut names) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for node in &graph.node {
        for (input, name) in node.input.iter().enumerate() {
            let Some(&at) = places.get(name.as_str()) else {
                continue;
            };
            let proto = &graph.initializer[at];
            let role = role(graph, node, input);
            let float = proto.data_type == DataType::Float as i32;
            if !float || proto.dims.is_empty() || matches!(role, Role::Setting) || !seen.insert(at)
            {
                continue;
            }
            // Products of more than two dimensions keep their order.
            let transposed =
                matches!(role, Role::Layer { transposed: true }) && proto.dims.len() == 2;
            let tensor = tensor(proto, transposed)?;
            let mut own = named(name, role);
            while !names.insert(own.clone()) {
                own.insert(0, '_');
            }
            found.push(Initialiser {
                at,
                name: own,
                tensor,
                transposed,
            });
        }
    }
    if !found
        .iter()
        .any(|it| brink_models::is_layer(&it.name, it.tensor.rank()))
    {
        return Err("no convolution and no linear layer has weights of float32 among its initialisers; export the network in float32, without quantisation, and with its weights inside".to_owned());
    }
    Ok(found)
}

/// Puts the values of `weights` into `graph`, which `initialisers` were read from.
///
/// # Errors
/// If a tensor is missing, or cannot be read.
pub fn write(
    graph: &mut GraphProto,
    initialisers: &[Initialiser],
    weights: &BTreeMap<String, Tensor>,
) -> candle_core::Result<()> {
    for own in initialisers {
        let Some(tensor) = weights.get(&own.name) else {
            candle_core::bail!("there is no tensor `{}`", own.name);
        };
        let tensor = tensor.to_device(&Device::Cpu)?;
        let tensor = if own.transposed { tensor.t()? } else { tensor };
        let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let proto = &mut graph.initializer[own.at];
        proto.float_data.clear();
        proto.raw_data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
    }
    Ok(())
}

/// What `node` does with its input number `input`, or the next operation if `node` only passes it on.
fn role(graph: &GraphProto, node: &NodeProto, input: usize) -> Role {
    match (node.op_type.as_str(), input) {
        ("Transpose" | "Identity", 0) => {
            let passed = node.output.first();
            let next = graph.node.iter().find_map(|next| {
                let input = next.input.iter().position(|own| Some(own) == passed)?;
                (!std::ptr::eq(next, node)).then_some((next, input))
            });
            match next.map(|(next, input)| direct(next, input)) {
                Some(Role::Layer { transposed }) => Role::Layer {
                    transposed: transposed != (node.op_type == "Transpose"),
                },
                Some(role) => role,
                None => Role::Other,
            }
        }
        _ => direct(node, input),
    }
}

/// What the operation `node` does with its input number `input`.
fn direct(node: &NodeProto, input: usize) -> Role {
    let flag = |name: &str| {
        node.attribute
            .iter()
            .any(|own| own.name == name && own.i != 0)
    };
    match (node.op_type.as_str(), input) {
        ("Conv", 1) => Role::Layer { transposed: false },
        // Its output channels are second, in groups.
        ("ConvTranspose", 1) => Role::Layer { transposed: false },
        ("Gemm", 1) => Role::Layer {
            transposed: !flag("transB"),
        },
        ("MatMul", 1) => Role::Layer { transposed: true },
        ("MatMul" | "Gemm", 0) => Role::Layer { transposed: false },
        ("Conv" | "ConvTranspose" | "Gemm", 2) => Role::Bias,
        ("BatchNormalization", 3) => Role::Mean,
        ("BatchNormalization", 4) => Role::Variance,
        (
            "BatchNormalization"
            | "LayerNormalization"
            | "InstanceNormalization"
            | "GroupNormalization",
            2,
        ) => Role::Bias,
        (
            "Clip" | "Resize" | "Upsample" | "Pad" | "Pow" | "QuantizeLinear" | "DequantizeLinear"
            | "Dropout",
            _,
        ) => Role::Setting,
        _ => Role::Other,
    }
}

/// The name of the initialiser `name`: as in the file, with an ending that says what it is.
fn named(name: &str, role: Role) -> String {
    let ending = match role {
        Role::Layer { .. } => "weight",
        Role::Bias => "bias",
        Role::Mean => "running_mean",
        Role::Variance => "running_var",
        // Whatever else is called `weight` would be taken for a layer.
        Role::Other | Role::Setting if name.ends_with("weight") => "factor",
        Role::Other | Role::Setting => return name.to_owned(),
    };
    match name.ends_with(ending) {
        true => name.to_owned(),
        false => format!("{name}.{ending}"),
    }
}

/// The values of `proto`, transposed if it is a `transposed` matrix.
fn tensor(proto: &TensorProto, transposed: bool) -> Result<Tensor, String> {
    let name = &proto.name;
    if proto.data_location == Some(DataLocation::External as i32) || !proto.external_data.is_empty()
    {
        return Err(format!(
            "`{name}` lies in another file; write one file: onnx.save_model(onnx.load(FILE), OTHER)"
        ));
    }
    let shape: Option<Vec<usize>> = proto
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim).ok())
        .collect();
    let elements = shape.as_ref().and_then(|shape| {
        shape
            .iter()
            .try_fold(1usize, |all, &dim| all.checked_mul(dim))
    });
    let values: Vec<f32> = match proto.raw_data.is_empty() {
        true => proto.float_data.clone(),
        false => proto
            .raw_data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
    };
    let (Some(shape), true) = (shape, elements == Some(values.len())) else {
        return Err(format!(
            "`{name}` has {} values for the shape {:?}; export the file again",
            values.len(),
            proto.dims
        ));
    };
    if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
        return Err(format!(
            "`{name}` holds {bad}; export a network with finite weights"
        ));
    }
    let made = Tensor::from_vec(values, shape, &Device::Cpu);
    let made = made.and_then(|tensor| match transposed && tensor.rank() == 2 {
        true => tensor.t()?.contiguous(),
        false => Ok(tensor),
    });
    made.map_err(|e| format!("`{name}`: {e}"))
}
