// SPDX-License-Identifier: MIT
//
// What the C library takes for a drain message is one: it reads whatever the master can send, and
// takes no other message for it.
#include "common/wire/control.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <charconv>
#include <chrono>
#include <variant>

extern "C" {
#include "worker/c/control.h"
}

using namespace usher::wire;
using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto packet = text_of(data, size);
    std::uint64_t timeout = 0;
    const bool is_drain = uw_read_drain(packet.data(), packet.size(), &timeout);

    // The library reads numbers and words loosely, so only what the master can send must agree.
    const auto number = packet.find_first_of("0123456789");
    std::int64_t sent = 0;
    if (number != std::string_view::npos)
        std::from_chars(packet.data() + number, packet.data() + packet.size(), sent);
    if (encode_drain(std::chrono::milliseconds{sent}) == packet && sent < 1'000'000'000'000)
        require(is_drain && timeout == static_cast<std::uint64_t>(sent));
    if (is_drain)
        require(!std::holds_alternative<Hello>(decode_control(packet)));
    return 0;
}
