// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Control messages to the master.  -1 and errno if one could not be sent.  `fallback` is where the
/// program would listen without a master.
int uw_say_hello(int control, unsigned max_batch, const char* fallback);
int uw_say_ready(int control);
int uw_say_bye(int control, const char* reason);

/// Reads a control message of the master.  True if it is `drain`, with its time-out; false for
/// every other message, and for what is no message at all.
///
/// Names with escapes in them are not recognised: the master writes none.
bool uw_read_drain(const char* text, size_t size, uint64_t* timeout_ms);
