"""Encodings files of a finished job read by aimet-onnx 2.42, and files of aimet-onnx read by `quantsim infer`.

    pip install aimet-onnx==2.42.0 onnxruntime torch pillow pyyaml
    quantsim run JOB.yml --output FOLDER            # with export: {encodings: ["0.6.1", "1.0.0", "2.0.0"]}
    python3 Benchmarks/exchange_encodings.py JOB.yml FOLDER [--samples 200] [--quantsim .build/release/quantsim]

From here to there: for each version a simulation of AIMET on the job's model.onnx loads the file with strict=True, which fails where
any setting differs, and must then have exactly our deltas and offsets. From there to here: AIMET calibrates a simulation of its own
and exports it in each version; `quantsim infer` must compute the same outputs, to the bit, from all three. Both ways the outputs of
both are compared: they differ where AIMET rounds a tie up, by biases, which AIMET leaves as they are, and by what both do to later
layers. Exit code 1 when a file is
refused or says something else.
"""

import argparse
import contextlib
import io
import json
import logging
import pathlib
import sys
import tempfile
import warnings

import numpy as np
import onnx

import compare_qdq
import samples

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
VERSIONS = ["0.6.1", "1.0.0", "2.0.0"]


def simulation(job, model):
    import aimet_onnx
    from aimet_onnx.common.defs import QuantScheme, qtype
    from aimet_onnx.quantsim import QuantizationSimModel

    quantization = job.quantization
    name = {"default": "default_config", "default_per_channel": "default_config_per_channel"}.get(
        quantization["config"], quantization["config"])
    packaged = pathlib.Path(aimet_onnx.__file__).parent / "common/quantsim_config" / f"{name}.json"
    return QuantizationSimModel(
        model, quant_scheme=QuantScheme.min_max, config_file=str(packaged if packaged.exists() else job.resolve(name)),
        param_type=qtype.from_string(f"int{quantization['parameter_bitwidth']}"),
        activation_type=qtype.from_string(f"int{quantization['activation_bitwidth']}"))


def exported(sim, folder, version, export_model=False):
    with contextlib.redirect_stdout(io.StringIO()):
        sim.export(str(folder), f"aimet.{version}", export_model=export_model, encoding_version=version)
    return folder / f"aimet.{version}.encodings"


def grids(path):
    """(bits, symmetric, deltas, offsets) by tensor, of a file of version 1.0.0."""
    document = json.loads(path.read_text())
    return {e["name"]: (e["bw"], e["is_sym"], e["scale"], e["offset"])
            for section in ("activation_encodings", "param_encodings") for e in document[section]}


def agreement(ours, theirs):
    """The share of samples with one greatest element, and the largest difference over the range."""
    a, b = next(iter(ours.values())), next(iter(theirs.values()))  # AIMET's session has names of its own
    return (f"top-1 agreement {100 * np.mean(a.argmax(1) == b.argmax(1)):.2f} %, "
            f"largest difference {np.abs(a - b).max() / np.ptp(b):.2e} of the range")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--quantsim", default=".build/release/quantsim", help="path of the executable")
    arguments = parser.parse_args()
    from aimet_onnx.quantsim import load_encodings_to_sim

    job = samples.Job(arguments.job)
    inputs = compare_qdq.first_samples(samples.Job(arguments.job), arguments.samples)
    path = arguments.folder / "model.onnx"
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        own = grids(arguments.folder / "model.1.0.0.encodings")
        for version in VERSIONS:
            sim = simulation(job, onnx.load(path))
            file = arguments.folder / f"model.{version}.encodings"
            try:
                load_encodings_to_sim(sim, str(file), strict=True)
            except Exception as error:
                failed.append(f"{file.name} in AIMET: {type(error).__name__}: {error}")
                continue
            loaded = grids(exported(sim, scratch, "1.0.0"))
            differing = sorted(n for n in own.keys() | loaded.keys() if own.get(n) != loaded.get(n))
            if differing:
                failed.append(f"{file.name} in AIMET: other grids of {', '.join(differing[:5])} and so on")
            outputs, error = samples.infer(arguments.quantsim, path, file, inputs, scratch)
            if outputs is None:
                failed.append(f"{file.name} in infer: {error}")
                continue
            theirs = compare_qdq.run(sim.session, inputs)
            print(f"{file.name} loaded by AIMET, strict: {len(loaded)} of {len(own)} encodings, {len(differing)} differ; "
                  + agreement(outputs, theirs), flush=True)

        sim = simulation(job, onnx.load(path))
        sim.compute_encodings(job.calibration_batches())
        theirs = compare_qdq.run(sim.session, inputs)
        first = None
        for version in VERSIONS:
            file = exported(sim, scratch, version, export_model=True)
            outputs, error = samples.infer(
                arguments.quantsim, scratch / f"aimet.{version}.onnx", file, inputs, scratch)
            if outputs is None:
                failed.append(f"AIMET's {version} in infer: {error}")
                continue
            first = first or outputs
            same = all(np.array_equal(first[n], outputs[n]) for n in first)
            if not same:
                failed.append(f"AIMET's {version} in infer: other outputs than of {VERSIONS[0]}")
            print(f"AIMET's {version} read by infer: outputs {'equal to the bit' if same else 'OTHER than before'}; "
                  + agreement(outputs, theirs), flush=True)
    for line in failed:
        print(f"FAILED {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
