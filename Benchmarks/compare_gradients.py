"""Whole-network gradients of QuantSim against PyTorch's.

    swift run -c release gradients MODEL.onnx OUT
    python3 Benchmarks/compare_gradients.py OUT [OUT ...]

Reads OUT.onnx (the network with folded batch norms) and OUT.npz (input, loss, gradients), computes the same gradients with
PyTorch in float64 and in float32, and prints the relative error of the norm over all parameters, and of the worst parameter
that has a share of at least a thousandth of the norm.
"""

import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


def window(attributes, rank):
    pads = attributes.get("pads", [0] * (2 * rank))
    assert pads[:rank] == pads[rank:], "asymmetric padding"
    return {"stride": attributes.get("strides", [1] * rank), "padding": pads[:rank]}


def apply(node, inputs, attributes):
    """The output of a node, for the operators of image classifiers."""
    x = inputs[0]
    match node.op_type:
        case "Conv":
            bias = inputs[2] if len(inputs) > 2 else None
            return F.conv2d(
                x, inputs[1], bias, groups=attributes.get("group", 1), dilation=attributes.get("dilations", [1, 1]),
                **window(attributes, 2))
        case "Gemm":
            a = x.T if attributes.get("transA", 0) else x
            b = inputs[1].T if attributes.get("transB", 0) else inputs[1]
            product = attributes.get("alpha", 1.0) * (a @ b)
            return product + attributes.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else product
        case "MatMul": return x @ inputs[1]
        case "Relu": return torch.relu(x)
        case "Clip":
            bounds = [None if i is None else i.item() for i in inputs[1:]] + [None, None]
            low, high = attributes.get("min", bounds[0]), attributes.get("max", bounds[1])
            return F.relu6(x) if (low, high) == (0, 6) else torch.clamp(x, low, high)
        case "HardSwish": return F.hardswish(x)
        case "HardSigmoid":
            return torch.clamp(attributes.get("alpha", 0.2) * x + attributes.get("beta", 0.5), 0, 1)
        case "Sigmoid": return torch.sigmoid(x)
        case "Add": return x + inputs[1]
        case "Mul": return x * inputs[1]
        case "Div": return x / inputs[1]
        case "MaxPool": return F.max_pool2d(x, attributes["kernel_shape"], **window(attributes, 2))
        case "AveragePool":
            return F.avg_pool2d(
                x, attributes["kernel_shape"], count_include_pad=bool(attributes.get("count_include_pad", 0)),
                **window(attributes, 2))
        case "GlobalAveragePool": return x.mean((2, 3), keepdim=True)
        case "ReduceMean":
            axes = attributes.get("axes") or inputs[1].tolist()
            return x.mean([int(axis) for axis in axes], keepdim=bool(attributes.get("keepdims", 1)))
        case "Flatten": return x.flatten(attributes.get("axis", 1))
        case "Reshape": return x.reshape([x.shape[0]] + [int(extent) for extent in inputs[1].tolist()[1:]])
        case "Concat": return torch.cat(inputs, attributes["axis"])
        case "Slice":
            starts, ends, axes, steps = ([int(i) for i in values.tolist()] for values in inputs[1:5])
            for start, end, axis, step in zip(starts, ends, axes, steps):
                x = x[(slice(None),) * axis + (slice(start, end, step),)]
            return x
        case "Pad":
            pads = [int(pad) for pad in inputs[1].tolist()]
            ends = zip(reversed(pads[:x.ndim]), reversed(pads[x.ndim:]))
            return F.pad(x, [pad for pair in ends for pad in pair])
        case "Shape": return torch.tensor(x.shape)
        case "Gather": return torch.index_select(x, attributes.get("axis", 0), inputs[1].reshape(-1)).reshape(inputs[1].shape)
        case "Unsqueeze": return x.reshape([1] * len(inputs[1]) + list(x.shape))
        case "Identity" | "Dropout": return x
        case other: raise NotImplementedError(other)


def gradients(model, arrays, dtype):
    values = {}
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        tensor = torch.tensor(array)
        values[initializer.name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    trained = [name[len("gradient "):] for name in arrays if name.startswith("gradient ")]
    for name in trained:
        values[name].requires_grad_()
    initializers = {initializer.name for initializer in model.graph.initializer}
    name = next(value.name for value in model.graph.input if value.name not in initializers)
    values[name] = torch.tensor(arrays["input"]).to(dtype)
    for node in model.graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        inputs = [values[i] if i else None for i in node.input]
        if node.op_type == "Constant":
            values[node.output[0]] = torch.tensor(numpy_helper.to_array(attributes["value"]))
        else:
            values[node.output[0]] = apply(node, inputs, attributes)
    loss = sum(
        (values[output.name] * torch.tensor(arrays[f"projection {output.name}"]).to(dtype)).sum()
        for output in model.graph.output)
    loss.backward()
    return {name: values[name].grad.double().numpy() for name in trained}


def error(found, expected):
    norm = np.sqrt(sum((expected[name] ** 2).sum() for name in expected))
    difference = np.sqrt(sum(((found[name] - expected[name]) ** 2).sum() for name in expected))
    worst = max(
        np.linalg.norm(found[name] - expected[name]) / np.linalg.norm(expected[name])
        for name in expected if np.linalg.norm(expected[name]) > 1e-3 * norm)
    return difference / norm, worst


torch.set_num_threads(1)
for path in sys.argv[1:]:
    arrays = dict(np.load(path + ".npz"))
    model = onnx.load(path + ".onnx")
    exact = gradients(model, arrays, torch.float64)
    single = gradients(model, arrays, torch.float32)
    found = {name: arrays[f"gradient {name}"].astype(np.float64) for name in exact}
    for title, values in (("QuantSim", found), ("PyTorch float32", single)):
        overall, worst = error(values, exact)
        print(f"{path}: {title} against float64: {overall:.2e}, worst parameter {worst:.2e}", flush=True)
