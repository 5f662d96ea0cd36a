#include "layer_moments.h"

#include "environment.h"

#include <string.h>

/// Sixteen columns at a time, of four rows of sums: few enough for the registers of every instruction set.
enum { LANES = QS_PRODUCT_COLUMNS, ROWS = 4 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

// The same operations in the same order for every instruction set: a product, then a sum, never fused.
static inline __attribute__((always_inline)) void add_products(
    const float *a, size_t a_columns, const float *b, size_t b_columns, size_t rows, bool upper, double *sums
) {
    for (size_t i = 0; i < a_columns; i += ROWS) {
        for (size_t j = upper ? i - i % LANES : 0; j < b_columns; j += LANES) {
            lanes sum[ROWS] = {0};
            for (size_t row = 0; row < rows; row++) {
                const lanes right = *(const lanes *)(b + row * b_columns + j);
                const float *left = a + row * a_columns + i;
                for (int k = 0; k < ROWS; k++) sum[k] += left[k] * right;
            }
            for (int k = 0; k < ROWS; k++) {
                double *place = sums + (i + k) * b_columns + j;
                for (int lane = 0; lane < LANES; lane++) place[lane] += (double)sum[k][lane];
            }
        }
    }
}

static void add_products_scalar(
    const float *a, size_t a_columns, const float *b, size_t b_columns, size_t rows, bool upper, double *sums
) {
    add_products(a, a_columns, b, b_columns, rows, upper, sums);
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static void add_products_avx2(
    const float *a, size_t a_columns, const float *b, size_t b_columns, size_t rows, bool upper, double *sums
) {
    add_products(a, a_columns, b, b_columns, rows, upper, sums);
}

__attribute__((target("avx512f"))) static void add_products_avx512(
    const float *a, size_t a_columns, const float *b, size_t b_columns, size_t rows, bool upper, double *sums
) {
    add_products(a, a_columns, b, b_columns, rows, upper, sums);
}

#endif

void qs_add_products(
    enum qs_isa isa, const float *a, size_t a_columns, const float *b, size_t b_columns, size_t rows, bool upper,
    double *sums
) {
    QS_ENTER;
#if defined(__x86_64__)
    if (isa == QS_ISA_AVX512) {
        add_products_avx512(a, a_columns, b, b_columns, rows, upper, sums);
    } else if (isa == QS_ISA_AVX2) {
        add_products_avx2(a, a_columns, b, b_columns, rows, upper, sums);
    } else {
        add_products_scalar(a, a_columns, b, b_columns, rows, upper, sums);
    }
#else
    (void)isa;
    add_products_scalar(a, a_columns, b, b_columns, rows, upper, sums);
#endif
    QS_LEAVE;
}

void qs_copy_patches(
    const struct qs_patches *geometry, const float *x, size_t first, size_t count, float *out, size_t columns
) {
    const struct qs_patches g = *geometry;
    for (size_t window = first; window < first + count; window++, out += columns) {
        const size_t place[3] = {
            window / (g.windows[1] * g.windows[2]) * g.stride[0],
            window / g.windows[2] % g.windows[1] * g.stride[1],
            window % g.windows[2] * g.stride[2],
        };
        float *to = out;
        for (size_t channel = 0; channel < g.channels; channel++) {
            const float *plane = x + channel * g.extent[0] * g.extent[1] * g.extent[2];
            for (size_t k0 = 0; k0 < g.kernel[0]; k0++) {
                // Unsigned: what lies before the input is far behind it.
                const size_t i0 = place[0] + k0 * g.dilation[0] - g.begin[0];
                for (size_t k1 = 0; k1 < g.kernel[1]; k1++) {
                    const size_t i1 = place[1] + k1 * g.dilation[1] - g.begin[1];
                    const bool is_inside = i0 < g.extent[0] && i1 < g.extent[1];
                    const float *line = is_inside ? plane + (i0 * g.extent[1] + i1) * g.extent[2] : NULL;
                    for (size_t k2 = 0; k2 < g.kernel[2]; k2++) {
                        const size_t i2 = place[2] + k2 * g.dilation[2] - g.begin[2];
                        *to++ = line && i2 < g.extent[2] ? line[i2] : 0;
                    }
                }
            }
        }
    }
}
