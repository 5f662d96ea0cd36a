"""Trains two small classifiers of sequences and writes them as lstm.onnx and transformer.onnx, with logits that PyTorch computes
for the first samples of a run in NAME.npz.

    pip install numpy onnx torch
    python3 Tests/Golden/Sequences/train.py

A sample has 12 steps of 3 numbers: one from 0 to 1, a mark of 1 at two of the steps, and how far the step is. Its class says in
which quarter of all such sums that of the two marked numbers is. `EndToEndTests/SequenceTests` draws samples by the same rule.
"""

import pathlib

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent
STEPS, FEATURES, CLASSES = 12, 3, 4


def samples(count, random):
    numbers = random.random((count, STEPS))
    marks = np.argsort(random.random((count, STEPS)), 1)[:, :2]
    x = np.zeros((count, STEPS, FEATURES), np.float32)
    x[:, :, 0] = numbers
    x[np.arange(count)[:, None], marks, 1] = 1
    x[:, :, 2] = np.arange(STEPS) / STEPS
    sums = np.take_along_axis(numbers, marks, 1).sum(1)
    return torch.tensor(x), torch.tensor(np.searchsorted([0.5**0.5, 1, 2 - 0.5**0.5], sums))


class LSTM(torch.nn.Module):
    def __init__(self, units=24):
        super().__init__()
        self.cells = torch.nn.LSTM(FEATURES, units, batch_first=True)
        self.classes = torch.nn.Linear(units, CLASSES)

    def forward(self, x):
        return self.classes(self.cells(x)[1][0][0])

    def nodes(self, constant, node):
        def gates(array):  # From PyTorch's order to ONNX's: input, output, forget, cell.
            i, f, c, o = np.split(array, 4)
            return np.concatenate([i, o, f, c])

        w, r, inner, outer = (gates(p.detach().numpy()) for p in self.cells.parameters())
        x = node("Transpose", ["input"], perm=[1, 0, 2])
        last = node("LSTM", [x, constant("cells.w", w[None]), constant("cells.r", r[None]),
                             constant("cells.b", np.concatenate([inner, outer])[None])], outputs=2, hidden_size=w.shape[0] // 4)
        last = node("Squeeze", [last, constant("axis", np.array([0]))])
        weight, bias = (p.detach().numpy() for p in self.classes.parameters())
        node("Gemm", [last, constant("classes.weight", weight), constant("classes.bias", bias)], out="output", transB=1)


class Transformer(torch.nn.Module):
    def __init__(self, width=24, heads=3):
        super().__init__()
        self.width, self.heads = width, heads
        self.embedding = torch.nn.Linear(FEATURES, width)
        self.places = torch.nn.Parameter(0.1 * torch.randn(STEPS, width))
        self.projections = torch.nn.ModuleList([torch.nn.Linear(width, width) for _ in range(4)])
        self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(width) for _ in range(2)])
        self.layers = torch.nn.ModuleList([torch.nn.Linear(width, 3 * width), torch.nn.Linear(3 * width, width)])
        self.classes = torch.nn.Linear(width, CLASSES)

    def forward(self, x):
        x = self.embedding(x) + self.places
        y = self.norms[0](x)
        q, k, v = (p(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in self.projections[:3])
        y = ((q @ k.transpose(-1, -2)) / (self.width // self.heads) ** 0.5).softmax(-1) @ v
        x = x + self.projections[3](y.transpose(1, 2).flatten(2))
        y = self.layers[1](F.gelu(self.layers[0](self.norms[1](x))))
        return self.classes((x + y).mean(1))

    def nodes(self, constant, node):
        def linear(x, layer, name):
            weight, bias = (p.detach().numpy() for p in layer.parameters())
            return node("Add", [node("MatMul", [x, constant(f"{name}.weight", weight.T)]), constant(f"{name}.bias", bias)])

        def normalized(x, layer, name):
            weight, bias = (p.detach().numpy() for p in layer.parameters())
            return node("LayerNormalization", [x, constant(f"{name}.weight", weight), constant(f"{name}.bias", bias)],
                        axis=-1, epsilon=layer.eps)

        def heads(x, order):
            return node("Transpose", [node("Reshape", [x, split])], perm=order)

        split = constant("split", np.array([0, 0, self.heads, self.width // self.heads]))
        join = constant("join", np.array([0, 0, self.width]))
        x = node("Add", [linear("input", self.embedding, "embedding"), constant("places", self.places.detach().numpy())])
        y = normalized(x, self.norms[0], "norm0")
        q, k, v = (heads(linear(y, p, name), order) for p, name, order in zip(
            self.projections, "qkv", ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])))
        size = constant("size", np.float32((self.width // self.heads) ** 0.5))
        weights = node("Softmax", [node("Div", [node("MatMul", [q, k]), size])], axis=-1)
        y = node("Transpose", [node("MatMul", [weights, v])], perm=[0, 2, 1, 3])
        x = node("Add", [x, linear(node("Reshape", [y, join]), self.projections[3], "projection")])
        y = linear(normalized(x, self.norms[1], "norm1"), self.layers[0], "layer0")
        x = node("Add", [x, linear(node("Gelu", [y]), self.layers[1], "layer1")])
        x = node("ReduceMean", [x, constant("axes", np.array([1]))], keepdims=0)
        weight, bias = (p.detach().numpy() for p in self.classes.parameters())
        node("Gemm", [x, constant("classes.weight", weight), constant("classes.bias", bias)], out="output", transB=1)


def export(model, name):
    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(kind, inputs, out=None, outputs=1, **attributes):
        names = [out or f"v{len(nodes)}"] if outputs == 1 else ["", f"v{len(nodes)}"]
        nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}_{len(nodes)}", **attributes))
        return names[-1]

    model.nodes(constant, node)
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", STEPS, FEATURES])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", CLASSES])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), FOLDER / f"{name}.onnx")


def main():
    for name, build in (("lstm", LSTM), ("transformer", Transformer)):
        torch.manual_seed(1)
        torch.set_num_threads(1)
        random = np.random.default_rng(1)
        model = build()
        steps = 2500
        optimizer = torch.optim.Adam(model.parameters(), 5e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
        for step in range(steps):
            x, labels = samples(128, random)
            loss = F.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            schedule.step()
        x, labels = samples(2000, random)
        logits = model(x)
        print(name, "accuracy", (logits.argmax(1) == labels).float().mean().item())
        export(model, name)
        np.savez_compressed(FOLDER / f"{name}.npz", input=x[:8].numpy(), output=logits[:8].detach().numpy())


if __name__ == "__main__":
    main()
