#include <dnnl.h>

/// OpenMP's setting for the calling thread (libgomp, which Debian's oneDNN is built on). Declared here because
/// omp.h belongs to the compiler, not to oneDNN.
extern void omp_set_num_threads(int count);
