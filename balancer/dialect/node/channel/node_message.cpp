// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_message.hpp"

#include "balancer/dialect/node/channel/lone_surrogates.hpp"
#include "common/wire/json_depth.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include <sys/socket.h>

namespace usher {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t v6only_flag = 1;
constexpr std::int64_t reuse_address_flag = 4;

/// No array or object of a message of Node's own is nested deeper: what we look at is plain, and
/// what would be nested without end must not use up the stack.
constexpr std::size_t deepest = 64;

/// Something in a message that is not what it must be.
struct Refused {
    std::string reason;
};

std::string text_of(const Json& json)
{
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[noreturn]] void refuse(const char* key, const Json& value)
{
    throw Refused{fmt::format("\"{}\" is {}", key, text_of(value).substr(0, 80))};
}

const Json& member(const Json& json, const char* key)
{
    static const Json nothing;
    const auto found = json.find(key);
    return found == json.end() ? nothing : *found;
}

/// A whole number in range.
std::int64_t number(const Json& json, const char* key, double least, double most,
                    std::int64_t otherwise)
{
    const auto& value = member(json, key);
    if (value.is_null())
        return otherwise;
    if (!value.is_number_integer() || value.get<double>() < least || value.get<double>() > most)
        refuse(key, value);
    return value.get<std::int64_t>();
}

bool flag(const Json& json, const char* key)
{
    const auto& value = member(json, key);
    return value.is_boolean() && value.get<bool>();
}

/// As JavaScript makes a number of a text; 0 if it is none.
double number_of(std::string_view text)
{
    constexpr std::string_view blanks = " \t\n\v\f\r";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    text.remove_suffix(text.size() - (text.find_last_not_of(blanks) + 1));

    const auto parse = [&text](auto result, auto... base) {
        const auto [end, error] =
            std::from_chars(text.data(), text.data() + text.size(), result, base...);
        const bool is_whole = error == std::errc{} && end == text.data() + text.size();
        return is_whole ? static_cast<double>(result) : 0;
    };
    const auto prefix = text.substr(0, 2);
    for (const auto& [base, lower, upper] :
         {std::tuple{16, "0x", "0X"}, std::tuple{8, "0o", "0O"}, std::tuple{2, "0b", "0B"}})
        if (prefix == lower || prefix == upper) {
            text.remove_prefix(prefix.size());
            return parse(std::uint64_t{}, base);
        }
    if (text.starts_with('+') && !text.starts_with("+-"))
        text.remove_prefix(1);
    return parse(double{});
}

/// The number that the program meant, whatever it gave to Node for it.
double wish(const Json& value)
{
    if (value.is_number())
        return value.get<double>();
    return value.is_string() ? number_of(value.get_ref<const std::string&>()) : 0;
}

/// A fraction, a text, and `false` of every `listen(port, host, callback)`.  0 if it is no number.
int backlog_of(const Json& json)
{
    constexpr double most = 65'535; // the kernel's own limit is lower
    const auto backlog = wish(member(json, "backlog"));
    return backlog > 0 ? static_cast<int>(std::min(backlog, most)) : 0;
}

/// A UDP socket passes on what its program gave it, e.g. from the environment, and Node's primary
/// makes a number of that, of which the kernel gets 16 bits.
int datagram_port(const Json& json)
{
    const auto& value = member(json, "port");
    if (value.is_structured())
        refuse("port", value);
    const double port = value == true ? 1 : wish(value);
    constexpr double range = 65'536;
    return std::isfinite(port)
               ? static_cast<std::uint16_t>(static_cast<int>(std::fmod(port, range)))
               : 0;
}

std::uint64_t sequence(const Json& json, const char* key)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const auto result = number(json, key, 0, static_cast<double>(most), -1);
    if (result < 0)
        throw Refused{fmt::format("it has no \"{}\"", key)};
    return static_cast<std::uint64_t>(result);
}

node::UserMessage user_message(std::string_view json)
{
    return {json.size() <= node::UserMessage::most_shown ? std::string{json}
                                                         : node::cut_short(json, json.size())};
}

void fill(ServerRequest& request, const Json& json)
{
    constexpr int most = std::numeric_limits<int>::max();
    const auto& type = member(json, "addressType");
    if (type == "udp4")
        request.kind = ServerRequest::Kind::datagram4;
    else if (type == "udp6")
        request.kind = ServerRequest::Kind::datagram6;
    else
        request.is_path = number(json, "addressType", -1, 6, 4) == -1;

    request.index = number(json, "index", 0, most, 0);
    request.port = request.is_datagram() ? datagram_port(json)
                                         : static_cast<int>(number(json, "port", -1, 65'535, 0));
    request.fd = static_cast<int>(number(json, "fd", -1, most, -1));
    request.backlog = backlog_of(json);
    request.readable_all = flag(json, "readableAll");
    request.writable_all = flag(json, "writableAll");
    request.data = text_of(member(json, "data"));
    if (request.data.size() > ServerRequest::longest_data) {
        request.data.clear();
        throw Refused{
            fmt::format("\"data\" is longer than {} KiB", ServerRequest::longest_data / 1024)};
    }
    const auto flags = number(json, "flags", 0, most, 0);
    request.v6only = (flags & v6only_flag) != 0;
    request.reuse_address = (flags & reuse_address_flag) != 0;

    const auto& address = member(json, "address");
    if (address.is_string())
        request.address = address.get<std::string>();
    else if (!address.is_null())
        refuse("address", address);
    if (request.is_path && request.address.value_or("").empty())
        refuse("address", address);
}

/// A program may ask for anything, and is to hear of it as of any server that fails.
ServerRequest decode_request(const Json& json)
{
    ServerRequest request{.seq = sequence(json, "seq")};
    try {
        fill(request, json);
    } catch (const Refused& refused) {
        request.fault = refused.reason;
    }
    return request;
}

node::Message decode_cluster(const Json& json)
{
    const auto& act = member(json, "act");
    if (act.is_null()) {
        if (member(json, "ack").is_null())
            return node::Ignored{};
        return node::ConnectionReply{.ack = sequence(json, "ack"),
                                     .accepted = flag(json, "accepted")};
    }
    if (act == "online")
        return node::Online{};
    if (act == "queryServer")
        return node::QueryServer{decode_request(json)};
    if (act == "listening")
        return node::Listening{};
    if (const auto& key = member(json, "key"); act == "close" && key.is_string())
        return node::CloseServer{key.get<std::string>()};
    if (act == "exitedAfterDisconnect")
        return node::ExitedAfterDisconnect{sequence(json, "seq")};
    return node::Ignored{};
}

node::Message decode_internal(const Json& json, const std::string& command)
{
    if (command == "NODE_CLUSTER")
        return decode_cluster(json);
    if (command == "NODE_HANDLE_ACK" || command == "NODE_HANDLE_NACK")
        return node::HandleReply{.arrived = command == "NODE_HANDLE_ACK"};
    if (command == "NODE_HANDLE") {
        const auto& inner = member(json, "msg");
        if (inner.is_object() && member(inner, "cmd") == "NODE_CLUSTER")
            throw Refused{"it hands out a connection, as only a primary does"};
        return node::Handle{user_message(text_of(inner))};
    }
    const auto key = text_of(member(json, "key"));
    constexpr std::size_t longest_key = 1024; // it goes into the answer
    if (key.size() > longest_key)
        throw Refused{fmt::format("\"key\" is longer than {} bytes", longest_key)};
    if (command == "NODE_SOCKET_NOTIFY_CLOSE")
        return node::SocketQuestion{
            fmt::format(R"({{"cmd":"NODE_SOCKET_ALL_CLOSED","key":{}}})", key)};
    if (command == "NODE_SOCKET_GET_COUNT")
        return node::SocketQuestion{
            fmt::format(R"({{"cmd":"NODE_SOCKET_COUNT","key":{},"count":0}})", key)};
    return node::Ignored{};
}

/// Reads one of the two messages that come with every connection, exactly as Node writes them, at
/// little cost.  All else, and what other runtimes write in another order, is for a parser.
std::optional<node::Message> decode_common(std::string_view text)
{
    if (text == R"({"cmd":"NODE_HANDLE_ACK"})")
        return node::HandleReply{.arrived = true};
    const auto take = [&text](std::string_view expected) {
        const bool is_there = text.starts_with(expected);
        text.remove_prefix(is_there ? expected.size() : 0);
        return is_there;
    };
    const auto take_number = [&text](std::uint64_t& number) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return error == std::errc{};
    };
    std::uint64_t ack = 0;
    std::uint64_t seq = 0;
    if (!take(R"({"cmd":"NODE_CLUSTER","ack":)") || !take_number(ack) ||
        !take(R"(,"accepted":true,"seq":)") || !take_number(seq) || text != "}")
        return std::nullopt;
    return node::ConnectionReply{.ack = ack, .accepted = true};
}

/// Most messages are the program's, and must not cost much more than their bytes: without a text
/// that could be a command of Node's own, nothing is built.
node::Message decode_valid(std::string_view text)
{
    const node::Malformed not_json{"it is not JSON"};
    const bool may_be_nodes = text.find("\"NODE_") != std::string_view::npos ||
                              text.find("\\u") != std::string_view::npos;
    if (!may_be_nodes || wire::json_depth(text) > deepest)
        return Json::accept(text) ? node::Message{user_message(text)} : not_json;
    const auto json = Json::parse(text, nullptr, false);
    if (json.is_discarded())
        return not_json;
    const auto& command = member(json, "cmd");
    const auto name = command.is_string() ? command.get<std::string>() : "";
    if (!name.starts_with("NODE_") || name == "NODE_")
        return user_message(text);
    try {
        return decode_internal(json, name);
    } catch (const Refused& refused) {
        return node::Malformed{refused.reason};
    }
}

std::string json_text(std::string_view text)
{
    return text_of(Json(text));
}

} // namespace

std::string ServerRequest::identity() const
{
    // The how many-th it is matters only where the kernel chooses the port: there the workers'
    // first ones belong together, their second ones, and so on.
    return fmt::format("{}|{}|{}|{}|{}|{}|{}", static_cast<int>(kind), is_path,
                       address.value_or("*"), port, fd, v6only,
                       port == 0 && fd < 0 && !is_path ? index : 0);
}

namespace node {

Malformed too_long_internal()
{
    return {fmt::format("a message of Node's own is longer than {} KiB", longest_internal / 1024)};
}

Message decode(std::string_view text)
{
    if (auto common = decode_common(text))
        return *common;
    if (text.size() > longest_internal) {
        if (text.starts_with(R"({"cmd":"NODE_HANDLE",)"))
            return Handle{{size_note(text.size())}};
        if (text.starts_with(R"({"cmd":"NODE_)") && !text.starts_with(R"({"cmd":"NODE_")"))
            return too_long_internal();
        return user_message(text);
    }
    auto message = decode_valid(text);
    if (std::holds_alternative<Malformed>(message) && text.find("\\u") != std::string_view::npos)
        message = decode_valid(replace_lone_surrogates(text));
    return message;
}

std::string size_note(std::size_t size)
{
    return fmt::format("(a message of {} bytes)", size);
}

std::string cut_short(std::string_view text, std::size_t size)
{
    text = text.substr(0, UserMessage::most_shown);
    // Not within a character: those bytes of one that are not its first are 10xxxxxx.
    const auto is_first = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
    while (!text.empty() && !is_first(text.back()))
        text.remove_suffix(1);
    if (!text.empty())
        text.remove_suffix(1); // the last character, which may be cut
    return fmt::format("{}... {}", text, size_note(size));
}

std::string host_of(const sys::SocketAddress& address)
{
    auto text = address.to_string();
    text.resize(text.rfind(':'));
    return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
}

std::string encode_answer(std::uint64_t ack, std::string_view key, int error, std::string_view data,
                          const sys::SocketAddress& name)
{
    const bool v6 = name.family() == AF_INET6;
    const auto sockname =
        v6 || name.family() == AF_INET
            ? fmt::format(R"(,"sockname":{{"address":{},"family":"{}","port":{}}})",
                          json_text(host_of(name)), v6 ? "IPv6" : "IPv4", name.port())
            : "";
    return fmt::format(
        R"({{"cmd":"NODE_CLUSTER","errno":{},"key":{},"ack":{},"data":{}{},"seq":0}})", -error,
        json_text(key), ack, data, sockname);
}

std::string encode_with_handle(std::string_view message, bool datagram)
{
    return fmt::format(R"({{"cmd":"NODE_HANDLE","type":"{}.Native","msg":{}}})",
                       datagram ? "dgram" : "net", message);
}

std::string encode_connection(std::string_view key, std::uint64_t seq)
{
    return encode_with_handle(
        fmt::format(R"({{"cmd":"NODE_CLUSTER","act":"newconn","key":"{}","seq":{}}})", key, seq));
}

std::string encode_ack(std::uint64_t ack)
{
    return fmt::format(R"({{"cmd":"NODE_CLUSTER","ack":{},"seq":0}})", ack);
}

std::string encode_handle_ack(bool arrived)
{
    return fmt::format(R"({{"cmd":"NODE_HANDLE_{}"}})", arrived ? "ACK" : "NACK");
}

} // namespace node

} // namespace usher
