#!/usr/bin/env python3
"""Writes the golden files of TrainingTests. Needs numpy, PyTorch 2, aimet-torch 2.42, safetensors; run in this folder.

optimizers.npz holds parameters after each step, twice: NAME.torch is PyTorch's, NAME.exact what the documented formulas
give in numpy, each operation rounded to float32 on its own. The two must agree to a few units in the last place
(PyTorch fuses multiplications with additions where the processor can).
"""
import json

import numpy
import torch
from safetensors.numpy import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
random = numpy.random.default_rng(20)
f32 = numpy.float32


# Optimizers

def sgd(weights, gradients, rate, momentum=0.0, nesterov=False, decay=0.0):
    w, v = weights.copy(), None
    rate, momentum, decay = f32(rate), f32(momentum), f32(decay)
    for g in gradients:
        d = g + decay * w
        if momentum:
            v = d if v is None else momentum * v + d
            d = d + momentum * v if nesterov else v
        w = w - rate * d
        yield w


def adam(weights, gradients, rate, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0, decoupled=False):
    w = weights.copy()
    m, v = numpy.zeros_like(w), numpy.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        if decoupled:
            w = f32(1 - rate * decay) * w
        else:
            g = g + f32(decay) * w
        m = m + f32(1 - beta1) * (g - m)
        v = f32(beta2) * v + (f32(1 - beta2) * g) * g
        denominator = numpy.sqrt(v) / f32((1 - beta2 ** t) ** 0.5) + f32(epsilon)
        w = w - (f32(rate / (1 - beta1 ** t)) * m) / denominator
        yield w


def pytorch(make, weights, gradients):
    parameter = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    optimizer = make([parameter])
    for g in gradients:
        parameter.grad = torch.from_numpy(g.copy())
        optimizer.step()
        yield parameter.detach().numpy().copy()


weights = random.normal(0, 1, 37).astype(f32)
gradients = (random.normal(0, 1, (12, 37)) * 10.0 ** random.integers(-4, 1, (12, 37))).astype(f32)
arrays = {"weights": weights, "gradients": gradients}
cases = {
    "sgd": (lambda p: torch.optim.SGD(p, lr=0.1), sgd(weights, gradients, 0.1)),
    "sgd_decay": (lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01), sgd(weights, gradients, 0.1, decay=0.01)),
    "momentum": (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=5e-4),
                 sgd(weights, gradients, 0.05, 0.9, decay=5e-4)),
    "nesterov": (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4),
                 sgd(weights, gradients, 0.05, 0.9, True, 5e-4)),
    "adam": (lambda p: torch.optim.Adam(p, lr=0.01), adam(weights, gradients, 0.01)),
    "adam_decay": (lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
                   adam(weights, gradients, 0.01, 0.8, 0.99, 1e-6, 0.1)),
    "adamw": (lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05),
              adam(weights, gradients, 0.01, decay=0.05, decoupled=True)),
}
for name, (make, exact) in cases.items():
    arrays[name + ".torch"] = numpy.stack(list(pytorch(make, weights, gradients)))
    arrays[name + ".exact"] = numpy.stack(list(exact)).astype(f32)
    difference = numpy.abs(arrays[name + ".torch"] - arrays[name + ".exact"]).max()
    assert difference < 2e-6, (name, difference)
for limit in (0.5, 3.0, 1000.0):
    parameter = torch.nn.Parameter(torch.zeros(37 * 12))
    parameter.grad = torch.from_numpy(gradients.reshape(-1).copy())
    norm = torch.nn.utils.clip_grad_norm_([parameter], limit)
    arrays[f"clipped.{limit:g}"] = parameter.grad.numpy().copy()
    arrays["norm"] = norm.detach().numpy().reshape(1).copy()
numpy.savez_compressed("optimizers.npz", **arrays)


# Schedules, 7 steps an epoch

def rates(make, steps, per_epoch):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = make(optimizer)
    result = []
    for step in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not per_epoch or step % 7 == 6:
            schedule.step()
    return result


schedulers = torch.optim.lr_scheduler
schedules = {
    "divide": rates(lambda o: schedulers.StepLR(o, step_size=2, gamma=0.1), 60, True),
    "cosine": rates(lambda o: schedulers.CosineAnnealingLR(o, T_max=42, eta_min=0.3 * 0.01), 43, False),
    "warm_up": rates(lambda o: schedulers.LambdaLR(o, lambda step: min((step + 1) / 5, 1)), 20, False),
}
with open("schedules.json", "w") as file:
    json.dump(schedules, file, indent=1)
    file.write("\n")


# Losses, in double precision

arrays = {}
for name, samples, classes, scale in [("small", 5, 3, 1), ("ten", 8, 10, 4), ("large", 3, 100, 60), ("one", 4, 1, 2)]:
    outputs = (random.normal(0, scale, (samples, classes))).astype(f32)
    teacher = (random.normal(0, scale, (samples, classes))).astype(f32)
    labels = random.integers(0, classes, samples)
    arrays[f"{name}.outputs"], arrays[f"{name}.teacher"], arrays[f"{name}.labels"] = outputs, teacher, labels
    z = torch.from_numpy(outputs).double().requires_grad_()
    other = torch.from_numpy(teacher).double()
    log_softmax = torch.nn.functional.log_softmax
    losses = {
        "cross_entropy": torch.nn.functional.cross_entropy(z, torch.from_numpy(labels)),
        "mse": torch.nn.functional.mse_loss(z, other),
        "distillation": 9 * torch.nn.functional.kl_div(
            log_softmax(z / 3, 1), log_softmax(other / 3, 1), log_target=True, reduction="batchmean"),
    }
    for loss, value in losses.items():
        z.grad = None
        value.backward(retain_graph=True)
        arrays[f"{name}.{loss}"] = value.detach().numpy().reshape(1)
        arrays[f"{name}.{loss}.gradient"] = z.grad.numpy().copy()
numpy.savez_compressed("losses.npz", **arrays)


# Straight-through estimator and range learning, by aimet-torch

from aimet_torch.quantization.affine import QuantizeDequantize  # noqa: E402

arrays = {}
cases = [
    # name, tensor, quantizer's shape, bits, symmetric, min, max
    ("tensor8", (4, 50), (), 8, False, -0.9, 1.3),
    ("tensor4", (3, 33), (), 4, False, -0.5, 1.7),
    ("tensor2", (64,), (), 2, False, -1.1, 0.7),
    ("symmetric8", (4, 50), (), 8, True, -1.0, 0.99),
    ("symmetric4", (2, 5, 7), (), 4, True, -1.2, 1.05),
    ("first_axis", (5, 3, 4), (5, 1, 1), 4, False, None, None),
    ("middle_axis", (3, 5, 4), (1, 5, 1), 4, True, None, None),
    ("last_axis", (12, 21), (1, 21), 8, False, None, None),
]
for name, shape, quantizer_shape, bits, symmetric, low, high in cases:
    x = random.normal(0, 1, shape).astype(f32)
    g = random.normal(0, 1, shape).astype(f32)
    if low is None:
        low = -random.uniform(0.3, 1.5, quantizer_shape)
        high = random.uniform(0.3, 1.5, quantizer_shape)
    quantizer = QuantizeDequantize(quantizer_shape, bits, symmetric)
    quantizer.signed = symmetric
    with torch.no_grad():
        quantizer.min.copy_(torch.tensor(numpy.asarray(low, dtype=f32)))
        quantizer.max.copy_(torch.tensor(numpy.asarray(high, dtype=f32)))
    for key, value in [("x", x), ("g", g), ("min", quantizer.min.detach().numpy().reshape(-1)),
                       ("max", quantizer.max.detach().numpy().reshape(-1))]:
        arrays[f"{name}.{key}"] = value.copy()
    tensor = torch.from_numpy(x).requires_grad_()
    quantizer.min.grad = quantizer.max.grad = None
    # A subclass would hide the encodings' gradients.
    y = quantizer(tensor).as_subclass(torch.Tensor)
    y.backward(torch.from_numpy(g))
    arrays[f"{name}.y"] = y.detach().numpy().copy()
    arrays[f"{name}.x_gradient"] = tensor.grad.numpy().copy()
    arrays[f"{name}.min_gradient"] = quantizer.min.grad.numpy().reshape(-1).copy()
    arrays[f"{name}.max_gradient"] = quantizer.max.grad.numpy().reshape(-1).copy()
    offset = quantizer.get_offset() + (quantizer.qmin if symmetric else 0)
    arrays[f"{name}.delta"] = quantizer.get_scale().detach().numpy().reshape(-1).astype(f32)
    arrays[f"{name}.offset"] = offset.detach().numpy().reshape(-1).astype(f32)
numpy.savez_compressed("straight_through.npz", **arrays)


# Checkpoints

save_file({
    "b": numpy.arange(6, dtype=f32).reshape(2, 3), "a/weight": random.normal(0, 1, (2, 2, 2)).astype(f32),
    "scalar": numpy.array(2.5, dtype=f32), "empty": numpy.zeros((0, 4), dtype=f32),
    "n\u00e4me \"q\"": numpy.ones(1, f32),
}, "reference.safetensors", metadata={"step": "7"})
save_file({"halves": numpy.ones(3, numpy.float16)}, "float16.safetensors")
