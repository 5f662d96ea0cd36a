#!/usr/bin/env python3
"""Writes a model whose weights, in a file of external data, are as many gigabytes as one likes, with samples and a job.

    python3 -m venv venv && venv/bin/pip install onnx numpy
    venv/bin/python Benchmarks/make_large_model.py OUT [--layers 12] [--width 8192]

Layers are Gemm and MatMul in turns, each with a weight of width x width float32 (256 MiB at 8192: 3 GiB in all), and a Relu
behind each. OUT gets model.onnx, model.onnx.data, samples.npz and job.yml. Weights are drawn and written one at a time.
"""

import argparse
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper


def external(name, shape, offset, length):
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in [("location", "model.onnx.data"), ("offset", str(offset)), ("length", str(length))]:
        tensor.external_data.add(key=key, value=value)
    return tensor


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=8192)
    options = parser.parse_args()
    width = options.width
    options.folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(1)
    nodes, constants, value = [], [], "input"
    with open(options.folder / "model.onnx.data", "wb") as data:
        for layer in range(options.layers):
            name = f"layers.{layer}"
            weight = random.standard_normal((width, width), numpy.float32) * numpy.float32((2 / width) ** 0.5)
            constants.append(external(f"{name}.weight", weight.shape, data.tell(), weight.nbytes))
            weight.tofile(data)
            if layer % 2 == 0:
                bias = (random.standard_normal(width) / 10).astype(numpy.float32)
                constants.append(numpy_helper.from_array(bias, f"{name}.bias"))
                inputs = [value, f"{name}.weight", f"{name}.bias"]
                nodes.append(helper.make_node("Gemm", inputs, [f"{name}.product"], f"{name}/Gemm", transB=1))
            else:
                inputs = [value, f"{name}.weight"]
                nodes.append(helper.make_node("MatMul", inputs, [f"{name}.product"], f"{name}/MatMul"))
            nodes.append(helper.make_node("Relu", [f"{name}.product"], [f"{name}.output"], f"{name}/Relu"))
            value = f"{name}.output"
    graph = helper.make_graph(
        nodes, "large", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["batch", width])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (options.folder / "model.onnx").write_bytes(model.SerializeToString())
    samples = random.standard_normal((16, width), numpy.float32)
    numpy.savez(options.folder / "samples.npz", input=samples)
    (options.folder / "job.yml").write_text(
        "model: model.onnx\ndataset:\n  calibration: {path: samples.npz}\n  batch: 4\n"
        "quantization: {scheme: tf_enhanced}\nexport: {onnx_qdq: true}\n")


main()
