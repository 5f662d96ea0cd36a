"""Writes one-node models of operators that ONNX Runtime has beside ONNX's, models that define functions, and what it computes.

NAME.onnx, and NAME.npz with its inputs as `in.VALUE` and its outputs as `out.VALUE`, as Tests/Golden/NodeTests has them. Those of
float32 alone that have gradients stand in Tests/Golden/Execution. Needs numpy, onnx and onnxruntime.
"""
import os

import numpy as np
import onnx
import onnxruntime
from onnx import helper

HERE = os.path.dirname(os.path.abspath(__file__))
onnxruntime.set_default_logger_severity(4)
written = set()


def case(name, op, inputs, outputs=1, domain="com.microsoft", version=17, **attributes):
    """inputs: arrays, None for those that are absent."""
    assert name not in written, name
    written.add(name)
    feeds = {f"x{i}": np.asarray(a) for i, a in enumerate(inputs) if a is not None}
    results = [f"y{i}" if wanted else "" for i, wanted in enumerate([1] * outputs if isinstance(outputs, int) else outputs)]
    node = helper.make_node(op, [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)], results, domain=domain, **attributes)
    kept = [r for r in results if r]
    graph = helper.make_graph(
        [node], name, [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()],
        [helper.make_empty_tensor_value_info(r) for r in kept])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
    finish(name, model, kept, feeds)


def finish(name, model, kept, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = dict(zip(kept, session.run(kept, feeds)))
    assert all(np.isfinite(v).all() for v in values.values()), name
    # The runtime knows the outputs' types.
    for output, value in values.items():
        at = kept.index(output)
        model.graph.output[at].CopyFrom(helper.make_tensor_value_info(output, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    np.savez_compressed(os.path.join(HERE, name + ".npz"), **{"in." + n: a for n, a in feeds.items()}, **{"out." + n: v for n, v in values.items()})


class Draw:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def floats(self, *shape, scale=1.0):
        return (np.round(self.random.standard_normal(shape) * scale * 16) / 16).astype(np.float32)

    def integers(self, kind, *shape):
        return self.random.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, shape, dtype=kind)


def f32(x):
    return np.float32(x)


def products():
    d = Draw(1)
    a, b = d.integers(np.uint8, 2, 3, 4), d.integers(np.int8, 4, 5)
    case("matmul_integer_columns", "MatMulInteger", [a, b, np.uint8(120), d.integers(np.int8, 5)], domain="")
    x, w = d.integers(np.uint8, 2, 4, 5, 6), d.integers(np.int8, 6, 2, 3, 3)
    case("conv_integer_groups", "ConvInteger", [x, w, np.uint8(120)], domain="", group=2, pads=[1, 0, 1, 1], strides=[1, 2])
    case("qlinear_matmul_columns", "QLinearMatMul", [a, f32(0.03), np.uint8(120), b, np.array([0.01, 0.02, 0.015, 0.03, 0.01], np.float32),
         d.integers(np.int8, 5), f32(0.21), np.uint8(99)], domain="")
    bias = d.random.integers(-4000, 4000, 6, dtype=np.int32)
    scales = np.array([0.01, 0.02, 0.015, 0.03, 0.01, 0.025], np.float32)
    zeros = np.zeros(6, np.int8)
    for domain, name in (("", "qlinear_conv"), ("com.microsoft", "qlinear_conv_contributed")):
        case(name, "QLinearConv", [x, f32(0.03), np.uint8(120), w, scales, zeros, f32(0.37), np.uint8(110), bias], domain=domain, group=2,
             pads=[1, 1, 1, 1])
    case("qlinear_conv_one_scale", "QLinearConv", [d.integers(np.int8, 1, 2, 6), f32(0.03), np.int8(3), d.integers(np.int8, 3, 2, 2), f32(0.02),
         np.int8(-2), f32(0.27), np.int8(1)], domain="", dilations=[2], strides=[2])
    m, n = d.integers(np.uint8, 4, 3), d.integers(np.int8, 5, 4)
    c = d.random.integers(-4000, 4000, 5, dtype=np.int32)
    case("qgemm", "QGemm", [m, f32(0.03), np.uint8(120), n, f32(0.02), np.int8(3), c, f32(0.2), np.uint8(90)], transA=1, transB=1)
    case("qgemm_floats", "QGemm", [m, f32(0.03), np.uint8(120), n, f32(0.02), np.int8(3), c], transA=1, transB=1, alpha=0.5)
    case("matmul_integer_to_float", "MatMulIntegerToFloat", [a, b, f32(0.03), f32(0.02), np.uint8(120), np.int8(3), d.floats(5)])


def transposed():
    d = Draw(5)
    case("transpose_matmul", "TransposeMatMul", [d.floats(2, 4, 3), d.floats(2, 5, 4)], transA=1, transB=1, alpha=0.5)


def functions():
    d = Draw(2)
    for kind, name in ((np.uint8, "uint8"), (np.int8, "int8")):
        a, b = d.integers(kind, 2, 3, 4), d.integers(kind, 3, 1)
        zero = kind(3)
        case(f"qlinear_add_{name}", "QLinearAdd", [a, f32(0.031), zero, b, f32(0.017), kind(7), f32(0.043), kind(11)])
        case(f"qlinear_mul_{name}", "QLinearMul", [a, f32(0.031), zero, b, f32(0.017), kind(7), f32(0.043), kind(11)])
        case(f"qlinear_sigmoid_{name}", "QLinearSigmoid", [a, f32(0.031), zero, f32(1 / 256), kind(0)])
        case(f"qlinear_leaky_relu_{name}", "QLinearLeakyRelu", [a, f32(0.031), zero, f32(0.029), kind(5)], alpha=0.2)
        image = d.integers(kind, 2, 3, 4, 5)
        case(f"qlinear_global_average_pool_{name}", "QLinearGlobalAveragePool", [image, f32(0.031), zero, f32(0.011), kind(5)])
        case(f"qlinear_average_pool_{name}", "QLinearAveragePool", [image, f32(0.031), zero, f32(0.0187), kind(5)], kernel_shape=[3, 3],
             pads=[1, 1, 1, 1])
        case(f"qlinear_concat_{name}", "QLinearConcat", [f32(0.043), kind(11), a, f32(0.031), zero, a, f32(0.043), kind(11)], axis=1)
    case("qlinear_softmax", "QLinearSoftmax", [d.integers(np.uint8, 3, 5), f32(0.031), np.uint8(3), f32(1 / 256), np.uint8(0)], opset=13, axis=-1)
    case("quantize_linear", "QuantizeLinear", [d.floats(3, 4), f32(0.031), np.uint16(3000)])
    case("dequantize_linear", "DequantizeLinear", [d.integers(np.int16, 3, 4), f32(0.031), np.int16(3)])


def attentions():
    d = Draw(3)
    x, w, b = d.floats(2, 4, 6), d.floats(6, 24, scale=0.4), d.floats(24)
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)
    case("attention", "Attention", [x, w, b], num_heads=2)
    case("attention_mask", "Attention", [x, w, b, mask], num_heads=2)
    case("attention_lengths", "Attention", [x, w, b, np.array([3, 2], np.int32)], num_heads=2)
    case("attention_unidirectional_past", "Attention", [x, w, b, None, d.floats(2, 2, 2, 3, 4)], outputs=2, num_heads=2, unidirectional=1)
    case("attention_sizes_addend", "Attention", [x, d.floats(6, 20, scale=0.4), d.floats(20), None, None, d.floats(1, 2, 4, 4)], num_heads=2,
         qkv_hidden_sizes=[8, 8, 4])
    q, k, v = d.floats(2, 3, 8), d.floats(2, 5, 8), d.floats(2, 5, 12)
    case("multi_head_attention", "MultiHeadAttention", [q, k, v], num_heads=2)
    case("multi_head_attention_bias_mask", "MultiHeadAttention", [q, k, v, d.floats(28), np.array([[1, 1, 1, 1, 0], [1, 0, 1, 1, 1]], np.int32)],
         num_heads=2)
    case("multi_head_attention_past", "MultiHeadAttention", [q, d.floats(2, 3, 8), d.floats(2, 3, 8), None, None, None, d.floats(2, 2, 2, 4),
         d.floats(2, 2, 2, 4)], outputs=3, num_heads=2, unidirectional=1)
    case("multi_head_attention_heads", "MultiHeadAttention", [q, d.floats(2, 2, 5, 4), d.floats(2, 2, 5, 4)], num_heads=2)
    angles = d.random.uniform(-3, 3, (8, 2)).astype(np.float32)
    for interleaved in (0, 1):
        case(f"rotary_embedding_{interleaved}", "RotaryEmbedding", [d.floats(2, 3, 8), np.array([2], np.int64), np.cos(angles), np.sin(angles)],
             interleaved=interleaved)
    case("rotary_embedding_heads", "RotaryEmbedding", [d.floats(2, 2, 3, 4), np.array([[0, 1, 2], [4, 6, 5]], np.int64), np.cos(angles), np.sin(angles)])


def normalizations():
    d = Draw(4)
    ids, segments = d.random.integers(0, 7, (2, 3), dtype=np.int32), d.random.integers(0, 2, (2, 3), dtype=np.int32)
    words, places, kinds = d.floats(7, 8), d.floats(5, 8), d.floats(2, 8)
    scale, shift = d.floats(8), d.floats(8)
    case("embed_layer_normalization", "EmbedLayerNormalization", [ids, segments, words, places, kinds, scale, shift], outputs=(1, 0, 1))
    case("embed_layer_normalization_positions", "EmbedLayerNormalization", [ids, None, words, places, None, scale, shift, None,
         d.random.integers(0, 5, (2, 3), dtype=np.int32)], outputs=(1, 0))
    x, skip = d.floats(2, 3, 8), d.floats(2, 3, 8)
    case("skip_layer_normalization_outputs", "SkipLayerNormalization", [x, skip, scale, shift, d.floats(8)], outputs=(1, 0, 0, 1), epsilon=1e-5)
    half = lambda a: a.astype(np.float16)
    case("skip_simplified_half", "SkipSimplifiedLayerNormalization", [half(x), half(skip), half(scale)], outputs=(1, 0, 0, 1))
    case("simplified_layer_normalization", "SimplifiedLayerNormalization", [x, scale], outputs=2, domain="", axis=-1, epsilon=1e-5, stash_type=1)


def functions_of_models():
    """Calls of calls, attributes that are given and not, names that are taken."""
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    leaky = helper.make_node("LeakyRelu", ["a"], ["t"])
    leaky.attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope"))
    inner = helper.make_function(
        "own", "Inner", ["a", "b"], ["t2", "u"],
        [leaky, helper.make_node("Clip", ["t", "b"], ["t2"]), helper.make_node("Neg", ["a"], ["u"])], sets, ["slope"])
    outer = helper.make_function(
        "own", "Outer", ["x", "w"], ["y"],
        [helper.make_node("Inner", ["x", "w"], ["t", "same"], domain="own", slope=0.5), helper.make_node("Inner", ["t", "w"], ["x2", "other"], domain="own"),
         helper.make_node("Add", ["x2", "same"], ["y"])], sets, [])
    outer.attribute_proto.append(helper.make_attribute("unused", 1))
    graph = helper.make_graph(
        [helper.make_node("Outer", ["x0", "t"], ["y"], domain="own"), helper.make_node("Outer", ["y"], ["y0"], domain="own", unused=2)],
        "calls", [helper.make_tensor_value_info("x0", 1, [2, 3])], [helper.make_empty_tensor_value_info("y0")],
        [onnx.numpy_helper.from_array(np.array(-0.25, np.float32), "t")])
    model = helper.make_model(graph, opset_imports=sets, functions=[inner, outer], ir_version=8)
    finish("function_calls", model, ["y0"], {"x0": Draw(6).floats(2, 3)})


products()
transposed()
functions()
attentions()
normalizations()
functions_of_models()
print(len(written), "cases")
