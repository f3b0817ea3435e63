// SPDX-License-Identifier: MIT
#pragma once

#include "common/wire/control.hpp"

#include <nlohmann/json.hpp>

#include <string>

/// What workers send, for tests that play one: found where the master's own messages are encoded.
namespace usher::wire {

[[nodiscard]] inline std::string encode(const Hello& message)
{
    return nlohmann::json{
        {"type", "hello"}, {"protocol", message.protocol}, {"max_batch", message.max_batch}}
        .dump();
}

[[nodiscard]] inline std::string encode(const Ready& /*message*/)
{
    return nlohmann::json{{"type", "ready"}}.dump();
}

[[nodiscard]] inline std::string encode(const Bye& message)
{
    return nlohmann::json{{"type", "bye"}, {"reason", message.reason}}.dump();
}

} // namespace usher::wire
