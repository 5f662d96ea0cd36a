#pragma once

#include "CKernels.h"

// What the second moments of a layer's inputs are made of.

/// Columns that rows of `qs_add_products` are filled up to a multiple of.
#define QS_PRODUCT_COLUMNS 16

/// sums[i][j] += sum over rows of a[row][i] * b[row][j], where the sum of a call is in single precision, in the order of the
/// rows, whatever the instruction set. Callers give few hundred rows at a time.
/// @param a [rows][a_columns], a multiple of QS_PRODUCT_COLUMNS, filled up with zeros
/// @param b [rows][b_columns], the same; may be `a`
/// @param upper whether only sums with j >= i - i % QS_PRODUCT_COLUMNS are wanted; the others are left as they are
/// @param sums [a_columns][b_columns]
void qs_add_products(
    enum qs_isa isa, const float *a, size_t a_columns, const float *b, size_t b_columns, size_t rows, bool upper,
    double *sums);

/// Where the windows of a convolution lie; axes that there are not have extents of 1.
struct qs_patches {
    size_t channels;
    /// Of one channel of the input.
    size_t extent[3];
    size_t kernel[3];
    size_t stride[3];
    size_t dilation[3];
    /// Zeros before the input.
    size_t begin[3];
    /// Windows along each axis.
    size_t windows[3];
};

/// Copies windows, one in a row: [channels][kernel[0]][kernel[1]][kernel[2]], zeros where they lie outside of the input.
/// @param x [channels][extent[0]][extent[1]][extent[2]]
/// @param first the first window, of all windows in row-major order
/// @param out [count][columns], of which only what a window has is written
void qs_copy_patches(
    const struct qs_patches *geometry, const float *x, size_t first, size_t count, float *out, size_t columns);
