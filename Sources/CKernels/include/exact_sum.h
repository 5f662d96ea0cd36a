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

/// Rounds each block of QS_EXACT_BLOCK elements (the last one of what remains) to multiples of a power of two, to nearest,
/// ties to even: the block's largest element keeps `bits` significant bits, the others what lies above the last of these. The
/// power is 2^-80 at least. Sums of such addends need few bytes an element.
/// @param x [count], none of them refused by qs_exact_first_refused
/// @param y [count], may be x
/// @param bits 2 to 24
void qs_round_blocks(const float *x, size_t count, int bits, float *y);

/// Bytes that qs_exact_encode writes for this sum.
size_t qs_exact_encoded_size(const uint64_t *low, const uint64_t *high, size_t count);

/// Writes blocks of QS_EXACT_BLOCK elements (the last one of what remains). A block is: the number of low bits that are
/// zero in all its elements; the number of bytes that its elements need above these, sign included; those bytes of each
/// element, low byte first. A block of zeros is two zero bytes. Equal sums give equal bytes.
/// @param bytes as many as the size above says and 16 more, which may be written over
/// @return the bytes of the form
size_t qs_exact_encode(const uint64_t *low, const uint64_t *high, size_t count, uint8_t *bytes);

/// Adds a sum that qs_exact_encode has written to a sum.
/// @return false where the bytes are not what qs_exact_encode writes for any sum of `count` elements; what is added then
///   is of no use
bool qs_exact_add_encoded(const uint8_t *bytes, size_t size, size_t count, uint64_t *low, uint64_t *high);
