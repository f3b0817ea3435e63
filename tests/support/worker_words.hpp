// SPDX-License-Identifier: MIT
#pragma once

#include "common/wire/control.hpp"

#include <nlohmann/json.hpp>

#include <string>

/// What workers send, for tests that play one: found where the master's own messages are encoded.
namespace usher::wire {

[[nodiscard]] inline std::string encode(const Hello& message)
{
    nlohmann::json json{
        {"type", "hello"}, {"protocol", message.protocol}, {"max_batch", message.max_batch}};
    if (!message.fallback.empty())
        json["fallback"] = message.fallback;
    return json.dump();
}

[[nodiscard]] inline std::string encode(const Ready& /*message*/)
{
    return nlohmann::json{{"type", "ready"}}.dump();
}

[[nodiscard]] inline std::string encode(const Bye& message)
{
    return nlohmann::json{{"type", "bye"}, {"reason", message.reason}}.dump();
}

[[nodiscard]] inline std::string encode(const ListenQuestion& message)
{
    return nlohmann::json{{"type", "listen"},
                          {"question", message.number},
                          {"address", message.address},
                          {"v6only", message.v6only},
                          {"bind", message.is_bind}}
        .dump();
}

[[nodiscard]] inline std::string encode(const NodePrimary& /*message*/)
{
    return nlohmann::json{{"type", "node-primary"}}.dump();
}

} // namespace usher::wire
