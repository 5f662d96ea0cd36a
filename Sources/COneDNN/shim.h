#include <dnnl.h>

/// OpenMP's setting for the calling thread (libgomp, which Debian's oneDNN is built on). Declared here because
/// omp.h belongs to the compiler, not to oneDNN.
extern void omp_set_num_threads(int count);

/// Whether the processor and the operating system offer what oneDNN calls avx2 (with FMA).
static inline int cpu_supports_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/// Whether the processor and the operating system offer what oneDNN calls avx512_core.
static inline int cpu_supports_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
