#!/usr/bin/env python3
"""Train LeNet-5 on MNIST and write lenet5.caffemodel.

    pip install -r requirements.txt
    python train.py MNIST_DIR lenet5.caffemodel

MNIST_DIR holds the four official idx files, plain or gzip-compressed:
train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
t10k-labels-idx1-ubyte (each with or without .gz).

The recipe is fixed; there is nothing to tune on the command line.  The weights
of the last epoch are the ones written.  The test images are read once, after
the last epoch, to report the accuracy: nothing is selected on them.

Pixels enter the network as value * 0.00390625 (value / 256, no mean), the
scale of Caffe's LeNet example.
"""

import gzip
import math
import os
import random
import struct
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

SEED = 20240501
THREADS = 2
EPOCHS = 30
BATCH = 128
MAX_LR = 0.05
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
SCALE = 0.00390625  # 1 / 256

# Augmentation: one random similarity transform per image, bilinear, zero fill.
MAX_SHIFT = 2.0  # pixels
MAX_ROTATION = math.radians(10.0)
MAX_ZOOM = 0.1


# --- data -------------------------------------------------------------------


def read_idx(folder, name, magic):
    """Returns the idx file `name` (or `name`.gz) as a uint8 tensor."""
    path = os.path.join(folder, name)
    if os.path.exists(path):
        with open(path, "rb") as file:
            raw = file.read()
    else:
        with gzip.open(path + ".gz", "rb") as file:
            raw = file.read()
    if struct.unpack_from(">I", raw)[0] != magic:
        raise SystemExit(f"{path}: not an idx file with magic {magic}")
    rank = magic & 0xFF
    dims = struct.unpack_from(f">{rank}I", raw, 4)
    body = bytearray(raw[4 + 4 * rank :])
    if len(body) != math.prod(dims):
        raise SystemExit(f"{path}: {len(body)} bytes of data, expected {math.prod(dims)}")
    return torch.frombuffer(body, dtype=torch.uint8).reshape(dims)


def load(folder, part):
    images = read_idx(folder, f"{part}-images-idx3-ubyte", 0x803)
    labels = read_idx(folder, f"{part}-labels-idx1-ubyte", 0x801)
    if len(images) != len(labels):
        raise SystemExit(f"{part}: {len(images)} images but {len(labels)} labels")
    return images.unsqueeze(1).float() * SCALE, labels.long()


def augment(images, generator):
    """Shifts, rotates and zooms every image of the batch at random."""

    def uniform(limit):
        return (torch.rand(len(images), generator=generator) * 2.0 - 1.0) * limit

    angle = uniform(MAX_ROTATION)
    zoom = 1.0 + uniform(MAX_ZOOM)
    pixel = 2.0 / images.shape[-1]  # one pixel in affine_grid's coordinates
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.cos(angle) * zoom
    theta[:, 0, 1] = -torch.sin(angle) * zoom
    theta[:, 1, 0] = torch.sin(angle) * zoom
    theta[:, 0, 2] = uniform(MAX_SHIFT * pixel)
    theta[:, 1, 2] = uniform(MAX_SHIFT * pixel)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


# --- network ----------------------------------------------------------------


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)  # C, H, W order, as Caffe's InnerProduct
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


# --- caffemodel -------------------------------------------------------------

# (name, type, bottom, top); must agree with lenet5.prototxt.
LAYERS = [
    ("data", "Input", None, "data"),
    ("conv1", "Convolution", "data", "conv1"),
    ("relu1", "ReLU", "conv1", "conv1"),
    ("pool1", "Pooling", "conv1", "pool1"),
    ("conv2", "Convolution", "pool1", "conv2"),
    ("relu2", "ReLU", "conv2", "conv2"),
    ("pool2", "Pooling", "conv2", "pool2"),
    ("fc1", "InnerProduct", "pool2", "fc1"),
    ("relu3", "ReLU", "fc1", "fc1"),
    ("fc2", "InnerProduct", "fc1", "fc2"),
    ("relu4", "ReLU", "fc2", "fc2"),
    ("fc3", "InnerProduct", "fc2", "fc3"),
    ("prob", "Softmax", "fc3", "prob"),
]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    """One length-delimited (wire type 2) protobuf field."""
    if isinstance(payload, str):
        payload = payload.encode()
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def blob(tensor):
    """BlobProto: data = 5 (packed float), shape = 7 (BlobShape, dim = 1 packed)."""
    values = tensor.detach().float().flatten().tolist()
    data = struct.pack(f"<{len(values)}f", *values)
    dims = b"".join(varint(dim) for dim in tensor.shape)
    return field(5, data) + field(7, field(1, dims))


def caffemodel(model):
    """NetParameter: name = 1, layer = 100 (LayerParameter: name = 1, type = 2,
    bottom = 3, top = 4, blobs = 7)."""
    net = field(1, "LeNet-5")
    for name, kind, bottom, top in LAYERS:
        layer = field(1, name) + field(2, kind)
        if bottom is not None:
            layer += field(3, bottom)
        layer += field(4, top)
        module = getattr(model, name, None)
        if module is not None:
            layer += field(7, blob(module.weight)) + field(7, blob(module.bias))
        net += field(100, layer)
    return net


# --- recipe -----------------------------------------------------------------


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: train.py MNIST_DIR OUTPUT.caffemodel")
    folder, output = sys.argv[1:]

    random.seed(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(SEED)

    images, labels = load(folder, "train")
    model = LeNet5()
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=MAX_LR,
        momentum=MOMENTUM,
        nesterov=True,
        weight_decay=WEIGHT_DECAY,
    )
    steps = math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=MAX_LR,
        total_steps=EPOCHS * steps,
        pct_start=0.15,
        anneal_strategy="cos",
        cycle_momentum=False,
        div_factor=10.0,
        final_div_factor=1000.0,
    )

    started = time.monotonic()
    model.train()
    for epoch in range(1, EPOCHS + 1):
        total_loss, correct = 0.0, 0
        for index in torch.randperm(len(images), generator=generator).split(BATCH):
            target = labels[index]
            logits = model(augment(images[index], generator))
            loss = F.cross_entropy(logits, target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.item() * len(index)
            correct += (logits.argmax(1) == target).sum().item()
        print(
            f"epoch {epoch:2d}/{EPOCHS}  loss {total_loss / len(images):.5f}  "
            f"train (augmented) {100.0 * correct / len(images):.3f} %  "
            f"{time.monotonic() - started:.0f} s",
            flush=True,
        )
    print(f"training time {time.monotonic() - started:.0f} s")

    with open(output, "wb") as file:
        file.write(caffemodel(model))

    images, labels = load(folder, "t10k")
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in images.split(1000)])
    correct = (logits.argmax(1) == labels).sum().item()
    print(f"test: {correct} of {len(labels)} correct ({100.0 * correct / len(labels):.2f} %)")
    for name in ("conv1", "conv2", "fc1", "fc2", "fc3"):
        layer = getattr(model, name)
        print(
            f"{name}: weight {list(layer.weight.shape)} max|w| {layer.weight.abs().max():.4f}, "
            f"bias {list(layer.bias.shape)} max|b| {layer.bias.abs().max():.4f}"
        )


if __name__ == "__main__":
    main()
