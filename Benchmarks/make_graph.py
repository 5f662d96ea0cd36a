#!/usr/bin/env python3
"""Writes models with many nodes, with samples and a job beside them, to measure how long a model takes to be read.

    python3 -m venv venv && venv/bin/pip install onnx numpy
    venv/bin/python Benchmarks/make_graph.py chain 100000 OUT

chain: Relu, Add of a constant, Conv, Reshape one after the other, in blocks of five with a skip connection.
tree: Relus of the input that are added up in pairs, and what is left of them in pairs again.
norms: pairs of Conv and BatchNormalization, which fold.
shapes: blocks as dynamic exporters write them: Shape, Gather, Concat and Reshape.

OUT gets model.onnx, samples.npz and job.yml.
"""

import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIZE = 4, 4


def chain(count):
    random = numpy.random.default_rng(1)
    nodes, constants, value = [], [], "input"
    constants.append(numpy_helper.from_array(numpy.array([0, CHANNELS, SIZE, SIZE], numpy.int64), "shape"))
    for block in range(count // 5):
        name = f"layers.{block}"
        weight = (random.standard_normal((CHANNELS, CHANNELS, 1, 1)) / 2).astype(numpy.float32)
        constants.append(numpy_helper.from_array(weight, f"{name}.weight"))
        offset = random.standard_normal((1, CHANNELS, 1, 1)).astype(numpy.float32)
        constants.append(numpy_helper.from_array(offset, f"{name}.offset"))
        nodes += [
            helper.make_node("Conv", [value, f"{name}.weight"], [f"{name}.conv"], f"{name}/Conv"),
            helper.make_node("Add", [f"{name}.conv", f"{name}.offset"], [f"{name}.sum"], f"{name}/Add"),
            helper.make_node("Relu", [f"{name}.sum"], [f"{name}.relu"], f"{name}/Relu"),
            helper.make_node("Reshape", [f"{name}.relu", "shape"], [f"{name}.flat"], f"{name}/Reshape"),
            helper.make_node("Add", [f"{name}.flat", value], [f"{name}.output"], f"{name}/Skip"),
        ]
        value = f"{name}.output"
    return nodes, constants, value


def tree(count):
    leaves = [f"leaf.{index}" for index in range((count + 1) // 2)]
    nodes = [helper.make_node("Relu", ["input"], [leaf], f"{leaf}/Relu") for leaf in leaves]
    level = 0
    while len(leaves) > 1:
        sums = []
        for index in range(0, len(leaves) - 1, 2):
            sums.append(f"sum.{level}.{index}")
            nodes.append(helper.make_node("Add", leaves[index : index + 2], [sums[-1]], f"{sums[-1]}/Add"))
        leaves = sums + leaves[len(leaves) // 2 * 2 :]
        level += 1
    return nodes, [], leaves[0]


def norms(count):
    random = numpy.random.default_rng(1)
    nodes, constants, value = [], [], "input"
    for block in range(count // 2):
        name = f"layers.{block}"
        weight = (random.standard_normal((CHANNELS, CHANNELS, 1, 1)) / 2).astype(numpy.float32)
        constants.append(numpy_helper.from_array(weight, f"{name}.weight"))
        parameters = [f"{name}.{kind}" for kind in ("scale", "bias", "mean", "variance")]
        for parameter in parameters:
            constants.append(numpy_helper.from_array(random.uniform(0.5, 1, CHANNELS).astype(numpy.float32), parameter))
        nodes += [
            helper.make_node("Conv", [value, f"{name}.weight"], [f"{name}.conv"], f"{name}/Conv"),
            helper.make_node(
                "BatchNormalization", [f"{name}.conv"] + parameters, [f"{name}.output"], f"{name}/Norm"),
        ]
        value = f"{name}.output"
    return nodes, constants, value


def shapes(count):
    nodes, value = [], "input"
    constants = [
        numpy_helper.from_array(numpy.array(0, numpy.int64), "zero"),
        numpy_helper.from_array(numpy.array([CHANNELS, SIZE, SIZE], numpy.int64), "extents"),
        numpy_helper.from_array(numpy.array([0], numpy.int64), "axis"),
    ]
    for block in range(count // 6):
        name = f"blocks.{block}"
        nodes += [
            helper.make_node("Shape", [value], [f"{name}.shape"], f"{name}/Shape"),
            helper.make_node("Gather", [f"{name}.shape", "zero"], [f"{name}.batch"], f"{name}/Gather"),
            helper.make_node("Unsqueeze", [f"{name}.batch", "axis"], [f"{name}.first"], f"{name}/Unsqueeze"),
            helper.make_node("Concat", [f"{name}.first", "extents"], [f"{name}.to"], f"{name}/Concat", axis=0),
            helper.make_node("Reshape", [value, f"{name}.to"], [f"{name}.flat"], f"{name}/Reshape"),
            helper.make_node("Relu", [f"{name}.flat"], [f"{name}.output"], f"{name}/Relu"),
        ]
        value = f"{name}.output"
    return nodes, constants, value


def main():
    kind, count, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    nodes, constants, output = {"chain": chain, "tree": tree, "norms": norms, "shapes": shapes}[kind](count)
    extents = ["batch", CHANNELS, SIZE, SIZE]
    graph = helper.make_graph(
        nodes, kind, [helper.make_tensor_value_info("input", TensorProto.FLOAT, extents)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, extents)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    samples = numpy.random.default_rng(2).standard_normal((8, CHANNELS, SIZE, SIZE)).astype(numpy.float32)
    numpy.savez(folder / "samples.npz", input=samples)
    (folder / "job.yml").write_text(
        "model: model.onnx\ndataset:\n  calibration: {path: samples.npz}\n  batch: 4\n"
        "quantization: {scheme: tf}\n")


main()
