// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/node_frames.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>

namespace usher::node_codec_test {

using namespace usher::node;
using namespace std::string_literals;
using Serialization = NodeConfig::Serialization;

namespace {

constexpr auto advanced = Serialization::advanced;

/// What Node 20 has written, which is given in hexadecimal digits.
std::string captured(std::string_view digits)
{
    std::string result;
    for (std::size_t i = 0; i < digits.size(); i += 2)
        result += static_cast<char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16));
    return result;
}

template <typename Expected>
Expected as(std::string_view payload)
{
    const auto message = decode(advanced, payload);
    REQUIRE(std::holds_alternative<Expected>(message));
    return std::get<Expected>(message);
}

template <typename Expected>
bool is(std::string_view payload)
{
    return std::holds_alternative<Expected>(decode(advanced, payload));
}

} // namespace

TEST_SUITE_BEGIN("node_codec");

TEST_CASE("JSON is a line, V8's format has its length before it")
{
    constexpr auto json = Serialization::json;
    CHECK(encode(json, "{}") == "{}\n");
    CHECK(encode(json, encode_connection("1", 2)).ends_with("\"seq\":2}}\n"));

    CHECK(encode(advanced, "{}") == "\0\0\0\5\xff\x0do{\0"s);
    const auto connection = encode(advanced, encode_connection("1", 2));
    CHECK(connection.starts_with("\0\0\0"s + static_cast<char>(connection.size() - 4) + "\xff"));
}

TEST_CASE("what is encoded can be cut out and decoded, in both")
{
    for (const auto serialization : {Serialization::json, Serialization::advanced}) {
        NodeFrames frames{serialization};
        const auto bytes = encode(serialization, R"({"cmd":"NODE_HANDLE_ACK"})") +
                           encode(serialization, R"("hi")") +
                           encode(serialization, encode_connection("1", 2));
        std::string_view rest{bytes};
        const auto next = [&] { return decode(serialization, frames.next(rest).value()); };
        CHECK(std::get<node::HandleReply>(next()).arrived);
        CHECK(std::get<node::UserMessage>(next()).text == "\"hi\"");
        CHECK(std::get<node::Malformed>(next()).reason.starts_with("it hands out a connection"));
        CHECK(rest.empty());
    }
}

TEST_CASE("what Node's workers write is read")
{
    CHECK(is<Online>(captured("ff0f6f2203636d64220c4e4f44455f434c5553544552220361637422066f6e6c69"
                              "6e65220373657149007b03")));
    CHECK(as<HandleReply>(captured("ff0f6f2203636d64220f4e4f44455f48414e444c455f41434b7b01"))
              .arrived);
    const auto reply = as<ConnectionReply>(
        captured("ff0f6f2203636d64220c4e4f44455f434c5553544552220361636b49d80422086163636570746564"
                 "54220373657149067b04"));
    CHECK(reply.ack == 300);
    CHECK(reply.accepted);

    const auto request =
        as<QueryServer>(
            captured("ff0f6f2203636d64220c4e4f44455f434c5553544552220361637422" // cmd, act
                     "0b71756572795365727665722205696e6465784900"               // index
                     "2204646174616f220a7469636b65744b6579732204303066667b01"   // data
                     "22076164647265737330"                                     // address
                     "2204706f727449f67e220b61646472657373547970654908"         // port
                     "220266645f2205666c6167735f"                               // undefined ones
                     "22076261636b6c6f674900220373657149027b0b"))
            .request;
    CHECK(request.port == 8123);
    CHECK(request.seq == 1);
    CHECK(request.fd == -1);
    CHECK_FALSE(request.address);
    CHECK(request.data == R"({"ticketKeys":"00ff"})");
}

TEST_CASE("answers to connections are read in every form")
{
    const auto reply = [](const std::string& number, const std::string& accepted) {
        return as<ConnectionReply>("\xff\x10o\"\3cmd\"\14NODE_CLUSTER\"\3ack" + number +
                                   "\"\10accepted" + accepted + "\"\3seqI\6{\4");
    };
    CHECK(reply("I\2", "T").accepted);
    CHECK_FALSE(reply("I\2", "F").accepted);
    CHECK(reply("N\0\0\0\xc0\x0b\x5a\xe6\x41"s, "T").ack == 3'000'000'000);
    CHECK(is<Malformed>("\xff\x0fo\"\3cmd\"\14NODE_CLUSTER\"\3ackI\1\"\10acceptedT\"\3seqI\6{\4"));
}

TEST_CASE("what goes with a descriptor is nobody's business, and need not be plain")
{
    CHECK(as<Handle>("\xff\x0fo\"\3cmd\"\13NODE_HANDLE\"\4type\"\12net.Socket\"\3msg;I\2I\4:\2{\3")
              .message.text == "(a message of 53 bytes)");
}

TEST_CASE("a worker that hands out connections is none")
{
    CHECK(as<Malformed>(v8_of_json(encode_connection("1", 2)))
              .reason.starts_with("it hands out a connection"));
}

TEST_CASE("the program's messages are shown as JSON where that can say them")
{
    CHECK(as<UserMessage>("\xff\x0f\"\5ready").text == "\"ready\"");
    CHECK(as<UserMessage>("\xff\x0fo\"\3cmd\"\5NODE_{\1").text == R"({"cmd":"NODE_"})");
    CHECK(as<UserMessage>("\xff\x0fo\"\1a\"\5NODE_{\1").text == R"({"a":"NODE_"})");
    CHECK(as<UserMessage>(captured("ff0f3b490249043a02")).text == "(a message of 9 bytes)");
    CHECK(as<UserMessage>(captured("ff0f5a100a00000000000000")).text == "(a message of 12 bytes)");
    CHECK(as<UserMessage>(captured("ff0f6f2201615c0a01787b01")).text == "(a message of 12 bytes)");

    const auto cut =
        as<UserMessage>("\xff\x0f" + v8_of_json('"' + std::string(100'000, 'x') + '"').substr(2))
            .text;
    CHECK(cut.starts_with("\"xxx"));
    CHECK(cut.ends_with("x... (a message of 100006 bytes)"));
}

TEST_CASE("a long message of Node's own is read whole, and one with a descriptor is shown in part")
{
    const std::string path(5'000, 'x');
    const auto query = as<QueryServer>(v8_of_json(
        R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":7,"addressType":-1,"port":-1,)"
        R"("address":"/)" +
        path + "\"}"));
    CHECK(query.request.address == "/" + path);
    CHECK(as<Malformed>(v8_of_json(R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":")" +
                                   std::string(longest_internal, 'x') + "\"}"))
              .reason == too_long_internal().reason);
    const auto handle = as<Handle>(
        v8_of_json(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":")" + path + "\"}"));
    CHECK(handle.message.text.ends_with(" bytes)"));
}

TEST_CASE("of a long message no more than the beginning is read")
{
    // Members that are not there in JSON: nothing of it would fill up what is shown.
    std::string payload = "\xff\x0fo";
    for (int i = 0; i < 1'000'000; ++i)
        payload += "\"\1a_"s;
    const auto shown = as<UserMessage>(payload + "no end").text;
    CHECK(shown.ends_with(size_note(payload.size() + 6)));
    CHECK(shown.size() < 100);
}

TEST_CASE("what cannot be read is malformed")
{
    for (const auto& payload : {""s, "\xff"s, "\xff\x0f"s, "{}"s, "\xff\x0c\"\1a"s,
                                "\xff\x0f\"\5rea"s, "\xff\x0fo\"\3cmd\"\14NODE_CLUSTER"s,
                                "\xff\x0fo\"\3cmd\"\14NODE_CLUSTER\"\3act\"\13queryServer{\2"s,
                                "\xff\x0fo\"\3cmd\"\14NODE_CLUSTER\"\3act;:\0{\2"s}) {
        CAPTURE(payload);
        CHECK(is<Malformed>(payload));
    }
}

TEST_CASE("JSON becomes the same value")
{
    const auto again = [](std::string_view json) { return as<UserMessage>(v8_of_json(json)).text; };
    for (const char* const json :
         {"null", "true", "-1", "[1,2,[3,[]],{}]", R"({"b":[true,null],"a":{"c":"d"}})", "1.5",
          R"("\n\"\\")", "1e+300", "4294967296"}) {
        CAPTURE(json);
        CHECK(again(json) == json);
    }
    CHECK(again("18446744073709551615") == "1.8446744073709552e+19");
    CHECK(again(R"( { "a" : "\u0065" } )") == R"({"a":"e"})");
}

TEST_SUITE_END();

} // namespace usher::node_codec_test
