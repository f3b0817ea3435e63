// SPDX-License-Identifier: MIT
#pragma once

/// For the C++ library, whose texts are not terminated.

#include "usher_bus.h"

#ifdef __cplusplus
extern "C" {
#endif

/// As usher_store_get().
int uw_store_find(const struct usher_bus* bus, const char* key, size_t key_size,
                  struct usher_store_value* value);

#ifdef __cplusplus
}
#endif
