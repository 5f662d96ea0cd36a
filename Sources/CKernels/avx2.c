#if defined(__x86_64__)

#include "kernels.h"

#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx2")))

/// Elements between two flushes of the vector counters, far below what an int32 counts.
enum { STRETCH = 1 << 20 };

TARGET static inline uint64_t sum_of_lanes(__m256i v) {
    uint32_t lanes[8];
    _mm256_storeu_si256((__m256i *)lanes, v);
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++) sum += lanes[i];
    return sum;
}

/// Whole vectors of a stretch. False, with `range` untouched, where an element is not finite.
TARGET static bool range_of_finite(const float *x, size_t count, struct qs_range *range) {
    const __m256 zero = _mm256_setzero_ps();
    __m256 low[2] = {_mm256_set1_ps(INFINITY), _mm256_set1_ps(INFINITY)};
    __m256 high[2] = {_mm256_set1_ps(-INFINITY), _mm256_set1_ps(-INFINITY)};
    __m256i zeros[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256 unordered[2] = {zero, zero};
    for (size_t i = 0; i < count; i += 16) {
        for (int j = 0; j < 2; j++) {
            const __m256 v = _mm256_loadu_ps(x + i + 8 * j);
            const __m256 is_zero = _mm256_cmp_ps(v, zero, _CMP_EQ_OQ);
            // All ones is a NaN, and the minimum and maximum instructions return the second operand beside a NaN.
            const __m256 others = _mm256_or_ps(v, is_zero);
            low[j] = _mm256_min_ps(others, low[j]);
            high[j] = _mm256_max_ps(others, high[j]);
            zeros[j] = _mm256_sub_epi32(zeros[j], _mm256_castps_si256(is_zero));
            unordered[j] = _mm256_or_ps(unordered[j], _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        }
    }
    float lows[8], highs[8];
    _mm256_storeu_ps(lows, _mm256_min_ps(low[0], low[1]));
    _mm256_storeu_ps(highs, _mm256_max_ps(high[0], high[1]));
    float minimum = INFINITY, maximum = -INFINITY;
    for (int i = 0; i < 8; i++) {
        minimum = lows[i] < minimum ? lows[i] : minimum;
        maximum = highs[i] > maximum ? highs[i] : maximum;
    }
    // An empty lane leaves minimum at +infinity and maximum at -infinity; the other way round it was an element. An
    // infinity that hides behind the start value of its own side shows on the other side.
    const bool infinite = minimum == -INFINITY || maximum == INFINITY;
    if (infinite || _mm256_movemask_ps(_mm256_or_ps(unordered[0], unordered[1])) != 0) return false;
    range->minimum = minimum < range->minimum ? minimum : range->minimum;
    range->maximum = maximum > range->maximum ? maximum : range->maximum;
    range->zeros += sum_of_lanes(_mm256_add_epi32(zeros[0], zeros[1]));
    return true;
}

TARGET void qs_range_avx2(const float *x, size_t count, struct qs_range *range) {
    while (count >= 16) {
        const size_t whole = count < STRETCH ? count & ~(size_t)15 : STRETCH;
        if (!range_of_finite(x, whole, range)) qs_range_scalar(x, whole, range);
        x += whole;
        count -= whole;
    }
    qs_range_scalar(x, count, range);
}

/// Bins times lanes of eight elements; zeros of either sign are in bin 0.
TARGET static inline __m256i slots_of(__m256 v, __m256 scale) {
    const __m256i truncated = _mm256_cvttps_epi32(_mm256_mul_ps(v, scale));
    const __m256 is_negative = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ);
    return _mm256_slli_epi32(_mm256_add_epi32(truncated, _mm256_castps_si256(is_negative)), 2);
}

TARGET void qs_histogram_avx2(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin
) {
    if (block->nans + block->positive_infinities + block->negative_infinities > 0) {
        qs_histogram_scalar(x, count, block, scale, origin);
        return;
    }
    _Static_assert(QS_HISTOGRAM_LANES == 4, "the shift above multiplies by the lanes");
    const __m256 scales = _mm256_set1_ps(scale);
    const bool has_zeros = block->zeros > 0;
    __m256i zeros = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        int32_t slots[8];
        const __m256 v = _mm256_loadu_ps(x + i);
        _mm256_storeu_si256((__m256i *)slots, slots_of(v, scales));
        if (has_zeros) {
            const __m256 is_zero = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_EQ_OQ);
            zeros = _mm256_sub_epi32(zeros, _mm256_castps_si256(is_zero));
        }
        for (int j = 0; j < 8; j++) origin[(ptrdiff_t)slots[j] + j % 4]++;
    }
    // Leaving zeros out of the loop costs more than taking them out of their bin again. Counts are modulo 2^32.
    uint32_t counted[8];
    _mm256_storeu_si256((__m256i *)counted, zeros);
    for (int j = 0; j < 8; j++) origin[j % 4] -= counted[j];
    qs_histogram_scalar(x + i, count - i, block, scale, origin);
}

TARGET void qs_fake_quantize_avx2(
    const float *x, float *y, size_t count, float delta, float lower, float upper
) {
    const __m256 deltas = _mm256_set1_ps(delta), lowers = _mm256_set1_ps(lower), uppers = _mm256_set1_ps(upper);
    const __m256 zero = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 ratio = _mm256_div_ps(_mm256_loadu_ps(x + i), deltas);
        __m256 q = _mm256_round_ps(ratio, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        q = _mm256_max_ps(q, lowers);  // beside a NaN, the second operand
        q = _mm256_min_ps(q, uppers);
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_add_ps(q, zero), deltas));
    }
    qs_fake_quantize_scalar(x + i, y + i, count - i, delta, lower, upper);
}

#else
typedef int qs_no_avx2;
#endif
