// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <string.h>

/// Copies the structure `from` to the caller's, which may be shorter or longer because the caller
/// was built against another version of the header.  Fields that we do not know become zero.  The
/// size that both begin with stays the caller's.
static inline void uw_fill(void* to, size_t to_size, const void* from, size_t from_size)
{
    if (to_size <= sizeof(size_t) || from_size <= sizeof(size_t))
        return;
    const size_t common = to_size < from_size ? to_size : from_size;
    memcpy((char*)to + sizeof(size_t), (const char*)from + sizeof(size_t), common - sizeof(size_t));
    memset((char*)to + common, 0, to_size - common);
}
