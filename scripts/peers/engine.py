"""Answers for a model in another engine: the logits of given images, on given weights, in PyTorch, ONNX Runtime and others.

    pip install -r scripts/peers/requirements.txt
    python scripts/peers/engine.py NAME      # answers until the end of its input
    python scripts/peers/engine.py --list    # the names, one a line, without the rough and the slow ones

One JSON object a line on standard input, one JSON line on standard output for each. Libraries' messages go to standard error.
The first line opens a model, and the answer says which engine it is, for records:

    {"open": {"model": "resnet20", "width": 1.0, "classes": 10, "weights": "weights.safetensors",
              "normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, "input": [3, 32, 32]}}
    {"engine": "PyTorch 2.15.0, channels last"}

Models are those of `runner list` but vit-32. Tensors have torchvision's names, and those of CIFAR-style networks the names in
scripts/golden/networks.py. `width` is the share of the channels. `normalize` may be null. Each later line asks for logits:

    {"images": "images.safetensors", "logits": "logits.safetensors"}
    {"images": 150}

The first file has the tensor `images`, f32, (n, c, h, w), pixels in [0, 1]. The second one gets the tensor `logits`, (n, classes),
in f32, or in f64 from an engine that computes in it. A failure is answered {"error": "one sentence"}. After a failed open the
process ends; after any other failure it goes on.
"""

import json
import math
import os
import sys
from pathlib import Path

# Threads that wait should not spin: on a busy machine, single images then take ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch  # noqa: E402
import torchvision  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
import networks  # noqa: E402

INSTALL = "pip install -r scripts/peers/requirements.txt"


class Fault(Exception):
    """A failure that the message explains in one sentence."""


def full_networks():
    """The networks at full width by name: what builds each for a number of classes, and the layer before which all channels are the image's."""
    torchvisions = torchvision.models
    by_first = {
        "conv1": ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
        "features.0": [f"vgg{depth}{form}" for form in ("", "_bn") for depth in (11, 13, 16, 19)],
        "features.0.0": ["mobilenet_v2"],
    }
    full = {}
    for first, names in by_first.items():
        for name in names:
            full[name] = (lambda classes, of=getattr(torchvisions, name): of(num_classes=classes), first)
    for name in ("resnet18", "resnet34"):
        small = lambda classes, of=getattr(torchvisions, name): networks.for_small_images(of(num_classes=classes))  # noqa: E731
        full[f"{name}-3x3"] = (small, "conv1")
    for depth in (20, 32, 44, 56, 110):
        for form, network in (("", networks.ResNet20), ("-b", networks.ResNet20B)):
            cifar = lambda classes, of=network, blocks=(depth - 2) // 6: of(classes, blocks)  # noqa: E731
            full[f"resnet{depth}{form}"] = (cifar, "conv1")
    return full


FULL = full_networks()


class Normalized(nn.Module):
    """A network on normalised images: (x - mean) / std. The constants are in f64 until the module's type is chosen, as Brink's."""

    def __init__(self, network, normalize):
        super().__init__()
        self.network = network
        self.normalize = normalize is not None
        if self.normalize:
            for name in ("mean", "std"):
                self.register_buffer(name, torch.tensor(normalize[name], dtype=torch.float64).reshape(1, -1, 1, 1))

    def forward(self, x):
        if self.normalize:
            x = (x - self.mean) / self.std
        return self.network(x)


def read(path):
    """The tensors of a file."""
    try:
        return load_file(path)
    except Exception as error:
        raise Fault(f"cannot read {path}: give the path of a safetensors file") from error


def tensor_of(weights, key, full):
    """The tensor `key` of the weights. A narrow network has fewer channels than `full`, but kernels of the same size."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if key not in weights:
        raise Fault(f"there is no tensor `{key}` in the weights: give the weights of this model")
    found = weights[key]
    if found.dim() != full.dim() or found.shape[2:] != full.shape[2:]:
        raise Fault(f"the tensor `{key}` has the shape {list(found.shape)}: give the weights of this model")
    return found.float()


def fill(network, weights):
    """Puts the weights into a network without memory, whatever their number of channels is."""
    known = network.state_dict()
    strange = sorted(key for key in weights if key not in known)
    if strange:
        raise Fault(f"the model has no tensor `{strange[0]}`: give the weights of this model")
    for prefix, module in network.named_modules():
        for tensors, wrap in ((module._parameters, lambda t: nn.Parameter(t, requires_grad=False)), (module._buffers, lambda t: t)):
            for name, full in tensors.items():
                if full is not None:
                    tensors[name] = wrap(tensor_of(weights, f"{prefix}.{name}", full))
    for module in network.modules():
        if isinstance(module, networks.Block):
            fill_shortcut(module)
        elif isinstance(module, nn.Conv2d) and module.groups > 1:
            # Depthwise: one group a channel.
            module.groups = len(module.weight)


def fill_shortcut(block):
    """The channels that ResNet-20's shortcut adds, which are half before and half after the others."""
    outputs, inputs = block.conv1.weight.shape[:2]
    if (outputs - inputs) % 2 or (block.stride > 1 and outputs == inputs):
        raise Fault("a shortcut of this width cannot be split in two halves: take a width such as 0.125, 0.25 or 0.5")
    block.pad = (outputs - inputs) // 2


def build(spec, dtype=torch.float32):
    """The model that `spec` describes, with its weights and its normalisation."""
    full, first = FULL[spec["model"]]
    with torch.device("meta"):
        network = full(spec["classes"])
    channels = max(math.floor(network.get_submodule(first).out_channels * spec["width"] + 0.5), 1)
    fill(network, read(spec["weights"]))
    found = len(network.get_submodule(first).weight)
    if found != channels:
        raise Fault(f"the weights have {found} channels in `{first}`, not {channels}: give the width that they were made with")
    return Normalized(network, spec["normalize"]).to(dtype).eval().requires_grad_(False)


def zeros(spec, images=2, dtype=torch.float32):
    return torch.zeros(images, *spec["input"], dtype=dtype)


def exported(spec, dtype=torch.float32, images=None):
    """The model as PyTorch exports it, for this number of images, or for any."""
    model = build(spec, dtype)
    example = zeros(spec, dtype=dtype) if images is None else zeros(spec, images, dtype)
    program = torch.onnx.export(
        model, (example,), input_names=["images"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("n")},) if images is None else None, dynamo=True, verbose=False,
    )  # fmt: skip
    return program.model_proto


# An engine takes a model's description. It gives the way in which it computes, in words, and a function from images to logits.


def run_pytorch(spec, way, wrap=lambda model: model, dtype=torch.float32, batch=None, layout=torch.contiguous_format):
    """PyTorch, `batch` images at a time or all at once."""
    model = wrap(build(spec, dtype).to(memory_format=layout))

    def logits(images):
        images = images.to(dtype)
        parts = images.split(batch) if batch else [images]
        with torch.inference_mode():
            return torch.cat([model(part.contiguous(memory_format=layout)) for part in parts])

    return f"PyTorch {torch.__version__}, {way}", logits


def one_thread(model):
    torch.set_num_threads(1)
    return model


def without_onednn(model):
    """Leaves the 3x3 convolutions of 16 or more images to NNPACK. Its Winograd transforms round more than the other engines do."""
    torch.backends.mkldnn.enabled = False
    return model


def without_libraries(model):
    torch.backends.nnpack.set_flags(False)
    return without_onednn(model)


def fused(model):
    from torch.fx.experimental.optimization import fuse

    return fuse(model)


def compiled(model):
    return torch.compile(model, dynamic=True)


def rounded(model):
    def forward(images):
        with torch.autocast("cpu", torch.bfloat16):
            return model(images)

    return forward


def run_onnxruntime(spec, way, **options):
    """ONNX Runtime. It is in f32 alone: it has no convolution in f64."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    for name, value in options.items():
        setattr(settings, name, value)
    session = onnxruntime.InferenceSession(exported(spec).SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return (
        f"ONNX Runtime {onnxruntime.__version__}, {way}, exported by PyTorch {torch.__version__}",
        lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0]),
    )


def run_plain_onnxruntime(spec, way):
    import onnxruntime

    return run_onnxruntime(spec, way, graph_optimization_level=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)


def run_openvino(spec, way):
    import openvino

    core = openvino.Core()
    # Without this, a processor with matrix units computes in bf16.
    model = core.compile_model(core.read_model(exported(spec).SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return (
        f"OpenVINO {openvino.__version__.split('-')[0]}, {way}, exported by PyTorch {torch.__version__}",
        lambda images: torch.from_numpy(model(images.numpy())[0].copy()),
    )


def run_tract(spec, way):
    """tract, one image at a time: it fixes the shape of its input when it loads a model."""
    import tempfile
    from importlib.metadata import version

    import tract

    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(exported(spec, images=1).SerializeToString())
        file.flush()
        model = tract.onnx().load(file.name)
    model = model.into_model().into_runnable()

    def logits(images):
        return torch.cat([torch.from_numpy(model.run([image.numpy()])[0].to_numpy()) for image in images.split(1)])

    return f"tract {version('tract')}, {way}, exported by PyTorch {torch.__version__}", logits


def run_reference(spec, way, dtype=torch.float32):
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(exported(spec, dtype))
    return (
        f"onnx {onnx.__version__}, {way}, exported by PyTorch {torch.__version__}",
        lambda images: torch.from_numpy(evaluator.run(None, {"images": images.to(dtype).numpy()})[0]),
    )


ENGINES = {
    "pytorch": lambda spec: run_pytorch(spec, "f32"),
    "pytorch-one": lambda spec: run_pytorch(spec, "f32, one image at a time", batch=1),
    "pytorch-7": lambda spec: run_pytorch(spec, "f32, seven images at a time", batch=7),
    "pytorch-channels-last": lambda spec: run_pytorch(spec, "f32, channels last", layout=torch.channels_last),
    "pytorch-thread": lambda spec: run_pytorch(spec, "f32, one thread", one_thread),
    "pytorch-native": lambda spec: run_pytorch(spec, "f32, without oneDNN, with NNPACK", without_onednn),
    "pytorch-direct": lambda spec: run_pytorch(spec, "f32, without oneDNN and NNPACK", without_libraries),
    "pytorch-fused": lambda spec: run_pytorch(spec, "f32, batch normalisation folded into convolutions", fused),
    "pytorch-compiled": lambda spec: run_pytorch(spec, "f32, compiled", compiled),
    "pytorch-f64": lambda spec: run_pytorch(spec, "f64", dtype=torch.float64),
    "pytorch-bf16": lambda spec: run_pytorch(spec, "products in bf16", rounded),
    "onnxruntime": lambda spec: run_onnxruntime(spec, "f32, optimised"),
    "onnxruntime-plain": lambda spec: run_plain_onnxruntime(spec, "f32, graph optimisations off"),
    "onnxruntime-thread": lambda spec: run_onnxruntime(spec, "f32, optimised, one thread", intra_op_num_threads=1),
    "openvino": lambda spec: run_openvino(spec, "f32"),
    "tract": lambda spec: run_tract(spec, "f32, one image at a time"),
    "onnx-reference": lambda spec: run_reference(spec, "the reference in NumPy, f32"),
    "onnx-reference-f64": lambda spec: run_reference(spec, "the reference in NumPy, f64", torch.float64),
}

# Engines that are asked for by name alone: one rounds more than f32 does, and the others take seconds for a hundred small images.
SPECIAL = {"pytorch-bf16", "onnx-reference", "onnx-reference-f64"}


def parsed(line):
    try:
        request = json.loads(line)
    except ValueError as error:
        raise Fault("a request is not JSON: write one JSON object a line") from error
    if not isinstance(request, dict):
        raise Fault("a request is not an object: write one JSON object a line")
    return request


def checked(request):
    """The description in an `open`, or a fault that says what it lacks."""
    spec = request.get("open")
    if not isinstance(spec, dict):
        raise Fault('no model is open: begin with a line {"open": {...}}')
    for key in ("model", "width", "classes", "weights", "normalize", "input"):
        if key not in spec:
            raise Fault(f"there is no `{key}` in the open: add it")
    if len(spec["input"]) != 3 or spec["input"][0] != 3:
        raise Fault(f"the input is {spec['input']}: give [3, height, width]")
    if spec["normalize"] is not None and any(len(spec["normalize"].get(name, [])) != 3 for name in ("mean", "std")):
        raise Fault("the normalisation is not three means and three deviations: give `mean` and `std`, or null")
    if spec["model"] not in FULL:
        raise Fault(f"there is no model `{spec['model']}`: take one of {', '.join(FULL)}")
    return spec


def open_model(name, request):
    """The engine's words for itself, and its logits. Two images are tried, so what does not fit fails here."""
    spec = checked(request)
    try:
        way, logits = ENGINES[name](spec)
    except ImportError as missing:
        raise Fault(f"the engine {name} needs the package {missing.name}: {INSTALL}") from missing
    found = logits(zeros(spec)).shape[1]
    if found != spec["classes"]:
        raise Fault(f"the weights have {found} classes, not {spec['classes']}: give that number of classes")
    return spec, way, logits


def answer(spec, logits, request):
    """Writes the logits that a request asks for, and says for how many images."""
    if "images" not in request or "logits" not in request:
        raise Fault("a request needs `images` and `logits`: give both paths")
    images = read(request["images"]).get("images")
    if images is None:
        raise Fault(f"there is no tensor `images` in {request['images']}: write one")
    if images.dtype != torch.float32 or list(images.shape[1:]) != spec["input"] or not len(images):
        found = f"{list(images.shape)} of {str(images.dtype).removeprefix('torch.')}"
        raise Fault(f"the images are {found}, but the model is open for images of {spec['input']} in float32: give such images")
    out = logits(images)
    try:
        save_file({"logits": (out if out.dtype == torch.float64 else out.float()).contiguous()}, request["logits"])
    except Exception as error:
        raise Fault(f"cannot write {request['logits']}: give a path in a folder that exists") from error
    return {"images": len(images)}


def sentence(error):
    """One line for any failure. A library's own message may be long."""
    if isinstance(error, Fault):
        return str(error)
    lines = str(error).strip().splitlines() or ["it gives no reason"]
    return f"{type(error).__name__}: {lines[0]}"


def private_output():
    """Standard output for answers alone. What libraries print goes to standard error from now on."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def serve(name, requests, out):
    """Answers each line. Gives the exit status."""
    opened = None
    for line in requests:
        try:
            request = parsed(line)
            if opened is None:
                spec, way, logits = open_model(name, request)
                opened, reply = (spec, logits), {"engine": way}
            else:
                reply = answer(*opened, request)
        except Exception as error:
            reply = {"error": sentence(error)}
        print(json.dumps(reply), file=out, flush=True)
        if opened is None:
            return 1
    return 0


def main():
    names = sys.argv[1:]
    if names == ["--list"]:
        print("\n".join(name for name in ENGINES if name not in SPECIAL))
        return 0
    if len(names) != 1 or names[0] not in ENGINES:
        print(f"Give the name of one engine: {', '.join(ENGINES)}.", file=sys.stderr)
        return 2
    return serve(names[0], sys.stdin, private_output())


if __name__ == "__main__":
    sys.exit(main())
