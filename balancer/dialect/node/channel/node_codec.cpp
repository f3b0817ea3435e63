// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/node_frames.hpp"
#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <optional>
#include <utility>

namespace usher {

namespace {

using namespace std::string_view_literals;
using Serialization = NodeConfig::Serialization;
using node::V8Reader;

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

/// How the next value of `reader` is shown, of a message of `size` bytes; nothing if it is nothing
/// that V8 has written.
std::optional<node::UserMessage> show(V8Reader& reader, std::size_t size)
{
    std::string text;
    switch (reader.read_json(text, node::UserMessage::most_shown)) {
    case V8Reader::Result::done:
        return node::UserMessage{std::move(text)};
    case V8Reader::Result::not_plain:
        return node::UserMessage{node::size_note(size)};
    case V8Reader::Result::too_long:
        return node::UserMessage{node::cut_short(text, size)};
    case V8Reader::Result::malformed:
        break;
    }
    return std::nullopt;
}

std::optional<std::string_view> find_command(V8Reader reader)
{
    return reader.find("cmd") ? reader.read_text() : std::nullopt;
}

node::Message decode_advanced(std::string_view payload)
{
    V8Reader reader{payload};
    if (!reader.read_header())
        return node::Malformed{"it does not begin as V8 begins"};
    if (auto common = node::decode_common(reader.rest(), advanced_forms))
        return *common;

    // Programs may send much, and none of it concerns us.
    const auto command = payload.find(node::internal_prefix) == std::string_view::npos
                             ? std::nullopt
                             : find_command(reader);
    const node::Malformed malformed{"it is not what V8 writes"};
    if (!command || !node::is_internal(*command)) {
        auto shown = show(reader, payload.size());
        return shown ? node::Message{std::move(*shown)} : malformed;
    }
    if (*command == "NODE_HANDLE") {
        const bool has_message = reader.find("msg");
        if (has_message && find_command(reader) == "NODE_CLUSTER")
            return node::Malformed{std::string{node::hands_out_reason}};
        auto shown = has_message ? show(reader, payload.size()) : std::nullopt;
        return shown ? node::Message{node::Handle{std::move(*shown)}} : malformed;
    }
    std::string json;
    return reader.read_json(json, NodeFrames::longest) == V8Reader::Result::done
               ? node::decode(json)
               : malformed;
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

std::string end_line(std::string json)
{
    json += '\n';
    return json;
}

/// Both in one piece: Node before 20 loses the thread if a length comes in two.
std::string put_length_before(std::string_view payload)
{
    const auto size = payload.size();
    std::string result{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                       static_cast<char>(size >> 8), static_cast<char>(size)};
    result += payload;
    return result;
}

} // namespace

node::Message NodeCodec::decode(std::string_view message) const
{
    return serialization_ == Serialization::json ? node::decode(message) : decode_advanced(message);
}

std::string NodeCodec::encode(std::string json) const
{
    return serialization_ == Serialization::json ? end_line(std::move(json))
                                                 : put_length_before(node::v8_of_json(json));
}

std::string NodeCodec::encode_connection(std::string_view key, std::uint64_t seq) const
{
    return serialization_ == Serialization::json ? end_line(node::encode_connection(key, seq))
                                                 : put_length_before(advanced_connection(key, seq));
}

} // namespace usher
