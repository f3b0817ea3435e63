// SPDX-License-Identifier: MIT
//
// Whatever a Node worker's program sends, in JSON or in V8's format, none that another worker's
// Node would take for its own is relayed; and what is plain without a trace of one is.
#include "balancer/dialect/node/channel/relayable.hpp"
#include "balancer/dialect/node/channel/v8_command.hpp"
#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <string>

using namespace usher;
using namespace usher::fuzz;

namespace {

using nlohmann::json;

/// What Node does with what it has parsed.
bool is_command(const json& message)
{
    constexpr std::string_view prefix = "NODE_";
    if (!message.is_object())
        return false;
    const auto command = message.find("cmd");
    if (command == message.end() || !command->is_string())
        return false;
    const auto& text = command->get_ref<const std::string&>();
    return text.size() > prefix.size() && text.starts_with(prefix);
}

void check_json(std::string_view text)
{
    const auto message = json::parse(text, nullptr, false);
    if (!message.is_discarded() && is_command(message))
        require(!node::is_relayable(NodeConfig::Serialization::json, text));
}

void check_v8(std::string_view payload)
{
    const bool is_relayable = node::is_relayable(NodeConfig::Serialization::advanced, payload);
    const auto value = node::v8::value_in(payload);
    if (!value)
        return;
    const bool is_without = node::v8::is_without_command(*value);
    require(is_relayable || !is_without);
    std::string text;
    if (node::v8::to_json(*value, text, payload.size() * 8) != node::v8::Result::done)
        return;
    const auto message = json::parse(text, nullptr, false);
    if (message.is_discarded())
        return;
    if (is_command(message))
        require(!is_relayable && !is_without);
    else if (text.find("NODE_") == std::string::npos)
        require(is_without);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto message = text_of(data, size);
    check_json(message);
    check_v8(message);
    return 0;
}
