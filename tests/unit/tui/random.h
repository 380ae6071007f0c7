/* Random numbers that are the same in each run. */
#ifndef WASMCTL_TESTS_TUI_RANDOM_H
#define WASMCTL_TESTS_TUI_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 1;

static inline uint32_t random_below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

#endif
