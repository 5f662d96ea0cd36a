#!/usr/bin/env python3
"""Writes the golden images, pixels and archives of DatasetsTests. Needs numpy and Pillow; run in this folder.

The pixels in pixels.npz are what Pillow makes of the images, resized.npz what its BILINEAR filter makes of one of them.
"""
import io
import math
import tarfile

import numpy
from PIL import Image

random = numpy.random.default_rng(7)


def picture(width, height):
    """Smooth colours, sharp edges and a little noise."""
    y, x = numpy.mgrid[0:height, 0:width]
    rgb = numpy.stack([255 * x / width, 255 * y / height, 127 + 120 * numpy.sin(x * y / 40)], axis=-1)
    rgb[height // 4:height // 2, width // 3:width // 2] = [250, 10, 30]
    return Image.fromarray(numpy.clip(rgb + random.normal(0, 3, rgb.shape), 0, 255).astype(numpy.uint8))


rgb = picture(37, 29)
rgb.save("rgb_420.jpg", quality=90, subsampling="4:2:0")
rgb.save("rgb_422.jpg", quality=90, subsampling="4:2:2")
rgb.save("rgb_444.jpg", quality=90, subsampling="4:4:4")
rgb.save("progressive.jpg", quality=80, progressive=True)
rgb.convert("L").save("gray.jpg", quality=90)
rgb.convert("CMYK").save("cmyk.jpg", quality=90)

small = picture(19, 13)
alpha = Image.fromarray(random.integers(0, 256, (13, 19), dtype=numpy.uint8))
small.save("rgb.png")
rgba = small.copy()
rgba.putalpha(alpha)
rgba.save("rgba.png")
small.convert("L").save("gray.png")
gray_alpha = small.convert("LA")
gray_alpha.putalpha(alpha)
gray_alpha.save("gray_alpha.png")
small.convert("1").save("bits.png")
palette = small.quantize(16)
palette.save("palette.png")
palette.save("palette_transparent.png", transparency=3)

names = ["rgb_420.jpg", "rgb_422.jpg", "rgb_444.jpg", "progressive.jpg", "gray.jpg", "rgb.png", "rgba.png", "gray.png",
         "gray_alpha.png", "bits.png", "palette.png", "palette_transparent.png"]
numpy.savez_compressed("pixels.npz", **{name: numpy.asarray(Image.open(name).convert("RGB")) for name in names})

# Named HEIGHTxWIDTH: shrunk, enlarged, both, one axis only, to one pixel.
sizes = [(16, 16), (10, 37), (29, 11), (5, 60), (40, 50), (1, 1), (28, 36), (58, 74)]
decoded = Image.open("rgb_444.jpg")
numpy.savez_compressed("resized.npz", **{
    f"{height}x{width}": numpy.asarray(decoded.resize((width, height), Image.Resampling.BILINEAR))
    for height, width in sizes})

# Every pixel value in every channel, as numpy normalizes it in float32.
mean = numpy.array([0.485, 0.456, 0.406], dtype=numpy.float32)
std = numpy.array([0.229, 0.224, 0.225], dtype=numpy.float32)
values = numpy.arange(256, dtype=numpy.uint8)
table = (values.astype(numpy.float32)[:, None] / numpy.float32(255) - mean) / std
image = (numpy.asarray(decoded).astype(numpy.float32) / numpy.float32(255) - mean) / std
numpy.savez_compressed("normalized.npz", table=table.T.copy(), image=image.transpose(2, 0, 1).copy())

# The same members in each format of tar.
long_folder = "/".join(["a-folder-with-a-long-name"] * 8)
members = [("short.jpg", b"image 1"), ("short.cls", b"3\n"), (long_folder + "/000.jpg", b"image 2" * 100),
           (long_folder + "/000.cls", b"12"), ("n\u00e4me.png", b"")]
tarfile.RECORDSIZE = 512
for name, format in [("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)]:
    with tarfile.open(f"{name}.tar", "w", format=format) as tar:
        directory = tarfile.TarInfo("folder")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for path, data in members:
            # ustar has 100 bytes for the last component and 155 for the folders.
            if format == tarfile.USTAR_FORMAT and len(path) > 150:
                path = path[26 * 3:]
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type = tarfile.SYMTYPE
        link.linkname = "short.jpg"
        tar.addfile(link)

# Random crops with black padding, then mirrored, as torchvision does to an image before ToTensor and Normalize. Named
# DOWN_RIGHT_MIRRORED, the place of the crop relative to the image.
pixels = numpy.asarray(decoded)
height, width = pixels.shape[:2]
crops = {}
for down, right, mirrored in [(0, 0, 0), (0, 0, 1), (-4, 3, 0), (4, -4, 1), (2, 4, 1), (-3, -1, 1), (40, 0, 0)]:
    padded = numpy.pad(pixels, ((50, 50), (50, 50), (0, 0)))
    crop = padded[50 + down:50 + down + height, 50 + right:50 + right + width]
    if mirrored:
        crop = crop[:, ::-1]
    crops[f"{down}_{right}_{mirrored}"] = crop
numpy.savez_compressed("augmented.npz", **crops)


# What the documented random numbers choose (SplitMix64 keyed with purpose, seed, epoch, sample), for a padding of 4.
MASK = (1 << 64) - 1


def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def draws(count, *parts):
    key = 0x243F6A8885A308D3
    for part in parts:
        key = mix((key + 0x9E3779B97F4A7C15 & MASK) ^ mix(part))
    return [mix(key + counter * 0x9E3779B97F4A7C15 & MASK) for counter in range(1, count + 1)]


with open("choices.csv", "w") as file:
    file.write("seed,epoch,sample,down,right,mirrored\n")
    for seed, epoch, sample in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (MASK, 14, 1281166), (7, 3, 49999)]:
        down, right, mirrored = draws(3, 0x6175676D656E, seed, epoch, sample)
        file.write(f"{seed},{epoch},{sample},{(down * 9 >> 64) - 4},{(right * 9 >> 64) - 4},{mirrored >> 63}\n")


# The first samples of some orders: a Feistel network of 12 rounds on a grid of cells, walked until below the count.
def order(seed, epoch, count, position):
    rows = math.isqrt(count - 1) + 1
    columns = -(-count // rows)
    keys = draws(12, 0x6F7264657200, seed, epoch, count)
    while True:
        row, column = divmod(position, columns)
        for number, key in enumerate(keys):
            if number % 2 == 0:
                row = (row + (draws(1, key, column)[0] * rows >> 64)) % rows
            else:
                column = (column + (draws(1, key, row)[0] * columns >> 64)) % columns
        position = row * columns + column
        if position < count:
            return position


with open("orders.csv", "w") as file:
    file.write("seed,epoch,count,samples at the first positions...\n")
    for seed, epoch, count in [(0, 0, 50000), (0, 1, 50000), (MASK, 14, 1281167), (3, 0, 7), (1, 2, 100)]:
        samples = [order(seed, epoch, count, position) for position in range(min(count, 12))]
        file.write(",".join(map(str, [seed, epoch, count] + samples)) + "\n")
