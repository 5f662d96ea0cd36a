#include <string.h>

#include "environment.h"
#include "exact_block.h"
#include "exact_sum.h"

typedef unsigned __int128 wide;

static inline int32_t magnitude_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int32_t)(bits & 0x7FFFFFFF);
}

// Bits in a row, the first in the lowest place of the first byte; behind the last element come zeros up to a whole byte.

static inline size_t packed_size(size_t count, int width) { return (count * (size_t)width + 7) / 8; }

/// Where the next element goes: `carry` holds the `fill` bits, fewer than 8, that are not a whole byte yet.
struct packer {
    uint8_t *bytes;
    uint64_t carry;
    int fill;
};

/// @param value nothing but `width` bits, at most 56; up to 8 bytes behind the place are written over
static inline void pack(struct packer *to, uint64_t value, int width) {
    to->carry |= value << to->fill;
    memcpy(to->bytes, &to->carry, sizeof to->carry);
    to->fill += width;
    to->bytes += to->fill >> 3;
    to->carry >>= to->fill & ~7;
    to->fill &= 7;
}

static inline uint8_t *packed_end(const struct packer *to) { return to->bytes + (to->fill > 0); }

/// Element `index`, sign-extended. Up to 8 bytes from its first one on are read.
/// @param width 1 to 56
static inline int64_t unpack(const uint8_t *bytes, size_t index, int width) {
    const size_t bit = index * (size_t)width;
    uint64_t raw;
    memcpy(&raw, bytes + (bit >> 3), sizeof raw);
    return (int64_t)(raw >> (bit & 7) << (64 - width)) >> (64 - width);
}

/// A block's elements where 8 bytes behind any of them may be read: there, or copied to memory that has them.
/// @param size bytes that may be read from `bytes` on
/// @param copy QS_EXACT_BLOCK * 7 + 8
static inline const uint8_t *readable(const uint8_t *bytes, size_t size, size_t length, uint8_t *copy) {
    if (length + 8 <= size) return bytes;
    memcpy(copy, bytes, length);
    memset(copy + length, 0, 8);
    return copy;
}

/// Whether the bits behind the last element are zero.
static inline bool ends_in_zeros(const uint8_t *bytes, size_t count, int width) {
    const int used = (int)(count * (size_t)width % 8);
    return used == 0 || bytes[packed_size(count, width) - 1] >> used == 0;
}

// MARK: Rounding

/// The power of two that a block is rounded to multiples of, so that its largest element keeps `bits` bits.
static inline int exponent_of_block(const float *x, size_t count, int bits) {
    int32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t magnitude = magnitude_bits(x[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    const int field = largest >> 23;
    const int exponent = (field > 0 ? field : 1) - 127 - (bits - 1);
    return exponent > QS_LEAST_EXPONENT ? exponent : QS_LEAST_EXPONENT;
}

/// A double of this magnitude has its last bit at 2^exponent: adding it rounds there, taking it away is exact.
static inline double anchor_of(int exponent) {
    const uint64_t bits = (uint64_t)(1023 + 52 + exponent) << 52 | 1ull << 51;
    double anchor;
    memcpy(&anchor, &bits, sizeof anchor);
    return anchor;
}

void qs_round_blocks(const float *x, size_t count, int bits, float *y) {
    QS_ENTER;
    for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
        const size_t end = count - start < QS_EXACT_BLOCK ? count : start + QS_EXACT_BLOCK;
        const double anchor = anchor_of(exponent_of_block(x + start, end - start, bits));
        for (size_t i = start; i < end; i++) y[i] = (float)(((double)x[i] + anchor) - anchor);
    }
    QS_LEAVE;
}

static uint8_t *pack_rounded_block(const float *x, size_t count, int bits, float *y, uint8_t *bytes) {
    const int exponent = exponent_of_block(x, count, bits);
    const double anchor = anchor_of(exponent);
    int64_t anchor_bits;
    memcpy(&anchor_bits, &anchor, sizeof anchor_bits);
    int64_t multiples[QS_EXACT_BLOCK];
    int64_t magnitudes = 0, any = 0;
    for (size_t i = 0; i < count; i++) {
        const double sum = (double)x[i] + anchor;
        memcpy(&multiples[i], &sum, sizeof sum);
        multiples[i] -= anchor_bits;
        magnitudes |= multiples[i] ^ multiples[i] >> 63;
        any |= multiples[i];
        y[i] = (float)(sum - anchor);
    }
    const int width = any == 0 ? 0 : length_of((uint64_t)magnitudes) + 1;
    *bytes++ = (uint8_t)(width == 0 ? 0 : exponent - QS_LEAST_EXPONENT);
    *bytes++ = (uint8_t)width;
    if (width == 0) return bytes;
    const uint64_t mask = (1ull << width) - 1;
    struct packer to = {bytes, 0, 0};
    for (size_t i = 0; i < count; i++) pack(&to, (uint64_t)multiples[i] & mask, width);
    return packed_end(&to);
}

size_t qs_rounded_pack(const float *x, size_t count, int bits, float *y, uint8_t *bytes) {
    const uint8_t *const begin = bytes;
    QS_ENTER;
    for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
        const size_t block = count - start < QS_EXACT_BLOCK ? count - start : QS_EXACT_BLOCK;
        bytes = pack_rounded_block(x + start, block, bits, y + start, bytes);
    }
    QS_LEAVE;
    return (size_t)(bytes - begin);
}

bool qs_rounded_unpack(const uint8_t *bytes, size_t size, size_t count, float *y) {
    for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
        const size_t block = count - start < QS_EXACT_BLOCK ? count - start : QS_EXACT_BLOCK;
        if (size < 2) return false;
        const int exponent = QS_LEAST_EXPONENT + bytes[0], width = bytes[1];
        bytes += 2;
        size -= 2;
        const size_t length = packed_size(block, width);
        // A float holds 24 bits; the largest of a block may have been rounded up to one more.
        if (width > 26 || exponent > 104 || size < length) return false;
        if (!ends_in_zeros(bytes, block, width)) return false;
        const uint64_t scale_bits = (uint64_t)(1023 + exponent) << 52;
        double scale;
        memcpy(&scale, &scale_bits, sizeof scale);
        if (width == 0) {
            memset(y + start, 0, block * sizeof *y);
        } else {
            uint8_t copy[QS_EXACT_BLOCK * 7 + 8];
            const uint8_t *const from = readable(bytes, size, length, copy);
            for (size_t i = 0; i < block; i++) y[start + i] = (float)((double)unpack(from, i, width) * scale);
        }
        bytes += length;
        size -= length;
    }
    return size == 0;
}

// MARK: Sums

/// The 64 bits of an element from bit `shift` on, sign included where they reach it.
static inline uint64_t shifted_low(uint64_t low, uint64_t high, int shift) {
    if (shift >= 64) return (uint64_t)((int64_t)high >> (shift - 64));
    return shift == 0 ? low : low >> shift | high << (64 - shift);
}

static uint8_t *encode_block(
    const uint64_t *low, const uint64_t *high, size_t count, struct block_form form, uint8_t *bytes
) {
    struct packer to = {bytes, 0, 0};
    if (form.width == 0) return bytes;
    if (form.width <= 56) {
        const uint64_t mask = (1ull << form.width) - 1;
        const int shift = form.skipped, width = form.width;
        if (shift > 0 && shift < 64) {
            // The usual case by itself, without a branch in the loop.
            for (size_t i = 0; i < count; i++) pack(&to, (low[i] >> shift | high[i] << (64 - shift)) & mask, width);
        } else {
            for (size_t i = 0; i < count; i++) pack(&to, shifted_low(low[i], high[i], shift) & mask, width);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            wide value = (wide)((__int128)((wide)high[i] << 64 | low[i]) >> form.skipped);
            for (int rest = form.width; rest > 0; rest -= 32, value >>= 32) {
                const int width = rest < 32 ? rest : 32;
                pack(&to, (uint64_t)value & ((1ull << width) - 1), width);
            }
        }
    }
    return packed_end(&to);
}

size_t qs_exact_encode(const uint64_t *low, const uint64_t *high, size_t count, uint8_t *bytes) {
    const uint8_t *const begin = bytes;
    for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
        const size_t block = count - start < QS_EXACT_BLOCK ? count - start : QS_EXACT_BLOCK;
        const struct block_form form = form_of_block(low + start, high + start, block);
        *bytes++ = (uint8_t)form.skipped;
        *bytes++ = (uint8_t)form.width;
        bytes = encode_block(low + start, high + start, block, form, bytes);
    }
    return (size_t)(bytes - begin);
}

/// The forms follow each other to the end of the bytes, and no element is shifted out of 128 bits.
static bool forms_fit(const uint8_t *bytes, size_t size, size_t count) {
    for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
        const size_t block = count - start < QS_EXACT_BLOCK ? count - start : QS_EXACT_BLOCK;
        if (size < 2) return false;
        const int skipped = bytes[0], width = bytes[1];
        if (skipped > 127 || skipped + width > 128) return false;
        const size_t length = 2 + packed_size(block, width);
        if (size < length || !ends_in_zeros(bytes + 2, block, width)) return false;
        bytes += length;
        size -= length;
    }
    return size == 0;
}

static inline void add_to(wide addend, uint64_t *low, uint64_t *high) {
    const wide sum = ((wide)*high << 64 | *low) + addend;
    *low = (uint64_t)sum;
    *high = (uint64_t)(sum >> 64);
}

/// Adds a block of elements of 1 to 56 bits.
/// @param size bytes that may be read
static struct block_form add_block(
    const uint8_t *bytes, size_t size, size_t count, struct block_form form, uint64_t *low, uint64_t *high
) {
    const int shift = form.skipped, width = form.width;
    uint8_t copy[QS_EXACT_BLOCK * 7 + 8];
    const uint8_t *const from = readable(bytes, size, packed_size(count, width), copy);
    int64_t any = 0, magnitude = 0;
    if (shift > 0 && shift < 64) {
        // The usual case by itself, as shifts of one half each.
        for (size_t i = 0; i < count; i++) {
            const int64_t value = unpack(from, i, width);
            any |= value;
            magnitude |= value ^ value >> 63;
            const uint64_t addend_low = (uint64_t)value << shift, sum = low[i] + addend_low;
            high[i] += (uint64_t)(value >> (64 - shift)) + (sum < addend_low);
            low[i] = sum;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            const int64_t value = unpack(from, i, width);
            any |= value;
            magnitude |= value ^ value >> 63;
            add_to((wide)(__int128)value << shift, low + i, high + i);
        }
    }
    const wide any_wide = (wide)(__int128)any << shift;
    const wide magnitude_wide = ((wide)(uint64_t)magnitude << shift) | (((wide)1 << shift) - 1);
    return form_of(
        (uint64_t)any_wide, (uint64_t)(any_wide >> 64), (uint64_t)magnitude_wide, (uint64_t)(magnitude_wide >> 64));
}

static struct block_form add_wide_block(
    const uint8_t *bytes, size_t size, size_t count, struct block_form form, uint64_t *low, uint64_t *high
) {
    uint64_t any_low = 0, any_high = 0, magnitude_low = 0, magnitude_high = 0;
    const int unused = 128 - form.width;
    for (size_t i = 0; i < count; i++) {
        wide raw = 0;
        for (int done = 0; done < form.width; done += 8) {
            const size_t bit = i * (size_t)form.width + (size_t)done, start = bit >> 3;
            const uint64_t next = start + 1 < size ? bytes[start + 1] : 0;
            raw |= (wide)((bytes[start] | next << 8) >> (bit & 7) & 0xFF) << done;
        }
        const wide addend = (wide)((__int128)(raw << unused) >> unused) << form.skipped;
        const uint64_t sign = (uint64_t)((__int128)addend >> 127);
        any_low |= (uint64_t)addend;
        any_high |= (uint64_t)(addend >> 64);
        magnitude_low |= (uint64_t)addend ^ sign;
        magnitude_high |= (uint64_t)(addend >> 64) ^ sign;
        add_to(addend, low + i, high + i);
    }
    return form_of(any_low, any_high, magnitude_low, magnitude_high);
}

bool qs_exact_add_encoded(const uint8_t *bytes, size_t size, size_t count, uint64_t *low, uint64_t *high) {
    if (!forms_fit(bytes, size, count)) return false;
    for (size_t start = 0; start < count; start += QS_EXACT_BLOCK) {
        const size_t block = count - start < QS_EXACT_BLOCK ? count - start : QS_EXACT_BLOCK;
        const struct block_form form = {bytes[0], bytes[1]};
        bytes += 2;
        size -= 2;
        struct block_form found = {0, 0};
        if (form.width > 56) found = add_wide_block(bytes, size, block, form, low + start, high + start);
        else if (form.width > 0) found = add_block(bytes, size, block, form, low + start, high + start);
        if (found.skipped != form.skipped || found.width != form.width) return false;
        bytes += packed_size(block, form.width);
        size -= packed_size(block, form.width);
    }
    return true;
}
