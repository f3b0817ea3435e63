// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace usher {

/// What a member of the bus says in one line, as far as it matters to the master: its head.  What
/// it carries stays the bytes that came.
struct BusLine {
    enum class Type {
        hello,
        subscribe,
        unsubscribe,
        publish,
        send,
        request,
        reply,
        campaign,
        resign,
        sync,
        put,
        erase,
        increment,
        get,
    };

    Type type = Type::hello;
    std::string_view id{}; ///< as JSON; empty if there is none

    std::string topic{}; ///< or pattern
    std::string pool{};
    std::string key{};
    std::optional<std::string> error{}; ///< of a reply, as JSON

    /// The JSON of `data` or `value`; empty if there is none.  Of the line.
    std::string_view data{};

    std::optional<std::uint64_t> slot{};
    std::optional<std::uint64_t> timeout_ms{};
    std::optional<std::uint64_t> max{};
    std::optional<std::uint64_t> ttl_ms{};
    std::optional<std::uint64_t> expected{};
    std::int64_t by = 1;
};

inline constexpr Names<BusLine::Type, 14> bus_line_names{{
    {BusLine::Type::hello, "hello"},
    {BusLine::Type::subscribe, "subscribe"},
    {BusLine::Type::unsubscribe, "unsubscribe"},
    {BusLine::Type::publish, "publish"},
    {BusLine::Type::send, "send"},
    {BusLine::Type::request, "request"},
    {BusLine::Type::reply, "reply"},
    {BusLine::Type::campaign, "campaign"},
    {BusLine::Type::resign, "resign"},
    {BusLine::Type::sync, "sync"},
    {BusLine::Type::put, "put"},
    {BusLine::Type::erase, "erase"},
    {BusLine::Type::increment, "increment"},
    {BusLine::Type::get, "get"},
}};

/// Why a line is refused, or cannot be carried out.
struct BusError {
    std::string_view id{};   ///< as JSON; empty: unknown, or it had none
    std::string_view code{}; ///< one of docs/worker-protocol.md
    std::string reason{};    ///< a clause for people
};

/// `text`, a line, is without its line feed, and must live as long as the result.
[[nodiscard]] std::variant<BusLine, BusError> decode_bus_line(std::string_view text);

} // namespace usher
