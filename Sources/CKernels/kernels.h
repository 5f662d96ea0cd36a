#pragma once

#include "CKernels.h"
#include "straight_through.h"

// One set of functions per variant; the contracts stand in CKernels.h.

void qs_range_scalar(const float *x, size_t count, struct qs_range *range);
void qs_histogram_scalar(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);
void qs_fake_quantize_scalar(
    const float *x, float *y, size_t count, float delta, float lower, float upper);
void qs_round_to_half_scalar(const float *x, float *y, size_t count);
void qs_fake_quantize_masked_scalar(
    const float *x, float *y, uint8_t *mask, size_t count, float delta, float lower, float upper);
void qs_fake_quantize_masked_each_scalar(
    const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower,
    const float *upper);
void qs_apply_mask_scalar(float *g, const uint8_t *mask, size_t count);
void qs_fake_quantize_keeping_scalar(
    float *x, float *kept, size_t count, float delta, float lower, float upper);
void qs_range_backward_scalar(
    const float *x, float *g, size_t count, float delta, float lower, float upper, double *delta_lanes,
    double *outside_lanes);

#if defined(__x86_64__)
void qs_range_avx2(const float *x, size_t count, struct qs_range *range);
void qs_histogram_avx2(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);
void qs_fake_quantize_avx2(
    const float *x, float *y, size_t count, float delta, float lower, float upper);
void qs_fake_quantize_masked_avx2(
    const float *x, float *y, uint8_t *mask, size_t count, float delta, float lower, float upper);
void qs_fake_quantize_masked_each_avx2(
    const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower,
    const float *upper);
void qs_apply_mask_avx2(float *g, const uint8_t *mask, size_t count);
void qs_fake_quantize_keeping_avx2(
    float *x, float *kept, size_t count, float delta, float lower, float upper);
void qs_range_backward_avx2(
    const float *x, float *g, size_t count, float delta, float lower, float upper, double *delta_lanes,
    double *outside_lanes);

void qs_range_avx512(const float *x, size_t count, struct qs_range *range);
void qs_histogram_avx512(
    const float *x, size_t count, const struct qs_range *block, float scale, uint32_t *origin);
void qs_fake_quantize_avx512(
    const float *x, float *y, size_t count, float delta, float lower, float upper);
void qs_fake_quantize_masked_avx512(
    const float *x, float *y, uint8_t *mask, size_t count, float delta, float lower, float upper);
void qs_fake_quantize_masked_each_avx512(
    const float *x, float *y, uint8_t *mask, size_t count, const float *delta, const float *lower,
    const float *upper);
void qs_apply_mask_avx512(float *g, const uint8_t *mask, size_t count);
void qs_fake_quantize_keeping_avx512(
    float *x, float *kept, size_t count, float delta, float lower, float upper);
void qs_range_backward_avx512(
    const float *x, float *g, size_t count, float delta, float lower, float upper, double *delta_lanes,
    double *outside_lanes);
#endif
