// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_message.hpp"

#include "tests/support/allocations.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <string>
#include <variant>
#include <vector>

namespace usher::node_message_test {

using namespace usher::node;

namespace {

template <typename Expected>
Expected as(std::string_view line)
{
    const auto message = decode(line);
    REQUIRE(std::holds_alternative<Expected>(message));
    return std::get<Expected>(message);
}

template <typename Expected>
bool is(std::string_view line)
{
    return std::holds_alternative<Expected>(decode(line));
}

ServerRequest request_of(const std::string& members)
{
    return as<QueryServer>(R"({"cmd":"NODE_CLUSTER","act":"queryServer",)" + members + "}").request;
}

} // namespace

TEST_SUITE_BEGIN("node_message");

TEST_CASE("what comes with every connection is read, as Node writes it and otherwise")
{
    CHECK(as<HandleReply>(R"({"cmd":"NODE_HANDLE_ACK"})").arrived);
    CHECK(as<HandleReply>(R"({ "cmd": "NODE_HANDLE_ACK" })").arrived);
    for (const char* const line : {R"({"cmd":"NODE_CLUSTER","ack":17,"accepted":true,"seq":3})",
                                   R"({"ack":17,"accepted":true,"cmd":"NODE_CLUSTER","seq":3})"}) {
        const auto reply = as<ConnectionReply>(line);
        CHECK(reply.ack == 17);
        CHECK(reply.accepted);
    }
    CHECK_FALSE(
        as<ConnectionReply>(R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":false,"seq":3})").accepted);
    CHECK_FALSE(as<HandleReply>(R"({"cmd":"NODE_HANDLE_NACK"})").arrived);
}

TEST_CASE("what begins like the common answer and is not JSON is malformed")
{
    for (const char* const line : {R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":true,"seq":3)",
                                   R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":true,"seq":})",
                                   R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":true,"seq":3}})",
                                   R"({"cmd":"NODE_CLUSTER","ack":,"accepted":true,"seq":3})"})
        CHECK(is<Malformed>(line));
}

TEST_CASE("a worker may send sockets of its program's, but no connection for a server")
{
    CHECK(is<Handle>(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"got":1},"key":"k"})"));
    // Node wraps what it sends a second time once more.
    CHECK(is<Handle>(R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_HANDLE",)"
                     R"("type":"net.Socket","msg":{"cmd":"NODE_CLUSTER"}}})"));
    CHECK(is<Malformed>(R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER",)"
                        R"("act":"newconn","key":"1","seq":1}})"));
}

TEST_CASE("a backlog is whatever the program gave for it")
{
    const auto backlog = [](const std::string& text) {
        return request_of(R"("port":1,"addressType":4,"seq":1,"backlog":)" + text).backlog;
    };
    CHECK(backlog("false") == 0); // listen(port, host, callback)
    for (const char* const nothing : {"null", "true", "{}", "-1", "\"\"", "\"x\"", "\"nan\""})
        CHECK(backlog(nothing) == 0);
    CHECK(backlog("3.5") == 3);
    CHECK(backlog("\"5\"") == 5);
    CHECK(backlog("1e300") == 65'535);
}

TEST_CASE("a request for a port has no address, and that is every one")
{
    const auto request = request_of(R"("index":0,"data":null,"address":null,"port":8123,)"
                                    R"("addressType":4,"backlog":64,"seq":1)");
    CHECK(request.seq == 1);
    CHECK(request.kind == ServerRequest::Kind::stream);
    CHECK_FALSE(request.address);
    CHECK(request.port == 8123);
    CHECK(request.backlog == 64);
    CHECK(request.fd == -1);
    CHECK_FALSE(request.is_path);
    CHECK(request.data == "null");
}

TEST_CASE("requests for paths, descriptors, IPv6 alone and datagrams are told apart")
{
    CHECK(request_of(R"("address":"/a","port":-1,"addressType":-1,"seq":1)").is_path);
    CHECK(request_of(R"("address":null,"port":null,"addressType":null,"fd":9,"seq":1)").fd == 9);
    CHECK(request_of(R"("address":"::","port":1,"addressType":6,"flags":1,"seq":1)").v6only);

    // A datagram socket's port may be a string, where the program took it from the environment.
    const auto datagram = request_of(R"("address":"0.0.0.0","port":"53","addressType":"udp4",)"
                                     R"("fd":-1,"flags":4,"seq":1)");
    CHECK(datagram.kind == ServerRequest::Kind::datagram4);
    CHECK(datagram.port == 53);
    CHECK(datagram.reuse_address);
}

TEST_CASE("the port of a datagram socket is whatever the program gave for it")
{
    const auto port = [](const std::string& text) {
        const auto request = request_of(R"("addressType":"udp4","seq":1,"port":)" + text);
        CHECK(request.fault.empty());
        return request.port;
    };
    for (const char* const nothing :
         {"null", "false", "0", R"("")", R"(" ")", R"("x")", R"("80x")", R"("0x")", R"("0x-5")",
          R"("+-5")", R"("Infinity")", R"("nan")", "1e300", "0.9", "65536"})
        CHECK(port(nothing) == 0);
    CHECK(port("true") == 1);
    CHECK(port("8125.7") == 8125);
    CHECK(port("70000") == 4464);
    CHECK(port("-1") == 65'535);
    CHECK(port(R"("8125")") == 8125);
    CHECK(port(R"("+8125")") == 8125);
    CHECK(port(R"(" 8125.5\n")") == 8125);
    CHECK(port(R"("8e3")") == 8000);
    CHECK(port(R"("0x1fbd")") == 8125);
    CHECK(port(R"("0X1FBD")") == 8125);
    CHECK(port(R"("0o17")") == 15);
    CHECK(port(R"("0b11")") == 3);
}

TEST_CASE("a request for what cannot be is to be answered all the same")
{
    for (const char* const members :
         {R"("port":65536)", R"("port":-2)", R"("port":"80")", R"("port":{})", R"("address":7)",
          R"("addressType":7)", R"("addressType":"tcp")", R"("fd":1.5)", R"("fd":1099511627776)",
          R"("fd":-2)", R"("fd":18446744073709551615)", R"("flags":"1")", R"("index":-1)",
          R"("addressType":-1)", R"("addressType":-1,"address":"")",
          R"("addressType":"udp4","port":[])"}) {
        CAPTURE(members);
        const auto request = request_of(std::string{members} + R"(,"seq":7)");
        CHECK_FALSE(request.fault.empty());
        CHECK(request.seq == 7);
    }
    CHECK(request_of(R"("port":1,"seq":7)").fault.empty());
}

TEST_CASE("a server's data is kept as it came")
{
    CHECK(request_of(R"("data":{"ticketKeys":"00ff"},"port":1,"seq":1)").data ==
          R"({"ticketKeys":"00ff"})");
}

TEST_CASE("a server's data are at most 64 KiB, or the request cannot be answered")
{
    const auto with = [](std::size_t size) {
        return request_of(R"("port":1,"seq":7,"data":")" + std::string(size - 2, 'x') + '"');
    };
    CHECK(with(ServerRequest::longest_data).fault == "");
    CHECK(with(ServerRequest::longest_data).data.size() == ServerRequest::longest_data);
    CHECK(with(ServerRequest::longest_data + 1).fault == "\"data\" is longer than 64 KiB");
    CHECK(with(ServerRequest::longest_data + 1).data.empty());
}

TEST_CASE("Node's own messages are at most 256 KiB, but for what carries the program's")
{
    const auto sized = [](const std::string& begin, std::size_t size) {
        return begin + R"(,"x":")" + std::string(size - begin.size() - 8, 'x') + "\"}";
    };
    const std::string online = R"({"cmd":"NODE_CLUSTER","act":"online")";
    REQUIRE(sized(online, longest_internal).size() == longest_internal);
    CHECK(is<Online>(sized(online, longest_internal)));
    CHECK(as<Malformed>(sized(online, longest_internal + 1)).reason ==
          "a message of Node's own is longer than 256 KiB");
    CHECK(is<Malformed>(sized(R"({"cmd":"NODE_FOO")", longest_internal + 1)));
    CHECK(as<Handle>(sized(R"({"cmd":"NODE_HANDLE","type":"net.Socket")", longest_internal + 1))
              .message.text == "(a message of 262145 bytes)");
    CHECK(is<UserMessage>(sized(R"({"cmd":"NODE_")", longest_internal + 1)));
    CHECK(is<UserMessage>(sized(R"({"cmd":"x")", longest_internal + 1)));
}

TEST_CASE("a long message of the program's is not parsed")
{
    std::string text;
    text.resize(16'000'001, '[');
    CHECK(usher::test::allocations_of([&] { CHECK(is<UserMessage>(text)); }) < 20);
}

TEST_CASE("requests are the same if they ask for the same socket")
{
    const auto identity = [](const std::string& members) {
        return request_of(members + R"(,"seq":1)").identity();
    };
    CHECK(identity(R"("port":80,"index":0)") == identity(R"("port":80,"index":1)"));
    CHECK(identity(R"("port":0,"index":0)") != identity(R"("port":0,"index":1)"));
    CHECK(identity(R"("port":80)") != identity(R"("port":81)"));
    CHECK(identity(R"("port":80)") != identity(R"("port":80,"address":"127.0.0.1")"));
    CHECK(identity(R"("port":80)") != identity(R"("port":80,"addressType":"udp4")"));
}

TEST_CASE("what is no message of Node's own is the program's")
{
    for (const char* const line : {R"("ready")", "1", "null", "[]", R"({"cmd":"NODE_"})",
                                   R"({"cmd":"node"})", R"({"text":"NODE_HANDLE_ACK"})"})
        CHECK(is<UserMessage>(line));
    CHECK(is<Ignored>(R"({"cmd":"NODE_FOO"})"));
    CHECK(is<Ignored>(R"({"cmd":"NODE_CLUSTER","act":"unheard of"})"));
}

TEST_CASE("half a character, which JavaScript may leave of a text, is no fault")
{
    CHECK(as<UserMessage>(R"({"a":"x\ud83d"})").text == R"({"a":"x\ufffd"})");
    CHECK(as<UserMessage>(R"(["\\ud83d","\uD83D\ude00","\ude00"])").text ==
          R"(["\\ud83d","\uD83D\ude00","\ufffd"])");
    CHECK(is<Handle>(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"\ud83d"})"));
    CHECK(is<Malformed>(R"({"a":"\ud83d)"));
}

TEST_CASE("a long message is shown in part, cut between two characters, with its size")
{
    const auto shown = [](const std::string& json) { return as<UserMessage>(json).text; };
    const auto quoted = [](std::size_t size) { return '"' + std::string(size - 2, 'x') + '"'; };
    CHECK(shown(quoted(UserMessage::most_shown)) == quoted(UserMessage::most_shown));

    const auto cut = shown(quoted(1'048'576));
    CHECK(cut.starts_with("\"xxx"));
    CHECK(cut.ends_with("x... (a message of 1048576 bytes)"));
    CHECK(cut.size() < UserMessage::most_shown + 40);

    for (std::size_t before = 0; before < 4; ++before) {
        std::string text{"\"" + std::string(before, 'x')};
        while (text.size() < 5000)
            text += "\xe2\x82\xac"; // the euro sign
        const auto end = shown(text + "\"").find("...");
        CHECK((end - 1 - before) % 3 == 0);
    }
}

TEST_CASE("questions about sockets that its program has sent have one answer")
{
    CHECK(as<SocketQuestion>(R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"4:null:0"})").answer ==
          R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":"4:null:0"})");
    CHECK(as<SocketQuestion>(R"({"cmd":"NODE_SOCKET_GET_COUNT","key":7})").answer ==
          R"({"cmd":"NODE_SOCKET_COUNT","key":7,"count":0})");
}

TEST_CASE("a question that would have a long answer is none")
{
    CHECK(is<Malformed>(R"({"cmd":"NODE_SOCKET_GET_COUNT","key":")" + std::string(1024, 'x') +
                        "\"}"));
}

TEST_CASE("of several commands the last one counts, and only those of the message itself")
{
    CHECK(is<HandleReply>(R"({"cmd":"x","cmd":"NODE_HANDLE_NACK"})"));
    CHECK(is<UserMessage>(R"({"cmd":"NODE_HANDLE_NACK","cmd":1})"));
    CHECK(is<UserMessage>(R"({"cmd":"NODE_HANDLE_NACK","cmd":{"cmd":"x"}})"));
    CHECK(is<UserMessage>(R"({"a":{"cmd":"NODE_HANDLE_NACK"}})"));
    CHECK(is<UserMessage>(R"([{"cmd":"NODE_HANDLE_NACK"}])"));
    CHECK(is<HandleReply>(R"({"a":{"cmd":"x"},"cmd":"NODE_HANDLE_NACK"})"));
    CHECK(is<HandleReply>(R"({"cmd":"\u004eODE_HANDLE_NACK"})")); // Node compares the text
}

TEST_CASE("a message that cannot be Node's own costs its bytes: none of its objects is built")
{
    const auto message = [](int items) {
        std::string text = R"({"env":"production","items":[{"id":1})";
        for (int i = 1; i < items; ++i)
            text += R"(,{"id":1})";
        return text + "]}";
    };
    const auto cost = [](const std::string& text) {
        return usher::test::allocations_of([&] { CHECK(is<UserMessage>(text)); });
    };
    // The larger ones are shown in part, which costs a few more.
    CHECK(cost(message(20'000)) < cost(message(400)) + 20);
    CHECK(cost(message(400'000)) < cost(message(400)) + 20);
}

TEST_CASE("nesting without end does not use up the stack")
{
    const std::string deep(100'000, '[');
    CHECK(is<Malformed>(R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"data":)" + deep));
    const auto whole = deep + std::string(deep.size(), ']');
    CHECK(is<UserMessage>(R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"data":)" + whole +
                          "}"));
    CHECK(is<UserMessage>(whole));
}

TEST_CASE("what cannot be read is malformed, and nothing throws")
{
    for (const char* const line : {"", " ", "{", "x", "{\"cmd\":\"NODE_CLUSTER\",", "\xff",
                                   R"({"cmd":"NODE_CLUSTER","act":"queryServer"})",
                                   R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":"1"})",
                                   R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect"})",
                                   R"({"cmd":"NODE_CLUSTER","ack":-1,"accepted":true})"}) {
        CAPTURE(line);
        CHECK(is<Malformed>(line));
    }
}

TEST_CASE("answers are one line each, and errors are negative numbers")
{
    constexpr std::array<std::uint8_t, 16> any{};
    CHECK(encode_answer(7, "1", 0, "null", sys::SocketAddress::ipv6(any, 80, 0)) ==
          R"({"cmd":"NODE_CLUSTER","errno":0,"key":"1","ack":7,"data":null,)"
          R"("sockname":{"address":"::","family":"IPv6","port":80},"seq":0})");
    CHECK(encode_answer(7, "", EADDRINUSE, "null") ==
          "{\"cmd\":\"NODE_CLUSTER\",\"errno\":-98,\"key\":\"\",\"ack\":7,\"data\":null,"
          "\"seq\":0}");
    CHECK(encode_connection("1", 3) ==
          R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER",)"
          R"("act":"newconn","key":"1","seq":3}})");
    CHECK(encode_with_handle(encode_answer(7, "1", 0, "null"), true) ==
          R"({"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,)"
          R"("key":"1","ack":7,"data":null,"seq":0}})");
}

TEST_SUITE_END();

} // namespace usher::node_message_test
