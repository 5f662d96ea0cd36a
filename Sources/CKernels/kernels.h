#pragma once

#include "CKernels.h"

// One set of functions per variant; the contracts stand in CKernels.h.

void qs_range_scalar(const float *x, size_t count, struct qs_range *range);
void qs_histogram_scalar(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);
void qs_fake_quantize_scalar(
    const float *x, float *y, size_t count, float delta, float lower, float upper);

#if defined(__x86_64__)
void qs_range_avx2(const float *x, size_t count, struct qs_range *range);
void qs_histogram_avx2(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);
void qs_fake_quantize_avx2(
    const float *x, float *y, size_t count, float delta, float lower, float upper);

void qs_range_avx512(const float *x, size_t count, struct qs_range *range);
void qs_histogram_avx512(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);
void qs_fake_quantize_avx512(
    const float *x, float *y, size_t count, float delta, float lower, float upper);
#endif
