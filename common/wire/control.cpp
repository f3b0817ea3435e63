// SPDX-License-Identifier: MIT
#include "common/wire/control.hpp"

#include "common/wire/environment.hpp"
#include "common/wire/handoff.hpp"
#include "common/wire/json_depth.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <stdexcept>

namespace usher::wire {

namespace {

using nlohmann::json;

/// Thrown inside this file only; what() becomes MalformedMessage::reason.
struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// How deep JSON may nest: the sender is not trusted.
constexpr std::size_t max_depth = 32;

std::uint64_t integer(const json& object, const char* key, std::uint64_t lowest,
                      std::uint64_t highest)
{
    const auto found = object.find(key);
    if (found == object.end())
        throw Malformed{std::string{"\""} + key + "\" is missing"};
    if (found->is_number_unsigned()) // as the parser makes every number without sign and fraction
        if (const auto value = found->get<std::uint64_t>(); value >= lowest && value <= highest)
            return value;
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

bool flag(const json& object, const char* key)
{
    const auto found = object.find(key);
    if (found != object.end() && !found->is_boolean())
        throw Malformed{std::string{"\""} + key + "\" is neither true nor false"};
    return found != object.end() && found->get<bool>();
}

ControlMessage decode_object(const json& object)
{
    const auto type = object.find("type");
    if (type == object.end() || !type->is_string())
        throw Malformed{"no \"type\""};
    const auto& name = type->get_ref<const std::string&>();

    if (name == "hello")
        return Hello{.protocol = static_cast<int>(
                         integer(object, "protocol", 0, std::numeric_limits<int>::max())),
                     .max_batch = object.contains("max_batch")
                                      ? integer(object, "max_batch", 1, max_handoff_records)
                                      : max_handoff_records,
                     .fallback = text(object, "fallback")};
    if (name == "ready")
        return Ready{};
    if (name == "bye")
        return Bye{.reason = text(object, "reason")};
    if (name == "listen")
        return ListenQuestion{
            .number = static_cast<std::uint32_t>(
                integer(object, "question", 1, std::numeric_limits<std::uint32_t>::max())),
            .address = text(object, "address"),
            .v6only = flag(object, "v6only"),
            .is_bind = flag(object, "bind")};
    if (name == "node-primary")
        return NodePrimary{};
    return UnknownMessage{.type = name};
}

json parse(std::string_view packet)
{
    if (json_depth(packet) > max_depth)
        throw Malformed{"nested too deeply"};
    try {
        return json::parse(packet);
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

std::string encode_welcome(std::uint64_t worker_id, unsigned slot, unsigned generation)
{
    return json{{"type", "welcome"},
                {"protocol", env::protocol_version},
                {"id", worker_id},
                {"slot", slot},
                {"generation", generation}}
        .dump();
}

std::string encode_drain(std::chrono::milliseconds timeout)
{
    return json{{"type", "drain"}, {"timeout_ms", timeout.count()}}.dump();
}

} // namespace usher::wire
