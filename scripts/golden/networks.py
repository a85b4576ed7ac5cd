"""The networks: torchvision's ResNet-18, torchvision's ResNet-152 and VGG-16 with an eighth of the channels, and the CIFAR-style ResNet-20
(He et al. 2016, section 4.2)."""

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import Bottleneck
from torch.nn import functional

import formula


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters (option A): every second pixel, and zeros in the new channels."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride = stride
        # Half of the output channels are new: a quarter before the old ones, and a quarter after them.
        self.pad = (outputs - inputs) // 2

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.pad:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return functional.relu(x + y)


class ResNet20(nn.Module):
    """Three stages of three blocks with 16, 32 and 64 channels, global average pool, `linear`."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


WIDTH = 8


class NarrowResNet152(torchvision.models.ResNet):
    """torchvision's ResNet-152 with all channels divided by WIDTH."""

    def __init__(self, classes: int):
        super().__init__(Bottleneck, [3, 8, 36, 3], num_classes=classes)
        self.fc = nn.Linear(512 // WIDTH * Bottleneck.expansion, classes)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = 64 // WIDTH
            self.conv1 = nn.Conv2d(3, self.inplanes, 7, 2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(self.inplanes)
        return super()._make_layer(block, planes // WIDTH, blocks, stride, dilate)


def narrow_vgg16(classes: int):
    """torchvision's VGG-16 with all channels divided by WIDTH, and no dropout, because each framework has its own random numbers."""
    configuration = [c if c == "M" else c // WIDTH for c in torchvision.models.vgg.cfgs["D"]]
    network = torchvision.models.VGG(torchvision.models.vgg.make_layers(configuration), num_classes=classes, dropout=0.0)
    channels, hidden = 512 // WIDTH, 4096 // WIDTH
    network.classifier[0] = nn.Linear(channels * 7 * 7, hidden)
    network.classifier[3] = nn.Linear(hidden, hidden)
    network.classifier[6] = nn.Linear(hidden, classes)
    return network


NETWORKS = {
    "resnet18": lambda classes: torchvision.models.resnet18(num_classes=classes),
    "resnet152": NarrowResNet152,
    "vgg16": narrow_vgg16,
    "resnet20": ResNet20,
}


def build(name: str, classes: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The network with weights by the formula. They are made in f32 and then widened, so both precisions have the same weights."""
    network = NETWORKS[name](classes)
    state = network.state_dict()
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.from_numpy(formula.parameter(key, tuple(tensor.shape)))
    network.load_state_dict(state)
    return network.to(dtype)
