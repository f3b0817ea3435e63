// SPDX-License-Identifier: MIT
//
// Whatever the bytes, decode_control() gives a message, and one that can be sent comes back as it
// was.
#include "common/wire/control.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/worker_words.hpp"

#include <variant>

using namespace usher::wire;
using namespace usher::fuzz;

namespace {

void check(const UnknownMessage& /*message*/) {}

void check(const MalformedMessage& message)
{
    require(!message.reason.empty());
    require(message.reason.find('\n') == std::string::npos); // it goes into the log
}

void check(const auto& message)
{
    require(decode_control(encode(message)) == ControlMessage{message});
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto message = decode_control(text_of(data, size));
    std::visit([](const auto& m) { check(m); }, message);
    return 0;
}
