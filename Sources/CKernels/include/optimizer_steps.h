#pragma once

#include "CKernels.h"

// Steps of optimizers over flat vectors, element by element: every operation is rounded to float on its own, in the
// order written, so the bits depend on nothing but the elements. They run in the default floating-point environment.

/// Stochastic gradient descent:
///
///     d = g + decay * w;  v = first ? d : momentum * v + d;  d = nesterov ? d + momentum * v : v;  w = w - rate * d
///
/// @param w [count], changed
/// @param v [count], changed; NULL where momentum is zero, and then d is used as it is
void qs_sgd_step(
    float *w, const float *g, float *v, size_t count, float rate, float momentum, float decay, bool nesterov,
    bool first);

struct qs_adam {
    /// 1 - beta1, beta2, 1 - beta2
    float first_share, second_kept, second_share;
    /// Of the whole step: rate / (1 - beta1^t)
    float rate;
    /// sqrt(1 - beta2^t)
    float second_correction;
    float epsilon;
    /// Added to the gradient: decay * w
    float decay;
    /// What is left of a weight before the step: 1 - rate * decay of AdamW, 1 otherwise
    float kept;
};

/// Adam, and AdamW:
///
///     w = kept * w;  g = g + decay * w;  m = m + first_share * (g - m);  v = second_kept * v + (second_share * g) * g
///     w = w - (rate * m) / (sqrt(v) / second_correction + epsilon)
///
/// @param w, m, v [count], changed
void qs_adam_step(float *w, const float *g, float *m, float *v, size_t count, const struct qs_adam *settings);

/// x = x * factor
void qs_scale(float *x, size_t count, float factor);

/// Lanes of a sum in double precision: element i is added to lane i mod 8, and the lanes are added in ascending order.
#define QS_SUM_LANES 8

/// The sum of squares, in double precision and a fixed order.
double qs_sum_of_squares(const float *x, size_t count);
