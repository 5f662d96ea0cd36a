"""Writes a network of torchvision.models as ONNX (opset 17, dynamic batch): random weights, seed 0.

    pip install onnx torch torchvision
    python3 Benchmarks/export_torchvision.py NAME OUT.onnx

The output is `output` [batch, 1000]; the input `input` [batch, 3, 224, 224] (299 for inception_v3). The exporter folds the batch
norms; --keep-batch-norms leaves them to QuantSim.
"""

import argparse
import inspect
import warnings


def export(name, path, keep_batch_norms=False):
    import torch
    import torchvision

    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    make = getattr(torchvision.models, name, None)
    if make is None:
        raise SystemExit(f"{name}: no such file and no such network in torchvision.models")
    options = {"init_weights": True} if "init_weights" in inspect.signature(make).parameters else {}
    extent = 299 if name == "inception_v3" else 224
    mode = torch.onnx.TrainingMode
    torch.onnx.export(
        make(weights=None, **options).eval(), (torch.zeros(1, 3, extent, extent),), str(path), opset_version=17, dynamo=False,
        training=mode.PRESERVE if keep_batch_norms else mode.EVAL, input_names=["input"], output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("--keep-batch-norms", action="store_true")
    arguments = parser.parse_args()
    export(arguments.name, arguments.out, arguments.keep_batch_norms)
