"""Writes placement.json: which tensors aimet-onnx 2.42 quantizes in some graphs, under some configs.

    python placement.py [--transformer] [MODEL.onnx ...] > placement.json

Without arguments the cases of this file alone are written. The committed file has a ResNet-20 for CIFAR-10 with batch norms,
mobilenet_v2, mobilenet_v3_small and efficientnet_b0 as Benchmarks/export_torchvision.py writes them, the three PP-OCRv4 models of
the Python package rapidocr-onnxruntime 1.4.4, and the encoder that --transformer exports from PyTorch. Graphs are written without
the values of constants but for scalars, which placement does not look at.
"""
import json
import logging
import os
import sys
import tempfile

import aimet_onnx.common.quantsim_config as configs
import numpy as np
import onnx
from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
from aimet_onnx.quantsim import QuantizationSimModel
from onnx import TensorProto, helper, numpy_helper

logging.disable(logging.CRITICAL)


def attribute(proto):
    value = helper.get_attribute_value(proto)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value).dtype.name
    return value if isinstance(value, int) or proto.name == "axes" else None


def constant(array):
    """Element type and extents, and the value where it is one."""
    is_number = array.size == 1 and array.dtype.kind in "if"
    return [array.dtype.name, list(array.shape)] + ([array.item()] if is_number else [])


def graph_of(model):
    graph = model.graph
    constants = {c.name: constant(numpy_helper.to_array(c)) for c in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = constant(numpy_helper.to_array(node.attribute[0].t))
            continue
        attributes = {a.name: attribute(a) for a in node.attribute}
        nodes.append([node.op_type, list(node.input), list(node.output),
                      {k: v for k, v in attributes.items() if v is not None}])
    inputs = {i.name: i.type.tensor_type.elem_type for i in graph.input if i.name not in constants}
    others = {name: helper.tensor_dtype_to_np_dtype(kind).name for name, kind in inputs.items() if kind != TensorProto.FLOAT}
    return {"inputs": list(inputs), "outputs": [o.name for o in graph.output], "nodes": nodes, "constants": constants,
            **({"input_types": others} if others else {})}


def placement(model, config):
    sim = QuantizationSimModel(model, quant_scheme="min_max", param_type="int4", activation_type="int8", config_file=config)
    names = {}
    parameters = {}
    groups = {}
    for name, quantizer in sim.qc_quantize_op_dict.items():
        if not quantizer.enabled:
            continue
        if name in sim.param_names:
            axis = quantizer.tensor_quantizer_params.channel_axis if quantizer.quant_info.usePerChannelMode else None
            parameters[name] = [quantizer.use_symmetric_encodings, quantizer.bitwidth, axis]
        else:
            fixed = quantizer._encoding_min_max_fixed_vals
            names[name] = [quantizer.use_symmetric_encodings, quantizer.bitwidth, list(fixed) if fixed else None]
            groups.setdefault(id(quantizer), []).append(name)
    shared = sorted(sorted(group) for group in groups.values() if len(group) > 1)
    return {"activations": names, "parameters": parameters, "shared": shared}


class Builder:
    """A graph put together op by op; every tensor has four axes of extent 8 unless a weight says otherwise."""

    def __init__(self):
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, *names):
        self.outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]

    def constant(self, name, shape, kind="float32"):
        values = np.random.default_rng(len(self.constants)).normal(size=shape)
        self.constants.append(numpy_helper.from_array(np.array(values, kind), name))
        return name

    def integers(self, name, values):
        self.constants.append(numpy_helper.from_array(np.array(values, "int64"), name))
        return name

    def scalar(self, name, value):
        self.constants.append(numpy_helper.from_array(np.array(value, "float32"), name))
        return name

    def op(self, op_type, inputs, output, *others, **attributes):
        self.nodes.append(helper.make_node(op_type, inputs, [output, *others], name="node_" + output, **attributes))
        return output

    def conv(self, value, output, groups=1):
        weight = self.constant(output + ".weight", (8, 8 // groups, 3, 3))
        bias = self.constant(output + ".bias", (8,))
        return self.op("Conv", [value, weight, bias], output, pads=[1, 1, 1, 1], group=groups)

    def model(self, opset=17):
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 19 else 10)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def supergroups():
    b = Builder()
    x = b.input("x", [1, 8, 8, 8])
    b.op("Relu", [b.conv(x, "conv1")], "relu1")
    b.op("Relu", [b.conv("relu1", "depthwise", groups=8)], "relu2")
    b.op("Clip", [b.conv("relu2", "conv2"), b.constant("low", ()), b.constant("high", ())], "clip")
    b.conv("clip", "conv3")
    b.op("Relu", ["conv3"], "relu3")
    b.op("Add", ["conv3", "relu3"], "sum")
    b.op("Relu", ["sum"], "relu4")
    b.op("Sigmoid", [b.conv("relu4", "conv4")], "gate")
    b.op("Mul", ["gate", b.constant("factor", (1,))], "scaled")
    b.op("MaxPool", ["scaled"], "pooled", kernel_shape=[2, 2], strides=[2, 2])
    b.op("Relu", [b.conv("pooled", "conv5")], "relu5")
    b.output("relu5", "conv5")
    return b.model()


def tied():
    b = Builder()
    x = b.input("x", [1, 8, 8, 8])
    b.op("Relu", [b.conv(x, "left")], "relu1")
    b.conv(x, "right")
    b.op("MaxPool", [b.conv(x, "third")], "pooled", kernel_shape=[1, 1])
    b.op("Concat", ["relu1", "right", "pooled"], "joined", axis=1)
    b.op("AveragePool", ["joined"], "average", kernel_shape=[2, 2])
    b.op("Sigmoid", ["average"], "gate")
    b.op("Concat", ["gate", "average"], "again", axis=1)
    b.op("GlobalAveragePool", ["again"], "global")
    b.op("Tanh", ["global"], "bounded")
    b.output("bounded")
    return b.model()


def layers():
    b = Builder()
    x = b.input("x", [2, 8])
    b.op("Gemm", [x, b.constant("gemm.weight", (16, 8)), b.constant("gemm.bias", (16,))], "gemm", transB=1)
    b.op("Relu", ["gemm"], "relu")
    b.op("MatMul", ["relu", b.constant("product.weight", (16, 8))], "product")
    b.op("Add", ["product", b.constant("product.bias", (8,))], "sum")
    b.op("MatMul", ["sum", b.constant("active.weight", (8, 8))], "active.product")
    b.op("Relu", [b.op("Add", [b.constant("active.bias", (8,)), "active.product"], "active.sum")], "active")
    # Not a pattern: what is added is no vector.
    b.op("MatMul", ["active", b.constant("offset.weight", (8, 8))], "offset.product")
    b.op("Relu", [b.op("Add", ["offset.product", b.constant("offset.bias", (1, 8))], "offset.sum")], "offset")
    b.op("Gemm", ["offset", b.constant("second.weight", (8, 8))], "second")
    b.op("Softmax", ["second"], "soft")
    b.op("MatMul", ["soft", b.constant("lone.weight", (8, 8))], "lone")
    b.op("Reshape", ["lone", b.integers("shape", [2, 8, 1, 1])], "reshaped")
    weight = b.constant("up.weight", (8, 4, 2, 2))
    b.op("ConvTranspose", ["reshaped", weight], "up", strides=[2, 2])
    b.op("Relu", ["up"], "up_relu")
    b.op("ConvTranspose", ["up_relu", b.constant("grouped.weight", (4, 2, 2, 2))], "grouped", group=2)
    b.op("PRelu", ["grouped", b.constant("slope", (4, 1, 1))], "leaky")
    b.op("Flatten", ["leaky"], "flat")
    b.output("flat")
    return b.model()


def normalizations():
    b = Builder()
    x = b.input("x", [1, 8, 8, 8])
    b.conv(x, "conv")
    b.op("InstanceNormalization", ["conv", b.constant("in.weight", (8,)), b.constant("in.bias", (8,))], "instance")
    b.op("LeakyRelu", [b.conv("instance", "conv2")], "leaky", alpha=0.1)
    b.op("Transpose", [b.conv("leaky", "conv3")], "turned", perm=[0, 2, 3, 1])
    b.op("Relu", ["turned"], "relu")
    weight, bias = b.constant("ln.weight", (8,)), b.constant("ln.bias", (8,))
    b.op("LayerNormalization", ["relu", weight, bias], "layer", axis=-1)
    b.op("PRelu", [b.conv("layer", "conv4"), b.constant("slope", (8, 1, 1))], "prelu")
    statistics = [b.constant("bn." + kind, (8,)) for kind in ("weight", "bias", "mean", "var")]
    b.op("BatchNormalization", [b.op("Tanh", ["prelu"], "tanh"), *statistics], "batch")
    b.op("Cos", ["batch"], "wave")
    b.op("Flatten", ["wave"], "flat")
    b.op("Gather", ["flat", b.integers("indices", [0])], "row", axis=0)
    b.output("row")
    return b.model()


def attention():
    b = Builder()
    x = b.input("x", [1, 8, 8])
    for name in ("query", "key", "value"):
        b.op("MatMul", [x, b.constant(name + ".weight", (8, 8))], name + ".product")
        b.op("Add", [name + ".product", b.constant(name + ".bias", (8,))], name)
    b.op("Transpose", ["key"], "turned", perm=[0, 2, 1])
    b.op("MatMul", ["query", "turned"], "scores")
    b.op("Softmax", [b.op("Mul", ["scores", b.constant("scale", ())], "scaled")], "weights", axis=-1)
    b.op("MatMul", ["weights", "value"], "mixed")
    weight, bias = b.constant("ln.weight", (8,)), b.constant("ln.bias", (8,))
    b.op("LayerNormalization", [b.op("Add", ["mixed", x], "residual"), weight, bias], "layer", axis=-1)
    b.op("Gemm", [b.op("Reshape", ["layer", b.integers("shape", [8, 8])], "rows"), b.op("Sigmoid", ["rows"], "gate")], "out")
    b.output("out")
    return b.model()


def decomposed():
    b = Builder()
    x = b.input("x", [1, 8, 8])
    two, epsilon = b.scalar("two", 2), b.scalar("epsilon", 1e-5)

    def centered(value, name):
        return b.op("Sub", [value, b.op("ReduceMean", [value], name + ".mean", axes=[-1])], name + ".centered")

    def root(value, name):
        square = b.op("Pow", [value, two], name + ".square")
        mean = b.op("ReduceMean", [square], name + ".variance", axes=[-1])
        return b.op("Sqrt", [b.op("Add", [mean, epsilon], name + ".sum")], name + ".root")

    def scaled(value, name):
        return b.op("Mul", [value, b.constant(name + ".weight", (8,))], name + ".scaled")

    c = centered(x, "first")
    first = scaled(b.op("Div", [c, root(c, "first")], "first.normalized"), "first")
    b.op("Add", [first, b.constant("first.bias", (8,))], "first")
    b.op("MatMul", ["first", b.constant("matrix", (8, 8))], "product")
    inverse = b.op("Reciprocal", [root("product", "second")], "second.inverse")
    second = scaled(b.op("Mul", ["product", inverse], "second.normalized"), "second")
    b.op("Relu", [second], "relu")
    # Not a pattern: somebody else takes the centered value.
    c = centered("relu", "third")
    b.op("Add", [scaled(b.op("Div", [c, root(c, "third")], "third.normalized"), "third"), c], "third")
    b.op("Div", ["third", root("third", "fourth")], "fourth")
    b.output("fourth")
    return b.model()


def masked():
    b = Builder()
    x = b.input("x", [1, 8, 8, 8])
    b.op("Mul", [x, b.constant("scale", ())], "scores")
    b.op("Greater", [b.input("mask", [1, 1, 8, 8]), b.scalar("zero", 0)], "is_seen")

    def softmax(name, value=-100.0, axes=-1, is_last=True, keepdims=1, **axis):
        lowest = b.op("ReduceMin", ["scores", b.integers(name + ".axes", [axes])], name + ".lowest", keepdims=keepdims)
        operands = [lowest, b.scalar(name + ".value", value)]
        b.op("Add", operands if is_last else operands[::-1], name + ".lowered")
        b.op("Where", ["is_seen", "scores", name + ".lowered"], name + ".masked")
        b.output(b.op("Neg", [b.op("Softmax", [name + ".masked"], name, **axis)], name + ".negative"))

    softmax("first", axis=-1)
    softmax("second", value=-20.0, axes=3, axis=3)
    # Not patterns.
    softmax("reversed", is_last=False, axis=-1)
    softmax("near", value=-19.0, axis=-1)
    softmax("implicit")
    softmax("across", axes=2, axis=-1)
    softmax("used", axis=-1)
    b.output(b.op("Sigmoid", ["used.masked"], "gate"))
    return b.model(opset=18)


def recurrent():
    b = Builder()
    x = b.input("x", [2, 8, 8])
    ready = b.op("Sigmoid", [b.op("Transpose", [x], "steps", perm=[1, 0, 2])], "ready")

    def weights(name, gates, directions=1):
        return [b.constant(f"{name}.{kind}", shape) for kind, shape in (
            ("weight", (directions, gates * 4, 8)), ("weight_r", (directions, gates * 4, 4)),
            ("bias", (directions, gates * 8)))]

    # All inputs: extents of the sequences, states before the first step, weights from the cell to the gates.
    lengths = b.constant("lengths", (2,), "int32")
    states = [b.constant("lstm.hidden", (1, 2, 4)), b.constant("lstm.cell", (1, 2, 4)), b.constant("lstm.peephole", (1, 12))]
    b.op("LSTM", [ready, *weights("lstm", 4), lengths, *states], "lstm", "lstm.last", "lstm.last_cell", hidden_size=4)
    # The states of one cell are where the next one begins; the sequence goes through ops that move alone.
    b.op("Concat", [b.op("Squeeze", ["lstm", b.integers("axis", [1])], "joined"), "joined"], "wide", axis=2)
    b.op("LSTM", ["wide", *weights("next", 4), "", "lstm.last", "lstm.last_cell"], "next", "next.last", "next.last_cell",
         hidden_size=4)
    b.op("Reshape", ["next", b.integers("shape", [8, 2, 4])], "flat")
    b.op("Concat", ["flat", "flat"], "pair", axis=2)
    b.op("GRU", ["pair", *weights("gru", 3, 2)], "gru", "gru.last", hidden_size=4, direction="bidirectional")
    b.op("Reshape", ["gru", b.integers("rows", [8, 2, 8])], "merged")
    weight, weight_r, _ = weights("rnn", 1)
    b.constants.pop()
    b.op("RNN", ["merged", weight, weight_r], "rnn", hidden_size=4)
    b.op("MatMul", ["rnn", b.constant("head", (4, 8))], "result")
    b.output("result", "next.last", "next.last_cell", "gru.last")
    return b.model()


def decoder():
    b = Builder()
    x = b.input("x", [1, 8, 8, 8])
    weight, bias = b.constant("up.weight", (8, 4, 2, 2)), b.constant("up.bias", (4,))
    b.op("ConvTranspose", [x, weight, bias], "up", strides=[2, 2])
    b.op("Resize", ["up", "", b.scalar("resize.scales", [1, 1, 2, 2])], "resized", mode="linear")
    b.op("ConvTranspose", ["resized", b.constant("grouped.weight", (4, 3, 2, 2))], "grouped", group=2)
    b.op("BatchNormalization", ["grouped", *(b.constant("bn." + kind, (6,)) for kind in ("weight", "bias", "mean", "var"))], "batch")
    b.op("ConvTranspose", ["batch", b.constant("depthwise.weight", (6, 1, 2, 2))], "depthwise", group=6)
    b.op("Relu", ["depthwise"], "relu")
    b.op("ConvTranspose", ["relu", b.constant("wide.weight", (6, 4, 2, 2))], "wide")
    b.op("DepthToSpace", ["wide"], "deep", blocksize=2)
    b.op("SpaceToDepth", ["deep"], "shallow", blocksize=2)
    sizes = b.integers("sizes", [1, 4, 32, 32])
    b.op("Relu", [b.op("Resize", ["shallow", "", "", sizes], "sized", mode="nearest")], "last")
    b.output("last")
    return b.model()


def norms():
    b = Builder()
    x = b.input("x", [1, 8, 8, 8])

    def constants(name, *kinds):
        return [b.constant(f"{name}.{kind}", (8,)) for kind in kinds]

    b.op("InstanceNormalization", [b.conv(x, "conv"), *constants("instance", "weight", "bias")], "instance")
    b.op("LpNormalization", [b.conv("instance", "conv2")], "lp", axis=1)
    b.op("LRN", ["lp"], "local", size=3)
    b.op("RMSNormalization", [b.conv("local", "conv3"), *constants("rms", "weight")], "rms", axis=-1)
    b.op("LayerNormalization", ["rms", *constants("plain", "weight")], "plain", axis=-1)
    b.op("Add", ["plain", b.op("Sqrt", ["plain"], "scale.root")], "sum")
    # A scale that is computed.
    b.op("GlobalAveragePool", ["sum"], "mean")
    b.op("Reshape", ["mean", b.integers("vector", [8])], "scale")
    b.op("LayerNormalization", ["sum", "scale", *constants("dynamic", "bias")], "dynamic", axis=-1)
    # At the end, where the output's declaration tells a type that shape inference does not.
    b.op("GroupNormalization", ["dynamic", *constants("group", "weight", "bias")], "group", num_groups=2)
    b.output("group")
    return b.model(opset=23)


def picking():
    b = Builder()
    ids = b.input("ids", [2, 8], TensorProto.INT64)
    x = b.input("x", [2, 8, 8])
    b.op("Gather", [b.constant("table", (16, 8)), ids], "embedded")
    b.op("Add", ["embedded", b.op("Gather", [b.constant("positions", (8, 8)), b.integers("places", list(range(8)))], "place")], "sum")
    b.op("MatMul", ["sum", b.constant("weight", (8, 8))], "product")
    b.op("TopK", ["product", b.integers("count", [4])], "best", "where.best", axis=-1)
    b.op("GatherElements", [x, "where.best"], "picked", axis=-1)
    b.op("ScatterElements", ["product", "where.best", "picked"], "scattered", axis=-1)
    b.op("GatherND", ["scattered", b.integers("pairs", [[0, 1], [1, 2]])], "rows")
    b.op("ScatterND", [b.op("Tanh", ["rows"], "bounded"), b.integers("row", [[0]]), b.constant("update", (1, 8))], "updated")
    b.op("ArgMax", ["updated"], "largest", axis=-1)
    b.op("OneHot", ["largest", b.integers("depth", 8), b.constant("values", (2,))], "hot")
    b.op("Cast", [ids], "numbers", to=TensorProto.FLOAT)
    b.op("Cast", ["numbers"], "half", to=TensorProto.FLOAT16)
    b.op("Cast", ["half"], "full", to=TensorProto.FLOAT)
    b.op("Greater", ["full", b.constant("limit", ())], "is_large")
    b.op("Where", ["is_large", "full", b.constant("other", ())], "chosen")
    b.op("CumSum", ["chosen", b.integers("axis", 1)], "running")
    b.op("Einsum", ["running", b.constant("matrix", (8, 8))], "einsum", equation="ij,jk->ik")
    b.op("Einsum", ["einsum", "running"], "inner", equation="ij,kj->ik")
    b.op("Cast", [b.op("Shape", ["inner"], "shape")], "extents", to=TensorProto.FLOAT)
    b.op("Neg", ["extents"], "negative")
    b.op("Mod", [ids, b.integers("divisor", [3])], "rest")
    b.op("Gather", ["embedded", b.op("NonZero", ["rest"], "nonzero")], "deep")
    b.output("inner", "negative", "hot")
    b.outputs.append(helper.make_tensor_value_info("deep", TensorProto.FLOAT, None))
    return b.model()


def functions():
    b = Builder()
    value = b.input("x", [1, 8, 8, 8])
    names = ("Mish", "Selu", "Celu", "Swish", "HardSwish", "HardSigmoid", "ThresholdedRelu", "Elu", "Softplus", "Softsign",
             "Gelu", "Shrink", "LeakyRelu", "Hardmax", "LogSoftmax", "Erf", "Sign", "Floor", "Round", "Reciprocal", "Abs")
    for index, name in enumerate(names):
        value = b.op(name, [b.conv(value, f"conv{index}") if index % 2 == 0 else value], name.lower())
    b.op("Max", [value, b.constant("floor.limit", ())], "maximum")
    b.op("Clip", ["maximum", "", b.constant("clip.limit", ())], "clipped")
    b.op("Concat", ["clipped", "clipped"], "twice", axis=1)
    b.op("Mul", ["twice", "twice"], "square")
    b.op("Dropout", ["square"], "dropped", "dropped.mask")
    b.op("Trilu", ["dropped"], "lower", upper=0)
    b.op("ReverseSequence", ["lower", b.integers("lengths", [8])], "reversed", batch_axis=0, time_axis=1)
    b.op("Pad", ["reversed", b.integers("pads", [0, 0, 1, 1, 0, 0, 1, 1]), b.constant("pad.value", ())], "padded")
    b.op("Not", [b.op("IsNaN", ["padded"], "is_nan")], "is_number")
    b.op("Where", ["is_number", "padded", "padded"], "same")
    b.output("same")
    return b.model(opset=24)


CONSTRAINED = {
    "defaults": {"ops": {"is_output_quantized": "True"}, "params": {"is_quantized": "True", "is_symmetric": "False"},
                 "per_channel_quantization": "True", "strict_symmetric": "False"},
    "params": {"bias": {"is_quantized": "False"}, "weight": {"is_symmetric": "True"}},
    "op_type": {
        "Gemm": {"per_channel_quantization": "False", "params": {"bias": {"is_quantized": "True"}}},
        "MaxPool": {"is_output_quantized": "True"},
        "Mul": {"is_input_quantized": "True", "is_symmetric": "True"},
        "Relu": {"encoding_constraints": {"min": 0.0}},
        "Sigmoid": {"encoding_constraints": {"min": 0.0, "max": 1.0}},
        "Softmax": {"encoding_constraints": {"min": 0.0, "max": 1.0}},
        "Tanh": {"encoding_constraints": {"min": -1.0, "max": 1.0}},
    },
    "supergroups": [{"op_list": ["Conv", "Relu"]}, {"op_list": ["Conv", "Sigmoid", "Mul"]}, {"op_list": ["Conv", "Sigmoid"]}],
    "model_input": {"is_input_quantized": "True"},
    "model_output": {"is_output_quantized": "True"},
}
FUSED = {
    **CONSTRAINED,
    "op_type": {
        "Gemm": {"per_channel_quantization": "False", "params": {"bias": {"is_quantized": "True"}}},
        "Softmax": {"encoding_constraints": {"min": 0.0, "max": 1.0}},
    },
    "supergroups": [{"op_list": ops} for ops in (
        ["Gemm", "Relu"], ["MatMul", "Add"], ["LayerNormalization", "MatMul"], ["RMSNormalization", "Relu"],
        ["MaskedSoftmax", "Neg"])],
    "supergroup_pass_list": ["LayerNormalization", "RMSNormalization", "MatmulAdd", "MaskedSoftmax"],
}
SPARSE = {"defaults": {"ops": {}, "params": {"is_quantized": "False"}}, "params": {}, "supergroups": [],
          "op_type": {"Relu": {"is_input_quantized": "True"}, "Conv": {"params": {"weight": {"is_quantized": "True"}}}},
          "model_input": {"is_input_quantized": "True"}, "model_output": {}}

folder = os.path.dirname(configs.__file__)
cases = []
models = [("supergroups", supergroups), ("tied", tied), ("layers", layers), ("normalizations", normalizations),
          ("attention", attention), ("decomposed", decomposed), ("masked", masked), ("recurrent", recurrent),
          ("decoder", decoder), ("norms", norms), ("picking", picking), ("functions", functions)]


def network(path):
    def load():
        model = onnx.load(path)
        fold_all_batch_norms_to_weight(model)
        return model
    return os.path.splitext(os.path.basename(path))[0], load


def transformer(folder):
    import torch
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True, norm_first=True)
    path = os.path.join(folder, "transformer.onnx")
    # A fused operator, which has no form in ONNX, would take the place of the layer's parts.
    torch.backends.mha.set_fastpath_enabled(False)
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    # The layers begin as copies, whose equal parameters the exporter would share.
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    torch.onnx.export(encoder, (torch.zeros(1, 8, 32),), path, opset_version=16, dynamo=False, input_names=["input"],
                      output_names=["output"])
    return path


temporary = tempfile.TemporaryDirectory()
networks = [network(transformer(temporary.name) if path == "--transformer" else path) for path in sys.argv[1:]]
built_in = ["default_config", "default_config_per_channel"] + [f"htp_quantsim_config_v{v}" for v in (66, 68, 69, 73, 81)]
graphs = {}
for name, make in models + networks:
    graphs[name] = graph_of(make())
    wanted = [(file.replace("quantsim_", "").replace("_config", "").replace("config_", ""), f"{folder}/{file}.json")
              for file in built_in]
    if (name, make) in networks:
        wanted = [(config, path) for config, path in wanted if config in ("default", "default_per_channel", "htp_v73")]
    else:
        wanted += [(CONSTRAINED, None), (SPARSE, None), (FUSED, None)]
    for config, path in wanted:
        if path is None:
            path = os.path.join(temporary.name, "config.json")
            with open(path, "w") as file:
                json.dump(config, file)
        # A config that is not built in is written as a list of one string, to be read as a file's bytes.
        text = config if isinstance(config, str) else [json.dumps(config)]
        try:
            cases.append({"graph": name, "config": text, "expected": placement(make(), path)})
        except (RuntimeError, TypeError) as error:
            # It cannot share a quantizer with one whose range is fixed at its lower end only, and knows no channels of a
            # recurrent cell's weights.
            print(f"{name} under {text}: {error}", file=sys.stderr)
print(json.dumps({"graphs": graphs, "cases": cases}))
