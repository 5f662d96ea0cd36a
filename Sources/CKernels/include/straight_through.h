#pragma once

#include "CKernels.h"
#include "optimizer_steps.h"

// Fake quantization for training. An element lies inside the grid where round(x / delta) is not below the grid's least
// point and not above its greatest; there the straight-through estimator lets the gradient pass. NaN lies outside.

/// As qs_fake_quantize, to the bit, and records which elements lie inside the grid: bit i mod 8 of byte i / 8 for
/// element i. The bits that fill up the last byte are zero.
/// @param x [count], of any alignment
/// @param y [count]; may be x, must not overlap it otherwise
/// @param mask [(count + 7) / 8]
void qs_fake_quantize_masked(
    enum qs_isa isa, const float *x, float *y, uint8_t *mask, size_t count, float delta, float offset, float steps);

/// The same with a grid of its own for each element: channels along the innermost axis.
/// @param delta, lower, upper [count]; lower is the offset, upper the offset plus the steps
void qs_fake_quantize_masked_each(
    enum qs_isa isa, const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower,
    const float *upper);

/// Makes zero (+0) of the elements whose bit is zero.
/// @param g [count]
/// @param mask [(count + 7) / 8]
void qs_apply_mask(enum qs_isa isa, float *g, const uint8_t *mask, size_t count);

/// As qs_fake_quantize in place, to the bit, and keeps the elements as they were.
/// @param x [count], of any alignment
/// @param kept [count], must not overlap x
void qs_fake_quantize_keeping(
    enum qs_isa isa, float *x, float *kept, size_t count, float delta, float offset, float steps);

/// What the gradients of a range are made of.
struct qs_range_sums {
    /// Of g * (round(x / delta) - x / delta) inside the grid, of g * (the nearest end over delta) outside.
    double delta;
    /// Of g outside.
    double outside;
};

/// Adds the sums over elements, in double precision and the fixed order of QS_SUM_LANES, and makes zero (+0) of the gradient
/// of elements outside.
/// @param x [count], the values before quantization; none NaN
/// @param g [count], the gradient with respect to the quantized values; becomes that with respect to x
void qs_range_backward(
    enum qs_isa isa, const float *x, float *g, size_t count, float delta, float offset, float steps,
    struct qs_range_sums *sums);

/// The same for channels along the innermost axis: element i belongs to channel i mod `channels`. Sums of a channel are
/// added in the order of its elements.
/// @param x, g [count], count a multiple of channels
/// @param delta, lower, upper, sums [channels]
void qs_range_backward_each(
    const float *x, float *g, size_t count, size_t channels, const float *delta, const float *lower,
    const float *upper, struct qs_range_sums *sums);
