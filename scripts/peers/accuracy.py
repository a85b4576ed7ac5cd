"""Measures the f32 error of logits, Brink's and PyTorch's, on the same weights and images.

    pip install -r scripts/peers/requirements.txt
    python scripts/peers/accuracy.py          # a minute

Writes experiments/engine/accuracy.csv and the table in experiments/engine/README.md. The reference is PyTorch in f64; Brink's f64
is compared with it too. Errors are relative to the largest logit.
"""

import tempfile

import torch
from safetensors.torch import load_file

import compare
import torch_side

# (model, images, size), with fresh weights.
ROWS = [("resnet18", 256, 32), ("vgg16", 64, 40), ("resnet152", 16, 128)]


def errors(rough, exact):
    """The root mean square and the largest error, relative to the largest logit."""
    off = (rough.double() - exact).abs() / exact.abs().max()
    return off.square().mean().sqrt().item(), off.max().item()


def measure(side, model, images, size, folder):
    weights, answers = f"{folder}/{model}.safetensors", f"{folder}/answers.safetensors"
    side.ask("draw", model, weights)
    side.ask("answers", model, images, size, weights, answers)
    ours = load_file(answers)
    network = torch_side.network(model, weights).eval()
    with torch.inference_mode():
        theirs = {
            "f32": network(ours["images"]),
            "channels_last": network.to(memory_format=torch.channels_last)(ours["images"].to(memory_format=torch.channels_last)),
            "f64": network.double()(ours["images"].double()),
        }
    row = {"model": model, "images": images, "size": size}
    for name, logits in [
        ("brink_f32", ours["f32"]),
        ("pytorch_f32", theirs["f32"]),
        ("pytorch_f32_channels_last", theirs["channels_last"]),
        ("brink_f64", ours["f64"]),
    ]:
        row[f"{name}_rms"], row[f"{name}_max"] = (f"{error:.2e}" for error in errors(logits, theirs["f64"]))
    return row


def table(rows):
    lines = [
        "| network | images | Brink f32 rms, max | PyTorch f32 rms, max | PyTorch f32, channels_last | Brink f64 rms, max |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        cells = (f"{r[f'{name}_rms']}, {r[f'{name}_max']}" for name in ("brink_f32", "pytorch_f32", "pytorch_f32_channels_last", "brink_f64"))
        lines.append(f"| {r['model']} | {r['images']} x 3x{r['size']}x{r['size']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    side = compare.brink()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(side, *row, folder) for row in ROWS]
    print(table(rows))
    compare.write("accuracy", rows, table(rows))


if __name__ == "__main__":
    main()
