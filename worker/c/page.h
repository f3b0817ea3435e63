// SPDX-License-Identifier: MIT
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/// The worker's page of counters, shared with the master, which only reads; see
/// docs/worker-protocol.md.
struct uw_page { // NOLINT(clang-analyzer-optin.performance.Padding): the layout is the protocol's
    _Atomic(uint32_t) magic;
    _Atomic(uint32_t) version;
    alignas(64) _Atomic(uint64_t) accepted;
    _Atomic(uint64_t) closed;
    _Atomic(uint64_t) load;
    _Atomic(uint64_t) heartbeat;
};

enum { uw_page_size = 4096, uw_page_magic = 0x44425355, uw_page_version = 1 };

static_assert(offsetof(struct uw_page, accepted) == 64, "as the master reads it");
static_assert(offsetof(struct uw_page, heartbeat) == 88, "as the master reads it");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would be this process's own");
