#pragma once

#include <stddef.h>
#include <stdint.h>

/// libFuzzer as a library: reads the arguments, runs `callback` on inputs until told to stop, returns an exit code.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
