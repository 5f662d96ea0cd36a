"""Writes operators.json and folding.json: small models with what ONNX Runtime makes of them.

operators.json: one node each; the shapes of its outputs for given input shapes, or null where the runtime refuses the model.
folding.json:   models whose outputs follow from constants and input shapes alone; the outputs' values.
Needs onnx, onnxruntime and numpy.
"""
import base64
import json
import os
import random

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
onnxruntime.set_default_logger_severity(4)
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32}


def model(nodes, inputs, outputs, opset, constants=None):
    """inputs: name -> shape, float32; outputs: names; constants: name -> array."""
    graph = helper.make_graph(
        nodes, "case", [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * len(s)) for n, s in inputs.items()],
        [helper.make_empty_tensor_value_info(n) for n in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(made)
    for index, output in enumerate(inferred.graph.output):
        element = output.type.tensor_type.elem_type or TensorProto.FLOAT
        made.graph.output[index].CopyFrom(helper.make_tensor_value_info(output.name, element, None))
    return made


def run(made, inputs):
    try:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
        values = session.run(None, {n: np.ones(s, np.float32) for n, s in inputs.items()})
        return dict(zip([o.name for o in made.graph.output], values))
    except Exception:  # the runtime has no common base class for what it throws
        return None


def encode(made):
    return base64.b64encode(made.SerializeToString()).decode()


OPERATORS = []


def case(op, shapes, opset=17, constants=None, outputs=1, name=None, **attributes):
    inputs = {f"x{i}": s for i, s in enumerate(shapes)}
    arguments = list(inputs) + list(constants or {})
    # A constant called "-" stands for an absent input.
    arguments = ["" if a.startswith("-") else a for a in arguments]
    constants = {n: a for n, a in (constants or {}).items() if not n.startswith("-")}
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, arguments, results, name="n", **attributes)
    made = model([node], inputs, results, opset, constants)
    values = run(made, inputs)
    OPERATORS.append({
        "name": name or f"{op} {opset} {shapes} {attributes} { {n: np.asarray(a).tolist() for n, a in constants.items()} if op != 'Conv' else ''}"[:160],
        "model": encode(made), "inputs": inputs,
        "outputs": None if values is None else {n: list(v.shape) for n, v in values.items()},
    })


def i64(*values):
    return np.array(values, np.int64)


def operators():
    rng = random.Random(1)
    for index in range(60):
        rank = rng.choice([1, 2, 2, 2])
        attributes = {}
        kernel = [rng.randint(1, 4) for _ in range(rank)]
        if rng.random() < 0.8:
            attributes["strides"] = [rng.randint(1, 3) for _ in range(rank)]
        automatic = rng.choice(["NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
        spatial = [rng.randint(5, 13) for _ in range(rank)]
        if automatic == "NOTSET":
            pads = [rng.randint(0, k - 1) for k in kernel + kernel]
            attributes["pads"] = pads
        elif automatic:
            attributes["auto_pad"] = automatic
        op = rng.choice(["Conv", "MaxPool", "AveragePool"])
        if automatic in ("NOTSET", "VALID") and rng.random() < 0.3 and op != "AveragePool":
            attributes["dilations"] = [rng.randint(1, 2) for _ in range(rank)]
        if op == "Conv":
            groups = rng.choice([1, 2, 4])
            if rng.random() < 0.5:
                attributes["kernel_shape"] = kernel
            case(op, [[2, 4, *spatial], [8, 4 // groups, *kernel]], rng.choice([9, 11, 17, 22]), group=groups, **attributes)
        else:
            opset = rng.choice([10, 12, 22])
            if rng.random() < 0.5:
                attributes["ceil_mode"] = 1
            case(op, [[2, 3, *spatial]], opset, kernel_shape=kernel, **attributes)
    case("Conv", [[1, 3, 8, 8], [4, 3, 3, 3], [4]])
    case("Conv", [[1, 3, 8, 8], [4, 2, 3, 3]])
    case("Conv", [[1, 3, 8, 8], [4, 3, 9, 9]])
    case("MaxPool", [[1, 3, 2, 2]], kernel_shape=[3, 3])
    case("GlobalAveragePool", [[2, 3, 5, 7]])
    case("GlobalMaxPool", [[2, 3, 5]])
    case("Gemm", [[2, 3], [3, 4], [4]], transA=0)
    case("Gemm", [[3, 2], [4, 3], [2, 1]], transA=1, transB=1)
    case("Gemm", [[2, 3], [4, 3]], 11, transB=1)
    case("Gemm", [[2, 3], [4, 3]], 11)
    case("Gemm", [[2, 3], [3, 4], [3]])
    for left, right in [([2, 3], [3, 4]), ([5, 1, 2, 3], [4, 3, 2]), ([3], [3]), ([3], [2, 3, 4]), ([2, 2, 3], [3]), ([2, 3], [2, 3])]:
        case("MatMul", [left, right])
    case("BatchNormalization", [[2, 3, 4, 4], [3], [3], [3], [3]], 9)
    case("BatchNormalization", [[2, 3, 4], [3], [3], [3], [3]], 15)
    case("BatchNormalization", [[2, 3, 4, 4], [4], [3], [3], [3]], 15)
    case("LRN", [[2, 3, 4, 4]], size=3)
    case("LayerNormalization", [[2, 3, 4], [4]])
    case("LayerNormalization", [[2, 3, 4], [3, 4], [3, 4]], axis=1)
    for op, opset in [("Relu", 9), ("LeakyRelu", 9), ("Elu", 9), ("Sigmoid", 13), ("Tanh", 9), ("Exp", 9), ("Log", 9), ("Sqrt", 9),
                      ("Abs", 9), ("Neg", 9), ("Reciprocal", 9), ("Erf", 9), ("HardSigmoid", 9), ("HardSwish", 14), ("Softplus", 9),
                      ("Gelu", 20), ("Floor", 9), ("Ceil", 9), ("Round", 11), ("Sign", 9)]:
        case(op, [[2, 3]], opset)
    case("Gelu", [[2, 3]], 20, approximate="tanh")
    case("Clip", [[2, 3]], 9, min=0.0, max=6.0)
    case("Clip", [[2, 3]], 13, {"low": np.float32(0), "high": np.float32(6)})
    case("Clip", [[2, 3]], 13, {"-": 0, "high": np.float32(6)})
    for op in ["Add", "Sub", "Mul", "Div", "Pow"]:
        case(op, [[2, 3, 4], [3, 1]])
    case("Add", [[1, 3], [2, 1]])
    case("Add", [[2, 3], [2]])
    case("PRelu", [[2, 3, 4, 4], [3, 1, 1]])
    case("PRelu", [[3], [2, 3]])
    for op in ["Sum", "Max", "Min", "Mean"]:
        case(op, [[2, 3], [3], [1, 1]])
    case("Sum", [[4]])
    for opset, axis in [(9, 1), (9, -1), (13, 2), (13, -2), (13, 3), (11, 3)]:
        case("Softmax", [[2, 3, 4]], opset, axis=axis)
    case("LogSoftmax", [[2, 3]], 13)
    for axis in [0, 1, -1, 2]:
        case("Concat", [[2, 3], [2, 3], [2, 3]], axis=axis)
    case("Concat", [[2, 3], [2, 5]], axis=1)
    case("Concat", [[2, 3], [2, 5]], axis=0)
    case("Split", [[2, 6]], 11, outputs=3, axis=1)
    case("Split", [[2, 7]], 11, outputs=2, axis=-1, split=[3, 4])
    case("Split", [[2, 7]], 13, {"parts": i64(3, 4)}, outputs=2, axis=1)
    case("Split", [[2, 7]], 13, {"parts": i64(3, 3)}, outputs=2, axis=1)
    case("Split", [[2, 7]], 18, outputs=3, axis=1, num_outputs=3)
    case("Split", [[7]], 13, outputs=2)
    for wanted in [[4, -1], [0, -1], [-1], [2, 0, 12], [25], [3, 8], [-1, -1], [5, -1], [0, 0, 0, 0], [1, 24], [1, 1, -1, 1]]:
        case("Reshape", [[2, 3, 4]], constants={"shape": i64(*wanted)})
    case("Reshape", [[2, 0]], constants={"shape": i64(0, 3)}, allowzero=1)
    case("Reshape", [[2]], constants={"shape": i64()})
    case("Reshape", [[1, 1]], constants={"shape": i64()})
    for axis in [0, 1, 2, 3, -1]:
        case("Flatten", [[2, 3, 4]], axis=axis)
    case("Squeeze", [[1, 3, 1]], 11, axes=[0])
    case("Squeeze", [[1, 3, 1]], 11)
    case("Squeeze", [[1, 3, 1]], 13, {"axes": i64(-1, 0)})
    case("Squeeze", [[1, 3, 1]], 13, {"axes": i64(1)})
    case("Unsqueeze", [[3, 4]], 11, axes=[0, 3])
    case("Unsqueeze", [[3, 4]], 13, {"axes": i64(-1, 1)})
    case("Unsqueeze", [[3, 4]], 13, {"axes": i64(4)})
    case("Identity", [[3, 4]])
    case("Dropout", [[3, 4]], 10, ratio=0.3)
    case("Dropout", [[3, 4]], 13, {"ratio": np.float32(0.5)})
    case("Transpose", [[2, 3, 4]])
    case("Transpose", [[2, 3, 4]], perm=[2, 0, 1])
    case("Transpose", [[2, 3, 4]], perm=[0, 1])
    case("Slice", [[5, 6]], 9, starts=[1, -3], ends=[100, 6], axes=[0, 1])
    slices = [([0], [-1], [0], [2]), ([-1], [-100], [1], [-2]), ([4], [0], [0], [-1]), ([3], [1], [0], [1]), ([0, 0], [9223372036854775807, 2], [1, 0], [1, 1]),
              ([100], [-100], [0], [-3]), ([0], [5], [0], [0])]
    for starts, ends, axes, steps in slices:
        case("Slice", [[5, 6]], constants={"starts": i64(*starts), "ends": i64(*ends), "axes": i64(*axes), "steps": i64(*steps)})
    case("Slice", [[5, 6]], constants={"starts": i64(1, 2), "ends": i64(3, 4)})
    for axis, indices in [(0, i64(0, -1)), (1, np.array([[0, 1], [2, 0]])), (1, np.int64(2)), (-1, i64(1)), (0, i64(2))]:
        case("Gather", [[2, 3]], constants={"indices": indices}, axis=axis)
    case("Pad", [[2, 3]], 9, pads=[0, 1, 2, 3])
    case("Pad", [[2, 3]], 17, {"pads": i64(0, 1, 2, 3), "value": np.float32(1)})
    case("Pad", [[2, 3]], 18, {"pads": i64(1, 2), "-": 0, "axes": i64(-1)})
    case("Pad", [[2, 3]], 17, {"pads": i64(0, 2, 0, 1)}, mode="reflect")
    case("Pad", [[2, 3]], 17, {"pads": i64(0, -1, 0, -1)})
    case("Pad", [[2, 3]], 17, {"pads": i64(0, 2, 1, 5)}, mode="edge")
    for wanted in [[2, 3], [4, 1, 3], [1], [4]]:
        case("Expand", [[3, 1] if wanted == [4] else [1, 3]], constants={"shape": i64(*wanted)})
    case("Expand", [[2, 3]], constants={"shape": i64(4)})
    for op in ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"]:
        case(op, [[2, 3, 4]], 13, axes=[-1, 0])
        case(op, [[2, 3, 4]], 18, {"axes": i64(1)}, keepdims=0)
    case("ReduceSum", [[2, 3, 4]], 11, axes=[1], keepdims=0)
    case("ReduceSum", [[2, 3, 4]], 13, {"axes": i64(1, 2)})
    case("ReduceSum", [[2, 3, 4]], 13)
    case("ReduceSum", [[2, 3, 4]], 13, noop_with_empty_axes=1)
    case("ReduceMean", [[2, 3]], 13, axes=[2])
    for x, grid, opset in [([2, 3, 4, 5], [2, 6, 7, 2], 16), ([1, 2, 3, 4, 5], [1, 2, 2, 2, 3], 20), ([2, 3, 4, 5], [1, 6, 7, 2], 16),
                           ([2, 3, 4, 5], [2, 6, 7, 3], 16)]:
        case("GridSample", [x, grid], opset)
    case("AffineGrid", [[2, 2, 3]], 20, {"size": i64(2, 3, 4, 5)})
    case("AffineGrid", [[2, 2, 3]], 20, {"size": i64(2, 3, 4, 5, 6)})
    case("RoiAlign", [[2, 3, 8, 8], [5, 4]], 16, {"images": i64(0, 1, 1, 0, 0)}, output_height=2, output_width=3)
    case("RoiAlign", [[2, 3, 8, 8], [5, 5]], 16, {"images": i64(0, 1, 1, 0, 0)})
    case("MaxRoiPool", [[2, 3, 8, 8], [4, 5]], pooled_shape=[2, 3])
    case("MaxRoiPool", [[2, 3, 8, 8], [4, 4]], pooled_shape=[2, 3])
    case("Col2Im", [[2, 18, 9]], 18, {"image": i64(5, 5), "block": i64(3, 3)})
    case("Col2Im", [[2, 18, 8]], 18, {"image": i64(5, 5), "block": i64(3, 3)})
    case("CenterCropPad", [[5, 6]], 18, {"shape": i64(3, 9)})
    case("CenterCropPad", [[5, 6, 2]], 18, {"shape": i64(4)}, axes=[-2])
    case("LpPool", [[2, 3, 9, 8]], 18, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=1)
    case("LpPool", [[2, 3, 9]], 11, kernel_shape=[3, 2])
    case("GlobalLpPool", [[2, 3, 9, 8]], p=3)
    case("MaxPool", [[2, 3, 9, 8]], outputs=2, kernel_shape=[2, 2], strides=[2, 1])
    case("Det", [[2, 3, 3]])
    case("Det", [[2, 3, 2]])
    case("Compress", [[3, 4]], constants={"condition": np.array([True, False, True])}, axis=0)
    case("Compress", [[3, 4]], constants={"condition": np.array([True, False, True, True])}, axis=0)
    case("Compress", [[3, 4]], constants={"condition": np.array([False, True, True])})
    case("DFT", [[2, 9, 1]], onesided=1)
    case("DFT", [[2, 9, 2]], 20, {"length": np.int64(12), "axis": np.int64(-2)}, inverse=1)
    case("DFT", [[2, 9, 3]])
    case("STFT", [[2, 40, 1]], constants={"step": np.int64(5), "-": 0, "length": np.int64(16)})
    case("STFT", [[2, 40, 1]], constants={"step": np.int64(5), "-": 0, "length": np.int64(48)})


FOLDING = []


def folding(name, nodes, constants, outputs, opset=17, shapes=None):
    inputs = shapes or {"x": [2, 3, 4]}
    made = model(nodes, inputs, outputs, opset, constants)
    values = run(made, inputs)
    assert values is not None, name
    FOLDING.append({
        "name": name, "model": encode(made), "inputs": inputs,
        "outputs": {n: {"type": str(v.dtype), "shape": list(v.shape), "bytes": base64.b64encode(v.tobytes()).decode()}
                    for n, v in values.items()},
    })


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def folds():
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    k = np.arange(-6, 6, dtype=np.int64).reshape(3, 4)
    folding("flatten by shape arithmetic", [
        node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axes", "n1"),
        node("Concat", "n1 minus", "t", axis=0), node("Reshape", "a t", "y")],
        {"zero": np.int64(0), "axes": i64(0), "minus": i64(-1), "a": a}, ["t", "y"])
    folding("product of extents", [
        node("Shape", "x", "s"), node("Slice", "s one three", "t"), node("ReduceProd", "t", "p", keepdims=0),
        node("Cast", "p", "f", to=TensorProto.FLOAT), node("Sqrt", "f", "y"), node("Size", "x", "z")],
        {"one": i64(1), "three": i64(3)}, ["p", "y", "z"])
    folding("end of shape", [node("Shape", "x", "y", start=-2), node("Shape", "x", "z", start=1, end=-1)], {}, ["y", "z"])
    folding("filled weights", [
        node("ConstantOfShape", "s", "w", value=numpy_helper.from_array(np.array([0.5], np.float32))),
        node("ConstantOfShape", "s", "v"), node("Add", "w v", "y")], {"s": i64(2, 2)}, ["w", "y"])
    folding("integers", [
        node("Add", "k k", "y0"), node("Sub", "k two", "y1"), node("Mul", "k k", "y2"), node("Div", "k two", "y3"),
        node("Neg", "k", "y4"), node("Abs", "k", "y5"), node("Max", "k two", "y6"), node("Min", "k two", "y7")],
        {"k": k, "two": i64(2)}, [f"y{i}" for i in range(8)])
    folding("floats", [
        node("Div", "a b", "y0"), node("Floor", "y0", "y1"), node("Ceil", "y0", "y2"), node("Round", "y0", "y3"),
        node("Sum", "a b a", "y4"), node("Sign", "b", "y5"), node("Reciprocal", "b", "y6"), node("ReduceMean", "a", "y7", axes=[1])],
        {"a": a, "b": np.array([[-8], [2], [3]], np.float32)}, [f"y{i}" for i in range(8)])
    folding("comparisons", [
        node("Equal", "k two", "c0"), node("Greater", "k two", "c1"), node("Less", "k two", "c2"),
        node("GreaterOrEqual", "k two", "c3"), node("LessOrEqual", "k two", "c4"), node("And", "c3 c4", "c5"),
        node("Or", "c1 c2", "c6"), node("Not", "c5", "c7"), node("Where", "c1 k two", "y")],
        {"k": k, "two": i64(2)}, [f"c{i}" for i in range(8)] + ["y"])
    folding("movement", [
        node("Transpose", "a", "y0", perm=[2, 0, 1]), node("Slice", "a starts ends axes steps", "y1"),
        node("Concat", "a a", "y2", axis=1), node("Gather", "a index", "y3", axis=1), node("Split", "a", "y4 y5", axis=2),
        node("Expand", "row shape", "y6"), node("Tile", "row repeats", "y7"), node("Squeeze", "row", "y8"),
        node("Flatten", "a", "y9", axis=2)],
        {"a": a, "starts": i64(-1, 0), "ends": i64(-5, 2), "axes": i64(2, 1), "steps": i64(-2, 1), "index": np.array([[2, -3]]),
         "row": np.array([[1, 2, 3]], np.int32), "shape": i64(2, 1, 3), "repeats": i64(2, 3)},
        [f"y{i}" for i in range(10)])
    folding("range", [node("Range", "start stop step", "y"), node("Range", "f0 f1 f2", "z")],
            {"start": np.int64(7), "stop": np.int64(-3), "step": np.int64(-3), "f0": np.float32(0.5), "f1": np.float32(2.1), "f2": np.float32(0.375)},
            ["y", "z"])
    targets = ["FLOAT", "DOUBLE", "FLOAT16", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL"]
    folding("casts", [node("Cast", "k", f"k{t}", to=getattr(TensorProto, t)) for t in targets]
            + [node("Cast", "f", f"f{t}", to=getattr(TensorProto, t)) for t in targets],
            {"k": k, "f": np.array([0, 0.5, 1.75, 100.3, 2.5], np.float32)}, [f"k{t}" for t in targets] + [f"f{t}" for t in targets])
    folding("padding as an exporter writes it", [
        node("ConstantOfShape", "four", "z", value=numpy_helper.from_array(np.array([0], np.int64))),
        node("Concat", "pads z", "all", axis=0), node("Reshape", "all pairs", "m"), node("Slice", "m first last zero minus", "r"),
        node("Transpose", "r", "t", perm=[1, 0]), node("Reshape", "t flat", "u"), node("Cast", "u", "y", to=TensorProto.INT64)],
        {"four": i64(4), "pads": i64(0, 0, 8, 8), "pairs": i64(-1, 2), "first": i64(-1), "last": i64(-9223372036854775807),
         "zero": i64(0), "minus": i64(-1), "flat": i64(-1)}, ["y"])


def write(name, cases):
    with open(os.path.join(HERE, name), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(name, len(cases), "cases", os.path.getsize(os.path.join(HERE, name)), "bytes")


operators()
folds()
write("operators.json", OPERATORS)
write("folding.json", FOLDING)
print("refused:", [c["name"] for c in OPERATORS if c["outputs"] is None])
