#include "environment.h"
#include "kernels.h"

#include <fenv.h>
#include <math.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <string.h>

#define QS_CALL(kernel, ...)                                     \
    do {                                                         \
        QS_ENTER;                                                \
        switch (isa) {                                           \
        case QS_ISA_AVX512: kernel##_avx512(__VA_ARGS__); break; \
        case QS_ISA_AVX2: kernel##_avx2(__VA_ARGS__); break;     \
        case QS_ISA_SCALAR: kernel##_scalar(__VA_ARGS__); break; \
        }                                                        \
        QS_LEAVE;                                                \
    } while (0)

void qs_cpu_brand(char brand[49]) {
    unsigned words[12] = {0};
    for (unsigned leaf = 0; leaf < 3; leaf++) {
        if (!__get_cpuid(0x80000002u + leaf, &words[4 * leaf], &words[4 * leaf + 1], &words[4 * leaf + 2],
                         &words[4 * leaf + 3]))
            break;
    }
    memcpy(brand, words, 48);
    brand[48] = 0;
}

enum qs_isa qs_best_isa(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return QS_ISA_SCALAR;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl")) {
        return QS_ISA_AVX512;
    }
    return QS_ISA_AVX2;
}

#else

#define QS_CALL(kernel, ...)         \
    do {                             \
        (void)isa;                   \
        kernel##_scalar(__VA_ARGS__); \
    } while (0)

void qs_cpu_brand(char brand[49]) { brand[0] = 0; }

enum qs_isa qs_best_isa(void) { return QS_ISA_SCALAR; }

#endif

void qs_default_float_environment(void) { fesetenv(FE_DFL_ENV); }

struct qs_range qs_empty_range(void) {
    return (struct qs_range){.minimum = INFINITY, .maximum = -INFINITY};
}

void qs_range(enum qs_isa isa, const float *x, size_t count, struct qs_range *range) {
    QS_CALL(qs_range, x, count, range);
}

void qs_histogram(
    enum qs_isa isa, const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin
) {
    QS_CALL(qs_histogram, x, count, block, scale, origin);
}

void qs_fake_quantize(
    enum qs_isa isa, const float *x, float *y, size_t count, float delta, float offset, float steps
) {
    QS_CALL(qs_fake_quantize, x, y, count, delta, offset, offset + steps);
}

void qs_round_to_half(const float *x, float *y, size_t count) {
    QS_ENTER;
    qs_round_to_half_scalar(x, y, count);
    QS_LEAVE;
}

void qs_fake_quantize_masked(
    enum qs_isa isa, const float *x, float *y, uint8_t *mask, size_t count, float delta, float offset, float steps
) {
    QS_CALL(qs_fake_quantize_masked, x, y, mask, count, delta, offset, offset + steps);
}

void qs_fake_quantize_masked_each(
    enum qs_isa isa, const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower,
    const float *upper
) {
    QS_CALL(qs_fake_quantize_masked_each, x, y, mask, count, delta, lower, upper);
}

void qs_apply_mask(enum qs_isa isa, float *g, const uint8_t *mask, size_t count) {
    QS_CALL(qs_apply_mask, g, mask, count);
}

void qs_fake_quantize_keeping(
    enum qs_isa isa, float *x, float *kept, size_t count, float delta, float offset, float steps
) {
    QS_CALL(qs_fake_quantize_keeping, x, kept, count, delta, offset, offset + steps);
}

void qs_range_backward(
    enum qs_isa isa, const float *x, float *g, size_t count, float delta, float offset, float steps,
    struct qs_range_sums *sums
) {
    double lanes[2 * QS_SUM_LANES] = {0};
    QS_CALL(qs_range_backward, x, g, count, delta, offset, offset + steps, lanes, lanes + QS_SUM_LANES);
    for (int i = 0; i < QS_SUM_LANES; i++) {
        sums->delta += lanes[i];
        sums->outside += lanes[QS_SUM_LANES + i];
    }
}
