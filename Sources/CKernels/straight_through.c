#include "environment.h"
#include "kernels.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The definitions.

/// Quantizes one element, and says whether it lies inside the grid.
static inline bool quantize(float x, float *y, float delta, float lower, float upper) {
    const float rounded = rintf(x / delta);
    float q = rounded > lower ? rounded : lower;  // NaN compares false
    q = q < upper ? q : upper;
    *y = (q + 0.0f) * delta;  // -0 + 0 is +0
    return rounded >= lower && rounded <= upper;
}

void qs_fake_quantize_masked_scalar(
    const float *x, float *y, uint8_t *mask, size_t count, float delta, float lower, float upper
) {
    for (size_t i = 0; i < count; i++) {
        const bool inside = quantize(x[i], &y[i], delta, lower, upper);
        if (i % 8 == 0) mask[i / 8] = 0;
        mask[i / 8] |= (uint8_t)(inside << i % 8);
    }
}

void qs_fake_quantize_masked_each_scalar(
    const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower, const float *upper
) {
    for (size_t i = 0; i < count; i++) {
        const bool inside = quantize(x[i], &y[i], delta[i], lower[i], upper[i]);
        if (i % 8 == 0) mask[i / 8] = 0;
        mask[i / 8] |= (uint8_t)(inside << i % 8);
    }
}

void qs_apply_mask_scalar(float *g, const uint8_t *mask, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if ((mask[i / 8] >> i % 8 & 1) == 0) g[i] = 0;
    }
}

void qs_fake_quantize_keeping_scalar(
    float *x, float *kept, size_t count, float delta, float lower, float upper
) {
    for (size_t i = 0; i < count; i++) {
        kept[i] = x[i];
        quantize(x[i], &x[i], delta, lower, upper);
    }
}

/// What one element adds.
/// @return the gradient that passes
static inline float add_to_sums(
    float x, float g, float delta, float lower, float upper, double *delta_sum, double *outside_sum
) {
    const float ratio = x / delta;
    const float rounded = rintf(ratio);
    const bool inside = rounded >= lower && rounded <= upper;
    float q = rounded > lower ? rounded : lower;
    q = q < upper ? q : upper;
    *delta_sum += (double)g * (double)(inside ? rounded - ratio : q);
    *outside_sum += inside ? 0.0 : (double)g;
    return inside ? g : 0.0f;
}

void qs_range_backward_scalar(
    const float *x, float *g, size_t count, float delta, float lower, float upper, double *delta_lanes,
    double *outside_lanes
) {
    for (size_t i = 0; i < count; i++) {
        const size_t lane = i % QS_SUM_LANES;
        g[i] = add_to_sums(x[i], g[i], delta, lower, upper, &delta_lanes[lane], &outside_lanes[lane]);
    }
}

__attribute__((noinline)) static void range_backward_each(
    const float *x, float *g, size_t count, size_t channels, const float *delta, const float *lower,
    const float *upper, struct qs_range_sums *sums
) {
    for (size_t start = 0; start < count; start += channels) {
        for (size_t c = 0; c < channels; c++) {
            const size_t i = start + c;
            g[i] = add_to_sums(x[i], g[i], delta[c], lower[c], upper[c], &sums[c].delta, &sums[c].outside);
        }
    }
}

void qs_range_backward_each(
    const float *x, float *g, size_t count, size_t channels, const float *delta, const float *lower,
    const float *upper, struct qs_range_sums *sums
) {
    QS_ENTER;
    range_backward_each(x, g, count, channels, delta, lower, upper, sums);
    QS_LEAVE;
}

#if defined(__x86_64__)

enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256 inside_avx2(__m256 rounded, __m256 lower, __m256 upper) {
    return _mm256_and_ps(_mm256_cmp_ps(rounded, lower, _CMP_GE_OQ), _mm256_cmp_ps(rounded, upper, _CMP_LE_OQ));
}

/// Quantizes eight elements; the bits of those inside the grid.
AVX2 static inline uint8_t quantize_avx2(__m256 x, float *y, __m256 delta, __m256 lower, __m256 upper) {
    const __m256 rounded = _mm256_round_ps(_mm256_div_ps(x, delta), NEAREST);
    const __m256 q = _mm256_min_ps(_mm256_max_ps(rounded, lower), upper);  // beside a NaN, the second operand
    _mm256_storeu_ps(y, _mm256_mul_ps(_mm256_add_ps(q, _mm256_setzero_ps()), delta));
    return (uint8_t)_mm256_movemask_ps(inside_avx2(rounded, lower, upper));
}

AVX2 void qs_fake_quantize_masked_avx2(
    const float *x, float *y, uint8_t *mask, size_t count, float delta, float lower, float upper
) {
    const __m256 deltas = _mm256_set1_ps(delta), lowers = _mm256_set1_ps(lower), uppers = _mm256_set1_ps(upper);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        mask[i / 8] = quantize_avx2(_mm256_loadu_ps(x + i), y + i, deltas, lowers, uppers);
    }
    qs_fake_quantize_masked_scalar(x + i, y + i, mask + i / 8, count - i, delta, lower, upper);
}

AVX2 void qs_fake_quantize_masked_each_avx2(
    const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower, const float *upper
) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        mask[i / 8] = quantize_avx2(
            _mm256_loadu_ps(x + i), y + i, _mm256_loadu_ps(delta + i), _mm256_loadu_ps(lower + i),
            _mm256_loadu_ps(upper + i));
    }
    qs_fake_quantize_masked_each_scalar(
        x + i, y + i, mask + i / 8, count - i, delta + i, lower + i, upper + i);
}

AVX2 void qs_apply_mask_avx2(float *g, const uint8_t *mask, size_t count) {
    const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i chosen = _mm256_and_si256(_mm256_set1_epi32(mask[i / 8]), bits);
        const __m256 inside = _mm256_castsi256_ps(_mm256_cmpeq_epi32(chosen, bits));
        _mm256_storeu_ps(g + i, _mm256_and_ps(_mm256_loadu_ps(g + i), inside));
    }
    qs_apply_mask_scalar(g + i, mask + i / 8, count - i);
}

AVX2 void qs_fake_quantize_keeping_avx2(
    float *x, float *kept, size_t count, float delta, float lower, float upper
) {
    const __m256 deltas = _mm256_set1_ps(delta), lowers = _mm256_set1_ps(lower), uppers = _mm256_set1_ps(upper);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 values = _mm256_loadu_ps(x + i);
        _mm256_storeu_ps(kept + i, values);
        quantize_avx2(values, x + i, deltas, lowers, uppers);
    }
    qs_fake_quantize_keeping_scalar(x + i, kept + i, count - i, delta, lower, upper);
}

AVX2 static inline __m256d half_avx2(__m256 v, int upper) {
    return _mm256_cvtps_pd(upper ? _mm256_extractf128_ps(v, 1) : _mm256_castps256_ps128(v));
}

AVX2 void qs_range_backward_avx2(
    const float *x, float *g, size_t count, float delta, float lower, float upper, double *delta_lanes,
    double *outside_lanes
) {
    _Static_assert(QS_SUM_LANES == 8, "two vectors of four doubles");
    const __m256 deltas = _mm256_set1_ps(delta), lowers = _mm256_set1_ps(lower), uppers = _mm256_set1_ps(upper);
    __m256d sums[2], outside[2];
    for (int j = 0; j < 2; j++) {
        sums[j] = _mm256_loadu_pd(delta_lanes + 4 * j);
        outside[j] = _mm256_loadu_pd(outside_lanes + 4 * j);
    }
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 ratio = _mm256_div_ps(_mm256_loadu_ps(x + i), deltas);
        const __m256 rounded = _mm256_round_ps(ratio, NEAREST);
        const __m256 inside = inside_avx2(rounded, lowers, uppers);
        const __m256 q = _mm256_min_ps(_mm256_max_ps(rounded, lowers), uppers);
        const __m256 slope = _mm256_blendv_ps(q, _mm256_sub_ps(rounded, ratio), inside);
        const __m256 gradient = _mm256_loadu_ps(g + i);
        const __m256 beyond = _mm256_andnot_ps(inside, gradient);
        for (int j = 0; j < 2; j++) {
            const __m256d product = _mm256_mul_pd(half_avx2(gradient, j), half_avx2(slope, j));
            sums[j] = _mm256_add_pd(sums[j], product);
            outside[j] = _mm256_add_pd(outside[j], half_avx2(beyond, j));
        }
        _mm256_storeu_ps(g + i, _mm256_and_ps(inside, gradient));
    }
    for (int j = 0; j < 2; j++) {
        _mm256_storeu_pd(delta_lanes + 4 * j, sums[j]);
        _mm256_storeu_pd(outside_lanes + 4 * j, outside[j]);
    }
    qs_range_backward_scalar(x + i, g + i, count - i, delta, lower, upper, delta_lanes, outside_lanes);
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

/// Quantizes sixteen elements; the bits of those inside the grid.
AVX512 static inline uint16_t quantize_avx512(__m512 x, float *y, __m512 delta, __m512 lower, __m512 upper) {
    const __m512 rounded = _mm512_roundscale_ps(_mm512_div_ps(x, delta), NEAREST);
    const __m512 q = _mm512_min_ps(_mm512_max_ps(rounded, lower), upper);  // beside a NaN, the second operand
    _mm512_storeu_ps(y, _mm512_mul_ps(_mm512_add_ps(q, _mm512_setzero_ps()), delta));
    return _mm512_cmp_ps_mask(rounded, lower, _CMP_GE_OQ) & _mm512_cmp_ps_mask(rounded, upper, _CMP_LE_OQ);
}

AVX512 void qs_fake_quantize_masked_avx512(
    const float *x, float *y, uint8_t *mask, size_t count, float delta, float lower, float upper
) {
    const __m512 deltas = _mm512_set1_ps(delta), lowers = _mm512_set1_ps(lower), uppers = _mm512_set1_ps(upper);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint16_t inside = quantize_avx512(_mm512_loadu_ps(x + i), y + i, deltas, lowers, uppers);
        memcpy(mask + i / 8, &inside, sizeof inside);
    }
    qs_fake_quantize_masked_scalar(x + i, y + i, mask + i / 8, count - i, delta, lower, upper);
}

AVX512 void qs_fake_quantize_masked_each_avx512(
    const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower, const float *upper
) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint16_t inside = quantize_avx512(
            _mm512_loadu_ps(x + i), y + i, _mm512_loadu_ps(delta + i), _mm512_loadu_ps(lower + i),
            _mm512_loadu_ps(upper + i));
        memcpy(mask + i / 8, &inside, sizeof inside);
    }
    qs_fake_quantize_masked_each_scalar(
        x + i, y + i, mask + i / 8, count - i, delta + i, lower + i, upper + i);
}

AVX512 void qs_apply_mask_avx512(float *g, const uint8_t *mask, size_t count) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        uint16_t inside;
        memcpy(&inside, mask + i / 8, sizeof inside);
        _mm512_storeu_ps(g + i, _mm512_maskz_loadu_ps(inside, g + i));
    }
    qs_apply_mask_scalar(g + i, mask + i / 8, count - i);
}

/// More elements than a core's own cache holds: what is kept of them is not read before the backward pass, and goes past the
/// caches, so that memory is neither read for it nor others pushed out.
enum { STREAMED = 1 << 17 };

AVX512 void qs_fake_quantize_keeping_avx512(
    float *x, float *kept, size_t count, float delta, float lower, float upper
) {
    const __m512 deltas = _mm512_set1_ps(delta), lowers = _mm512_set1_ps(lower), uppers = _mm512_set1_ps(upper);
    size_t i = 0;
    if (count >= STREAMED) {
        // Streams go to whole lines.
        i = (64 - (uintptr_t)kept % 64) % 64 / sizeof *kept;
        qs_fake_quantize_keeping_avx2(x, kept, i, delta, lower, upper);
        for (; i + 16 <= count; i += 16) {
            const __m512 values = _mm512_loadu_ps(x + i);
            _mm512_stream_ps(kept + i, values);
            quantize_avx512(values, x + i, deltas, lowers, uppers);
        }
        _mm_sfence();
    }
    for (; i + 16 <= count; i += 16) {
        const __m512 values = _mm512_loadu_ps(x + i);
        _mm512_storeu_ps(kept + i, values);
        quantize_avx512(values, x + i, deltas, lowers, uppers);
    }
    qs_fake_quantize_keeping_scalar(x + i, kept + i, count - i, delta, lower, upper);
}

AVX512 static inline __m512d half_avx512(__m512 v, int upper) {
    return _mm512_cvtps_pd(upper ? _mm512_extractf32x8_ps(v, 1) : _mm512_castps512_ps256(v));
}

AVX512 void qs_range_backward_avx512(
    const float *x, float *g, size_t count, float delta, float lower, float upper, double *delta_lanes,
    double *outside_lanes
) {
    _Static_assert(QS_SUM_LANES == 8, "one vector of eight doubles");
    const __m512 deltas = _mm512_set1_ps(delta), lowers = _mm512_set1_ps(lower), uppers = _mm512_set1_ps(upper);
    __m512d sums = _mm512_loadu_pd(delta_lanes), outside = _mm512_loadu_pd(outside_lanes);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512 ratio = _mm512_div_ps(_mm512_loadu_ps(x + i), deltas);
        const __m512 rounded = _mm512_roundscale_ps(ratio, NEAREST);
        const __mmask16 inside =
            _mm512_cmp_ps_mask(rounded, lowers, _CMP_GE_OQ) & _mm512_cmp_ps_mask(rounded, uppers, _CMP_LE_OQ);
        const __m512 q = _mm512_min_ps(_mm512_max_ps(rounded, lowers), uppers);
        const __m512 slope = _mm512_mask_blend_ps(inside, q, _mm512_sub_ps(rounded, ratio));
        const __m512 gradient = _mm512_loadu_ps(g + i);
        const __m512 beyond = _mm512_maskz_mov_ps((__mmask16)~inside, gradient);
        for (int j = 0; j < 2; j++) {
            const __m512d product = _mm512_mul_pd(half_avx512(gradient, j), half_avx512(slope, j));
            sums = _mm512_add_pd(sums, product);
            outside = _mm512_add_pd(outside, half_avx512(beyond, j));
        }
        _mm512_storeu_ps(g + i, _mm512_maskz_mov_ps(inside, gradient));
    }
    _mm512_storeu_pd(delta_lanes, sums);
    _mm512_storeu_pd(outside_lanes, outside);
    qs_range_backward_scalar(x + i, g + i, count - i, delta, lower, upper, delta_lanes, outside_lanes);
}

#endif
