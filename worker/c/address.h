// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

/// Where to listen.
struct uw_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/// Reads PORT, HOST:PORT, [HOST]:PORT, [HOST%INTERFACE]:PORT or unix:PATH, numbers only.
bool uw_parse_address(const char* text, struct uw_address* address);
