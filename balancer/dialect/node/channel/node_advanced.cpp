// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_advanced.hpp"

#include "balancer/dialect/node/channel/node_frames.hpp"
#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <nlohmann/json.hpp>

#include <cassert>
#include <limits>
#include <optional>

namespace usher::node {

namespace {

using namespace std::string_view_literals;
using Json = nlohmann::json;

/// Follows the parser and writes what it reads.
class Translator final : public nlohmann::json_sax<Json> {
public:
    explicit Translator(std::string& bytes) : writer_{bytes} {}

    bool null() override
    {
        writer_.null();
        return true;
    }

    bool boolean(bool value) override
    {
        writer_.boolean(value);
        return true;
    }

    bool number_integer(number_integer_t value) override
    {
        writer_.number(value);
        return true;
    }

    bool number_unsigned(number_unsigned_t value) override
    {
        if (value <= std::numeric_limits<std::int64_t>::max())
            writer_.number(static_cast<std::int64_t>(value));
        else
            writer_.number(static_cast<double>(value));
        return true;
    }

    bool number_float(number_float_t value, const string_t& /*text*/) override
    {
        writer_.number(value);
        return true;
    }

    bool string(string_t& value) override
    {
        writer_.text(value);
        return true;
    }

    bool binary(binary_t& /*value*/) override { return false; } // JSON has none

    bool start_object(std::size_t /*size*/) override
    {
        writer_.begin_object();
        return true;
    }

    bool key(string_t& value) override
    {
        writer_.key(value);
        return true;
    }

    bool end_object() override
    {
        writer_.end_object();
        return true;
    }

    bool start_array(std::size_t /*size*/) override
    {
        writer_.begin_array();
        return true;
    }

    bool end_array() override
    {
        writer_.end_array();
        return true;
    }

    bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*error*/) override
    {
        return false;
    }

private:
    V8Writer writer_;
};

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

bool take(std::string_view& bytes, std::string_view expected) noexcept
{
    if (!bytes.starts_with(expected))
        return false;
    bytes.remove_prefix(expected.size());
    return true;
}

/// The two that come with every connection, exactly as Node writes them, but for the version in
/// the header.  All else is for the reader.
std::optional<Message> decode_common_advanced(std::string_view payload)
{
    constexpr std::size_t header_size = 2;
    constexpr auto acknowledged = "o\"\3cmd\"\17NODE_HANDLE_ACK{\1"sv;
    constexpr auto head = "o\"\3cmd\"\14NODE_CLUSTER\"\3ackI"sv;
    constexpr auto middle = "\"\10acceptedT\"\3seqI"sv;
    constexpr auto end = "{\4"sv;

    if (payload.size() < header_size || !V8Reader{payload}.read_header())
        return std::nullopt;
    payload.remove_prefix(header_size);
    if (payload == acknowledged)
        return HandleAck{};
    if (!take(payload, head))
        return std::nullopt;
    const auto ack = take_number(payload);
    if (!ack || !take(payload, middle) || !take_number(payload) || payload != end)
        return std::nullopt;
    return ConnectionReply{.ack = *ack, .accepted = true};
}

/// How the next value of `reader` is shown, of a message of `size` bytes; nothing if it is nothing
/// that V8 has written.
std::optional<UserMessage> show(V8Reader& reader, std::size_t size)
{
    std::string text;
    switch (reader.read_json(text, UserMessage::most_shown)) {
    case V8Reader::Result::done:
        return UserMessage{std::move(text)};
    case V8Reader::Result::not_plain:
        return UserMessage{size_note(size)};
    case V8Reader::Result::too_long:
        return UserMessage{cut_short(text, size)};
    case V8Reader::Result::malformed:
        break;
    }
    return std::nullopt;
}

std::optional<std::string_view> find_command(V8Reader reader)
{
    return reader.find("cmd") ? reader.read_text() : std::nullopt;
}

} // namespace

Message decode_advanced(std::string_view payload)
{
    if (auto common = decode_common_advanced(payload))
        return *common;

    V8Reader reader{payload};
    if (!reader.read_header())
        return Malformed{"it does not begin as V8 begins"};
    // Programs may send much, and none of it concerns us.
    const auto command = payload.find(internal_prefix) == std::string_view::npos
                             ? std::nullopt
                             : find_command(reader);
    const Malformed malformed{"it is not what V8 writes"};
    if (!command || !is_internal(*command)) {
        auto shown = show(reader, payload.size());
        return shown ? Message{std::move(*shown)} : malformed;
    }
    if (*command == "NODE_HANDLE") {
        const bool has_message = reader.find("msg");
        if (has_message && find_command(reader) == "NODE_CLUSTER")
            return Malformed{std::string{hands_out_reason}};
        auto shown = has_message ? show(reader, payload.size()) : std::nullopt;
        return shown ? Message{Handle{std::move(*shown)}} : malformed;
    }
    std::string json;
    return reader.read_json(json, NodeFrames::longest) == V8Reader::Result::done ? decode(json)
                                                                                 : malformed;
}

std::string to_advanced(std::string_view json)
{
    std::string result;
    Translator translator{result};
    [[maybe_unused]] const bool valid = Json::sax_parse(json, &translator);
    assert(valid);
    return result;
}

std::string encode_advanced_connection(std::string_view key, std::uint64_t seq)
{
    std::string result;
    V8Writer writer{result};
    const auto text = [&](std::string_view name, std::string_view value) {
        writer.key(name);
        writer.text(value);
    };
    writer.begin_object();
    text("cmd", "NODE_HANDLE");
    text("type", "net.Native");
    writer.key("msg");
    writer.begin_object();
    text("cmd", "NODE_CLUSTER");
    text("act", "newconn");
    text("key", key);
    writer.key("seq");
    writer.number(static_cast<std::int64_t>(seq));
    writer.end_object();
    writer.end_object();
    return result;
}

} // namespace usher::node
