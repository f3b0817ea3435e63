// SPDX-License-Identifier: MIT
#pragma once

/// Notes why usher_open() or usher_bus_open() fails, sets errno to `error`, and returns -1.
int uw_fail(int error, const char* format, ...) __attribute__((format(printf, 2, 3)));
