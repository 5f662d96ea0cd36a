"""Writes lines of text, upright and upside down, and a job that quantizes the PP-OCRv4 classifier on them.

    pip install numpy pillow
    python3 Benchmarks/make_text_lines.py MODEL.onnx FOLDER [--calibration 200] [--evaluation 1000]

MODEL.onnx: ch_ppocr_mobile_v2.0_cls_infer.onnx of the Python package rapidocr-onnxruntime 1.4.4. FOLDER gets calibration.npz and
evaluation.npz, float32 images `x` [N, 3, 48, 192] from -1 to 1 as that package makes them (as high as the image, zeros behind
the end of the line) and `labels` (1 upside down), and job.yml. Words, colours, sizes and grain come from a fixed seed.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT, WIDTH = 48, 192
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-")
JOB = """\
model: {model}
dataset:
  calibration: {{path: calibration.npz}}
  evaluation: {{path: evaluation.npz}}
  batch: 50
quantization: {{config: default_per_channel, scheme: tf_enhanced, activation_bitwidth: 8, parameter_bitwidth: 8}}
post_training: [fold_batch_norms]
export: {{encodings: ["1.0.0", "0.6.1", "2.0.0"], onnx_qdq: true}}
"""


def line(random):
    """An image [3, 48, 192] and whether it is upside down."""
    text = " ".join("".join(random.choice(LETTERS, random.integers(2, 8))) for _ in range(random.integers(1, 4)))
    font = ImageFont.load_default(int(random.integers(24, 41)))
    left, top, right, bottom = font.getbbox(text)
    margin = int(random.integers(2, 8))
    paper = random.integers(150, 256, 3)
    image = Image.new("RGB", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), tuple(map(int, paper)))
    ink = tuple(map(int, random.integers(0, 110, 3)))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill=ink, font=font)
    turned = int(random.integers(2))
    if turned:
        image = image.rotate(180)
    width = min(WIDTH, max(1, round(image.width * HEIGHT / image.height)))
    pixels = np.asarray(image.resize((width, HEIGHT), Image.Resampling.BILINEAR), np.float32)
    pixels = np.clip(pixels + random.normal(0, 4, pixels.shape), 0, 255)
    padded = np.zeros((3, HEIGHT, WIDTH), np.float32)
    padded[:, :, :width] = (pixels[:, :, ::-1].transpose(2, 0, 1) / 255 - 0.5) / 0.5
    return padded, turned


def write(path, count, seed):
    random = np.random.default_rng(seed)
    images, labels = zip(*(line(random) for _ in range(count)))
    np.savez(path, x=np.stack(images), labels=np.array(labels, np.int64))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--calibration", type=int, default=200)
    parser.add_argument("--evaluation", type=int, default=1000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write(arguments.folder / "calibration.npz", arguments.calibration, 0)
    write(arguments.folder / "evaluation.npz", arguments.evaluation, 1)
    (arguments.folder / "job.yml").write_text(JOB.format(model=arguments.model.resolve()))


if __name__ == "__main__":
    main()
