#include "exact_sum.h"

#include <string.h>

#include "environment.h"
#include "exact_block.h"

typedef unsigned __int128 wide;

static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

size_t qs_exact_first_refused(const float *x, size_t count) {
    // Magnitudes compare as the integers of their bits, and all NaNs lie above infinity.
    const uint32_t bound = bits_of(QS_EXACT_BOUND);
    enum { STRETCH = 4096 };
    for (size_t start = 0; start < count; start += STRETCH) {
        const size_t end = count - start < STRETCH ? count : start + STRETCH;
        int32_t refused = 0;
        for (size_t i = start; i < end; i++) refused |= (int32_t)(bound - 1 - (bits_of(x[i]) & 0x7FFFFFFF));
        if (refused >= 0) continue;
        for (size_t i = start; i < end; i++) {
            if ((bits_of(x[i]) & 0x7FFFFFFF) >= bound) return i;
        }
    }
    return count;
}

/// The definition: a float is m * 2^(e - 150), that is m * 2^(e - 70) units.
static void add_scalar(const float *x, size_t count, uint64_t *low, uint64_t *high) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = bits_of(x[i]);
        const uint32_t field = bits >> 23 & 0xFF;
        const wide m = (bits & 0x7FFFFF) | (field > 0 ? 0x800000 : 0);
        const int shift = (int)(field > 0 ? field : 1) - 70;
        wide addend = shift >= 0 ? m << shift : m >> -shift;
        if (bits >> 31) addend = -addend;
        const wide sum = ((wide)high[i] << 64 | low[i]) + addend;
        low[i] = (uint64_t)sum;
        high[i] = (uint64_t)(sum >> 64);
    }
}

#if defined(__x86_64__)

/// Shifts of 64 places and more, negative ones among them, give zero.
__attribute__((target("avx2"))) static void add_avx2(const float *x, size_t count, uint64_t *low, uint64_t *high) {
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi64x(1);
    const __m256i fraction = _mm256_set1_epi64x(0x7FFFFF), hidden = _mm256_set1_epi64x(0x800000);
    const __m256i bias = _mm256_set1_epi64x(70), half = _mm256_set1_epi64x(64);
    const __m256i top = _mm256_set1_epi64x(INT64_MIN);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const __m128i bits = _mm_loadu_si128((const __m128i *)(x + i));
        const __m256i magnitude = _mm256_cvtepu32_epi64(_mm_and_si128(bits, _mm_set1_epi32(0x7FFFFFFF)));
        const __m256i negative = _mm256_cvtepi32_epi64(_mm_srai_epi32(bits, 31));
        const __m256i field = _mm256_srli_epi64(magnitude, 23);
        const __m256i denormal = _mm256_cmpeq_epi64(field, zero);
        const __m256i m = _mm256_or_si256(
            _mm256_and_si256(magnitude, fraction), _mm256_andnot_si256(denormal, hidden));
        const __m256i left = _mm256_sub_epi64(_mm256_add_epi64(field, _mm256_and_si256(denormal, one)), bias);
        const __m256i right = _mm256_sub_epi64(zero, left);
        const __m256i units = _mm256_or_si256(_mm256_sllv_epi64(m, left), _mm256_srlv_epi64(m, right));
        const __m256i above = _mm256_or_si256(
            _mm256_sllv_epi64(m, _mm256_sub_epi64(left, half)), _mm256_srlv_epi64(m, _mm256_sub_epi64(half, left)));
        // The two's complement of a negative addend: inverted and one more, which carries where the low half is zero.
        const __m256i addend_low = _mm256_sub_epi64(_mm256_xor_si256(units, negative), negative);
        const __m256i addend_high = _mm256_sub_epi64(
            _mm256_xor_si256(above, negative), _mm256_and_si256(negative, _mm256_cmpeq_epi64(units, zero)));
        const __m256i sum = _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)(low + i)), addend_low);
        const __m256i carry = _mm256_cmpgt_epi64(_mm256_xor_si256(addend_low, top), _mm256_xor_si256(sum, top));
        const __m256i sum_high = _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)(high + i)), addend_high);
        _mm256_storeu_si256((__m256i *)(low + i), sum);
        _mm256_storeu_si256((__m256i *)(high + i), _mm256_sub_epi64(sum_high, carry));
    }
    add_scalar(x + i, count - i, low + i, high + i);
}

#endif

void qs_exact_add(enum qs_isa isa, const float *x, size_t count, uint64_t *low, uint64_t *high) {
#if defined(__x86_64__)
    if (isa != QS_ISA_SCALAR) {
        add_avx2(x, count, low, high);
        return;
    }
#endif
    (void)isa;
    add_scalar(x, count, low, high);
}

void qs_exact_merge(
    const uint64_t *other_low, const uint64_t *other_high, size_t count, uint64_t *low, uint64_t *high
) {
    for (size_t i = 0; i < count; i++) {
        const uint64_t sum = low[i] + other_low[i];
        high[i] += other_high[i] + (sum < other_low[i]);
        low[i] = sum;
    }
}

/// The float nearest to a number of which these are the 64 leading bits, the first of them 2^place.
/// @param below whether there is anything but zeros behind them
static inline float nearest(uint64_t leading, bool below, bool negative, int place) {
    // A double holds 53 bits. The last one stands for all that follow: it decides whether they are less than, equal to
    // or more than half a unit of the float, so the float is rounded once.
    const int64_t kept = (int64_t)(leading >> 11 | (((leading & 0x7FF) | below) != 0));
    // Powers beyond this give zero or infinity as these do.
    const int power = place - 52 < -1000 ? -1000 : place - 52 > 900 ? 900 : place - 52;
    const uint64_t bits = (uint64_t)(1023 + power) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (float)((double)(negative ? -kept : kept) * scale);
}

/// magnitude * 2^exponent units. Without branches that depend on the magnitude, which is no more likely to need one half
/// than two.
static inline float scaled_by_power(wide magnitude, bool negative, int exponent) {
    const uint64_t high = (uint64_t)(magnitude >> 64), low = (uint64_t)magnitude;
    const uint64_t upper = high != 0 ? high : low;
    const uint64_t lower = high != 0 ? low : 0;
    if (upper == 0) return 0;
    const int gap = __builtin_clzll(upper);
    const uint64_t leading = upper << gap | lower >> 1 >> (63 - gap);
    return nearest(leading, lower << gap != 0, negative, (high != 0 ? 127 : 63) - gap + exponent - 80);
}

/// magnitude * significand * 2^exponent units.
static float scaled(wide magnitude, bool negative, uint64_t significand, int exponent) {
    const wide bottom = (wide)(uint64_t)magnitude * significand;
    const wide upper = (wide)(uint64_t)(magnitude >> 64) * significand + (uint64_t)(bottom >> 64);
    if (upper >> 64 == 0) return scaled_by_power(upper << 64 | (uint64_t)bottom, negative, exponent);
    // Three limbs: the upper two, and the bottom one as part of what is below.
    const uint64_t limbs[3] = {(uint64_t)bottom, (uint64_t)upper, (uint64_t)(upper >> 64)};
    const int gap = __builtin_clzll(limbs[2]);
    const uint64_t leading = limbs[2] << gap | limbs[1] >> 1 >> (63 - gap);
    const bool below = (limbs[1] << gap | limbs[0]) != 0;
    return nearest(leading, below, negative, 191 - gap + exponent - 80);
}

/// Blocks of which every element is a multiple of 2^zeros that a double holds exactly: rounded once, too, and in a fraction
/// of the time.
static bool value_of_short_block(const uint64_t *low, const uint64_t *high, size_t count, int exponent, float *y) {
    const struct block_form form = form_of_block(low, high, count);
    if (form.width == 0) {
        memset(y, 0, count * sizeof *y);
        return true;
    }
    const int zeros = form.skipped, length = zeros + form.width - 1;
    // Neither denormal nor infinite as a float.
    const int power = zeros + exponent - 80;
    if (length - zeros > 52 || power < -126 || length + exponent - 80 > 126) return false;
    const uint64_t bits = (uint64_t)(1023 + power) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    if (zeros == 0 || zeros >= 64) {
        for (size_t i = 0; i < count; i++) {
            const int64_t multiple = zeros == 0 ? (int64_t)low[i] : (int64_t)high[i] >> (zeros - 64);
            y[i] = (float)((double)multiple * scale);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            const int64_t multiple = (int64_t)(low[i] >> zeros | high[i] << (64 - zeros));
            y[i] = (float)((double)multiple * scale);
        }
    }
    return true;
}

__attribute__((noinline)) static void value(
    const uint64_t *low, const uint64_t *high, size_t count, uint64_t significand, int exponent, float *y
) {
    if (significand == 1 && count > QS_EXACT_BLOCK) {
        for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
            const size_t block = count - start < QS_EXACT_BLOCK ? count - start : QS_EXACT_BLOCK;
            value(low + start, high + start, block, significand, exponent, y + start);
        }
        return;
    }
    if (significand == 1 && value_of_short_block(low, high, count, exponent, y)) return;
    for (size_t i = 0; i < count; i++) {
        const bool negative = high[i] >> 63 != 0;
        const wide sum = (wide)high[i] << 64 | low[i];
        const wide magnitude = negative ? -sum : sum;
        const float rounded = significand == 1 ? scaled_by_power(magnitude, negative, exponent)
                                               : scaled(magnitude, negative, significand, exponent);
        y[i] = rounded + 0.0f;  // -0 + 0 is +0
    }
}

void qs_exact_value(
    const uint64_t *low, const uint64_t *high, size_t count, uint64_t significand, int exponent, float *y
) {
    QS_ENTER;
    value(low, high, count, significand, exponent, y);
    QS_LEAVE;
}
