#include "optimizer_steps.h"

#include <math.h>

#include "environment.h"

#define NOINLINE __attribute__((noinline))

// One version of each: compilers make vectors of these loops, and memory is what they wait for.

NOINLINE static void sgd(
    float *restrict w, const float *restrict g, float *restrict v, size_t count, float rate, float momentum,
    float decay, bool nesterov, bool first
) {
    for (size_t i = 0; i < count; i++) {
        const float d = g[i] + decay * w[i];
        const float velocity = first ? d : momentum * v[i] + d;
        v[i] = velocity;
        w[i] = w[i] - rate * (nesterov ? d + momentum * velocity : velocity);
    }
}

NOINLINE static void plain_sgd(float *restrict w, const float *restrict g, size_t count, float rate, float decay) {
    for (size_t i = 0; i < count; i++) w[i] = w[i] - rate * (g[i] + decay * w[i]);
}

void qs_sgd_step(
    float *w, const float *g, float *v, size_t count, float rate, float momentum, float decay, bool nesterov,
    bool first
) {
    QS_ENTER;
    if (v) sgd(w, g, v, count, rate, momentum, decay, nesterov, first);
    else plain_sgd(w, g, count, rate, decay);
    QS_LEAVE;
}

NOINLINE static void adam(
    float *restrict w, const float *restrict g, float *restrict m, float *restrict v, size_t count, struct qs_adam s
) {
    for (size_t i = 0; i < count; i++) {
        const float weight = s.kept * w[i];
        const float d = g[i] + s.decay * weight;
        const float first = m[i] + s.first_share * (d - m[i]);
        const float second = s.second_kept * v[i] + (s.second_share * d) * d;
        m[i] = first;
        v[i] = second;
        w[i] = weight - (s.rate * first) / (sqrtf(second) / s.second_correction + s.epsilon);
    }
}

void qs_adam_step(float *w, const float *g, float *m, float *v, size_t count, const struct qs_adam *settings) {
    QS_ENTER;
    adam(w, g, m, v, count, *settings);
    QS_LEAVE;
}

NOINLINE static void scale(float *x, size_t count, float factor) {
    for (size_t i = 0; i < count; i++) x[i] *= factor;
}

void qs_scale(float *x, size_t count, float factor) {
    QS_ENTER;
    scale(x, count, factor);
    QS_LEAVE;
}

NOINLINE static double sum_of_squares(const float *x, size_t count) {
    double lanes[QS_SUM_LANES] = {0};
    size_t i = 0;
    for (; i + QS_SUM_LANES <= count; i += QS_SUM_LANES) {
        for (int j = 0; j < QS_SUM_LANES; j++) lanes[j] += (double)x[i + j] * (double)x[i + j];
    }
    for (int j = 0; i < count; i++, j++) lanes[j] += (double)x[i] * (double)x[i];
    double sum = 0;
    for (int j = 0; j < QS_SUM_LANES; j++) sum += lanes[j];
    return sum;
}

double qs_sum_of_squares(const float *x, size_t count) {
    QS_ENTER;
    const double sum = sum_of_squares(x, count);
    QS_LEAVE;
    return sum;
}
