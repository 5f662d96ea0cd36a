"""Writes the golden files of gradients: for each case NAME.onnx (the network) and NAME.npz (arrays: each graph input by its
name; `projection NAME`, the gradient of the loss with respect to an output; `gradient NAME` of every input and trained
constant, as PyTorch computes it in float64).

    pip install numpy onnx torch
    python3 Tests/Golden/Gradients/generate.py
"""

import pathlib
import zipfile

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent


class Network:
    """Builds an ONNX graph and computes the same with PyTorch, node by node."""

    def __init__(self, name, opset=17):
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(sum(ord(c) * 31**i for i, c in enumerate(name)) % 2**32)
        self.nodes, self.inputs, self.constants, self.values = [], {}, {}, {}
        self.extra = {}  # Arrays that are written too.

    def _variable(self, name, array):
        array = np.asarray(array, np.float32)
        self.values[name] = torch.tensor(array, dtype=torch.float64, requires_grad=True)
        return array

    def normal(self, *shape, scale=1.0):
        return np.round(self.random.standard_normal(shape) * scale * 256) / 256

    def input(self, array):
        name = f"input{len(self.inputs)}"
        self.inputs[name] = self._variable(name, array)
        return name

    def weight(self, array):
        name = f"weight{len(self.constants)}"
        self.constants[name] = self._variable(name, array)
        return name

    def fixed(self, array):
        """A constant that is not trained."""
        name = f"fixed{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def op(self, kind, inputs, compute, **attributes):
        """Adds a node; `compute` gets the tensors of those inputs that are differentiable."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        self.values[name] = compute(*(self.values[i] for i in inputs if i in self.values))
        return name

    def finish(self, *outputs):
        def info(name, shape=None):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        initializers = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        inputs = [info(name, array.shape) for name, array in self.inputs.items()]
        graph = helper.make_graph(self.nodes, self.name, inputs, [info(o) for o in outputs], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.save(model, FOLDER / f"{self.name}.onnx")
        arrays, loss = self.inputs | self.extra, 0
        for output in outputs:
            projection = self.normal(*self.values[output].shape)
            arrays[f"projection {output}"] = projection.astype(np.float32)
            loss = loss + (self.values[output] * torch.tensor(projection)).sum()
        loss.backward()
        for name in [*self.inputs, *self.constants]:
            if name in self.values:
                arrays[f"gradient {name}"] = self.values[name].grad.numpy().astype(np.float32)
        with zipfile.ZipFile(FOLDER / f"{self.name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(array))


def kinks():
    """Functions that have no derivative somewhere, at those places and beside them."""
    x = np.array([-7, -6, -3.5, -3, -2.5, -1, -0.5, 0, 0.5, 1, 2.5, 3, 3.5, 5.75, 6, 7], np.float32).reshape(1, 2, 8)
    low, high, six = np.float32(-1), np.float32(1), np.float32(6)
    zero = np.float32(0)
    cases = {
        "relu": lambda n, v: n.op("Relu", [v], torch.relu),
        "leaky_relu": lambda n, v: n.op("LeakyRelu", [v], lambda t: F.leaky_relu(t, 0.125), alpha=0.125),
        "elu": lambda n, v: n.op("Elu", [v], F.elu),
        "abs": lambda n, v: n.op("Abs", [v], torch.abs),
        "clip": lambda n, v: n.op(
            "Clip", [v, n.fixed(low), n.fixed(high)], lambda t: torch.clamp(t, -1, 1)),
        "clip_minimum": lambda n, v: n.op("Clip", [v, n.fixed(low)], lambda t: torch.clamp(t, min=-1)),
        "relu6": lambda n, v: n.op("Clip", [v, n.fixed(zero), n.fixed(six)], F.relu6),
        "hard_swish": lambda n, v: n.op("HardSwish", [v], F.hardswish),
        "hard_sigmoid": lambda n, v: n.op("HardSigmoid", [v], F.hardsigmoid, alpha=1 / 6, beta=0.5),
        "round": lambda n, v: n.op("Add", [v, n.op("Round", [v], torch.round)], torch.add),
        "sign": lambda n, v: n.op("Add", [v, n.op("Sign", [v], torch.sign)], torch.add),
        "prelu": lambda n, v: n.op("PRelu", [v, n.weight([[0.25], [-0.5]])], lambda t, w: F.prelu(t, w.reshape(-1))),
    }
    for name, build in cases.items():
        network = Network(f"kinks_{name}", opset=14)
        network.finish(build(network, network.input(x)))

    ties = np.array([[1, 3, 3, 0], [2, 2, 2, 2], [-1, 0, 0, -1]], np.float32)
    network = Network("kinks_extrema")
    value, other = network.input(ties), network.input(ties[::-1].copy())
    network.finish(
        network.op("Max", [value, other], torch.maximum), network.op("Min", [value, other], torch.minimum),
        network.op("ReduceMax", [value], lambda t: t.amax(1), axes=[1], keepdims=0),
        network.op("ReduceMin", [value], lambda t: t.amin(1), axes=[1], keepdims=0))

    network = Network("kinks_max_pool")
    value = network.input(np.array([0, 0, 1, 1, -1, 2, 2, 2, 0, 0, 0, -3], np.float32).reshape(1, 1, 3, 4))
    network.finish(
        network.op("MaxPool", [value], lambda t: F.max_pool2d(t, 2, 1), kernel_shape=[2, 2], strides=[1, 1]))

    network = Network("kinks_norms")
    value = network.input(np.array([[0, 0, 0], [3, 0, -4], [2, 5, 0]], np.float32))
    network.finish(
        network.op("ReduceL1", [value], lambda t: t.abs().sum(1), axes=[1], keepdims=0),
        network.op("ReduceL2", [value], lambda t: torch.linalg.vector_norm(t, dim=1), axes=[1], keepdims=0),
        network.op("ReduceProd", [value], lambda t: t.prod(1), axes=[1], keepdims=0))


def convolutional():
    """Convolutions of several kinds, pooling, a shortcut and a fully connected layer; odd channel counts."""
    n = Network("convolutional")
    x = n.input(n.normal(2, 3, 10, 9))

    def convolution(x, inputs, outputs, kernel, groups=1, stride=1, bias=True):
        weights = [n.weight(n.normal(outputs, inputs // groups, kernel, kernel, scale=0.4))]
        if bias:
            weights.append(n.weight(n.normal(outputs)))
        return n.op(
            "Conv", [x, *weights],
            lambda x, w, b=None: F.conv2d(x, w, b, stride=stride, padding=kernel // 2, groups=groups),
            group=groups, strides=[stride] * 2, pads=[kernel // 2] * 4, kernel_shape=[kernel] * 2)

    x = n.op("Relu", [convolution(x, 3, 11, 3)], torch.relu)
    x = n.op("MaxPool", [x], lambda t: F.max_pool2d(t, 3, 2, 1), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    y = convolution(x, 11, 11, 3, groups=11, bias=False)
    y = n.op("Clip", [y, n.fixed(np.float32(0)), n.fixed(np.float32(6))], F.relu6)
    y = convolution(y, 11, 11, 1)
    x = n.op("Add", [y, x], torch.add)
    y = convolution(x, 11, 6, 3, stride=2)
    z = n.op(
        "AveragePool", [x], lambda t: F.avg_pool2d(t, 2, 2, 0, ceil_mode=True), kernel_shape=[2, 2], strides=[2, 2],
        ceil_mode=1)
    x = n.op("Concat", [y, z], lambda a, b: torch.cat([a, b], 1), axis=1)
    x = n.op("GlobalAveragePool", [x], lambda t: t.mean((2, 3), keepdim=True))
    x = n.op("Flatten", [x], lambda t: t.flatten(1))
    n.finish(n.op(
        "Gemm", [x, n.weight(n.normal(5, 17)), n.weight(n.normal(5))], lambda x, w, b: x @ w.T + b, transB=1))


def squeeze_and_excite():
    """One factor for each channel of each sample, from the mean of the same value."""
    n = Network("squeeze_and_excite", opset=14)
    x = n.input(n.normal(3, 5, 6, 6))
    weights = [n.weight(n.normal(21, 5, 3, 3, scale=0.5)), n.weight(n.normal(21))]
    x = n.op("Conv", [x, *weights], lambda x, w, b: F.conv2d(x, w, b, padding=1), pads=[1] * 4)
    x = n.op("HardSwish", [x], F.hardswish)
    s = n.op("GlobalAveragePool", [x], lambda t: t.mean((2, 3), keepdim=True))
    s = n.op("Conv", [s, n.weight(n.normal(6, 21, 1, 1)), n.weight(n.normal(6))], F.conv2d)
    s = n.op("Relu", [s], torch.relu)
    s = n.op("Conv", [s, n.weight(n.normal(21, 6, 1, 1)), n.weight(n.normal(21))], F.conv2d)
    s = n.op("HardSigmoid", [s], F.hardsigmoid, alpha=1 / 6, beta=0.5)
    x = n.op("Mul", [s, x], torch.mul)
    n.finish(n.op("ReduceMean", [x], lambda t: t.mean((2, 3)), axes=[2, 3], keepdims=0), s)


def attention():
    """A transformer block: layer normalization, matrix products of batches, softmax, a feed-forward layer."""
    n = Network("attention")
    batch, tokens, width, heads = 2, 5, 12, 3
    x = n.input(n.normal(batch, tokens, width))

    def normalized(x):
        return n.op(
            "LayerNormalization", [x, n.weight(1 + n.normal(width, scale=0.2)), n.weight(n.normal(width, scale=0.2))],
            lambda x, w, b: F.layer_norm(x, [width], w, b, 1e-5), axis=-1, epsilon=1e-5)

    def linear(x, inputs, outputs):
        x = n.op("MatMul", [x, n.weight(n.normal(inputs, outputs, scale=0.3))], torch.matmul)
        return n.op("Add", [x, n.weight(n.normal(outputs, scale=0.3))], torch.add)

    def split(x, *axes):
        shape = (batch, tokens, heads, width // heads)
        x = n.op("Reshape", [x, n.fixed(np.array(shape))], lambda t: t.reshape(shape))
        return n.op("Transpose", [x], lambda t: t.permute(axes), perm=axes)

    y = normalized(x)
    q, k, v = (split(linear(y, width, width), *axes) for axes in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)))
    scores = n.op("Div", [n.op("MatMul", [q, k], torch.matmul), n.fixed(np.float32(2))], lambda t: t / 2)
    y = n.op("MatMul", [n.op("Softmax", [scores], lambda t: t.softmax(-1), axis=-1), v], torch.matmul)
    y = n.op("Transpose", [y], lambda t: t.permute(0, 2, 1, 3), perm=[0, 2, 1, 3])
    shape = (batch, tokens, width)
    y = n.op("Reshape", [y, n.fixed(np.array(shape))], lambda t: t.reshape(shape))
    x = n.op("Add", [x, linear(y, width, width)], torch.add)
    y = linear(normalized(x), width, 2 * width)
    half = n.op("Mul", [y, n.fixed(np.float32(0.5))], lambda t: t * 0.5)
    gate = n.op("Div", [y, n.fixed(np.sqrt(np.float32(2)))], lambda t: t / np.sqrt(np.float32(2)))
    gate = n.op("Add", [n.op("Erf", [gate], torch.erf), n.fixed(np.float32(1))], lambda t: t + 1)
    x = n.op("Add", [x, linear(n.op("Mul", [half, gate], torch.mul), 2 * width, width)], torch.add)
    n.finish(n.op("LogSoftmax", [x], lambda t: t.log_softmax(-1), axis=-1))


def recurrence(n, kind, x, units, directions=1, hidden=None, **attributes):
    """A recurrence with PyTorch's module of its kind; gates in ONNX's order."""
    gates, order = {"LSTM": (4, [0, 3, 1, 2]), "GRU": (3, [1, 0, 2]), "RNN": (1, [0])}[kind]
    features = n.values[x].shape[-1]

    def weight(*shape):
        return n.weight(n.normal(directions, *shape, scale=0.4))

    names = [weight(gates * units, features), weight(gates * units, units), weight(2 * gates * units)]
    states = [n.input(n.normal(directions, n.values[x].shape[1], units)) for _ in range((2 if kind == "LSTM" else 1) if hidden else 0)]

    def reordered(rows):
        """From ONNX's order of gates to PyTorch's: input, forget, cell, output; reset, update, new."""
        parts = rows.chunk(gates)
        return torch.cat([parts[order.index(i)] for i in range(gates)])

    def compute(x, w, r, b, *states):
        flat = []
        for d in range(directions):
            inner, outer = b[d].chunk(2)
            flat += [reordered(part) for part in (w[d], r[d], inner, outer)]
        initial = states or [torch.zeros(directions, x.shape[1], units, dtype=torch.float64)] * (2 if kind == "LSTM" else 1)
        rest = (True, 1, 0.0, False, directions == 2, False)
        if kind == "LSTM":
            y, h, c = torch.lstm(x, initial, flat, *rest)
        else:
            y, h = (torch.gru if kind == "GRU" else torch.rnn_tanh)(x, initial[0], flat, *rest)
            c = None
        length, batch = y.shape[:2]
        return y.reshape(length, batch, directions, units).permute(0, 2, 1, 3), h, c

    inputs = [x, *names, "", *states]
    found = compute(*(n.values[i] for i in inputs if i))
    outputs = [f"{kind.lower()}{len(n.nodes)}_{part}" for part in ("all", "last", "cell")][: 3 if kind == "LSTM" else 2]
    n.nodes.append(helper.make_node(
        kind, inputs, outputs, name=f"n{len(n.nodes)}", hidden_size=units,
        direction="bidirectional" if directions == 2 else "forward", **attributes))
    n.values.update(zip(outputs, found))
    return outputs


def recurrent():
    """LSTM, GRU and RNN through twelve steps, with classifiers behind them."""
    order = {"LSTM": {}, "GRU": dict(linear_before_reset=1), "RNN": {}}
    for kind, attributes in order.items():
        for directions in (1, 2):
            n = Network(f"{kind.lower()}_{'one_way' if directions == 1 else 'both_ways'}")
            x = n.input(n.normal(12, 3, 7))
            outputs = recurrence(n, kind, x, 9, directions, hidden=True, **attributes)
            y = n.op("Transpose", [outputs[0]], lambda t: t.permute(2, 0, 1, 3), perm=[2, 0, 1, 3])
            y = n.op("ReduceMean", [y], lambda t: t.mean(1), axes=[1], keepdims=0)
            y = n.op("Flatten", [y], lambda t: t.flatten(1))
            y = n.op("Gemm", [y, n.weight(n.normal(4, 9 * directions)), n.weight(n.normal(4))],
                     lambda x, w, b: x @ w.T + b, transB=1)
            n.finish(n.op("LogSoftmax", [y], lambda t: t.log_softmax(-1), axis=-1), *outputs[1:])


def decoder():
    """Transposed convolutions and a resampled shortcut."""
    n = Network("decoder")
    x = n.input(n.normal(2, 3, 8, 7))
    down = n.op("Conv", [x, n.weight(n.normal(11, 3, 3, 3, scale=0.4)), n.weight(n.normal(11))],
                lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1), strides=[2, 2], pads=[1] * 4)
    y = n.op("InstanceNormalization", [down, n.weight(1 + n.normal(11, scale=0.2)), n.weight(n.normal(11))],
             lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-5), epsilon=1e-5)
    y = n.op("Relu", [y], torch.relu)
    y = n.op("ConvTranspose", [y, n.weight(n.normal(11, 6, 3, 3, scale=0.4)), n.weight(n.normal(6))],
             lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=(1, 0)),
             strides=[2, 2], pads=[1] * 4, output_padding=[1, 0])
    z = n.op("Conv", [down, n.weight(n.normal(6, 11, 1, 1, scale=0.4))], F.conv2d)
    z = n.op("Resize", [z, "", "", n.fixed(np.array([2, 6, 8, 7]))],
             lambda t: F.interpolate(t, size=(8, 7), mode="bilinear", align_corners=False), mode="linear",
             coordinate_transformation_mode="half_pixel")
    y = n.op("Add", [y, z], torch.add)
    n.finish(n.op("Sigmoid", [y], torch.sigmoid))


def masked_attention():
    """Attention that does not look ahead, normalized by roots of mean squares; an einsum, a mask, a gather of places."""
    n = Network("masked_attention", opset=23)
    batch, tokens, width, heads = 2, 6, 12, 3
    x = n.input(n.normal(batch, tokens, width))
    y = n.op("RMSNormalization", [x, n.weight(1 + n.normal(width, scale=0.2))],
             lambda x, w: F.rms_norm(x, [width], w, 1e-5), axis=-1, epsilon=1e-5)
    shape = (batch, tokens, heads, width // heads)

    def projected():
        z = n.op("MatMul", [y, n.weight(n.normal(width, width, scale=0.3))], torch.matmul)
        return n.op("Reshape", [z, n.fixed(np.array(shape))], lambda t: t.reshape(shape))

    q, k, v = projected(), projected(), projected()
    scores = n.op("Einsum", [q, k], lambda q, k: torch.einsum("bqhd,bkhd->bhqk", q, k), equation="bqhd,bkhd->bhqk")
    mask = np.tril(np.ones((tokens, tokens), bool))
    scores = n.op("Where", [n.fixed(mask), scores, n.fixed(np.float32(-1e4))],
                  lambda t: torch.where(torch.tensor(mask), t, torch.tensor(-1e4, dtype=torch.float64)))
    weights = n.op("Softmax", [scores], lambda t: t.softmax(-1), axis=-1)
    y = n.op("Einsum", [weights, v], lambda w, v: torch.einsum("bhqk,bkhd->bqhd", w, v), equation="bhqk,bkhd->bqhd")
    y = n.op("Reshape", [y, n.fixed(np.array((batch, tokens, width)))], lambda t: t.reshape(batch, tokens, width))
    y = n.op("Add", [x, y], torch.add)
    y = n.op("Gather", [y, n.fixed(np.array(tokens - 1))], lambda t: t[:, -1], axis=1)
    n.finish(n.op("LpNormalization", [y], lambda t: F.normalize(t, dim=-1), axis=-1, p=2))


def batch_normalized():
    """Batch normalization with given statistics, whose scale and bias are trained; local response normalization."""
    n = Network("batch_normalized")
    x = n.input(n.normal(2, 3, 6, 6))
    x = n.op("Conv", [x, n.weight(n.normal(19, 3, 3, 3, scale=0.5))], F.conv2d)
    mean, variance = n.normal(19).astype(np.float32), np.abs(n.normal(19)).astype(np.float32) + np.float32(0.5)
    x = n.op(
        "BatchNormalization",
        [x, n.weight(1 + n.normal(19, scale=0.3)), n.weight(n.normal(19)), n.fixed(mean), n.fixed(variance)],
        lambda x, w, b: F.batch_norm(x, torch.tensor(mean).double(), torch.tensor(variance).double(), w, b, eps=1e-3),
        epsilon=1e-3)
    x = n.op("Relu", [x], torch.relu)
    n.finish(n.op(
        "LRN", [x], lambda t: F.local_response_norm(t, 5, 0.5, 0.75, 2.0), size=5, alpha=0.5, beta=0.75, bias=2.0))


if __name__ == "__main__":
    kinks()
    convolutional()
    squeeze_and_excite()
    attention()
    batch_normalized()
    recurrent()
    decoder()
    masked_attention()
