"""Writes the golden files of module Execution: for each case NAME.onnx (the network) and NAME.npz (arrays named by tensor:
every graph input and, as ONNX Runtime computes it, every graph output).

    pip install numpy onnx onnxruntime
    python3 Tests/Golden/Execution/generate.py

Values are multiples of 1/16 so that the files compress. Graph optimizations of ONNX Runtime are off: each operator is
computed as written. Cases whose results differ from the reference evaluator of the onnx package are printed.
"""

import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

warnings.filterwarnings("ignore")
FOLDER = pathlib.Path(__file__).resolve().parent
written = set()


class Case:
    """A network under construction. Tensors are named by the caller; constants get a name from `constant`."""

    def __init__(self, name, opset=17):
        assert name not in written, name
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(sum(ord(c) * 31**i for i, c in enumerate(name)) % 2**32)
        self.nodes, self.initializers, self.feeds, self.symbolic = [], [], {}, {}

    def values(self, shape, low=None, high=None, scale=1.0):
        """Random multiples of 1/16: normal, or uniform between two bounds."""
        if low is None:
            x = self.random.standard_normal(shape) * scale
        else:
            x = self.random.uniform(low, high, shape)
        return (np.round(x * 16) / 16).astype(np.float32)

    def input(self, name, shape, batch=True, **bounds):
        """A graph input; its first axis is the symbolic `batch` unless told otherwise."""
        self.feeds[name] = self.values(shape, **bounds)
        self.symbolic[name] = batch
        return name

    def constant(self, value, name=None):
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, *shape, name=None):
        fan_in = max(1, int(np.prod(shape[1:])))
        return self.constant(self.values(shape, scale=1.0 / np.sqrt(fan_in)), name)

    def op(self, kind, *inputs, out=None, outs=None, **attributes):
        outs = outs or [out or f"{kind.lower()}{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, list(inputs), outs, name=f"{kind}_{len(self.nodes)}", **attributes))
        return outs[0] if len(outs) == 1 else outs

    def conv(self, x, inputs, outputs, kernel=(3, 3), groups=1, bias=True, out=None, **attributes):
        operands = [x, self.weight(outputs, inputs // groups, *kernel)]
        if bias:
            operands.append(self.constant(self.values((outputs,), scale=0.5)))
        return self.op("Conv", *operands, out=out, group=groups, kernel_shape=list(kernel), **attributes)

    def finish(self, *outputs, by_reference=False):
        """By the reference evaluator of the onnx package where ONNX Runtime lacks the operator."""
        feeds = self.feeds
        inputs = [
            helper.make_tensor_value_info(
                n, TensorProto.FLOAT, (["batch"] if self.symbolic[n] else [v.shape[0]][: v.ndim]) + list(v.shape[1:]))
            if v.ndim else helper.make_tensor_value_info(n, TensorProto.FLOAT, [])
            for n, v in feeds.items()
        ]
        graph = helper.make_graph(
            self.nodes, self.name, inputs,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs], self.initializers)
        domains = sorted({n.domain for n in self.nodes} - {""})
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)] + [helper.make_opsetid(d, 1) for d in domains],
            ir_version=8)
        model.producer_name = "golden"
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        if all(output.type.tensor_type.HasField("shape") for output in inferred.graph.output):
            del model.graph.output[:]
            model.graph.output.extend(inferred.graph.output)
        if all(onnx.defs.has(n.op_type, n.domain) for n in self.nodes):
            onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        if by_reference:
            results = [r.astype(np.float32) for r in ReferenceEvaluator(model).run(list(outputs), feeds)]
        else:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            results = session.run(list(outputs), feeds)
        assert all(np.isfinite(r).all() for r in results), f"{self.name}: not finite"
        assert all(r.dtype == np.float32 for r in results), f"{self.name}: not float"
        try:
            for n, r, e in zip(outputs, results, ReferenceEvaluator(model).run(list(outputs), feeds)):
                if r.shape != e.shape or np.abs(r - e).max() > 1e-4 * max(1.0, np.abs(r).max()):
                    print(f"{self.name}: onnx's reference evaluator differs on {n}")
        except Exception as error:  # the evaluator lacks some forms; ONNX Runtime decides
            print(f"{self.name}: onnx's reference evaluator failed: {type(error).__name__}")
        onnx.save(model, FOLDER / f"{self.name}.onnx")
        np.savez_compressed(FOLDER / f"{self.name}.npz", **feeds, **dict(zip(outputs, results)))
        written.add(self.name)


def convolutions():
    forms = {
        # name: (input shape, outputs, kernel, options)
        "conv_1x1": ((2, 5, 5, 4), 16, (1, 1), {}),
        "conv_1x1_wide": ((3, 24, 3, 2), 16, (1, 1), dict(bias=False)),
        "conv_3x3": ((3, 3, 4, 5), 16, (3, 3), dict(pads=[1, 1, 1, 1])),
        "conv_3x3_no_padding": ((1, 16, 5, 5), 5, (3, 3), {}),
        "conv_3x3_blocked": ((2, 16, 3, 3), 8, (3, 3), dict(pads=[1, 1, 1, 1])),
        "conv_2x2_blocked": ((1, 8, 4, 4), 24, (2, 2), {}),
        "conv_no_bias": ((2, 3, 5, 5), 5, (3, 3), dict(bias=False, pads=[1, 1, 1, 1])),
        "conv_stride": ((2, 5, 5, 6), 8, (3, 3), dict(strides=[2, 2], pads=[1, 1, 1, 1])),
        "conv_stride_uneven": ((1, 3, 9, 7), 5, (3, 2), dict(strides=[3, 2], pads=[0, 1, 2, 1])),
        "conv_dilation": ((1, 3, 7, 7), 8, (3, 3), dict(dilations=[2, 3], pads=[2, 3, 2, 3])),
        "conv_pads_asymmetric": ((2, 3, 5, 6), 5, (3, 3), dict(pads=[0, 1, 2, 0])),
        "conv_groups": ((2, 6, 5, 5), 9, (3, 3), dict(groups=3, pads=[1, 1, 1, 1])),
        "conv_groups_wide": ((1, 32, 3, 2), 32, (1, 1), dict(groups=2)),
        "conv_depthwise": ((2, 16, 4, 4), 16, (3, 3), dict(groups=16, pads=[1, 1, 1, 1])),
        "conv_depthwise_odd": ((1, 5, 6, 6), 5, (3, 3), dict(groups=5, strides=[2, 2], pads=[1, 1, 1, 1])),
        "conv_depthwise_24": ((1, 24, 3, 3), 24, (3, 3), dict(groups=24, pads=[1, 1, 1, 1], bias=False)),
        "conv_depthwise_multiplier": ((1, 4, 5, 5), 8, (3, 3), dict(groups=4)),
        "conv_same_upper": ((2, 3, 6, 5), 5, (3, 2), dict(auto_pad="SAME_UPPER", strides=[2, 2])),
        "conv_same_lower": ((2, 3, 6, 5), 5, (3, 2), dict(auto_pad="SAME_LOWER", strides=[2, 2])),
        "conv_same_upper_even": ((1, 3, 6, 6), 5, (4, 4), dict(auto_pad="SAME_UPPER")),
        "conv_valid": ((2, 3, 6, 5), 5, (3, 3), dict(auto_pad="VALID", strides=[2, 1])),
        "conv_1d": ((2, 3, 11), 5, (3,), dict(strides=[2], pads=[1, 1])),
        "conv_1d_wide": ((1, 16, 9), 24, (3,), dict(pads=[1, 1], groups=4)),
        "conv_3d": ((1, 3, 4, 5, 4), 4, (3, 2, 3), dict(pads=[1, 0, 1, 1, 1, 1])),
        "conv_large_kernel": ((1, 3, 9, 9), 4, (7, 7), dict(strides=[2, 2], pads=[3, 3, 3, 3])),
        "conv_kernel_of_input_size": ((3, 8, 3, 3), 5, (3, 3), {}),
    }
    for name, (shape, outputs, kernel, options) in forms.items():
        c = Case(name)
        c.conv(c.input("input", shape), shape[1], outputs, kernel, out="output", **options)
        c.finish("output")


def fused_convolutions():
    c = Case("conv_relu")
    x = c.conv(c.input("input", (2, 3, 4, 4)), 3, 16, pads=[1] * 4)
    c.op("Relu", x, out="output")
    c.finish("output")

    c = Case("conv_relu6")
    x = c.conv(c.input("input", (2, 3, 4, 4), scale=6.0), 3, 16, pads=[1] * 4)
    c.op("Clip", x, c.constant(np.float32(0)), c.constant(np.float32(6)), out="output")
    c.finish("output")

    c = Case("conv_leaky_relu")
    x = c.conv(c.input("input", (1, 3, 5, 5)), 3, 5)
    c.op("LeakyRelu", x, out="output", alpha=0.2)
    c.finish("output")

    for name, order in (("conv_add_relu", False), ("conv_add_relu_swapped", True)):
        c = Case(name)
        x = c.input("input", (2, 16, 5, 5))
        y = c.conv(c.op("Relu", c.conv(x, 16, 5, (1, 1))), 5, 16, pads=[1] * 4)
        c.op("Relu", c.op("Add", *((x, y) if order else (y, x))), out="output")
        c.finish("output")

    c = Case("conv_add_self")
    y = c.conv(c.input("input", (1, 5, 4, 4)), 5, 5, pads=[1] * 4)
    c.op("Relu", c.op("Add", y, y), out="output")
    c.finish("output")

    c = Case("conv_output_used_twice")
    y = c.conv(c.input("input", (2, 3, 5, 5)), 3, 8, pads=[1] * 4)
    a = c.op("Relu", y)
    b = c.conv(y, 8, 8, (1, 1))
    c.op("Add", a, b, out="output")
    c.finish("output")

    c = Case("conv_output_is_graph_output")
    y = c.conv(c.input("input", (1, 3, 5, 5)), 3, 8, out="before")
    c.op("Relu", y, out="after")
    c.finish("before", "after")

    c = Case("residual_block_two_convs")
    x = c.op("Relu", c.conv(c.input("input", (2, 3, 6, 6)), 3, 8, (1, 1)))
    y = c.op("Relu", c.conv(x, 8, 8, pads=[1] * 4, strides=[2, 2]))
    y = c.conv(y, 8, 24, (1, 1))
    s = c.conv(x, 8, 24, (1, 1), strides=[2, 2])
    c.op("Relu", c.op("Add", y, s), out="output")
    c.finish("output")

    c = Case("residual_keeps_branch_alive")
    x = c.op("Relu", c.conv(c.input("input", (1, 3, 4, 4)), 3, 8, pads=[1] * 4))
    y = c.op("Relu", c.op("Add", c.conv(x, 8, 8, (1, 1)), x))
    z = c.op("Add", c.conv(y, 8, 8, pads=[1] * 4), x)
    c.op("Add", z, y, out="output")
    c.finish("output")

    c = Case("inverted_residual")
    x = c.conv(c.input("input", (2, 3, 5, 5), scale=3.0), 3, 8, (1, 1))
    zero, six = c.constant(np.float32(0)), c.constant(np.float32(6))
    y = c.op("Clip", c.conv(x, 8, 24, (1, 1)), zero, six)
    y = c.op("Clip", c.conv(y, 24, 24, groups=24, pads=[1] * 4), zero, six)
    c.op("Add", x, c.conv(y, 24, 8, (1, 1)), out="output")
    c.finish("output")

    c = Case("densenet_chain")
    x = c.conv(c.input("input", (1, 3, 5, 5)), 3, 6, pads=[1] * 4)
    for width in (6, 9, 12):
        y = c.op("Relu", batch_normalization(c, x, width))
        x = c.op("Concat", x, c.conv(y, width, 3, pads=[1] * 4), axis=1)
    c.op("GlobalAveragePool", x, out="output")
    c.finish("output")

    c = Case("squeeze_and_excite")
    x = c.op("Relu", c.conv(c.input("input", (2, 3, 5, 5)), 3, 16, pads=[1] * 4))
    s = c.op("Relu", c.conv(c.op("GlobalAveragePool", x), 16, 4, (1, 1)))
    s = c.op("HardSigmoid", c.conv(s, 4, 16, (1, 1)), alpha=1 / 6, beta=0.5)
    c.op("HardSwish", c.op("Mul", s, x), out="output")
    c.finish("output")

    c = Case("inception_block")
    x = c.op("Relu", c.conv(c.input("input", (1, 3, 6, 6)), 3, 8, pads=[1] * 4))
    a = c.op("Relu", c.conv(x, 8, 5, (1, 1)))
    b = c.op("Relu", c.conv(x, 8, 7, pads=[1] * 4))
    p = c.conv(c.op("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4), 8, 4, (1, 1))
    c.op("Concat", a, b, p, axis=1, out="output")
    c.finish("output")

    c = Case("shuffle_channels")
    x = c.conv(c.input("input", (2, 6, 3, 3)), 6, 12, (1, 1), groups=3)
    y = c.op("Reshape", x, c.constant(np.array([-1, 3, 4, 3, 3])))
    y = c.op("Reshape", c.op("Transpose", y, perm=[0, 2, 1, 3, 4]), c.constant(np.array([-1, 12, 3, 3])))
    c.conv(y, 12, 12, groups=12, pads=[1] * 4, out="output")
    c.finish("output")


def batch_normalization(c, x, channels, out=None, epsilon=1e-5):
    operands = [c.constant(c.values((channels,), *b)) for b in ((0.5, 2), (-1, 1), (-1, 1), (0.25, 2))]
    return c.op("BatchNormalization", x, *operands, out=out, epsilon=epsilon)


def pooling():
    forms = {
        "maxpool": ("MaxPool", (2, 5, 6, 6), dict(kernel_shape=[2, 2], strides=[2, 2])),
        "maxpool_pads": ("MaxPool", (1, 16, 7, 6), dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])),
        "maxpool_pads_asymmetric": ("MaxPool", (2, 3, 5, 5), dict(kernel_shape=[3, 2], pads=[1, 1, 2, 0])),
        "maxpool_ceil": ("MaxPool", (1, 3, 8, 7), dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
        "maxpool_ceil_drops_window": (
            "MaxPool", (1, 3, 6, 6), dict(kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1)),
        "maxpool_same_upper": ("MaxPool", (1, 5, 5, 6), dict(kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")),
        "maxpool_same_lower": ("MaxPool", (1, 5, 5, 6), dict(kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER")),
        "maxpool_1d": ("MaxPool", (2, 3, 9), dict(kernel_shape=[3], strides=[2])),
        "maxpool_3d": ("MaxPool", (1, 2, 4, 4, 5), dict(kernel_shape=[2, 2, 2], strides=[2, 2, 1])),
        "averagepool": ("AveragePool", (2, 5, 6, 6), dict(kernel_shape=[2, 2], strides=[2, 2])),
        "averagepool_excludes_pads": (
            "AveragePool", (1, 16, 4, 4), dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0)),
        "averagepool_includes_pads": (
            "AveragePool", (1, 16, 4, 4), dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)),
        "averagepool_pads_asymmetric": (
            "AveragePool", (1, 3, 5, 5), dict(kernel_shape=[3, 3], pads=[0, 1, 2, 0], strides=[2, 2])),
        "averagepool_ceil": (
            "AveragePool", (1, 3, 8, 7), dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
        "averagepool_ceil_excludes_pads": (
            "AveragePool", (1, 3, 6, 6),
            dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=0)),
        "averagepool_ceil_includes_pads": (
            "AveragePool", (1, 3, 6, 6),
            dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)),
        "averagepool_same_upper": (
            "AveragePool", (1, 3, 5, 5), dict(kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")),
        "averagepool_1d": ("AveragePool", (1, 3, 8), dict(kernel_shape=[3], strides=[2], pads=[1, 1])),
        "global_average_pool": ("GlobalAveragePool", (3, 5, 4, 3), {}),
        "global_average_pool_wide": ("GlobalAveragePool", (1, 24, 3, 3), {}),
        "global_max_pool": ("GlobalMaxPool", (2, 5, 4, 3), {}),
        "global_average_pool_1d": ("GlobalAveragePool", (2, 5, 6), {}),
    }
    for name, (kind, shape, attributes) in forms.items():
        c = Case(name)
        # ONNX Runtime before opset 19 divides an excess ceil_mode window otherwise than the specification says.
        if "ceil" in name:
            c.opset = 19
        c.op(kind, c.input("input", shape), out="output", **attributes)
        c.finish("output")

    c = Case("pool_between_convolutions")  # blocked layouts with a channel count that needs padding
    x = c.op("Relu", c.conv(c.input("input", (2, 3, 8, 8)), 3, 5, pads=[1] * 4))
    x = c.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = c.op("Relu", c.conv(x, 5, 11, pads=[1] * 4))
    x = c.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = c.conv(x, 11, 3, (1, 1))
    c.op("Flatten", c.op("GlobalAveragePool", x), out="output")
    c.finish("output")


def products():
    for a in (0, 1):
        for b in (0, 1):
            c = Case(f"gemm_{'t' if a else 'n'}{'t' if b else 'n'}")
            x = c.input("input", (7, 3) if a else (3, 7), batch=not a)
            w = c.weight(*((5, 7) if b else (7, 5)))
            c.op("Gemm", x, w, c.constant(c.values((5,))), out="output", transA=a, transB=b)
            c.finish("output")
    c = Case("gemm_alpha_beta")
    c.op("Gemm", c.input("input", (2, 6)), c.weight(6, 5), c.constant(c.values((5,))), out="output", alpha=0.5, beta=0.25)
    c.finish("output")
    for name, shape in {
        "row": (1, 5), "column": (3, 1), "full": (3, 5), "one": (1,), "scalar": (),
    }.items():
        c = Case(f"gemm_bias_{name}")
        x = c.input("input", (3, 6), batch=False)
        c.op("Gemm", x, c.weight(6, 5), c.constant(c.values(shape)), out="output", beta=2.0)
        c.finish("output")
    c = Case("gemm_no_bias")
    c.op("Gemm", c.input("input", (3, 6)), c.weight(5, 6), out="output", transB=1, alpha=1.5)
    c.finish("output")
    c = Case("gemm_of_inputs")
    c.op("Gemm", c.input("a", (3, 6), batch=False), c.input("b", (6, 5), batch=False), c.input("c", (5,), batch=False), out="output")
    c.finish("output")

    forms = {
        "matmul": ((3, 6), (6, 5)),
        "matmul_wide": ((2, 33), (33, 17)),
        "matmul_batched": ((2, 3, 4), (2, 4, 5)),
        "matmul_batched_left": ((2, 3, 3, 4), (4, 5)),
        "matmul_broadcast": ((2, 1, 3, 4), (1, 3, 4, 2)),
        "matmul_broadcast_left": ((3, 4), (2, 4, 5)),
        "matmul_vector_right": ((2, 3, 4), (4,)),
        "matmul_vector_left": ((4,), (2, 4, 3)),
    }
    for name, (a, b) in forms.items():
        c = Case(name)
        c.op("MatMul", c.input("a", a, batch=False), c.input("b", b, batch=False), out="output")
        c.finish("output")
    c = Case("matmul_constant_add")
    c.op("Add", c.op("MatMul", c.input("input", (2, 3, 6)), c.weight(6, 5)), c.constant(c.values((5,))), out="output")
    c.finish("output")
    c = Case("mlp_after_convolution")
    x = c.op("Relu", c.conv(c.input("input", (2, 3, 4, 4)), 3, 5, (2, 2)))
    x = c.op("Relu", c.op("Gemm", c.op("Flatten", x), c.weight(8, 45), c.constant(c.values((8,))), transB=1))
    c.op("Gemm", x, c.weight(4, 8), c.constant(c.values((4,))), transB=1, out="output")
    c.finish("output")


def normalizations():
    for name, shape in {"batch_normalization": (2, 5, 4, 4), "batch_normalization_wide": (1, 24, 3, 3),
                        "batch_normalization_2d": (3, 6), "batch_normalization_1d": (2, 5, 7)}.items():
        c = Case(name)
        batch_normalization(c, c.input("input", shape), shape[1], out="output", epsilon=1e-3)
        c.finish("output")
    c = Case("conv_batch_normalization_relu")
    x = c.conv(c.input("input", (2, 3, 5, 5)), 3, 5, bias=False)
    c.op("Relu", batch_normalization(c, x, 5), out="output")
    c.finish("output")
    for name, shape, attributes in (
        ("lrn", (2, 7, 3, 3), dict(size=5, alpha=0.5, beta=0.75, bias=1.0)),
        ("lrn_size_3", (1, 16, 3, 2), dict(size=3, alpha=0.25, beta=0.5, bias=2.0)),
        ("lrn_defaults", (1, 5, 2, 2), dict(size=5)),
    ):
        c = Case(name)
        c.op("LRN", c.input("input", shape), out="output", **attributes)
        c.finish("output")
    for name, axis, bias in (("layer_normalization", -1, True), ("layer_normalization_no_bias", -1, False),
                             ("layer_normalization_axis_1", 1, True)):
        c = Case(name)
        x = c.input("input", (2, 3, 8))
        width = (8,) if axis == -1 else (3, 8)
        operands = [c.constant(c.values(width, 0.5, 2))] + ([c.constant(c.values(width))] if bias else [])
        c.op("LayerNormalization", x, *operands, out="output", axis=axis, epsilon=1e-4)
        c.finish("output")


def unary():
    positive = dict(low=0.125, high=4)
    forms = {
        "relu": ("Relu", {}, {}), "leaky_relu": ("LeakyRelu", {}, {}),
        "leaky_relu_alpha": ("LeakyRelu", dict(alpha=0.3), {}), "elu": ("Elu", {}, {}),
        "elu_alpha": ("Elu", dict(alpha=0.5), {}), "sigmoid": ("Sigmoid", {}, dict(scale=4.0)),
        "tanh": ("Tanh", {}, dict(scale=2.0)), "exp": ("Exp", {}, {}), "log": ("Log", {}, positive),
        "sqrt": ("Sqrt", {}, positive), "abs": ("Abs", {}, {}), "neg": ("Neg", {}, {}),
        "reciprocal": ("Reciprocal", {}, positive), "erf": ("Erf", {}, {}),
        "hard_sigmoid": ("HardSigmoid", {}, dict(scale=3.0)),
        "hard_sigmoid_sixth": ("HardSigmoid", dict(alpha=1 / 6, beta=0.5), dict(scale=3.0)),
        "hard_swish": ("HardSwish", {}, dict(scale=3.0)), "softplus": ("Softplus", {}, dict(scale=4.0)),
        "gelu": ("Gelu", {}, {}), "gelu_tanh": ("Gelu", dict(approximate="tanh"), {}),
        "floor": ("Floor", {}, dict(scale=2.0)), "ceil": ("Ceil", {}, dict(scale=2.0)),
        "sign": ("Sign", {}, {}),
    }
    for name, (kind, attributes, bounds) in forms.items():
        c = Case(f"unary_{name}", opset=20 if kind == "Gelu" else 17)
        c.op(kind, c.input("input", (2, 3, 2, 5), **bounds), out="output", **attributes)
        c.finish("output")
    c = Case("unary_round")  # ties go to even
    c.input("input", (1, 16))
    c.feeds["input"] = np.array(
        [[-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, -1.25, -0.75, 0.25, 0.75, 1.0, 0.0, 100.5, -101.5]], np.float32)
    c.op("Round", "input", out="output")
    c.finish("output")
    c = Case("unary_large_arguments")  # saturation without overflow
    c.input("input", (1, 8))
    c.feeds["input"] = np.array([[-1000, -88, -40, -10, 10, 40, 88, 1000]], np.float32)
    for kind in ("Sigmoid", "Tanh", "Softplus", "Erf", "Elu"):
        c.op(kind, "input", out=kind.lower())
    c.finish("sigmoid", "tanh", "softplus", "erf", "elu")
    c = Case("unary_chain_after_convolution")
    x = c.conv(c.input("input", (2, 3, 4, 4)), 3, 5, (1, 1))
    x = c.op("Mul", x, c.op("Sigmoid", x))
    c.conv(x, 5, 3, (1, 1), out="output")
    c.finish("output")

    c = Case("clip_attributes", opset=10)
    c.op("Clip", c.input("input", (2, 3, 4, 4)), out="output", min=-0.5, max=1.0)
    c.finish("output")
    c = Case("clip_attributes_minimum", opset=10)
    c.op("Clip", c.input("input", (2, 7)), out="output", min=-0.25)
    c.finish("output")
    for name, low, high in (("clip_inputs", -0.5, 1.0), ("clip_minimum", -0.25, None), ("clip_maximum", None, 0.5),
                            ("clip_unbounded", None, None)):
        c = Case(name)
        x = c.input("input", (2, 3, 2, 4))
        operands = [c.constant(np.float32(b)) if b is not None else "" for b in (low, high)]
        while operands and operands[-1] == "":
            operands.pop()
        c.op("Clip", x, *operands, out="output")
        c.finish("output")


def binary():
    shape = (2, 5, 2, 3)
    operands = {"scalar": (), "channel": (5, 1, 1), "channel_4d": (1, 5, 1, 1), "vector": (3,), "map": (2, 3),
                "same": shape, "batch": (2, 1, 1, 1), "row": (1, 1, 2, 1), "ones": (1, 1, 1, 1)}
    for kind in ("Add", "Mul"):
        for name, other in operands.items():
            if kind == "Mul" and name in ("channel_4d", "map", "batch", "row"):
                continue
            c = Case(f"{kind.lower()}_{name}")
            x = c.input("input", shape, batch=False)
            c.op(kind, x, c.constant(c.values(other)), out="output")
            c.finish("output")
    for kind in ("Sub", "Div"):
        for name in ("scalar", "channel", "vector", "same"):
            for side in ("right", "left"):
                c = Case(f"{kind.lower()}_{name}_{side}")
                x = c.input("input", shape, batch=False, low=0.5, high=3)
                k = c.constant(c.values(operands[name], 0.5, 3))
                c.op(kind, *((x, k) if side == "right" else (k, x)), out="output")
                c.finish("output")
    c = Case("pow_scalar")
    c.op("Pow", c.input("input", (2, 3, 4)), c.constant(np.float32(2)), out="output")
    c.finish("output")
    c = Case("pow_vector")
    c.op("Pow", c.input("input", (2, 4), low=0.25, high=3), c.constant(np.array([0.5, 1, -1, 3], np.float32)), out="output")
    c.finish("output")
    for name, slope in (("prelu_channel", (5, 1, 1)), ("prelu_one", (1,)), ("prelu_same", (5, 2, 3))):
        c = Case(name)
        c.op("PRelu", c.input("input", shape), c.constant(c.values(slope, 0, 1)), out="output")
        c.finish("output")
    for name, a, b in (("add_of_inputs", shape, shape), ("add_inputs_both_sides", (2, 1, 3, 1), (1, 5, 1, 4)),
                       ("mul_inputs_rank", (2, 3), (2, 5, 2, 3)), ("sub_inputs_rank", (5, 1), (2, 5, 4))):
        c = Case(name)
        kind = name.split("_")[0].capitalize()
        c.op(kind, c.input("a", a, batch=False), c.input("b", b, batch=False), out="output")
        c.finish("output")
    c = Case("add_between_convolutions")  # a per-channel constant on a blocked layout
    x = c.conv(c.input("input", (2, 3, 4, 4)), 3, 11, (1, 1))
    x = c.op("Mul", c.op("Add", x, c.constant(c.values((11, 1, 1)))), c.constant(c.values((1, 11, 1, 1))))
    c.conv(x, 11, 5, (1, 1), out="output")
    c.finish("output")

    for kind in ("Sum", "Max", "Min", "Mean"):
        c = Case(f"{kind.lower()}_three")
        c.op(kind, *(c.input(n, (2, 5, 3), batch=False) for n in "abc"), out="output")
        c.finish("output")
        c = Case(f"{kind.lower()}_broadcast")
        c.op(kind, c.input("a", (2, 5, 3), batch=False), c.input("b", (5, 1), batch=False),
             c.constant(c.values((3,))), out="output")
        c.finish("output")
    c = Case("sum_one")
    c.op("Sum", c.input("a", (2, 5)), out="output")
    c.finish("output")
    c = Case("sum_of_convolutions")
    x = c.input("input", (2, 3, 4, 4))
    c.op("Sum", *(c.conv(x, 3, 5, (1, 1)) for _ in range(3)), out="output")
    c.finish("output")


def softmaxes():
    for kind in ("Softmax", "LogSoftmax"):
        for name, shape, axis, opset in (
            ("", (3, 10), -1, 17), ("_axis_1", (2, 5, 3), 1, 17), ("_4d_axis_1", (2, 5, 3, 2), 1, 17),
            ("_4d_last", (1, 3, 2, 7), -1, 17), ("_flattening", (2, 3, 4), 1, 11), ("_flattening_axis_2", (2, 3, 4), 2, 11),
            ("_default_opset_11", (2, 3, 2, 2), None, 11), ("_large", (2, 6), -1, 17),
        ):
            if kind == "LogSoftmax" and name in ("_4d_axis_1", "_4d_last", "_flattening_axis_2", "_default_opset_11"):
                continue
            c = Case(f"{kind.lower()}{name}", opset=opset)
            attributes = {} if axis is None else dict(axis=axis)
            c.op(kind, c.input("input", shape, scale=40.0 if name == "_large" else 2.0), out="output", **attributes)
            c.finish("output")


def data_movement():
    def simple(name, kind, shape, *constants, opset=17, batch=True, outs=None, **attributes):
        c = Case(name, opset=opset)
        x = c.input("input", shape, batch=batch)
        names = outs or ["output"]
        c.op(kind, x, *(("" if k is None else c.constant(k)) for k in constants), outs=names, **attributes)
        c.finish(*names)

    for name, shapes, axis in (
        ("concat_channels", ((2, 3, 3, 2), (2, 5, 3, 2), (2, 11, 3, 2)), 1),
        ("concat_axis_0", ((1, 3, 4), (2, 3, 4)), 0), ("concat_axis_2", ((2, 3, 2, 3), (2, 3, 4, 3)), 2),
        ("concat_last", ((2, 3), (2, 1), (2, 4)), -1),
    ):
        c = Case(name)
        c.op("Concat", *(c.input("abc"[i], s, batch=False) for i, s in enumerate(shapes)), axis=axis, out="output")
        c.finish("output")
    c = Case("concat_of_convolutions")
    x = c.input("input", (2, 3, 4, 4))
    y = c.op("Concat", *(c.op("Relu", c.conv(x, 3, n, (1, 1))) for n in (3, 5, 16)), axis=1)
    c.conv(y, 24, 4, (1, 1), out="output")
    c.finish("output")
    c = Case("concat_twice_the_same")
    x = c.conv(c.input("input", (1, 3, 3, 3)), 3, 5, (1, 1))
    c.op("Concat", x, x, c.constant(c.values((1, 2, 3, 3))), axis=1, out="output")
    c.finish("output")

    simple("split_equal", "Split", (2, 6, 3), opset=13, axis=1, outs=["a", "b", "c"])
    simple("split_extents", "Split", (2, 7, 3), np.array([2, 1, 4]), opset=13, axis=1, outs=["a", "b", "c"])
    simple("split_attribute", "Split", (2, 5), opset=11, axis=-1, split=[2, 3], outs=["a", "b"])
    simple("split_num_outputs", "Split", (2, 7), opset=18, axis=1, num_outputs=3, outs=["a", "b", "c"])
    c = Case("split_of_convolution")
    x = c.conv(c.input("input", (2, 3, 4, 4)), 3, 12, (1, 1))
    c.op("Split", x, c.constant(np.array([5, 7])), axis=1, outs=["left", "right"])
    c.op("Concat", "right", c.conv("left", 5, 5, (1, 1)), axis=1, out="output")
    c.finish("output")

    simple("reshape", "Reshape", (2, 3, 4), np.array([-1, 12]))
    simple("reshape_zero", "Reshape", (2, 3, 4, 5), np.array([0, -1, 5]))
    simple("reshape_allowzero_off", "Reshape", (3, 4), np.array([0, 2, 2]), opset=14, allowzero=0)
    simple("flatten", "Flatten", (2, 3, 2, 2))
    simple("flatten_axis_2", "Flatten", (2, 3, 2, 2), axis=2, batch=False)
    simple("flatten_axis_0", "Flatten", (2, 3), axis=0, batch=False)
    simple("flatten_negative_axis", "Flatten", (2, 3, 2), axis=-1, batch=False)
    simple("squeeze", "Squeeze", (2, 1, 3, 1), np.array([1, 3]), opset=13)
    simple("squeeze_all", "Squeeze", (2, 1, 3, 1), opset=13, batch=False)
    simple("squeeze_attribute", "Squeeze", (2, 3, 1, 1), opset=11, axes=[2, 3])
    simple("unsqueeze", "Unsqueeze", (2, 3), np.array([1, -1]), opset=13)
    simple("unsqueeze_attribute", "Unsqueeze", (2, 3), opset=11, axes=[0, 3])
    simple("identity", "Identity", (2, 3))
    simple("dropout", "Dropout", (2, 3, 4))
    simple("dropout_opset_10", "Dropout", (2, 3), opset=10, ratio=0.5)
    c = Case("reshaping_chain")
    x = c.op("Dropout", c.op("Relu", c.conv(c.input("input", (2, 3, 4, 4)), 3, 5, (1, 1))))
    x = c.op("Unsqueeze", c.op("Identity", x), c.constant(np.array([2])))
    x = c.op("Squeeze", x, c.constant(np.array([2])))
    x = c.op("Reshape", x, c.constant(np.array([0, 10, 2, 4])))
    x = c.conv(x, 10, 4, (2, 3))
    x = c.op("Flatten", x)
    c.op("Gemm", x, c.weight(8, 6), out="output")
    c.finish("output")
    c = Case("reshape_of_shape")  # shape arithmetic as exporters write it
    x = c.conv(c.input("input", (3, 3, 4, 4)), 3, 5, (2, 2))
    n = c.op("Unsqueeze", c.op("Gather", c.op("Shape", x), c.constant(np.int64(0)), axis=0), c.constant(np.array([0])))
    s = c.op("Concat", n, c.constant(np.array([-1])), axis=0)
    c.op("Reshape", x, s, out="output")
    c.finish("output")

    simple("transpose", "Transpose", (2, 3, 4))
    simple("transpose_nhwc", "Transpose", (2, 3, 4, 5), perm=[0, 2, 3, 1])
    simple("transpose_5d", "Transpose", (1, 2, 3, 2, 4), perm=[0, 2, 1, 4, 3])
    c = Case("transpose_of_convolution")
    x = c.op("Transpose", c.conv(c.input("input", (2, 3, 4, 3)), 3, 5, (1, 1)), perm=[0, 2, 3, 1])
    c.op("MatMul", x, c.weight(5, 4), out="output")
    c.finish("output")

    simple("slice", "Slice", (2, 7, 5), np.array([1, 0]), np.array([6, 4]), np.array([1, 2]))
    simple("slice_steps", "Slice", (2, 9, 5), np.array([1, 0]), np.array([9, 5]), np.array([1, 2]), np.array([3, 2]))
    simple("slice_negative", "Slice", (2, 7, 5), np.array([-4, -3]), np.array([-1, 1000]), np.array([-2, -1]))
    simple("slice_reversed", "Slice", (2, 7), np.array([-1]), np.array([-1000]), np.array([1]), np.array([-2]))
    simple("slice_no_axes", "Slice", (3, 4), np.array([1, 1]), np.array([3, 2**62]), batch=False)
    simple("slice_attributes", "Slice", (2, 7, 5), opset=9, starts=[1, -3], ends=[5, 2**31 - 1], axes=[1, 2])
    c = Case("slice_of_convolution")
    x = c.conv(c.input("input", (2, 3, 4, 4)), 3, 11, (1, 1))
    x = c.op("Slice", x, c.constant(np.array([3])), c.constant(np.array([9])), c.constant(np.array([1])))
    c.conv(x, 6, 4, (3, 3), out="output")
    c.finish("output")

    simple("gather", "Gather", (2, 5, 3), np.array([3, 0, -1]), axis=1)
    simple("gather_scalar", "Gather", (2, 5, 3), np.int64(2), axis=1)
    simple("gather_matrix", "Gather", (4, 3), np.array([[0, 3], [1, -2]]), axis=0, batch=False)

    simple("pad_constant", "Pad", (2, 3, 3, 4), np.array([0, 1, 2, 0, 0, 0, 1, 3]), np.float32(1.5))
    simple("pad_zero", "Pad", (1, 3, 4, 4), np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    simple("pad_negative", "Pad", (1, 3, 4, 4), np.array([0, 0, -1, 1, 0, 0, 0, -2]))
    simple("pad_attributes", "Pad", (1, 3, 4), opset=10, pads=[0, 0, 1, 0, 0, 2], value=-1.0)
    simple("pad_reflect", "Pad", (1, 2, 4, 5), np.array([0, 0, 2, 1, 0, 0, 1, 3]), mode="reflect")
    simple("pad_edge", "Pad", (1, 2, 4, 5), np.array([0, 0, 2, 1, 0, 0, 1, 3]), mode="edge")
    c = Case("pad_before_convolution")
    x = c.op("Relu", c.conv(c.input("input", (1, 3, 5, 5)), 3, 5, (1, 1)))
    x = c.op("Pad", x, c.constant(np.array([0, 0, 0, 0, 0, 0, 1, 1])), c.constant(np.float32(0)))
    c.conv(x, 5, 4, strides=[2, 2], out="output")
    c.finish("output")

    simple("expand", "Expand", (2, 3, 1), np.array([2, 3, 4]))
    simple("expand_rank", "Expand", (3, 1), np.array([2, 1, 4]), batch=False)


def reductions():
    for kind in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"):
        base = {"ReduceMean": "reduce_mean", "ReduceSum": "reduce_sum", "ReduceMax": "reduce_max",
                "ReduceMin": "reduce_min", "ReduceL2": "reduce_l2"}[kind]
        for name, axes, keep in (("_spatial", [2, 3], 1), ("_spatial_squeezed", [2, 3], 0), ("_channels", [1], 1),
                                 ("_last", [-1], 0), ("_all", None, 0)):
            if kind in ("ReduceMax", "ReduceMin", "ReduceL2") and name in ("_spatial", "_channels"):
                continue
            c = Case(base + name)
            x = c.input("input", (2, 5, 3, 4), batch=name != "_all")
            if kind == "ReduceSum":
                operands = [x] + ([c.constant(np.array(axes))] if axes else [])
                c.op(kind, *operands, keepdims=keep, out="output")
            else:
                c.op(kind, x, keepdims=keep, out="output", **(dict(axes=axes) if axes else {}))
            c.finish("output")
        c = Case(base + "_opset_18", opset=18)
        x = c.input("input", (2, 5, 3))
        c.op(kind, x, c.constant(np.array([1])), keepdims=0, out="output")
        c.finish("output")
    c = Case("reduce_mean_of_convolution")
    x = c.op("Relu", c.conv(c.input("input", (2, 3, 4, 4)), 3, 11, (1, 1)))
    c.op("Gemm", c.op("ReduceMean", x, axes=[2, 3], keepdims=0), c.weight(11, 5), out="output")
    c.finish("output")


def transposed_convolutions():
    forms = {
        # name: (input shape, features, kernel, options)
        "plain": ((2, 4, 3, 5), 6, (3, 3), {}),
        "stride": ((2, 3, 4, 3), 5, (3, 2), dict(strides=[2, 3], pads=[1, 0, 1, 1])),
        "output_padding": ((1, 3, 4, 4), 5, (3, 3), dict(strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])),
        "groups": ((2, 4, 3, 3), 6, (3, 3), dict(group=2, strides=[2, 2])),
        "groups_of_equals": ((2, 4, 3, 3), 4, (2, 2), dict(group=2)),
        "depthwise": ((2, 6, 3, 3), 6, (3, 3), dict(group=6, pads=[1, 1, 1, 1])),
        "dilated": ((1, 2, 4, 4), 3, (2, 3), dict(dilations=[2, 2])),
        "1d": ((2, 3, 7), 4, (4,), dict(strides=[2], pads=[1, 1])),
        "3d": ((1, 2, 3, 2, 3), 3, (2, 2, 2), dict(strides=[2, 1, 2])),
        "same_upper": ((1, 2, 4, 3), 3, (3, 3), dict(strides=[2, 2], auto_pad="SAME_UPPER")),
        "output_shape": ((1, 2, 3, 3), 2, (3, 3), dict(strides=[3, 2], output_shape=[10, 8])),
    }
    for name, (shape, features, kernel, options) in forms.items():
        for bias in (False, True) if name in ("plain", "groups") else (True,):
            c = Case(f"conv_transpose_{name}{'' if bias else '_without_bias'}")
            x = c.input("input", shape)
            operands = [x, c.weight(shape[1], features // options.get("group", 1), *kernel)]
            if bias:
                operands.append(c.constant(c.values((features,), scale=0.5)))
            c.op("ConvTranspose", *operands, out="output", kernel_shape=list(kernel), **options)
            c.finish("output")
    c = Case("conv_transpose_between_convolutions")
    x = c.op("Relu", c.conv(c.input("input", (2, 3, 6, 6)), 3, 8, strides=[2, 2], pads=[1, 1, 1, 1]))
    x = c.op("ConvTranspose", x, c.weight(8, 5, 2, 2), c.constant(c.values((5,))), strides=[2, 2])
    c.conv(c.op("Relu", x), 5, 2, (1, 1), out="output")
    c.finish("output")


def definitions():
    """Operators without a primitive."""
    inside, wide, positive = dict(low=-0.875, high=0.875), dict(scale=2.0), dict(low=0.125, high=4)
    forms = {
        "celu": ("Celu", dict(alpha=0.75), {}, 17), "selu": ("Selu", {}, {}, 17), "mish": ("Mish", {}, wide, 18),
        "softsign": ("Softsign", {}, wide, 17), "thresholded_relu": ("ThresholdedRelu", dict(alpha=0.53), {}, 17),
        "shrink": ("Shrink", dict(bias=0.25, lambd=0.53), {}, 17), "sin": ("Sin", {}, wide, 17),
        "cos": ("Cos", {}, wide, 17), "tan": ("Tan", {}, inside, 17), "asin": ("Asin", {}, inside, 17),
        "acos": ("Acos", {}, inside, 17), "atan": ("Atan", {}, wide, 17), "sinh": ("Sinh", {}, {}, 17),
        "cosh": ("Cosh", {}, {}, 17), "asinh": ("Asinh", {}, wide, 17),
        "acosh": ("Acosh", {}, dict(low=1.125, high=4), 17), "atanh": ("Atanh", {}, inside, 17),
    }
    for name, (kind, attributes, bounds, opset) in forms.items():
        c = Case(f"unary_{name}", opset=opset)
        c.op(kind, c.input("input", (2, 3, 2, 5), **bounds), out="output", **attributes)
        c.finish("output")
    for kind, name in (("ReduceLogSum", "reduce_log_sum"), ("ReduceLogSumExp", "reduce_log_sum_exp")):
        for axes in ([1], [2, 3]):
            c = Case(f"{name}_{len(axes)}")
            c.op(kind, c.input("input", (2, 5, 3, 4), **(positive if "exp" not in name else {})), axes=axes, out="output")
            c.finish("output")
    for mode in ("DCR", "CRD"):
        c = Case(f"depth_to_space_{mode.lower()}")
        c.op("DepthToSpace", c.input("input", (2, 8, 2, 3)), blocksize=2, mode=mode, out="output")
        c.finish("output")
    c = Case("space_to_depth")
    c.op("SpaceToDepth", c.input("input", (2, 3, 4, 6)), blocksize=2, out="output")
    c.finish("output")
    for upper in (0, 1):
        c = Case(f"trilu_{upper}")
        c.op("Trilu", c.input("input", (2, 4, 5)), c.constant(np.array(1)), upper=upper, out="output")
        c.finish("output")
    c = Case("gather_elements")
    c.op("GatherElements", c.input("input", (2, 3, 4), batch=False), c.constant(np.array([[[0, 2, -1, 1]], [[1, 1, 0, 2]]])),
         axis=1, out="output")
    c.finish("output")
    c = Case("gather_nd")
    c.op("GatherND", c.input("input", (2, 3, 4), batch=False), c.constant(np.array([[[0, 1], [2, 3]], [[1, 1], [-1, 0]]])),
         batch_dims=1, out="output")
    c.finish("output")
    c = Case("center_crop_pad", opset=18)
    c.op("CenterCropPad", c.input("input", (2, 4, 5)), c.constant(np.array([7, 2])), axes=[2, 1], out="output")
    c.finish("output")
    c = Case("compress")
    c.op("Compress", c.input("input", (2, 4, 3)), c.constant(np.array([True, False, True, True])), axis=1, out="output")
    c.finish("output")
    c = Case("reverse_sequence")
    c.op("ReverseSequence", c.input("input", (3, 4, 2), batch=False), c.constant(np.array([1, 4, 3])), batch_axis=0, time_axis=1,
         out="output")
    c.finish("output")


def recurrences():
    """LSTM, GRU and RNN in all their forms. Sequences [length, batch, features]."""
    length, batch, features, units = 4, 3, 5, 6

    def case(name, kind, gates, direction="forward", bias=True, initial=False, peepholes=False, lengths=False,
             outs=("output",), dynamic=False, **attributes):
        c = Case(f"{kind.lower()}_{name}")
        count = 2 if direction == "bidirectional" else 1
        x = c.input("input", (length, batch, features), batch=False)
        operands = [x, c.constant(c.values((count, gates * units, features), scale=0.5)),
                    c.constant(c.values((count, gates * units, units), scale=0.5))]
        operands.append(c.constant(c.values((count, 2 * gates * units), scale=0.5)) if bias else "")
        operands.append(c.constant(np.array([4, 2, 3], np.int32)) if lengths else "")
        state = (count, batch, units)
        operands.append(c.constant(c.values(state)) if initial else "")
        if kind == "LSTM":
            operands.append(c.constant(c.values(state)) if initial else "")
            operands.append(c.constant(c.values((count, 3 * units), scale=0.5)) if peepholes else "")
        if dynamic:  # Weights and states that are computed.
            operands = [o if i not in (1, 2, 5, 6) or not o else c.op("Mul", o, c.constant(np.float32(0.75)))
                        for i, o in enumerate(operands)]
        while not operands[-1]:
            operands.pop()
        c.op(kind, *operands, outs=list(outs), hidden_size=units, direction=direction, **attributes)
        c.finish(*[o for o in outs if o])

    both, lstm = ("output", "last"), ("output", "last", "cell")
    case("plain", "LSTM", 4, bias=False)
    case("states", "LSTM", 4, initial=True, outs=lstm)
    case("reverse", "LSTM", 4, "reverse", initial=True, outs=lstm)
    case("bidirectional", "LSTM", 4, "bidirectional", initial=True, outs=lstm)
    case("lengths", "LSTM", 4, "bidirectional", initial=True, lengths=True, outs=lstm)
    case("peepholes", "LSTM", 4, peepholes=True, initial=True, lengths=True, outs=lstm)
    case("coupled", "LSTM", 4, input_forget=1, peepholes=True, outs=lstm)
    case("clip", "LSTM", 4, clip=0.75, outs=lstm)
    case("last", "LSTM", 4, outs=("", "last"))
    case("cell", "LSTM", 4, "reverse", lengths=True, outs=("", "", "cell"))
    case("computed", "LSTM", 4, initial=True, dynamic=True, outs=lstm)
    case("activations", "LSTM", 4, "bidirectional", outs=lstm, activations=[
        "HardSigmoid", "Softsign", "Elu", "Sigmoid", "ScaledTanh", "Tanh"], activation_alpha=[0.3, 1.5, 0.75],
        activation_beta=[0.4, 0.5])
    for after in (0, 1):
        case(f"reset_{after}", "GRU", 3, linear_before_reset=after, initial=True, outs=both)
        case(f"reset_{after}_bidirectional", "GRU", 3, "bidirectional", linear_before_reset=after, lengths=True,
             initial=True, outs=both)
        case(f"reset_{after}_plain", "GRU", 3, "reverse", linear_before_reset=after, bias=False)
    case("clip", "GRU", 3, clip=0.75, outs=both)
    case("plain", "RNN", 1, bias=False)
    case("states", "RNN", 1, "bidirectional", initial=True, lengths=True, outs=both)
    case("affine", "RNN", 1, outs=both, activations=["Affine"], activation_alpha=[0.75], activation_beta=[0.125])
    c = Case("lstm_classifier")
    x = c.op("LSTM", c.input("input", (5, 2, 7), batch=False), c.constant(c.values((1, 40, 7), scale=0.5)),
             c.constant(c.values((1, 40, 10), scale=0.5)), c.constant(c.values((1, 80), scale=0.5)), hidden_size=10,
             outs=["states", "last"])[1]
    x = c.op("Squeeze", x, c.constant(np.array([0])))
    c.op("Gemm", x, c.weight(3, 10), c.constant(c.values((3,))), transB=1, out="output")
    c.finish("output")


def row_normalizations():
    def scales(c, count):
        return c.constant(c.values((count,), low=0.5, high=2)), c.constant(c.values((count,)))

    for name, shape in (("", (2, 5, 3, 4)), ("_1d", (3, 4, 7))):
        c = Case(f"instance_normalization{name}")
        c.op("InstanceNormalization", c.input("input", shape), *scales(c, shape[1]), epsilon=1e-2, out="output")
        c.finish("output")
    for opset, count in ((18, 3), (21, 6)):
        c = Case(f"group_normalization_opset_{opset}", opset=opset)
        c.op("GroupNormalization", c.input("input", (2, 6, 3, 2)), *scales(c, count), num_groups=3, epsilon=1e-2, out="output")
        c.finish("output")
    for axis in (-1, 1):
        c = Case(f"rms_normalization_{axis % 3}", opset=23)
        size = (5, 4)[1 if axis == -1 else 0:]
        c.op("RMSNormalization", c.input("input", (3, 5, 4)), c.constant(c.values(size, low=0.5, high=2)), axis=axis,
             epsilon=1e-2, out="output")
        c.finish("output")
    for p in (1, 2):
        for axis in (1, -1):
            c = Case(f"lp_normalization_{p}_axis_{axis % 4}")
            c.op("LpNormalization", c.input("input", (2, 3, 2, 4)), p=p, axis=axis, out="output")
            c.finish("output")
    for axes in (None, [1, 3]):
        c = Case(f"mean_variance_normalization{'' if axes is None else '_axes'}", opset=12)
        c.op("MeanVarianceNormalization", c.input("input", (2, 3, 3, 4), batch=False), out="output",
             **({} if axes is None else dict(axes=axes)))
        c.finish("output")
    for axis in (-1, 1):
        c = Case(f"layer_normalization_statistics_{axis % 3}")
        size = (5, 4)[1 if axis == -1 else 0:]
        c.op("LayerNormalization", c.input("input", (3, 5, 4)), c.constant(c.values(size, low=0.5, high=2)),
             c.constant(c.values(size)), axis=axis, epsilon=1e-2, outs=["output", "mean", "inverse"])
        c.finish("output", "mean", "inverse")
    c = Case("layer_normalization_one_scale")
    c.op("LayerNormalization", c.input("input", (3, 5, 4)), c.constant(np.array([1.5], np.float32)), axis=-1,
         epsilon=1e-2, out="output")
    c.finish("output")


def resampling():
    scale, half = [1.0, 1.0, 2.0, 1.5], [1.0, 1.0, 0.7, 0.5]
    forms = {
        "nearest": (scale, dict(mode="nearest")), "nearest_half": (half, dict(mode="nearest", nearest_mode="floor")),
        "linear": (scale, dict(mode="linear")), "linear_half": (half, dict(mode="linear")),
        "linear_corners": (scale, dict(mode="linear", coordinate_transformation_mode="align_corners")),
        "linear_asymmetric": (scale, dict(mode="linear", coordinate_transformation_mode="asymmetric")),
        "linear_pytorch": (scale, dict(mode="linear", coordinate_transformation_mode="pytorch_half_pixel")),
        "linear_symmetric": (half, dict(mode="linear", coordinate_transformation_mode="half_pixel_symmetric")),
        "linear_antialias": (half, dict(mode="linear", antialias=1)), "cubic": (scale, dict(mode="cubic")),
        "cubic_half": (half, dict(mode="cubic", cubic_coeff_a=-0.5)),
        "cubic_excluding": (scale, dict(mode="cubic", exclude_outside=1)),
    }
    for name, (scales, attributes) in forms.items():
        c = Case(f"resize_{name}", opset=19)
        c.op("Resize", c.input("input", (2, 3, 5, 4)), "", c.constant(np.array(scales, np.float32)), out="output", **attributes)
        c.finish("output")
    for mode in ("linear", "nearest"):
        c = Case(f"resize_crop_{mode}", opset=13)
        region = np.array([0, 0, -0.25, 0.2, 1, 1, 0.8, 1.3], np.float32)
        c.op("Resize", c.input("input", (1, 2, 5, 4)), c.constant(region), "", c.constant(np.array([1, 2, 6, 5])), mode=mode,
             coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=0.5, out="output")
        c.finish("output")
    c = Case("upsample_between_convolutions", opset=9)
    x = c.conv(c.input("input", (2, 3, 4, 4)), 3, 8, pads=[1, 1, 1, 1])
    x = c.op("Upsample", c.op("Relu", x), c.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    c.conv(x, 8, 4, pads=[1, 1, 1, 1], out="output")
    c.finish("output")


def derivatives():
    """Operators that are computed by their definition, and whose derivative is one too."""
    c = Case("where")
    x, y = c.input("input", (2, 3, 4)), c.input("other", (1, 4), batch=False)
    c.op("Where", c.op("Greater", x, c.constant(np.float32(0.03125))), c.op("Mul", x, x), y, out="output")
    c.finish("output")
    c = Case("where_mask")
    mask = np.tril(np.ones((4, 4), bool))[None, None]
    x = c.op("MatMul", c.input("input", (2, 3, 4, 5)), c.weight(5, 4))
    c.op("Softmax", c.op("Where", c.constant(mask), x, c.constant(np.float32(-10))), axis=-1, out="output")
    c.finish("output")
    for reduction in ("none", "add", "mul", "max", "min"):
        for kind in ("ScatterElements", "ScatterND"):
            c = Case(f"{kind.lower()}_{reduction}", opset=18)
            x = c.input("input", (3, 4), batch=False)
            if kind == "ScatterElements":
                indices = np.array([[0, 1, 3, 2], [2, 0, 1, 3]]) if reduction == "none" else np.array([[0, 1, -1, 0], [2, 2, 1, 0]])
                x = c.op(kind, x, c.constant(indices), c.input("updates", (2, 4), batch=False), axis=1, reduction=reduction)
            else:
                indices = np.array([[2], [0]]) if reduction == "none" else np.array([[2], [-1]])
                x = c.op(kind, x, c.constant(indices), c.input("updates", (2, 4), batch=False), reduction=reduction)
            c.op("Mul", x, x, out="output")
            c.finish("output")
    for exclusive in (0, 1):
        for reverse in (0, 1):
            c = Case(f"cumsum_{exclusive}_{reverse}")
            x = c.op("CumSum", c.input("input", (2, 3, 4)), c.constant(np.array(1)), exclusive=exclusive, reverse=reverse)
            c.op("Mul", x, x, out="output")
            c.finish("output")
    for largest in (0, 1):
        c = Case(f"topk_{largest}")
        c.op("TopK", c.input("input", (2, 5, 3)), c.constant(np.array([2])), axis=1, largest=largest, outs=["output", "places"])
        c.finish("output")
    for number, (equation, *shapes) in enumerate([
            ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 3, 4)), ("...ii->...i", (2, 3, 3)),
            ("ij,ij,kj->k", (3, 4), (3, 4), (2, 4)), ("...ij,jk", (2, 3, 4), (4, 2))]):
        c = Case(f"einsum_{number}")
        c.op("Einsum", *[c.input(f"input{i}", s, batch=False) for i, s in enumerate(shapes)], equation=equation, out="output")
        c.finish("output")
    c = Case("pow_integer")
    c.op("Pow", c.input("input", (2, 3, 4)), c.constant(np.array([2, 3, 0, 1])), out="output")
    c.finish("output")
    places = dict(low=0.25, high=2.75)
    for kind, data, index in (("Gather", (3, 4), (2,)), ("GatherElements", (3, 4), (2, 4)), ("GatherND", (3, 4), (2, 1))):
        c = Case(f"{kind.lower()}_of_computed_indices")
        x = c.input("places", index, batch=False, **places)
        x = c.op("Cast", c.op("Floor", x), to=TensorProto.INT64)
        y = c.op("Mul", *[c.input("input", data, batch=False)] * 2)
        c.op(kind, y, x, out="output")
        c.finish("output")
    for kind in ("ReduceProd", "ReduceL1", "ReduceSumSquare"):
        c = Case(f"{kind.lower()}_axis_1")
        c.op(kind, c.input("input", (2, 3, 4)), axes=[1], out="output")
        c.finish("output")
    c = Case("tile")
    c.op("Tile", c.op("Mul", *[c.input("input", (2, 3))] * 2), c.constant(np.array([2, 3])), out="output")
    c.finish("output")
    c = Case("scatter", opset=9)
    x = c.op("Scatter", c.input("input", (3, 4), batch=False), c.constant(np.array([[2, 0, 1, 2]])),
             c.input("updates", (1, 4), batch=False), axis=0)
    c.op("Mul", x, x, out="output")
    c.finish("output")
    c = Case("mod")
    c.op("Mod", c.input("input", (2, 3, 4), scale=3), c.constant(np.array([0.75, 1.5, -2, 1.25], np.float32)), fmod=1, out="output")
    c.finish("output")
    c = Case("swish", opset=24)
    c.op("Swish", c.input("input", (2, 3, 4), scale=2), alpha=1.5, out="output")
    c.finish("output")
    for exclusive in (0, 1):
        c = Case(f"cumprod_{exclusive}", opset=26)
        c.op("CumProd", c.input("input", (2, 4, 3)), c.constant(np.array(1)), exclusive=exclusive, reverse=exclusive, out="output")
        c.finish("output")
    c = Case("max_unpool_of_squares")
    c.op("MaxUnpool", c.op("Mul", *[c.input("input", (1, 1, 2, 2), batch=False)] * 2), c.constant(np.array([[[[5, 2], [8, 15]]]])),
         kernel_shape=[2, 2], strides=[2, 2], out="output")
    c.finish("output")
    labels = c.values((2, 3), low=0, high=3.9).astype(np.int64)
    for kind in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"):
        for reduction in ("none", "sum", "mean"):
            c = Case(f"{kind.lower()}_{reduction}")
            x = [c.input("input", (2, 4, 3), batch=False), c.constant(labels)]
            if reduction != "none":
                x.append(c.constant(np.array([0.5, 1, 2, 0.25], np.float32)))
            rest = dict(ignore_index=1) if reduction == "mean" else {}
            if kind[0] == "S" and reduction == "mean":
                c.op(kind, *x, outs=["output", "logarithms"], reduction=reduction, **rest)
                c.finish("output", "logarithms")
            else:
                c.op(kind, *x, out="output", reduction=reduction, **rest)
                c.finish("output")
    c = Case("cast_like")
    like = c.constant(np.array([1.0]))
    x = c.op("CastLike", c.op("Mul", *[c.input("input", (2, 3))] * 2), like)
    c.op("Cast", x, to=TensorProto.FLOAT, out="output")
    c.finish("output")
    c = Case("cast_there_and_back")
    x = c.op("Cast", c.op("Mul", *[c.input("input", (2, 3))] * 2), to=TensorProto.DOUBLE)
    c.op("Cast", c.op("Transpose", x), to=TensorProto.FLOAT, out="output")
    c.finish("output")
def attentions():
    """Operators that are functions of others."""
    mask = np.array([[0, 0, -1, 0, 0.5], [-np.inf, 0, 0, -np.inf, 0], [1, 0, 0, 0, -np.inf]], np.float32)
    forms = {
        # name: (query, key, value, attributes, mask)
        "attention": ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6), {}, None),
        "attention_flat": ((2, 3, 8), (2, 5, 8), (2, 5, 12), dict(q_num_heads=2, kv_num_heads=2), None),
        "attention_shared_keys": ((2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), {}, None),
        "attention_shared_keys_flat": ((2, 3, 16), (2, 5, 4), (2, 5, 4), dict(q_num_heads=4, kv_num_heads=1), None),
        "attention_causal": ((2, 2, 4, 4), (2, 2, 4, 4), (2, 2, 4, 4), dict(is_causal=1), None),
        "attention_scale_softcap": ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), dict(scale=0.75, softcap=1.5), None),
        "attention_mask": ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), {}, mask),
        "attention_truth_mask": ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), {}, mask > -1),
    }
    for name, (query, key, value, attributes, mask) in forms.items():
        c = Case(name, opset=23)
        operands = [c.input("query", query), c.input("key", key), c.input("value", value)]
        if mask is not None:
            operands.append(c.constant(mask))
        c.op("Attention", *operands, out="output", **attributes)
        c.finish("output")
    c = Case("attention_learned_bias", opset=23)
    c.op("Attention", c.input("query", (2, 2, 3, 4)), c.input("key", (2, 2, 5, 4)), c.input("value", (2, 2, 5, 4)),
         c.op("Mul", c.weight(2, 3, 5), c.constant(np.float32(2))), out="output")
    c.finish("output")
    c = Case("attention_past", opset=23)
    c.op("Attention", c.input("query", (2, 2, 3, 4)), c.input("key", (2, 2, 3, 4)), c.input("value", (2, 2, 3, 4)), "",
         c.input("past_key", (2, 2, 2, 4)), c.input("past_value", (2, 2, 2, 4)), outs=["output", "keys", "values"], is_causal=1)
    c.finish("output", "keys", "values")
    for interleaved in (0, 1):
        for flat in (False, True):
            c = Case(f"rotary_embedding_{interleaved}{'_flat' if flat else ''}", opset=23)
            angles = c.random.uniform(-3, 3, (4, 2)).astype(np.float32)
            c.op("RotaryEmbedding", c.input("input", (2, 3, 12) if flat else (2, 2, 3, 6)), c.constant(np.cos(angles)),
                 c.constant(np.sin(angles)), c.constant(np.array([[0, 1, 2], [1, 3, 2]])), out="output", interleaved=interleaved,
                 rotary_embedding_dim=4, **(dict(num_heads=2) if flat else {}))
            c.symbolic["input"] = False
            c.finish("output")


def sampled_images():
    """Images that are sampled or pooled without a primitive."""
    for mode in ("nearest", "linear", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            c = Case(f"grid_sample_{mode}_{padding}", opset=20)
            c.op("GridSample", c.input("input", (2, 3, 4, 5)), c.input("grid", (2, 2, 3, 2), low=-1.6, high=1.6), out="output",
                 mode=mode, padding_mode=padding, align_corners=int(padding == "border"))
            c.finish("output")
    c = Case("grid_sample_3d", opset=20)
    c.op("GridSample", c.input("input", (2, 2, 3, 4, 2)), c.input("grid", (2, 2, 1, 3, 3), low=-1.4, high=1.4), out="output")
    c.finish("output")
    c = Case("affine_grid_sample", opset=20)
    x = c.input("input", (2, 3, 4, 5))
    grid = c.op("AffineGrid", c.input("theta", (2, 2, 3), scale=0.5), c.constant(np.array([2, 3, 3, 2])))
    c.op("GridSample", x, grid, out="output")
    c.symbolic.update(input=False, theta=False)
    c.finish("output")
    for mode in ("avg", "max"):
        c = Case(f"roi_align_{mode}", opset=16)
        rois = np.array([[0.25, 1, 5.5, 6.25], [-2, -1.5, 4, 3], [3, 2.5, 9, 9]], np.float32)
        c.op("RoiAlign", c.input("input", (2, 3, 6, 7), batch=False), c.constant(rois), c.constant(np.array([0, 1, 1])), out="output",
             mode=mode, output_height=2, output_width=3, sampling_ratio=2, spatial_scale=0.75)
        c.finish("output")
    c = Case("deform_conv", opset=19)
    c.op("DeformConv", c.input("input", (2, 4, 5, 4)), c.weight(6, 2, 3, 2), c.input("offset", (2, 24, 5, 3)),
         c.constant(c.values((6,))), c.input("mask", (2, 12, 5, 3), low=0.125, high=1), out="output", group=2, offset_group=2,
         pads=[1, 0, 1, 0])
    c.finish("output", by_reference=True)
    c = Case("max_roi_pool", opset=16)
    rois = np.array([[0, 0, 1, 5, 4], [1, 2, 2, 6, 6], [1, -2, 1, 3, 9]], np.float32)
    c.op("MaxRoiPool", c.input("input", (2, 3, 6, 7), batch=False), c.constant(rois), out="output", pooled_shape=[2, 3])
    c.finish("output")
    c = Case("col2im", opset=18)
    c.op("Col2Im", c.input("input", (2, 12, 12)), c.constant(np.array([4, 5])), c.constant(np.array([2, 2])), out="output")
    c.finish("output")
    c = Case("determinants")
    c.op("Det", c.input("input", (2, 2, 3, 3)), out="output")
    c.finish("output")
    for name, parts, opset, options in (("", 2, 17, {}), ("_one_sided", 1, 17, dict(onesided=1)), ("_inverse", 2, 17, dict(inverse=1)),
                                        ("_longer", 1, 17, {})):
        c = Case(f"dft{name}", opset=opset)
        operands = [c.constant(np.int64(9))] if name == "_longer" else []
        c.op("DFT", c.input("input", (2, 6, 2, parts)), *operands, out="output", axis=1, **options)
        c.finish("output")
    for length in (6, 7):
        c = Case(f"dft_one_sided_inverse_{length}", opset=20)
        c.op("DFT", c.input("input", (2, 4, 2)), c.constant(np.int64(length)), c.constant(np.int64(1)), out="output", inverse=1,
             onesided=1)
        c.finish("output", by_reference=True)
    c = Case("stft")
    c.op("STFT", c.input("input", (2, 14, 1)), c.constant(np.int64(3)), c.weight(6), out="output")
    c.finish("output")
    c = Case("stft_without_window")
    c.op("STFT", c.input("input", (2, 14, 1)), c.constant(np.int64(4)), "", c.constant(np.int64(5)), out="output", onesided=0)
    c.finish("output")
    for p, options in ((1, dict(pads=[1, 0, 0, 1])), (2, dict(strides=[2, 1])), (3, {})):
        c = Case(f"lp_pool_{p}", opset=18)
        c.op("LpPool", c.input("input", (2, 3, 5, 4)), kernel_shape=[3, 2], p=p, out="output", **options)
        c.finish("output")
    c = Case("global_lp_pool")
    c.op("GlobalLpPool", c.input("input", (2, 3, 5, 4)), p=3, out="output")
    c.finish("output")
    c = Case("max_pool_and_unpool")
    y, places = c.op("MaxPool", c.input("input", (2, 3, 6, 4), batch=False), outs=["pooled", "places"], kernel_shape=[2, 2],
                     strides=[2, 2])
    y = c.op("Mul", y, c.constant(c.values((3, 1, 1))))
    c.op("MaxUnpool", y, places, kernel_shape=[2, 2], strides=[2, 2], out="output")
    c.finish("output", "pooled")


def contributed():
    """Operators of com.microsoft, and others that ONNX Runtime writes, as functions of others."""
    def one(name, kind, operands, opset=17, domain="com.microsoft", **attributes):
        c = Case(name, opset=opset)
        names = ["" if o is None else c.input("input", o) if i == 0 else c.weight(*o) for i, o in enumerate(operands)]
        c.op(kind, *names, out="output", domain=domain, **attributes)
        c.finish("output")

    one("com_gelu", "Gelu", [(2, 3, 4)])
    one("com_quick_gelu", "QuickGelu", [(2, 3, 4)])
    one("com_bias_gelu", "BiasGelu", [(2, 3, 4), (4,)])
    one("com_fast_gelu", "FastGelu", [(2, 3, 4), (4,)])
    one("com_fast_gelu_without_bias", "FastGelu", [(2, 3, 4)])
    one("com_skip_layer_normalization", "SkipLayerNormalization", [(2, 3, 8), (3, 8), (8,), (8,), (8,)], epsilon=1e-4)
    one("com_skip_layer_normalization_plain", "SkipLayerNormalization", [(2, 3, 8), (1, 3, 8), (8,)], epsilon=1e-4)
    one("com_skip_simplified", "SkipSimplifiedLayerNormalization", [(2, 3, 8), (2, 3, 8), (8,), (8,)], epsilon=1e-4)
    one("simplified_layer_normalization", "SimplifiedLayerNormalization", [(2, 3, 8), (8,)], domain="", epsilon=1e-4)
    one("com_fused_matmul", "FusedMatMul", [(2, 3, 4), (5, 4)], transB=1, alpha=0.25)
    one("com_fused_matmul_gemm", "FusedMatMul", [(4, 3), (5, 4)], transA=1, transB=1, alpha=0.25)
    one("com_fused_gemm", "FusedGemm", [(2, 4), (5, 4), (5,)], transB=1, activation="LeakyRelu", activation_alpha=0.25)
    one("com_fused_conv", "FusedConv", [(2, 3, 5, 5), (4, 3, 3, 3), (4,)], activation="Relu", pads=[1, 1, 1, 1])
    one("com_fused_conv_sum", "FusedConv", [(2, 3, 5, 5), (4, 3, 3, 3), (4,), (2, 4, 3, 3)], activation="HardSigmoid",
        activation_params=[0.25, 0.5])
    one("com_attention", "Attention", [(2, 3, 4), (4, 24), (24,)], num_heads=2)
    one("com_multi_head_attention", "MultiHeadAttention", [(2, 3, 8), (2, 5, 8), (2, 5, 4), (20,)], num_heads=2)


def main():
    for old in list(FOLDER.glob("*.onnx")) + list(FOLDER.glob("*.npz")):
        old.unlink()
    for part in (convolutions, fused_convolutions, pooling, products, normalizations, unary, binary, softmaxes,
                 data_movement, reductions, transposed_convolutions, definitions, recurrences, row_normalizations, resampling,
                 derivatives, attentions, sampled_images, contributed):
        part()
    files = [p for n in written for p in (FOLDER / f"{n}.onnx", FOLDER / f"{n}.npz")]
    print(f"{len(written)} cases, {sum(p.stat().st_size for p in files)} bytes")


if __name__ == "__main__":
    sys.exit(main())
