#!/usr/bin/env python3
"""Writes the golden .npy and .npz files of TensorsTests. Needs numpy; run in this folder."""
import numpy

# Element i of every array, in row-major order, is 3 i - 7 brought to the type (for bool: whether i is even); the tests know this.
TYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64",
         "uint8", "uint16", "uint32", "uint64", "bool"]


def array(shape, dtype):
    index = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape)
    return index % 2 == 0 if dtype == "bool" else (3 * index - 7).astype(dtype)


arrays = {name: array((2, 3, 4), name) for name in TYPES}
arrays["scalar"] = array((), "float32")
arrays["empty"] = array((0, 5), "float32")
arrays["vector"] = array((7,), "int64")
arrays["column_major"] = numpy.asfortranarray(array((2, 3, 4), "int16"))
arrays["column_major_8"] = numpy.asfortranarray(array((3, 5), "float64"))
arrays["column_major_1"] = numpy.asfortranarray(array((5, 2), "uint8"))
numpy.savez("stored.npz", **arrays)
numpy.savez_compressed("deflated.npz", **arrays)

for version in (1, 2, 3):
    with open(f"version{version}.npy", "wb") as file:
        numpy.lib.format.write_array(file, array((2, 3), "float32"), version=(version, 0))
numpy.save("big_endian.npy", array((2, 3), ">f4"))
numpy.save("complex.npy", array((2, 3), "complex64"))
numpy.save("structured.npy", numpy.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))

# Samples along axis 0.
numpy.savez("rows.npz", input=array((5, 2, 3), "float32"), labels=array((5,), "int64"))
numpy.savez_compressed("rows_deflated.npz", input=array((5, 2, 3), "float32"), labels=array((5,), "int64"))
