#pragma once

#include "CKernels.h"

// Sums of float32 vectors that do not depend on the order of the addends. An element of the sum is a 128-bit integer
// in two's complement, in units of 2^-80, its halves in two arrays: `low` and `high`, both [count]. Addition of integers
// is associative and commutative, so any order and any grouping give the same bits.

/// An addend of this magnitude or more is refused. 2^17 addends below 2^30 sum to less than 2^47, which 128 bits hold.
#define QS_EXACT_BOUND 0x1p30f

/// Elements that are encoded together.
#define QS_EXACT_BLOCK 256

/// The index of the first element that is NaN, infinite or not below QS_EXACT_BOUND in magnitude; `count` if none is.
/// @param x [count]
size_t qs_exact_first_refused(const float *x, size_t count);

/// Adds a vector to a sum. What an element has below 2^-80 is dropped (towards zero): elements of magnitude 2^-57 and
/// above have nothing there.
/// @param x [count], none of them refused
void qs_exact_add(enum qs_isa isa, const float *x, size_t count, uint64_t *low, uint64_t *high);

/// Adds a sum to a sum.
void qs_exact_merge(
    const uint64_t *other_low, const uint64_t *other_high, size_t count, uint64_t *low, uint64_t *high);

/// y = sum * significand * 2^exponent, rounded once, to nearest, ties to even. A zero result is +0.
/// @param exponent -4096 to 4096
void qs_exact_value(
    const uint64_t *low, const uint64_t *high, size_t count, uint64_t significand, int exponent, float *y);

/// The least power of two that blocks are rounded to multiples of.
#define QS_LEAST_EXPONENT (-80)

/// Rounds each block of QS_EXACT_BLOCK elements (the last one of what remains) to multiples of a power of two, to nearest,
/// ties to even: the block's largest element keeps `bits` significant bits, the others what lies above the last of these. The
/// power is 2^-80 at least. Sums of such addends need few bits an element.
/// @param x [count], of magnitudes below 2^100
/// @param y [count], may be x
/// @param bits 2 to 24
void qs_round_blocks(const float *x, size_t count, int bits, float *y);

/// The most bytes that qs_rounded_pack needs for `count` elements, what may be written over included.
static inline size_t qs_rounded_bytes(size_t count) {
    return count * 26 / 8 + 2 * (count / QS_EXACT_BLOCK + 1) + 16;
}

/// The most bytes that qs_exact_encode needs for `count` elements, what may be written over included.
static inline size_t qs_exact_bytes(size_t count) { return count * 16 + 2 * (count / QS_EXACT_BLOCK + 1) + 16; }

/// Rounds as qs_round_blocks does and writes what is left of each block. A block is: its power of two, less the least one; the
/// bits of its elements, sign included; the elements as multiples of the power, one behind the other, in that many bits
/// each. A block of zeros is two zero bytes.
/// @param y [count], the rounded elements; may be x
/// @param bytes qs_rounded_bytes(count)
/// @return the bytes of the form
size_t qs_rounded_pack(const float *x, size_t count, int bits, float *y, uint8_t *bytes);

/// Reads what qs_rounded_pack writes: the same elements, to the bit.
/// @param y [count]
/// @return false where the bytes are no `count` elements; what y holds then is of no use
bool qs_rounded_unpack(const uint8_t *bytes, size_t size, size_t count, float *y);

/// Writes blocks of QS_EXACT_BLOCK elements (the last one of what remains). A block is: the number of low bits that are
/// zero in all its elements; the number of bits that its elements need above these, sign included; those bits of each
/// element, one behind the other, up to a whole byte. A block of zeros is two zero bytes. Equal sums give equal bytes.
/// @param bytes qs_exact_bytes(count)
/// @return the bytes of the form
size_t qs_exact_encode(const uint64_t *low, const uint64_t *high, size_t count, uint8_t *bytes);

/// Adds a sum that qs_exact_encode has written to a sum.
/// @return false where the bytes are not what qs_exact_encode writes for any sum of `count` elements; what is added then
///   is of no use
bool qs_exact_add_encoded(const uint8_t *bytes, size_t size, size_t count, uint64_t *low, uint64_t *high);
