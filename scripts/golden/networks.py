"""The networks: torchvision's ResNet-18 and MobileNetV2, other networks of torchvision with an eighth of the channels, and CIFAR-style
ResNet-20s (He et al. 2016, section 4.2). One network of each kind is enough: the others differ in the numbers of their layers."""

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck
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
    """Three stages of `blocks` blocks with 16, 32 and 64 channels, global average pool, `linear`. Three blocks make a ResNet-20."""

    def __init__(self, classes: int, blocks: int = 3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self.stage(16, 16, 1, blocks)
        self.layer2 = self.stage(16, 32, 2, blocks)
        self.layer3 = self.stage(32, 64, 2, blocks)
        self.linear = nn.Linear(64, classes)

    @staticmethod
    def stage(inputs: int, outputs: int, stride: int, blocks: int):
        rest = (Block(outputs, outputs, 1) for _ in range(blocks - 1))
        return nn.Sequential(Block(inputs, outputs, stride), *rest)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


WIDTH = 8


class ResNet20B(nn.Module):
    """The same with option-B shortcuts: torchvision's basic blocks, a 3x3 stem and the head `fc`."""

    def __init__(self, classes: int, blocks: int = 3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(BasicBlock(16, 16) for _ in range(blocks)))
        self.layer2 = self.stage(16, 32, blocks)
        self.layer3 = self.stage(32, 64, blocks)
        self.fc = nn.Linear(64, classes)

    @staticmethod
    def stage(inputs: int, outputs: int, blocks: int):
        downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))
        rest = (BasicBlock(outputs, outputs) for _ in range(blocks - 1))
        return nn.Sequential(BasicBlock(inputs, outputs, 2, downsample), *rest)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class NarrowResNet(torchvision.models.ResNet):
    """A ResNet of torchvision with all channels divided by WIDTH."""

    def __init__(self, block, depths, classes: int):
        super().__init__(block, depths, num_classes=classes)
        self.fc = nn.Linear(512 // WIDTH * block.expansion, classes)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = 64 // WIDTH
            self.conv1 = nn.Conv2d(3, self.inplanes, 7, 2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(self.inplanes)
        return super()._make_layer(block, planes // WIDTH, blocks, stride, dilate)


def for_small_images(network: torchvision.models.ResNet):
    """A ResNet for small images, as in kuangliu's pytorch-cifar: a 3x3 stem of stride 1 and no maximum pooling."""
    network.conv1 = nn.Conv2d(3, network.conv1.out_channels, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


def narrow_vgg(configuration: str, batch_norm: bool, classes: int):
    """torchvision's VGG with all channels divided by WIDTH, and no dropout, because each framework has its own random numbers."""
    layers = [c if c == "M" else c // WIDTH for c in torchvision.models.vgg.cfgs[configuration]]
    features = torchvision.models.vgg.make_layers(layers, batch_norm)
    network = torchvision.models.VGG(features, num_classes=classes, dropout=0.0)
    channels, hidden = 512 // WIDTH, 4096 // WIDTH
    network.classifier[0] = nn.Linear(channels * 7 * 7, hidden)
    network.classifier[3] = nn.Linear(hidden, hidden)
    network.classifier[6] = nn.Linear(hidden, classes)
    return network


NETWORKS = {
    "resnet18": lambda classes: torchvision.models.resnet18(num_classes=classes),
    "resnet152": lambda classes: NarrowResNet(Bottleneck, [3, 8, 36, 3], classes),
    "vgg16": lambda classes: narrow_vgg("D", False, classes),
    "resnet20": ResNet20,
    "resnet20-b": ResNet20B,
    "resnet18-3x3": lambda classes: for_small_images(NarrowResNet(BasicBlock, [2, 2, 2, 2], classes)),
    "vgg11_bn": lambda classes: narrow_vgg("A", True, classes),
    "mobilenet_v2": lambda classes: torchvision.models.mobilenet_v2(num_classes=classes, dropout=0.0),
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
