// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Reads a control message of the master: true if it is `drain`, with its time-out.  Every other
/// message, and what is no message at all, is false and ignored.
///
/// Names with escapes in them are not recognised: the master writes none.
bool uw_read_drain(const char* text, size_t size, uint64_t* timeout_ms);
