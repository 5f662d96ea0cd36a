"""Writes NAME.onnx and NAME.npz: small networks for the whole way of a job, and what ONNX Runtime makes of them.

    pip install numpy onnx==1.23 onnxruntime==1.32
    python generate.py

Arrays are `in.INPUT` and `out.OUTPUT`. Some networks are traps: faults that users of quantization tools reported, of folding,
of shared values, of masks, of names and of old operator sets. The rest has the operators that calibration, export and import of
QuantizeLinear nodes meet, one or a few a network.
"""
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent
LEAST = float(np.finfo(np.float32).min)


class Builder:
    """A network put together op by op; all its outputs are of float32."""

    def __init__(self):
        self.nodes, self.constants, self.inputs, self.outputs, self.feeds = [], [], [], [], {}
        self.random = np.random.default_rng(7)

    def input(self, name, shape):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["samples", *shape]))
        self.feeds[name] = self.random.normal(size=(6, *shape)).astype(np.float32)
        return name

    def constant(self, name, value, kind="float32"):
        self.constants.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def weight(self, name, *shape):
        return self.constant(name, self.random.normal(size=shape) / 2)

    def positive(self, name, *shape):
        return self.constant(name, self.random.uniform(0.5, 2, size=shape))

    def integers(self, name, value):
        return self.constant(name, value, "int64")

    def op(self, op_type, inputs, *outputs, name=None, **attributes):
        name = "node " + outputs[0] if name is None else name
        self.nodes.append(helper.make_node(op_type, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def normalized(self, value, output, channels):
        parameters = [self.positive(output + ".scale", channels), self.weight(output + ".bias", channels),
                      self.weight(output + ".mean", channels), self.positive(output + ".variance", channels)]
        return self.op("BatchNormalization", [value, *parameters], output)

    def convolution(self, value, output, weight):
        return self.op("Conv", [value, weight], output)

    def finish(self, name, *outputs, opset=17, ir_version=8, computed_as=None):
        """- computed_as: changes the model to one that ONNX Runtime takes and that computes the same."""
        declared = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "g", self.inputs, declared, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
        bytes = model.SerializeToString()
        (FOLDER / f"{name}.onnx").write_bytes(bytes)
        if computed_as:
            computed_as(model)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        arrays = dict(zip(outputs, session.run(list(outputs), self.feeds)))
        np.savez(FOLDER / f"{name}.npz", **{"in." + k: v for k, v in self.feeds.items()},
                 **{"out." + k: v for k, v in arrays.items()})


def transposed(name, features, groups, bias=True):
    """A transposed convolution with groups in front of a batch norm."""
    b = Builder()
    operands = [b.input("x", (4, 5, 5)), b.weight("w", 4, features // groups, 3, 3)]
    b.op("ConvTranspose", operands + ([b.weight("b", features)] if bias else []), "c", group=groups, strides=[2, 2])
    b.op("Relu", [b.normalized("c", "n", features)], "y")
    b.finish(name, "y")


def shared_weight(name, through_identity):
    """One weight for two layers, with a batch norm behind the first alone."""
    b = Builder()
    weight = b.weight("w", 4, 4, 1, 1)
    first = b.op("Identity", [weight], "alias") if through_identity else weight
    b.convolution(b.input("x", (4, 4, 4)), "a", first)
    b.op("Relu", [b.normalized("a", "n", 4)], "r")
    b.convolution("r", "y", weight)
    b.finish(name, "y")


def attention(name, masked):
    b = Builder()
    b.input("x", (6, 8))
    for operand in "qkv":
        b.op("MatMul", ["x", b.weight("w" + operand, 8, 8)], operand)
    b.op("MatMul", ["q", b.op("Transpose", ["k"], "turned", perm=[0, 2, 1])], "scores")
    b.op("Softmax", [masked(b)], "weights", axis=-1)
    b.op("MatMul", ["weights", "v"], "y")
    b.finish(name, "y")


def added(value):
    mask = np.where(np.triu(np.ones((1, 6, 6)), 1) > 0, value, 0)
    return lambda b: b.op("Add", ["scores", b.constant("mask", mask)], "masked")


def computed(value):
    """As exporters write it: a mask of ones and zeros becomes one that is added."""
    def masked(b):
        seen = b.constant("seen", np.tril(np.ones((1, 6, 6))))
        unseen = b.op("Sub", [b.constant("one", 1), seen], "unseen")
        b.op("Add", ["scores", b.op("Mul", [unseen, b.constant("least", value)], "mask")], "sum")
        return b.op("Max", ["sum", b.constant("floor", LEAST)], "masked")
    return masked


def chosen(value):
    seen = np.tril(np.ones((1, 6, 6))) > 0
    return lambda b: b.op("Where", [b.constant("seen", seen, "bool"), "scores", b.constant("least", value)], "masked")


def function(op_type, opset=18, **attributes):
    b = Builder()
    b.convolution(b.input("x", (3, 4, 4)), "c", b.weight("w", 4, 3, 1, 1))
    b.convolution(b.op(op_type, ["c"], "a", **attributes), "y", b.weight("v", 2, 4, 1, 1))
    b.finish("function_" + op_type.lower(), "y", opset=opset, ir_version=10)


def recurrent(op_type, gates):
    b = Builder()
    b.op("Transpose", [b.input("x", (5, 4))], "steps", perm=[1, 0, 2])
    weights = [b.weight("w", 1, gates * 3, 4), b.weight("r", 1, gates * 3, 3), b.weight("b", 1, gates * 6)]
    b.op(op_type, ["steps", *weights], "states", "last", hidden_size=3)
    b.op("Transpose", [b.op("Squeeze", ["states", b.integers("axis", [1])], "rows")], "turned", perm=[1, 0, 2])
    b.op("MatMul", ["turned", b.weight("head", 3, 2)], "y")
    b.finish("recurrent_" + op_type.lower(), "y")


def traps():
    transposed("transposed_4_6_2", 6, 2)
    transposed("transposed_4_4_2", 4, 2, bias=False)
    transposed("transposed_4_4_4", 4, 4)
    transposed("transposed_4_6_1", 6, 1)
    shared_weight("shared_weight", False)
    shared_weight("shared_weight_through_identity", True)

    b = Builder()
    b.op("MatMul", [b.input("x", (4,)), b.weight("w", 4, 4)], "a")
    b.op("Mul", ["a", "a"], "square")
    b.op("Concat", ["square", "square"], "twice", axis=1)
    b.op("MatMul", ["twice", b.weight("v", 8, 2)], "y")
    b.finish("one_value_on_both_inputs", "y")

    b = Builder()
    b.convolution(b.input("x", (3, 6, 6)), "c", b.weight("w", 4, 3, 3, 3))
    operands = ["c", b.constant("roi", []), b.constant("scales", [1, 1, 2, 2])]
    b.op("Resize", operands, "r", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    b.convolution("r", "y", b.weight("v", 4, 4, 1, 1))
    b.finish("empty_roi", "y", opset=11, ir_version=6)

    b = Builder()
    b.op("Relu", [b.input("x", (6, 4))], "r")
    b.op("Slice", ["r", b.integers("zero", [0]), b.integers("end", [0]), b.integers("axis", [1])], "nothing")
    b.op("MatMul", [b.op("Concat", ["nothing", "r"], "joined", axis=1), b.weight("w", 4, 3)], "y")
    b.finish("empty_slice_in_concat", "y")

    for name, value in (("least", LEAST), ("infinite", -np.inf), ("10000", -10000.0)):
        attention(f"mask_added_{name}", added(value))
        attention(f"mask_chosen_{name}", chosen(value))
        if np.isfinite(value):
            attention(f"mask_computed_{name}", computed(value))
    attention("mask_none", lambda b: "scores")

    b = Builder()
    b.op("Mul", [b.input("x", (4,)), b.constant("factor", 1e38)], "large")
    b.op("Clip", ["large", b.constant("low", LEAST), b.constant("high", -LEAST)], "clipped")
    b.op("Tanh", [b.op("Div", ["clipped", b.constant("divisor", 1e38)], "small")], "y")
    b.finish("range_beyond_float", "y")

    b = Builder()
    b.convolution(b.input("x", (3, 4, 4)), "c", b.weight("w", 4, 3, 1, 1))
    b.op("Pad", ["c", b.integers("pads", [0, 0, 1, 1, 0, 0, 1, 1]), b.constant("far", -100)], "padded")
    b.convolution("padded", "y", b.weight("v", 4, 4, 3, 3))
    b.finish("pad_far_outside", "y")

    b = Builder()
    b.input("x", (3, 4, 4))
    b.op("Sigmoid", [b.convolution("x", "c", b.weight("w", 4, 3, 1, 1))], "bounded")
    b.convolution("x", "free", b.weight("v", 4, 3, 1, 1))
    b.op("Concat", ["bounded", b.op("Mul", ["free", b.constant("ten", 10)], "wide")], "joined", axis=1)
    b.convolution("joined", "y", b.weight("u", 2, 8, 1, 1))
    b.finish("concat_of_fixed_and_free", "y")

    b = Builder()
    b.op("MatMul", [b.weight("w", 1, 4, 4), b.input("x", (4, 4))], "product")
    b.op("Relu", ["product"], "y")
    b.finish("constant_first_operand", "y")

    b = Builder()
    b.op("Upsample", [b.input("x", (3, 4, 4)), b.constant("scales", [1, 1, 2, 2])], "up", mode="nearest")
    b.op("Softmax", [b.convolution("up", "c", b.weight("w", 4, 3, 1, 1))], "soft", axis=1)
    b.op("LogSoftmax", ["soft"], "y", axis=2)
    b.finish("old_softmax_and_upsample", "y", opset=9, ir_version=4)

    b = Builder()
    b.convolution(b.input("x", (3, 4, 4)), "c", b.weight("w", 4, 3, 1, 1))
    b.inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 1, 1]))
    b.op("Relu", ["c"], "y")
    b.finish("initializer_that_is_an_input", "y", opset=9, ir_version=3)

    def renamed(model):
        for index, node in enumerate(model.graph.node):
            node.name = f"node{index}"

    b = Builder()
    b.op("Conv", [b.input("/x/ü", (3, 4, 4)), b.weight("layer/w:0", 4, 3, 1, 1), b.weight("б", 4)], "/c/out 0", name="same")
    b.op("Relu", ["/c/out 0"], "re lu", name="same")
    b.op("Conv", ["re lu", b.weight("w\"2", 2, 4, 1, 1)], "日本", name="")
    b.finish("names", "日本", computed_as=renamed)

    b = Builder()
    b.input("x", (3, 4, 4))
    b.constant("scale", 0.02)
    b.constant("zero", 128, "uint8")
    b.op("DequantizeLinear", [b.op("QuantizeLinear", ["x", "scale", "zero"], "q"), "scale", "zero"], "d")
    b.op("Relu", [b.convolution("d", "c", b.weight("w", 4, 3, 1, 1))], "y")
    b.finish("quantize_nodes_inside", "y")

    # As ONNX Runtime's quantizer writes it: a scale in a list of one, beside a zero point in none.
    b = Builder()
    integers = b.constant("b_quantized", [300, -200, 50, 0], "int32")
    b.op("DequantizeLinear", [integers, b.constant("b_scale", [0.001]), b.constant("b_zero", 0, "int32")], "b")
    b.op("Relu", [b.op("Conv", [b.input("x", (3, 4, 4)), b.weight("w", 4, 3, 1, 1), "b"], "c")], "y")
    b.finish("quantized_bias", "y")


def operators():
    for op_type in ("Mish", "Selu", "Celu", "Elu", "Softplus", "Softsign", "HardSwish", "HardSigmoid", "ThresholdedRelu", "Sin",
                    "Erf", "LeakyRelu", "Relu"):
        function(op_type)
    function("Swish", opset=24)
    function("Gelu", opset=20)
    recurrent("LSTM", 4)
    recurrent("GRU", 3)
    recurrent("RNN", 1)

    b = Builder()
    b.convolution(b.input("x", (3, 6, 6)), "c", b.weight("w", 4, 3, 3, 3))
    b.op("Resize", ["c", "", b.constant("scales", [1, 1, 2, 2])], "r", mode="linear")
    b.convolution("r", "y", b.weight("v", 4, 4, 1, 1))
    b.finish("resize_linear", "y")

    b = Builder()
    b.input("x", (4, 5, 5))
    b.op("InstanceNormalization", ["x", b.weight("i.scale", 4), b.weight("i.bias", 4)], "instance")
    b.op("GroupNormalization", ["instance", b.weight("g.scale", 4), b.weight("g.bias", 4)], "group", num_groups=2)
    b.op("LpNormalization", ["group"], "lp", axis=1)
    b.op("LayerNormalization", ["lp", b.weight("l.scale", 5), b.weight("l.bias", 5)], "layer", axis=-1)
    b.op("RMSNormalization", ["layer", b.weight("r.scale", 5)], "rms", axis=-1)
    b.convolution("rms", "y", b.weight("w", 4, 4, 1, 1))
    b.finish("normalizations", "y", opset=23, ir_version=11)

    b = Builder()
    b.op("Gather", [b.input("x", (6, 4)), b.integers("places", [0, 2, -1])], "rows", axis=1)
    b.op("TopK", ["rows", b.integers("count", [2])], "best", "where", axis=1)
    b.op("Sigmoid", [b.op("GatherElements", ["rows", "where"], "again", axis=1)], "update")
    b.op("ScatterElements", ["x", "where", "update"], "scattered", axis=1)
    b.op("Cast", [b.op("ArgMax", ["scattered"], "largest", axis=2)], "number", to=TensorProto.FLOAT)
    b.op("Add", [b.op("MatMul", ["scattered", b.weight("w", 4, 3)], "product"), "number"], "y")
    b.finish("picking", "y")

    b = Builder()
    b.op("Einsum", [b.input("x", (6, 4)), b.weight("w", 4, 3)], "e", equation="nij,jk->nik")
    b.op("CumSum", ["e", b.constant("axis", 1, "int64")], "sums")
    b.op("Softmax", ["sums"], "y", axis=-1)
    b.finish("einsum_and_cumsum", "y")

    b = Builder()
    b.convolution(b.input("x", (4, 4, 4)), "c", b.weight("w", 8, 4, 1, 1))
    b.op("SpaceToDepth", [b.op("DepthToSpace", ["c"], "deep", blocksize=2)], "flat", blocksize=2)
    b.convolution("flat", "y", b.weight("v", 3, 8, 1, 1))
    b.finish("depth_to_space", "y")


for file in [*FOLDER.glob("*.onnx"), *FOLDER.glob("*.npz")]:
    file.unlink()
traps()
operators()
