// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"

#include <stdbool.h>
#include <stddef.h>

/// What the first bytes of a hand-off packet say; see docs/worker-protocol.md.
struct uw_header {
    size_t count;
    size_t record_size;
};

/// Reads the 8 bytes at `in`; false if they are no header this library knows.
bool uw_decode_header(const unsigned char* in, struct uw_header* header);

/// Reads the 80 bytes at `in`.
void uw_decode_record(const unsigned char* in, struct usher_connection* connection);
