// SPDX-License-Identifier: MIT
//
// What the C library takes for a drain message is one: where the whole text is JSON, the master's
// own decoder says the same of it.
#include "common/wire/control.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <chrono>
#include <variant>

extern "C" {
#include "worker/c/drain_message.h"
}

using namespace usher::wire;
using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto packet = text_of(data, size);
    std::uint64_t timeout = 0;
    const bool is_drain = uw_read_drain(packet.data(), packet.size(), &timeout);

    // The library reads numbers and words loosely, so only what the master can send must agree.
    const auto message = decode_control(packet);
    const auto* const drain = std::get_if<Drain>(&message);
    if (drain != nullptr && encode(*drain) == packet &&
        (!is_drain || timeout != static_cast<std::uint64_t>(drain->timeout.count())) &&
        drain->timeout.count() < 1'000'000'000'000)
        std::abort();
    if (is_drain &&
        (std::holds_alternative<Welcome>(message) || std::holds_alternative<Hello>(message)))
        std::abort();
    return 0;
}
