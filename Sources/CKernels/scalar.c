// The definition of every kernel, as plain as it can be said.

#include "kernels.h"

#include <math.h>
#include <string.h>

void qs_range_scalar(const float *x, size_t count, struct qs_range *range) {
    struct qs_range r = *range;
    for (size_t i = 0; i < count; i++) {
        const float value = x[i];
        if (isnan(value)) {
            r.nans++;
        } else if (isinf(value)) {
            if (value > 0) r.positive_infinities++;
            else r.negative_infinities++;
        } else if (value == 0) {
            r.zeros++;
        } else {
            if (value < r.minimum) r.minimum = value;
            if (value > r.maximum) r.maximum = value;
        }
    }
    *range = r;
}

void qs_histogram_scalar(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin
) {
    (void)block;
    for (size_t i = 0; i < count; i++) {
        const float value = x[i];
        if (!isfinite(value) || value == 0) continue;
        // The product underflows at worst to zero, so the truncation is exact for every element.
        const ptrdiff_t magnitude = (ptrdiff_t)(fabsf(value) * scale);
        const ptrdiff_t bin = value < 0 ? -1 - magnitude : magnitude;
        origin[bin * QS_HISTOGRAM_LANES + (ptrdiff_t)(i % QS_HISTOGRAM_LANES)]++;
    }
}

void qs_fake_quantize_scalar(
    const float *x, float *y, size_t count, float delta, float lower, float upper
) {
    for (size_t i = 0; i < count; i++) {
        float q = rintf(x[i] / delta);
        q = q > lower ? q : lower;  // NaN compares false
        q = q < upper ? q : upper;
        y[i] = (q + 0.0f) * delta;  // -0 + 0 is +0
    }
}

void qs_round_to_half_scalar(const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float magnitude = fabsf(x[i]);
        uint32_t bits;
        memcpy(&bits, &magnitude, sizeof bits);
        // Ten of the 23 bits of the fraction are left; a carry goes into the exponent, as it should.
        bits = (bits + 0xFFF + (bits >> 13 & 1)) & ~(uint32_t)0x1FFF;
        float rounded;
        memcpy(&rounded, &bits, sizeof rounded);
        // Below the least normal number, 2^-14, the grid is 2^-24: the distance of floats between 0.5 and 1.
        const float fine = (magnitude + 0.75f) - 0.75f;
        rounded = magnitude < 0x1p-14f ? fine : rounded;
        rounded = rounded > 65504.0f ? INFINITY : rounded;
        rounded = magnitude == magnitude ? rounded : magnitude;
        y[i] = copysignf(rounded, x[i]);
    }
}
