#pragma once

#include "exact_sum.h"

// Which bits of a block of an exact sum are more than zeros and repeated signs.

static inline int length_of(uint64_t value) { return value == 0 ? 0 : 64 - __builtin_clzll(value); }

struct block_form {
    /// Low bits left out, and bits stored of each element.
    int skipped, width;
};

/// @param any_low, any_high all elements, or-ed
/// @param magnitude_low, magnitude_high all elements, negative ones inverted, or-ed
static inline struct block_form form_of(
    uint64_t any_low, uint64_t any_high, uint64_t magnitude_low, uint64_t magnitude_high
) {
    if ((any_low | any_high) == 0) return (struct block_form){0, 0};
    const int zeros = any_low != 0 ? __builtin_ctzll(any_low) : 64 + __builtin_ctzll(any_high);
    const int length = magnitude_high != 0 ? 64 + length_of(magnitude_high) : length_of(magnitude_low);
    // And a bit for the sign. Of nothing but -2^127 the length is less than the zeros.
    return (struct block_form){zeros, (length > zeros ? length - zeros : 0) + 1};
}

static inline struct block_form form_of_block(const uint64_t *low, const uint64_t *high, size_t count) {
    uint64_t any_low = 0, any_high = 0, magnitude_low = 0, magnitude_high = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t sign = (uint64_t)((int64_t)high[i] >> 63);
        any_low |= low[i];
        any_high |= high[i];
        magnitude_low |= low[i] ^ sign;
        magnitude_high |= high[i] ^ sign;
    }
    return form_of(any_low, any_high, magnitude_low, magnitude_high);
}
