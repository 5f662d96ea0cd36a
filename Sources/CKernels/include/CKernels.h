#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The hot loops that oneDNN lacks. Each has a scalar version, which is the definition, and vector versions that give
/// the same bits; those that take no instruction set have the scalar version alone. None allocates or keeps state. All run
/// in the default floating-point environment (round to nearest, ties to even, denormals kept), whatever the caller's is,
/// and restore the caller's.

/// Instruction sets in ascending order; each needs those before it.
enum qs_isa {
    QS_ISA_SCALAR = 0,
    QS_ISA_AVX2 = 1,
    /// AVX-512 F, BW, DQ and VL.
    QS_ISA_AVX512 = 2,
};

/// The processor's name as it tells itself, perhaps with spaces around it; empty where it tells none.
void qs_cpu_brand(char brand[49]);

/// Makes the calling thread, and those that it will make, round to nearest and keep denormals.
void qs_default_float_environment(void);

/// The highest instruction set of this machine that the kernels have a variant for.
enum qs_isa qs_best_isa(void);

/// What a block of elements spans. Start from `qs_empty_range`; each call adds to it.
struct qs_range {
    /// Least and greatest finite element other than zero; +infinity and -infinity while there is none.
    float minimum, maximum;
    /// Elements that are +0 or -0.
    uint64_t zeros;
    uint64_t nans;
    uint64_t positive_infinities;
    uint64_t negative_infinities;
};

struct qs_range qs_empty_range(void);

/// Adds elements to `range`.
/// @param x [count], of any alignment
void qs_range(enum qs_isa isa, const float *x, size_t count, struct qs_range *range);

/// Counters per bin, to be summed: neighbouring elements of equal value must not wait for each other's store.
#define QS_HISTOGRAM_LANES 4

/// Counts finite elements other than zero by sign and magnitude: with m = floor(|x| * scale), a positive element falls
/// into bin m, a negative one into bin -1 - m. Which lane of a bin counts an element is unspecified. Zeros, NaNs and
/// infinities are left out.
/// @param x [count], of any alignment
/// @param block what `qs_range` found for exactly these elements, starting from an empty range
/// @param scale a power of two such that |x| * scale < 2^30 for every finite element
/// @param origin counters [bins][QS_HISTOGRAM_LANES]; points at bin 0, negative bins lie before it. A counter wraps at
///        2^32, so the caller flushes before that many elements.
void qs_histogram(
    enum qs_isa isa, const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);

/// Rounds to the grid of an encoding: y = min(max(round(x / delta), offset), offset + steps) * delta, where round takes
/// ties to even. NaN becomes the least value, infinities the nearest end. A zero result is +0.
/// @param x [count], of any alignment
/// @param y [count]; may be x, must not overlap it otherwise
/// @param delta distance of grid points, positive and normal
/// @param offset the least grid point over delta, an integer
/// @param steps grid points less one, an integer
void qs_fake_quantize(
    enum qs_isa isa, const float *x, float *y, size_t count, float delta, float offset, float steps);

/// Rounds to half precision and back, ties to even: what is too large becomes an infinity, NaN stays.
/// @param x [count], of any alignment
/// @param y [count]; may be x, must not overlap it otherwise
void qs_round_to_half(const float *x, float *y, size_t count);

#include "exact_sum.h"
#include "layer_moments.h"
#include "optimizer_steps.h"
#include "straight_through.h"
