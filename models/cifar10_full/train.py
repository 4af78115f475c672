#!/usr/bin/env python3
"""Train the full CIFAR-10 network; write cifar10_full.caffemodel and mean.binaryproto.

    pip install -r requirements.txt
    python train.py CIFAR10_DIR OUTPUT_DIR

CIFAR10_DIR holds the files of the binary version, data_batch_1.bin to
data_batch_5.bin and test_batch.bin, plain or gzip-compressed (.gz), as
data/cifar10/fetch.py of this project writes them.

The recipe is fixed; there is nothing to tune on the command line.  The weights
of the last epoch are the ones written.  The test images are read once, after
the last epoch, to report the accuracy: nothing is selected on them.

Pixels enter the network as value - mean, values 0..255, no scale, as in Caffe's
example.  Training counts every activation in units of UNIT = 64 pixel levels,
where its numbers are near 1; the weights are converted when they are written.
UNIT is a power of two, so the converted network computes the same numbers.
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
THREADS = 1
EPOCHS = 24
BATCH = 64
MAX_LR = 0.05
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4  # weights; biases are not decayed
MAX_SHIFT = 2  # pixels

UNIT = 64.0

# Local response normalisation within channels: lrn_param of the prototxt.
LOCAL_SIZE = 3
ALPHA = 5e-5

PIXELS = 3 * 32 * 32


# --- data -------------------------------------------------------------------


def read_batch(folder, name):
    """Returns the images and the labels of the file `name` (or `name`.gz)."""
    path = os.path.join(folder, name)
    if os.path.exists(path):
        with open(path, "rb") as file:
            raw = file.read()
    else:
        with gzip.open(path + ".gz", "rb") as file:
            raw = file.read()
    if not raw or len(raw) % (1 + PIXELS) != 0:
        raise SystemExit(f"{path}: {len(raw)} bytes, expected records of {1 + PIXELS}")
    records = torch.frombuffer(bytearray(raw), dtype=torch.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()


def load(folder, names):
    batches = [read_batch(folder, name) for name in names]
    return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])


def mean_image(images):
    """The mean of uint8 images, as float32; the sums are exact."""
    return (images.sum(0, dtype=torch.int64).double() / len(images)).float()


def preprocess(images, mean):
    return (images.float() - mean) / UNIT


def augment(padded, index, generator):
    """Cuts the images `index` out of `padded` at a random shift, half of them mirrored."""
    count = len(index)
    row, column = torch.randint(2 * MAX_SHIFT + 1, (2, count, 1), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    along = torch.arange(32).expand(count, 32)
    rows = row + along
    columns = column + torch.where(mirrored, 31 - along, along)
    # Channels last, as `padded` is, so that a pixel's channels are copied together.
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


# --- network ----------------------------------------------------------------


def normalise(x):
    """x / (1 + alpha/n * sum of squares)^0.75 over the n = 3x3 window, zeros around the image.

    Caffe averages the squares over the padded window, so the divisor is n at the border too.
    """
    squares = F.avg_pool2d(x * x, LOCAL_SIZE, stride=1, padding=LOCAL_SIZE // 2)
    root = (1.0 + ALPHA * UNIT**2 * squares).rsqrt()
    return x * root * root.sqrt()


class Cifar10Full(nn.Module):
    """In units of UNIT pixel levels; pooling rounds sizes up and clips its windows, as Caffe's does."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 32, 5, padding=2)
        self.conv3 = nn.Conv2d(32, 64, 5, padding=2)
        self.ip1 = nn.Linear(64 * 4 * 4, 10)
        for layer in (self.conv1, self.conv2, self.conv3):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = normalise(F.relu(F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)))
        x = normalise(F.avg_pool2d(F.relu(self.conv2(x)), 3, 2, ceil_mode=True))
        x = F.avg_pool2d(F.relu(self.conv3(x)), 3, 2, ceil_mode=True)
        return self.ip1(torch.flatten(x, 1))  # C, H, W order, as Caffe's InnerProduct


def in_pixel_levels(model):
    """Weight and bias of each layer for activations in pixel levels: UNIT times larger up to ip1."""
    blobs = {name: (getattr(model, name).weight, getattr(model, name).bias * UNIT) for name in CONVOLUTIONS}
    blobs["ip1"] = (model.ip1.weight / UNIT, model.ip1.bias)
    return blobs


# --- Caffe's files ----------------------------------------------------------

CONVOLUTIONS = ["conv1", "conv2", "conv3"]

# (name, type, bottom, top); must agree with cifar10_full.prototxt.
LAYERS = [
    ("data", "Input", None, "data"),
    ("conv1", "Convolution", "data", "conv1"),
    ("pool1", "Pooling", "conv1", "pool1"),
    ("relu1", "ReLU", "pool1", "pool1"),
    ("norm1", "LRN", "pool1", "norm1"),
    ("conv2", "Convolution", "norm1", "conv2"),
    ("relu2", "ReLU", "conv2", "conv2"),
    ("pool2", "Pooling", "conv2", "pool2"),
    ("norm2", "LRN", "pool2", "norm2"),
    ("conv3", "Convolution", "norm2", "conv3"),
    ("relu3", "ReLU", "conv3", "conv3"),
    ("pool3", "Pooling", "conv3", "pool3"),
    ("ip1", "InnerProduct", "pool3", "ip1"),
    ("prob", "Softmax", "ip1", "prob"),
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


def floats(tensor):
    values = tensor.detach().float().flatten().tolist()
    return struct.pack(f"<{len(values)}f", *values)


def blob(tensor):
    """BlobProto: data = 5 (packed float), shape = 7 (BlobShape, dim = 1 packed)."""
    dims = b"".join(varint(dim) for dim in tensor.shape)
    return field(5, floats(tensor)) + field(7, field(1, dims))


def caffemodel(blobs):
    """NetParameter: name = 1, layer = 100 (LayerParameter: name = 1, type = 2,
    bottom = 3, top = 4, blobs = 7)."""
    net = field(1, "CIFAR10-full")
    for name, kind, bottom, top in LAYERS:
        layer = field(1, name) + field(2, kind)
        if bottom is not None:
            layer += field(3, bottom)
        layer += field(4, top)
        for values in blobs.get(name, ()):
            layer += field(7, blob(values))
        net += field(100, layer)
    return net


def binaryproto(mean):
    """BlobProto as Caffe's compute_image_mean writes it: num, channels, height, width = 1..4, data = 5."""
    sizes = (1, *mean.shape)
    return b"".join(varint(i << 3) + varint(size) for i, size in enumerate(sizes, 1)) + field(5, floats(mean))


# --- recipe -----------------------------------------------------------------


def train(images, labels, generator):
    """Returns the network after the last epoch; `images` are preprocessed."""
    padded = F.pad(images, [MAX_SHIFT] * 4).permute(0, 2, 3, 1).contiguous()
    model = Cifar10Full().to(memory_format=torch.channels_last)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ],
        lr=MAX_LR,
        momentum=MOMENTUM,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=MAX_LR,
        total_steps=EPOCHS * math.ceil(len(images) / BATCH),
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
            logits = model(augment(padded, index, generator))
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
    return model


def correct_images(model, images, labels):
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in images.split(1000)])
    return (logits.argmax(1) == labels).sum().item()


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: train.py CIFAR10_DIR OUTPUT_DIR")
    folder, output = sys.argv[1:]

    random.seed(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, changes nothing
    generator = torch.Generator().manual_seed(SEED)

    images, labels = load(folder, [f"data_batch_{number}.bin" for number in range(1, 6)])
    mean = mean_image(images)
    model = train(preprocess(images, mean), labels, generator)

    blobs = in_pixel_levels(model)
    with open(os.path.join(output, "mean.binaryproto"), "wb") as file:
        file.write(binaryproto(mean))
    with open(os.path.join(output, "cifar10_full.caffemodel"), "wb") as file:
        file.write(caffemodel(blobs))

    images, labels = load(folder, ["test_batch.bin"])
    correct = correct_images(model, preprocess(images, mean), labels)
    print(f"test: {correct} of {len(labels)} correct ({100.0 * correct / len(labels):.2f} %)")
    for name, (weight, bias) in blobs.items():
        print(
            f"{name}: weight {list(weight.shape)} max|w| {weight.abs().max():.4f}, "
            f"bias {list(bias.shape)} max|b| {bias.abs().max():.4f}"
        )


if __name__ == "__main__":
    main()
