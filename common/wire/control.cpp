// SPDX-License-Identifier: MIT
#include "common/wire/control.hpp"

#include "common/wire/handoff.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace usher::wire {

namespace {

using nlohmann::json;

/// Thrown inside this file only; what() becomes MalformedMessage::reason.
struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// How deep JSON may nest: the parser recurses in its destructor, the sender is not trusted.
constexpr int max_depth = 32;

template <typename Integer>
Integer integer(const json& object, const char* key, Integer lowest, Integer highest)
{
    const auto found = object.find(key);
    if (found == object.end())
        throw Malformed{std::string{"\""} + key + "\" is missing"};
    if (found->is_number_unsigned() || found->is_number_integer()) {
        const bool too_large = found->is_number_unsigned() &&
                               found->get<std::uint64_t>() > static_cast<std::uint64_t>(highest);
        const bool too_small = !found->is_number_unsigned() &&
                               (found->get<std::int64_t>() < 0 ||
                                static_cast<std::uint64_t>(found->get<std::int64_t>()) <
                                    static_cast<std::uint64_t>(lowest));
        if (!too_large && !too_small && found->get<Integer>() >= lowest)
            return found->get<Integer>();
    }
    throw Malformed{std::string{"\""} + key + "\" is not an integer from " +
                    std::to_string(lowest) + " to " + std::to_string(highest)};
}

std::string text(const json& object, const char* key)
{
    const auto found = object.find(key);
    if (found == object.end())
        return {};
    if (!found->is_string())
        throw Malformed{std::string{"\""} + key + "\" is not a string"};
    return found->get<std::string>();
}

constexpr int any_protocol = std::numeric_limits<int>::max();

ControlMessage decode_object(const json& object)
{
    const auto type = object.find("type");
    if (type == object.end() || !type->is_string())
        throw Malformed{"no \"type\""};
    const auto& name = type->get_ref<const std::string&>();

    if (name == "hello")
        return Hello{.protocol = integer<int>(object, "protocol", 0, any_protocol),
                     .max_batch =
                         object.contains("max_batch")
                             ? integer<std::size_t>(object, "max_batch", 1, max_handoff_records)
                             : max_handoff_records};
    if (name == "ready")
        return Ready{};
    if (name == "bye")
        return Bye{.reason = text(object, "reason")};
    if (name == "welcome")
        return Welcome{
            .protocol = integer<int>(object, "protocol", 0, any_protocol),
            .worker_id =
                integer<std::uint64_t>(object, "id", 0, std::numeric_limits<std::uint64_t>::max()),
            .slot = integer<unsigned>(object, "slot", 1, std::numeric_limits<unsigned>::max()),
            .generation =
                integer<unsigned>(object, "generation", 0, std::numeric_limits<unsigned>::max())};
    if (name == "drain")
        return Drain{
            .timeout = std::chrono::milliseconds{integer<std::int64_t>(
                object, "timeout_ms", 0, std::numeric_limits<std::int64_t>::max() / 1'000'000)}};
    return UnknownMessage{.type = name};
}

json parse(std::string_view packet)
{
    const auto limit_depth = [](int depth, json::parse_event_t, const json&) {
        if (depth > max_depth)
            throw Malformed{"nested too deeply"};
        return true;
    };
    try {
        return json::parse(packet, limit_depth);
    } catch (const json::parse_error& e) {
        throw Malformed{"not JSON at byte " + std::to_string(e.byte)};
    } catch (const json::out_of_range&) { // 1e999
        throw Malformed{"a number is out of range"};
    }
}

} // namespace

ControlMessage decode_control(std::string_view packet)
{
    try {
        const json message = parse(packet);
        if (!message.is_object())
            throw Malformed{"not a JSON object"};
        return decode_object(message);
    } catch (const Malformed& e) {
        return MalformedMessage{.reason = e.what()};
    }
}

std::string encode(const Hello& message)
{
    return json{{"type", "hello"}, {"protocol", message.protocol}, {"max_batch", message.max_batch}}
        .dump();
}

std::string encode(const Ready& /*message*/)
{
    return json{{"type", "ready"}}.dump();
}

std::string encode(const Bye& message)
{
    // A reason is the worker's own text: replace what is not UTF-8 rather than throw.
    return json{{"type", "bye"}, {"reason", message.reason}}.dump(-1, ' ', false,
                                                                  json::error_handler_t::replace);
}

std::string encode(const Welcome& message)
{
    return json{{"type", "welcome"},
                {"protocol", message.protocol},
                {"id", message.worker_id},
                {"slot", message.slot},
                {"generation", message.generation}}
        .dump();
}

std::string encode(const Drain& message)
{
    return json{{"type", "drain"}, {"timeout_ms", message.timeout.count()}}.dump();
}

} // namespace usher::wire
