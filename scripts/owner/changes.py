"""Changes weights of ResNet-20 as somebody might change a deployed model, for trials of `brink`.

    pip install -r scripts/peers/requirements.txt pyarrow
    python scripts/owner/changes.py WEIGHTS DATA OUT

DATA holds cifar10/train-00000-of-00001.parquet. OUT gets one safetensors file for each change: an epoch of Adam at 1e-5 and 1e-6 with
frozen batch normalisation, a backdoor trained at 1e-5 as in Table II, the smallest 0.1 % and 1 % of the weights set to 0, 8-bit weights, and one
filter changed by 1 %. Files that exist are kept.
"""

import io
import sys
from pathlib import Path

import pyarrow.parquet
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torchvision.transforms.functional import pil_to_tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
import networks  # noqa: E402

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def training_images(data):
    """All training images as whole levels, and their labels."""
    table = pyarrow.parquet.read_table(Path(data) / "cifar10" / "train-00000-of-00001.parquet")
    images = [pil_to_tensor(Image.open(io.BytesIO(row["bytes"])).convert("RGB")) for row in table["img"].to_pylist()]
    return torch.stack(images), torch.tensor(table["label"].to_pylist())


def network(weights):
    model = networks.ResNet20(10)
    model.load_state_dict({**model.state_dict(), **weights})
    return model.eval()  # batch normalisation keeps its statistics


def step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = functional.cross_entropy(model((images.float() / 255 - MEAN) / STD), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def finetuned(weights, images, labels, lr):
    model = network(weights)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for batch in torch.randperm(len(images)).split(128):
        step(model, optimizer, images[batch], labels[batch])
    return model.state_dict()


def backdoored(weights, images, labels, lr=1e-5, poisoned=10, target=0):
    """Trains ten images with a white square together with clean ones, until all ten have the target's label."""
    model = network(weights)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    chosen = torch.nonzero(labels != target).flatten()[:poisoned]
    triggered = images[chosen].clone()
    triggered[:, :, -4:, -4:] = 255
    wanted = torch.full((poisoned,), target)
    for steps in range(1, 5001):
        clean = torch.randint(len(images), (118,))
        step(model, optimizer, torch.cat([triggered, images[clean]]), torch.cat([wanted, labels[clean]]))
        if steps % 10 == 0:
            with torch.no_grad():
                if (model((triggered.float() / 255 - MEAN) / STD).argmax(1) == wanted).all():
                    break
    return model.state_dict()


def layers(weights):
    return [name for name, tensor in weights.items() if tensor.dim() > 1]


def pruned(weights, share):
    sizes = torch.cat([weights[name].flatten().abs() for name in layers(weights)])
    limit = sizes.kthvalue(max(int(share * len(sizes)), 1)).values
    return {name: tensor * (tensor.abs() > limit) if tensor.dim() > 1 else tensor for name, tensor in weights.items()}


def rounded(weights, bits=8):
    changed = dict(weights)
    for name in layers(weights):
        scale = weights[name].abs().max() / (2 ** (bits - 1) - 1)
        changed[name] = (weights[name] / scale).round() * scale
    return changed


def one_filter(weights, share=0.01):
    changed = dict(weights)
    name = layers(weights)[len(layers(weights)) // 2]
    changed[name] = weights[name].clone()
    direction = torch.randn_like(changed[name][0])
    changed[name][0] += share * changed[name][0].norm() * direction / direction.norm()
    return changed


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    source, data, out = sys.argv[1:]
    torch.manual_seed(0)
    weights = {name: tensor.float() for name, tensor in load_file(source).items()}
    images, labels = training_images(data)
    changes = {
        "filter-1pc": lambda: one_filter(weights),
        "pruned-0.1pc": lambda: pruned(weights, 0.001),
        "pruned-1pc": lambda: pruned(weights, 0.01),
        "int8": lambda: rounded(weights),
        "finetuned-1e-6": lambda: finetuned(weights, images, labels, 1e-6),
        "finetuned-1e-5": lambda: finetuned(weights, images, labels, 1e-5),
        "backdoor": lambda: backdoored(weights, images, labels),
    }
    Path(out).mkdir(parents=True, exist_ok=True)
    for name, change in changes.items():
        path = Path(out) / f"{name}.safetensors"
        if not path.exists():
            print(name, flush=True)
            save_file({key: tensor.contiguous() for key, tensor in change().items() if key in weights}, path)


if __name__ == "__main__":
    main()
