// The definition of every kernel, as plain as it can be said.

#include "kernels.h"

#include <math.h>

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
