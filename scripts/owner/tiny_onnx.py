"""Writes the tiny ONNX files of crates/endpoint/tests/onnx and crates/runner/tests/onnx, and what ONNX Runtime answers for them.

    pip install onnx onnxruntime numpy
    python3 scripts/owner/tiny_onnx.py
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parents[2] / "crates/endpoint/tests/onnx"
GRIDS = Path(__file__).parents[2] / "crates/runner/tests/onnx"
CHANNELS, SIDE, CLASSES = 3, 4, 5


def weights(stream, *shape):
    return stream.normal(size=shape).astype(np.float32)


def model(images, dtype=TensorProto.FLOAT, inputs=1, last="scores"):
    """A convolution, ReLU, global pooling and a linear layer."""
    stream = np.random.default_rng(1)
    values = {
        "kernel": weights(stream, 6, CHANNELS, 3, 3),
        "bias": weights(stream, 6),
        "matrix": weights(stream, 6, CLASSES),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "bias"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("MatMul", ["features", "matrix"], ["scores"]),
    ]
    if dtype != TensorProto.FLOAT:
        nodes.insert(0, helper.make_node("Cast", ["raw"], ["x"], to=TensorProto.FLOAT))
    first = "x" if dtype == TensorProto.FLOAT else "raw"
    shape = [images, CHANNELS, SIDE, SIDE]
    given = [helper.make_tensor_value_info(first, dtype, shape)]
    if inputs > 1:
        given.append(helper.make_tensor_value_info("y", dtype, shape))
    # Without a shape where the last output is not the scores: engines find it.
    result = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    # PyTorch names the number of images in shapes inside the graph, too.
    inside = [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [images, 6, SIDE, SIDE])] if last != "maps" else []
    graph = helper.make_graph(nodes, "tiny", given, [result], constants, value_info=inside)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def classifier():
    """A classifier of the embedded 32x32 images with the operations that exporters write, and random weights."""
    stream = np.random.default_rng(3)
    values = {
        "conv.weight": weights(stream, 8, 3, 5, 5) / 4,
        "bn.weight": 1 + weights(stream, 8) / 8,
        "bn.bias": weights(stream, 8) / 2,
        "bn.running_mean": weights(stream, 8) / 2,
        "bn.running_var": np.exp(weights(stream, 8)),
        "fc1.weight": weights(stream, 16, 8 * 4 * 4) / 8,
        "fc1.bias": weights(stream, 16) / 8,
        # As PyTorch names the transposed weight of a linear layer.
        "onnx::MatMul_21": weights(stream, 16, 10) / 4,
        "fc2.bias": weights(stream, 10) / 8,
        "least": np.float32(0.0).reshape(()),
    }
    nodes = [
        helper.make_node("Conv", ["images", "conv.weight"], ["maps"], pads=[2, 2, 2, 2], strides=[4, 4]),
        helper.make_node("BatchNormalization", ["maps", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], ["normal"]),
        helper.make_node("Clip", ["normal", "least"], ["active"]),
        helper.make_node("MaxPool", ["active"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "fc1.weight", "fc1.bias"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "onnx::MatMul_21"], ["products"]),
        helper.make_node("Add", ["products", "fc2.bias"], ["scores"]),
    ]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 32, 32])
    result = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 10])
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "classifier", [given], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    GRIDS.mkdir(exist_ok=True)
    made = classifier()
    onnx.checker.check_model(made)
    onnx.save(made, GRIDS / "classifier.onnx")
    FOLDER.mkdir(exist_ok=True)
    files = {
        "tiny": model("n"),
        "two_images": model(2),
        "integers": model("n", dtype=TensorProto.UINT8),
        "two_inputs": model("n", inputs=2),
        "no_scores": model("n", last="maps"),
    }
    for name, made in files.items():
        onnx.save(made, FOLDER / f"{name}.onnx")
    pixels = np.random.default_rng(2).random((3, CHANNELS, SIDE, SIDE), dtype=np.float32)
    session = onnxruntime.InferenceSession(FOLDER / "tiny.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"x": pixels})
    golden = {"pixels": pixels.ravel().tolist(), "scores": scores.tolist()}
    (FOLDER / "tiny.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
