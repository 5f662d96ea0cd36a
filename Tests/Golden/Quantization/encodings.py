"""Writes encodings.json: encodings of ranges, and of samples under tf_enhanced, as aimet-onnx 2.42 computes them.

    python encodings.py > encodings.json
"""
import json
import logging
import numpy as np
from aimet_onnx.common import libquant_info
from aimet_onnx.common.defs import QuantScheme
from aimet_onnx.qc_quantize_op import OpMode, QcQuantizeOp

logging.disable(logging.CRITICAL)
random = np.random.default_rng(7)


def encoding(values, scheme, bitwidth, symmetric, strict=False, unsigned=False):
    quantizer = QcQuantizeOp(
        libquant_info.QcQuantizeInfo(), quant_scheme=scheme, op_mode=OpMode.updateStats, bitwidth=bitwidth,
        use_symmetric_encodings=symmetric)
    quantizer.use_strict_symmetric = strict
    quantizer.use_unsigned_symmetric = unsigned
    quantizer.update_encoding_stats(values)
    found = quantizer.compute_encodings()[0]
    return {"min": found.min, "max": found.max, "delta": found.delta, "offset": found.offset}


ranges = [(-1, 2), (-2, 1), (-1, 1), (0, 2), (0.5, 2), (-3, -1), (0, 0), (0, 1e-9), (-1e-9, 1e-9), (-1e-5, 1e-5),
          (0, 6), (-1e-3, 1000), (-1000, 1e-3), (-0.3, 0.2999), (-1e20, 1e20)]
ranges += [tuple(sorted(float(np.float32(v)) for v in random.normal(size=2) * 10.0 ** random.integers(-3, 4)))
           for _ in range(20)]
cases = []
for low, high in ranges:
    for bitwidth in (2, 4, 8, 16):
        for symmetric, strict, unsigned in ((False, False, False), (True, False, False), (True, True, False),
                                            (True, False, True)):
            found = encoding(np.array([low, high], "float32"), QuantScheme.min_max, bitwidth, symmetric, strict, unsigned)
            cases.append([low, high, bitwidth, symmetric, strict, unsigned, found["delta"], found["offset"]])
print(json.dumps({"ranges": cases}).replace("], [", "],\n["))
