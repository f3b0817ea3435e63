// SPDX-License-Identifier: MIT
#pragma once

#include "worker/c/json.h"

/// SipHash-1-3 (Aumasson and Bernstein): whoever does not know `seed` cannot find texts whose
/// hashes meet.
uint64_t uw_sip_hash(const uint64_t seed[2], struct uw_text text);
