"""Writes folding.json: small models with batch normalizations, and what aimet-onnx 2.42 folds them to.

Needs onnx, numpy and aimet-onnx. Models are given as serialized ModelProtos.
"""
import base64
import copy
import json
import os

import numpy as np
from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
from onnx import TensorProto, checker, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(0)
CASES = []


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"/{op}/{outputs.split()[0]}", **attributes)


def norm(prefix, source, target, **attributes):
    return helper.make_node("BatchNormalization", [source] + [f"{prefix}.{p}" for p in "wbmv"], [target], name=f"/{prefix}", **attributes)


def case(name, nodes, shapes, norms, inputs=(1, 3, 6, 6), outputs=("y",)):
    """shapes: parameter -> shape; norms: prefix -> channels."""
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()}
    for prefix, channels in norms.items():
        for parameter in "wbm":
            arrays[f"{prefix}.{parameter}"] = rng.normal(size=channels)
        arrays[f"{prefix}.v"] = rng.uniform(0.3, 2, size=channels)
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, [None] * len(inputs)) for o in outputs],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    folded = copy.deepcopy(model)
    fold_all_batch_norms_to_weight(folded)
    CASES.append({"name": name, "model": base64.b64encode(model.SerializeToString()).decode(),
                  "folded": base64.b64encode(folded.SerializeToString()).decode()})


case("conv without bias", [node("Conv", "x W", "c"), norm("n", "c", "d"), node("Relu", "d", "y")], {"W": (4, 3, 3, 3)}, {"n": 4})
case("conv with bias, epsilon", [node("Conv", "x W B", "c"), norm("n", "c", "d", epsilon=0.1), node("Relu", "d", "y")],
     {"W": (4, 3, 3, 3), "B": (4,)}, {"n": 4})
case("normalization is a graph output", [node("Conv", "x W", "c"), norm("n", "c", "y")], {"W": (4, 3, 3, 3)}, {"n": 4})
case("depthwise conv", [node("Conv", "x W B", "c", group=3), norm("n", "c", "d"), node("Relu", "d", "y")],
     {"W": (6, 1, 3, 3), "B": (6,)}, {"n": 6})
case("grouped conv, two users of the normalization",
     [node("Conv", "x W", "c", group=3, pads=[1, 1, 1, 1]), norm("n", "c", "d"), node("Relu", "d", "e"), node("Add", "d e", "y")],
     {"W": (3, 1, 3, 3)}, {"n": 3})
case("conv output has two users", [node("Conv", "x W", "c"), norm("n", "c", "d"), node("Add", "c d", "y")], {"W": (4, 3, 3, 3)}, {"n": 4})
case("forward", [node("Relu", "x", "a"), norm("n", "a", "b"), node("Conv", "b W", "y")], {"W": (4, 3, 3, 3)}, {"n": 3})
case("forward from the input", [norm("n", "x", "b"), node("Conv", "b W B", "y", pads=[0, 0, 0, 0])],
     {"W": (4, 3, 3, 3), "B": (4,)}, {"n": 3})
case("forward into padding", [node("Relu", "x", "a"), norm("n", "a", "b"), node("Conv", "b W", "y", pads=[1, 1, 1, 1])],
     {"W": (4, 3, 3, 3)}, {"n": 3})
case("forward into groups", [node("Relu", "x", "a"), norm("n", "a", "b"), node("Conv", "b W", "y", group=3)], {"W": (6, 1, 3, 3)}, {"n": 3})
case("behind goes before in front", [node("Conv", "x W", "a"), norm("n", "a", "b"), node("Conv", "b V", "y")],
     {"W": (4, 3, 1, 1), "V": (2, 4, 1, 1)}, {"n": 4})
case("two normalizations", [node("Conv", "x W", "a"), norm("n", "a", "b"), norm("m", "b", "c"), node("Relu", "c", "y")],
     {"W": (4, 3, 1, 1)}, {"n": 4, "m": 4})
case("gemm", [node("Gemm", "x W B", "c", transB=1), norm("n", "c", "d"), node("Relu", "d", "y")], {"W": (4, 3), "B": (4,)}, {"n": 4}, (2, 3))
case("gemm without bias, not transposed", [node("Gemm", "x W", "c"), norm("n", "c", "d"), node("Relu", "d", "y")], {"W": (3, 4)}, {"n": 4}, (2, 3))
case("forward into gemm", [node("Relu", "x", "a"), norm("n", "a", "b"), node("Gemm", "b W B", "y")], {"W": (3, 4), "B": (4,)}, {"n": 3}, (2, 3))
case("shared weight", [node("Conv", "x W", "a"), norm("n", "a", "b"), node("Conv", "x W", "c"), node("Add", "b c", "y")], {"W": (4, 3, 3, 3)}, {"n": 4})
case("shared bias", [node("Conv", "x W B", "a"), norm("n", "a", "b"), node("Conv", "x V B", "c"), node("Add", "b c", "y")],
     {"W": (4, 3, 3, 3), "V": (4, 3, 3, 3), "B": (4,)}, {"n": 4})
case("shared statistics, both folded", [node("Conv", "x W", "a"), norm("n", "a", "b"), node("Conv", "x V", "c"),
                                        helper.make_node("BatchNormalization", ["c", "n.w", "n.b", "n.m", "n.v"], ["d"], name="/m"), node("Add", "b d", "y")],
     {"W": (4, 3, 3, 3), "V": (4, 3, 3, 3)}, {"n": 4})
case("shared statistics, both stay", [node("Relu", "x", "r"), norm("n", "r", "b"), node("Relu", "b", "c"),
                                      helper.make_node("BatchNormalization", ["c", "n.w", "n.b", "n.m", "n.v"], ["d"], name="/m"), node("Relu", "d", "y")],
     {}, {"n": 3})
case("transposed conv", [node("ConvTranspose", "x W B", "c"), norm("n", "c", "d"), node("Relu", "d", "y")], {"W": (3, 4, 3, 3), "B": (4,)}, {"n": 4})
case("depthwise transposed conv", [node("ConvTranspose", "x W", "c", group=3), norm("n", "c", "d"), node("Relu", "d", "y")], {"W": (3, 1, 3, 3)}, {"n": 3})

with open(os.path.join(HERE, "folding.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES) + "\n]\n")
print(len(CASES), "cases", os.path.getsize(os.path.join(HERE, "folding.json")), "bytes")
