// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>
#include <time.h>

/// CLOCK_MONOTONIC now: the time of heartbeats, hand-off records and deadlines.
static inline uint64_t uw_monotonic_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}
