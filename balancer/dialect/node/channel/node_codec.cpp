// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <optional>
#include <utility>

namespace usher {

namespace {

using namespace std::string_view_literals;

/// The next number in `bytes`, taken off; nothing if it is longer than a plain one.
std::optional<std::uint64_t> take_number(std::string_view& bytes) noexcept
{
    std::uint64_t raw = 0;
    for (int shift = 0; shift < 35 && !bytes.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        raw |= (byte & 0x7fULL) << shift;
        if ((byte & 0x80U) == 0)
            return (raw & 1) == 0 ? std::optional{raw >> 1} : std::nullopt; // odd: below 0
    }
    return std::nullopt;
}

/// Behind the header, which says the version.
constexpr node::CommonForms advanced_forms{.handle_ack = "o\"\3cmd\"\17NODE_HANDLE_ACK{\1"sv,
                                           .before_ack = "o\"\3cmd\"\14NODE_CLUSTER\"\3ackI"sv,
                                           .before_seq = "\"\10acceptedT\"\3seqI"sv,
                                           .end = "{\4"sv,
                                           .take_number = take_number};

node::Message decode_advanced(std::string_view payload)
{
    using node::v8::Result;
    const auto value = node::v8::value_in(payload);
    if (!value)
        return node::Malformed{"it does not begin as V8 begins"};
    if (auto common = node::decode_common(*value, advanced_forms))
        return *common;

    // Programs may send much, and none of it concerns us.  Node's own begins with the command.
    std::string json;
    const bool is_long = payload.size() > node::longest_internal;
    auto result = node::v8::to_json(value->substr(0, node::longest_internal), json,
                                    node::UserMessage::most_shown);
    const bool is_handle = json.starts_with(R"({"cmd":"NODE_HANDLE")");
    const bool is_plain = !is_handle && json.starts_with(R"({"cmd":"NODE_)") &&
                          !json.starts_with(R"({"cmd":"NODE_")");
    if (is_plain && is_long)
        return node::too_long_internal();
    if (is_plain && result == Result::too_long) {
        json.clear();
        result = node::v8::to_json(*value, json, node::longest_internal);
        if (result == Result::too_long)
            return node::too_long_internal();
    }
    if (result == Result::done)
        return node::decode(json);
    if (is_plain || (result == Result::malformed && !is_long))
        return node::Malformed{"it is not what V8 writes"};
    node::UserMessage shown{result == Result::not_plain ? node::size_note(payload.size())
                                                        : node::cut_short(json, payload.size())};
    return is_handle ? node::Message{node::Handle{std::move(shown)}} : std::move(shown);
}

/// The same as v8_of_json(node::encode_connection(key, seq)), without a parser.
std::string advanced_connection(std::string_view key, std::uint64_t seq)
{
    std::string result = "\xff\x0d"
                         "o\"\3cmd\"\13NODE_HANDLE\"\4type\"\12net.Native\"\3msg"
                         "o\"\3cmd\"\14NODE_CLUSTER\"\3act\"\7newconn\"\3key\"";
    result += static_cast<char>(key.size());
    result += key;
    result += "\"\3seq";
    node::put_v8_number(result, static_cast<std::int64_t>(seq));
    return result + "{\4{\3";
}

} // namespace

node::Message NodeCodec::decode(std::string_view message) const
{
    return is_json() ? node::decode(message) : decode_advanced(message);
}

std::string NodeCodec::encode(std::string json) const
{
    return frame(is_json() ? std::move(json) : node::v8_of_json(json));
}

std::string NodeCodec::encode_connection(std::string_view key, std::uint64_t seq) const
{
    return frame(is_json() ? node::encode_connection(key, seq) : advanced_connection(key, seq));
}

/// In one piece: Node before 20 loses the thread if a length comes in two.
std::string NodeCodec::frame(std::string payload) const
{
    if (is_json())
        return std::move(payload) + '\n';
    const auto size = payload.size();
    return std::string{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                       static_cast<char>(size >> 8), static_cast<char>(size)} +
           payload;
}

} // namespace usher
