#pragma once

// The default floating-point environment around a kernel, whatever the caller's is. The arithmetic between the two must
// stand in functions of its own, so that none of it can move across.

#if defined(__x86_64__)

#include <immintrin.h>

#define QS_ENTER const unsigned caller_environment = _mm_getcsr(); _mm_setcsr(0x1F80)
#define QS_LEAVE _mm_setcsr(caller_environment)

#else

#define QS_ENTER
#define QS_LEAVE

#endif
