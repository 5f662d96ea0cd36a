#if defined(__x86_64__)

#include "kernels.h"

#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,popcnt")))

/// Whole vectors of a block. False, with `range` untouched, where an element is not finite.
TARGET static bool range_of_finite(const float *x, size_t count, struct qs_range *range) {
    const __m512 zero = _mm512_setzero_ps();
    __m512 low[2] = {_mm512_set1_ps(INFINITY), _mm512_set1_ps(INFINITY)};
    __m512 high[2] = {_mm512_set1_ps(-INFINITY), _mm512_set1_ps(-INFINITY)};
    uint64_t others[2] = {0, 0};
    uint32_t unordered[2] = {0, 0};
    for (size_t i = 0; i < count; i += 32) {
        for (int j = 0; j < 2; j++) {
            const __m512 v = _mm512_loadu_ps(x + i + 16 * j);
            const __mmask16 nonzero = _mm512_cmp_ps_mask(v, zero, _CMP_NEQ_UQ);
            unordered[j] |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
            low[j] = _mm512_mask_min_ps(low[j], nonzero, v, low[j]);
            high[j] = _mm512_mask_max_ps(high[j], nonzero, v, high[j]);
            others[j] += (uint64_t)__builtin_popcount(nonzero);
        }
    }
    const float minimum = _mm512_reduce_min_ps(_mm512_min_ps(low[0], low[1]));
    const float maximum = _mm512_reduce_max_ps(_mm512_max_ps(high[0], high[1]));
    // Where all elements are zero, minimum is still +infinity and maximum -infinity.
    if (minimum == -INFINITY || maximum == INFINITY || (unordered[0] | unordered[1]) != 0) return false;
    range->minimum = minimum < range->minimum ? minimum : range->minimum;
    range->maximum = maximum > range->maximum ? maximum : range->maximum;
    range->zeros += count - others[0] - others[1];
    return true;
}

TARGET void qs_range_avx512(const float *x, size_t count, struct qs_range *range) {
    const size_t whole = count & ~(size_t)31;
    if (!range_of_finite(x, whole, range)) qs_range_scalar(x, whole, range);
    qs_range_scalar(x + whole, count - whole, range);
}

/// Bins times lanes of sixteen elements.
TARGET static inline __m512i slots_of(__m512 v, __m512 scale) {
    const __m512i truncated = _mm512_cvttps_epi32(_mm512_mul_ps(v, scale));
    const __m512i bin = _mm512_add_epi32(truncated, _mm512_srai_epi32(_mm512_castps_si512(v), 31));
    return _mm512_slli_epi32(bin, 2);
}

TARGET void qs_histogram_avx512(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin
) {
    if (block->nans + block->positive_infinities + block->negative_infinities > 0) {
        qs_histogram_scalar(x, count, block, scale, origin);
        return;
    }
    _Static_assert(QS_HISTOGRAM_LANES == 4, "the shift above multiplies by the lanes");
    const __m512 scales = _mm512_set1_ps(scale);
    size_t i = 0;
    if (block->zeros == 0) {
        for (; i + 16 <= count; i += 16) {
            int32_t slots[16];
            _mm512_storeu_si512(slots, slots_of(_mm512_loadu_ps(x + i), scales));
            for (int j = 0; j < 16; j++) origin[(ptrdiff_t)slots[j] + j % 4]++;
        }
    } else {
        // The slots of elements other than zero are queued, and counted when four vectors' worth may have gathered.
        int32_t queue[128];
        size_t queued = 0;
        const __m512 zero = _mm512_setzero_ps();
        for (; i + 16 <= count; i += 16) {
            const __m512 v = _mm512_loadu_ps(x + i);
            const __mmask16 nonzero = _mm512_cmp_ps_mask(v, zero, _CMP_NEQ_UQ);
            _mm512_storeu_si512(queue + queued, _mm512_maskz_compress_epi32(nonzero, slots_of(v, scales)));
            queued += (size_t)__builtin_popcount(nonzero);
            if (queued >= 64) {
                for (int j = 0; j < 64; j++) origin[(ptrdiff_t)queue[j] + j % 4]++;
                queued -= 64;
                _mm512_storeu_si512(queue, _mm512_loadu_si512(queue + 64));
            }
        }
        for (size_t j = 0; j < queued; j++) origin[(ptrdiff_t)queue[j] + (ptrdiff_t)(j % 4)]++;
    }
    qs_histogram_scalar(x + i, count - i, block, scale, origin);
}

TARGET void qs_fake_quantize_avx512(
    const float *x, float *y, size_t count, float delta, float lower, float upper
) {
    const __m512 deltas = _mm512_set1_ps(delta), lowers = _mm512_set1_ps(lower), uppers = _mm512_set1_ps(upper);
    const __m512 zero = _mm512_setzero_ps();
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512 ratio = _mm512_div_ps(_mm512_loadu_ps(x + i), deltas);
        __m512 q = _mm512_roundscale_ps(ratio, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        q = _mm512_max_ps(q, lowers);  // beside a NaN, the second operand
        q = _mm512_min_ps(q, uppers);
        _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_add_ps(q, zero), deltas));
    }
    qs_fake_quantize_scalar(x + i, y + i, count - i, delta, lower, upper);
}

#else
typedef int qs_no_avx512;
#endif
