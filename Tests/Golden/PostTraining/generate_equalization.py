"""Writes equalization.json: small models, and what aimet-onnx 2.42 equalizes them to.

Needs onnx, numpy and aimet-onnx. Models are given as serialized ModelProtos. No layer is in two sets: the reference goes over sets
once, so that only then its result is the final one. Every second layer behind a folded normalization pads nothing and has a Relu in
front, since the reference changes the function elsewhere.
"""
import base64
import copy
import json
import os

import numpy as np
from aimet_onnx.cross_layer_equalization import equalize_model
from onnx import TensorProto, checker, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(1)
CASES = []


def node(op, inputs, outputs, **attributes):
    if "Conv" in op:
        # The reference takes no layer without it.
        attributes.setdefault("group", 1)
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"/{op}/{outputs.split()[0]}", **attributes)


def case(name, nodes, shapes, norms=None, inputs=(1, 3, 8, 8)):
    """shapes: parameter -> shape; norms: prefix -> channels."""
    arrays = {n: rng.normal(size=s) * np.exp(rng.uniform(-3, 3, size=(s[0],) + (1,) * (len(s) - 1))) for n, s in shapes.items()}
    for prefix, channels in (norms or {}).items():
        arrays[f"{prefix}.w"] = rng.normal(size=channels) * 0.5
        # Some so high that a part is absorbed, some not.
        arrays[f"{prefix}.b"] = rng.uniform(-1, 4, size=channels)
        arrays[f"{prefix}.m"] = rng.normal(size=channels)
        arrays[f"{prefix}.v"] = rng.uniform(0.3, 2, size=channels)
    if name == "dead channels":
        arrays["W"][1] = 0
        arrays["V"][:, 2] = 0
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(inputs))],
        [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in arrays.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    equalized = copy.deepcopy(model)
    equalize_model(equalized)
    CASES.append({"name": name, "model": base64.b64encode(model.SerializeToString()).decode(),
                  "equalized": base64.b64encode(equalized.SerializeToString()).decode()})


def norm(prefix, source, target):
    return helper.make_node("BatchNormalization", [source] + [f"{prefix}.{p}" for p in "wbmv"], [target], name=f"/{prefix}")


case("pair", [node("Conv", "x W B", "a"), node("Relu", "a", "b"), node("Conv", "b V C", "y")],
     {"W": (5, 3, 3, 3), "B": (5,), "V": (4, 5, 3, 3), "C": (4,)})
case("pair without biases and activation, padded", [node("Conv", "x W", "a", pads=[1] * 4), node("Conv", "a V", "y", pads=[1] * 4)],
     {"W": (5, 3, 3, 3), "V": (4, 5, 3, 3)})
case("slopes of channels", [node("Conv", "x W B", "a"), node("PRelu", "a S", "b"), node("Conv", "b V", "y")],
     {"W": (5, 3, 3, 3), "B": (5,), "V": (4, 5, 1, 1), "S": (5, 1, 1)})
case("depthwise triple", [node("Conv", "x W B", "a"), node("Relu", "a", "b"), node("Conv", "b D E", "c", group=6, pads=[1] * 4),
                          node("Relu", "c", "d"), node("Conv", "d V C", "y")],
     {"W": (6, 3, 1, 1), "B": (6,), "D": (6, 1, 3, 3), "E": (6,), "V": (4, 6, 1, 1), "C": (4,)})
case("depthwise pair", [node("Conv", "x D", "a", group=3), node("Relu", "a", "b"), node("Conv", "b V", "y")],
     {"D": (3, 1, 3, 3), "V": (4, 3, 1, 1)})
case("transposed convolutions", [node("ConvTranspose", "x W B", "a"), node("Relu", "a", "b"), node("ConvTranspose", "b V C", "y")],
     {"W": (3, 5, 3, 3), "B": (5,), "V": (5, 4, 2, 2), "C": (4,)})
case("dead channels", [node("Conv", "x W B", "a"), node("Relu", "a", "b"), node("Conv", "b V", "y")],
     {"W": (5, 3, 1, 1), "B": (5,), "V": (4, 5, 1, 1)})
# The reference knows bounds of Constant nodes alone.
bounds = [helper.make_node("Constant", [], [n], name=n, value=numpy_helper.from_array(np.float32(v), n)) for n, v in (("lo", 0), ("hi", 6))]
case("clip from zero", bounds + [node("Conv", "x W B", "a"), node("Clip", "a lo hi", "b"), node("Conv", "b V", "y")],
     {"W": (5, 3, 1, 1), "B": (5,), "V": (4, 5, 1, 1)})
case("high biases", [node("Conv", "x W", "a"), norm("n", "a", "b"), node("Relu", "b", "c"), node("Conv", "c V C", "y")],
     {"W": (8, 3, 3, 3), "V": (4, 8, 3, 3), "C": (4,)}, {"n": 8})
case("high biases behind a depthwise convolution",
     [node("Conv", "x W", "a"), norm("n", "a", "b"), node("Relu", "b", "c"), node("Conv", "c D", "d", group=8), norm("m", "d", "e"),
      node("Relu", "e", "f"), node("Conv", "f V C", "y")],
     {"W": (8, 3, 1, 1), "D": (8, 1, 3, 3), "V": (4, 8, 1, 1), "C": (4,)}, {"n": 8, "m": 8})

with open(os.path.join(HERE, "equalization.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES) + "\n]\n")
print(len(CASES), "cases", os.path.getsize(os.path.join(HERE, "equalization.json")), "bytes")
