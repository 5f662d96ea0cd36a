"""Writes the golden files of batch norms that compute with the statistics of their batch: NAME.onnx and NAME.npz as in
Tests/Golden/Gradients, and for each batch norm the arrays `mean NODE` and `variance NODE`: its running values after the
batch, from 0 and 1 on with momentum 0.1, as PyTorch computes them in float64.

    pip install numpy onnx torch
    python3 Tests/Golden/BatchStatistics/generate.py
"""

import importlib.util
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("gradients", FOLDER / "../Gradients/generate.py")
gradients = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gradients)
gradients.FOLDER = FOLDER


class Network(gradients.Network):
    def batch_norm(self, x, channels, epsilon=1e-5):
        scale = self.weight(1 + self.normal(channels, scale=0.5))
        bias = self.weight(self.normal(channels))
        mean = self.fixed(np.zeros(channels, np.float32))
        variance = self.fixed(np.ones(channels, np.float32))
        running = [torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)]
        name = self.op(
            "BatchNormalization", [x, scale, bias, mean, variance],
            lambda t, s, b: F.batch_norm(t, *running, s, b, training=True, momentum=0.1, eps=epsilon), epsilon=epsilon)
        for kind, value in zip(["mean", "variance"], running):
            self.extra[f"{kind} {name}"] = value.numpy().astype(np.float32)
        return name

    def convolution(self, x, inputs, outputs, kernel, groups=1, stride=1):
        weight = self.weight(self.normal(outputs, inputs // groups, kernel, kernel, scale=1 / kernel))
        return self.op(
            "Conv", [x, weight], lambda t, w: F.conv2d(t, w, stride=stride, padding=kernel // 2, groups=groups),
            pads=[kernel // 2] * 4, strides=[stride] * 2, group=groups)

    def relu(self, x):
        return self.op("Relu", [x], F.relu)


def classifier():
    """Convolution, batch norm and ReLU, a depthwise one, a residual connection: channels that fill no block of eight."""
    n = Network("classifier")
    x = n.input(n.normal(4, 3, 9, 9))
    a = n.relu(n.batch_norm(n.convolution(x, 3, 12, 3, stride=2), 12))
    b = n.relu(n.batch_norm(n.convolution(a, 12, 12, 3, groups=12), 12, epsilon=1e-3))
    c = n.batch_norm(n.convolution(b, 12, 12, 1), 12)
    d = n.relu(n.op("Add", [a, c], torch.add))
    e = n.op("GlobalAveragePool", [d], lambda t: t.mean((2, 3), keepdim=True))
    f = n.op("Flatten", [e], lambda t: t.flatten(1))
    g = n.op("Gemm", [f, n.weight(n.normal(10, 12)), n.weight(n.normal(10))], lambda t, w, b: t @ w.T + b, transB=1)
    n.finish(g)


def rows():
    """Statistics over the samples alone."""
    n = Network("rows")
    x = n.input(n.normal(6, 5))
    n.finish(n.op("Tanh", [n.batch_norm(x, 5)], torch.tanh))


def pair():
    """Two values per channel: the least that has a variance."""
    n = Network("pair")
    n.finish(n.op("Sigmoid", [n.batch_norm(n.input(n.normal(2, 3, 1, 1)), 3, epsilon=0.1)], torch.sigmoid))


def far_from_zero():
    """A variance that is small beside the square of the mean."""
    n = Network("far_from_zero")
    x = n.input(64 + n.normal(4, 8, 6, 5))
    n.finish(n.op("Tanh", [n.batch_norm(x, 8)], torch.tanh))


if __name__ == "__main__":
    for case in [classifier, rows, pair, far_from_zero]:
        case()
