// SPDX-License-Identifier: MIT
#include "common/wire/control.hpp"

#include "tests/support/printing.hpp"
#include "tests/support/worker_words.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace usher::control_test {

using namespace usher::wire;
using namespace std::chrono_literals;

namespace {

ControlMessage malformed(std::string reason)
{
    return MalformedMessage{.reason = std::move(reason)};
}

/// `{"x": [[[...]]], "type": "ready"}` with `levels` of brackets, one of them the object's.
std::string ready_nested(std::size_t levels)
{
    return R"({"x": )" + std::string(levels - 1, '[') + std::string(levels - 1, ']') +
           R"(, "type": "ready"})";
}

} // namespace

TEST_SUITE_BEGIN("control");

TEST_CASE("every message of a worker comes back as it was")
{
    const Hello hello{.protocol = 1, .max_batch = 17, .fallback = "[::1]:8000"};
    const ListenQuestion question{.number = 3, .address = "[::1]:80", .v6only = true};
    const Bye bye{.reason = "restart \"now\"\n"};

    CHECK(decode_control(encode(hello)) == ControlMessage{hello});
    CHECK(decode_control(encode(Ready{})) == ControlMessage{Ready{}});
    CHECK(decode_control(encode(bye)) == ControlMessage{bye});
    CHECK(decode_control(encode(question)) == ControlMessage{question});
    CHECK(decode_control(encode(NodePrimary{})) == ControlMessage{NodePrimary{}});
}

TEST_CASE("the messages of the master are this JSON")
{
    CHECK(encode_welcome(7, 2, 1) ==
          R"({"generation":1,"id":7,"protocol":1,"slot":2,"type":"welcome"})");
    CHECK(encode_drain(1'500ms) == R"({"timeout_ms":1500,"type":"drain"})");
}

TEST_CASE("what the preload shim asks is read as it is written")
{
    CHECK(decode_control(R"({"type":"listen","question":7,"address":"[::]:3000","v6only":true})") ==
          ControlMessage{ListenQuestion{.number = 7, .address = "[::]:3000", .v6only = true}});
    CHECK(decode_control(R"({"type":"listen","question":4294967295,"address":"","bind":true})") ==
          ControlMessage{ListenQuestion{.number = 4'294'967'295U, .is_bind = true}});
    CHECK(decode_control(R"({"type":"node-primary"})") == ControlMessage{NodePrimary{}});
    for (const auto* const bad : {R"({"type":"listen"})", R"({"type":"listen","question":0})",
                                  R"({"type":"listen","question":4294967296})",
                                  R"({"type":"listen","question":1,"bind":1})",
                                  R"({"type":"listen","question":1,"address":8000})"})
        CHECK(std::holds_alternative<MalformedMessage>(decode_control(bad)));
}

TEST_CASE("members that are not known are passed over")
{
    CHECK(decode_control(R"( {"type": "hello", "protocol": 1, "pid": 4711, "x": {"y": []}} )") ==
          ControlMessage{Hello{.protocol = 1, .max_batch = 64}});
    CHECK(decode_control(R"({"type": "bye"})") == ControlMessage{Bye{}});
}

TEST_CASE("a type that is not known is told by its name")
{
    CHECK(decode_control(R"({"type": "reload", "fast": true})") ==
          ControlMessage{UnknownMessage{.type = "reload"}});
    CHECK(decode_control(encode_drain({})) == ControlMessage{UnknownMessage{.type = "drain"}});
    CHECK(decode_control(R"({"type": ""})") == ControlMessage{UnknownMessage{}});
}

TEST_CASE("what is no message is refused with the exact reason")
{
    struct Case {
        std::string packet;
        std::string reason;
    };
    const Case cases[] = {
        {"", "not JSON at byte 1"},
        {"hello", "not JSON at byte 1"},
        {R"({"type": "hello")", "not JSON at byte 17"},
        {R"({"type": "ready"} {"type": "ready"})", "not JSON at byte 19"},
        {"{\"type\": \"\xff\"}", "not JSON at byte 11"},
        {R"({"type": "ready", "x": 1e999})", "a number is out of range"},
        {"-1e999", "a number is out of range"},
        {"[]", "not a JSON object"},
        {"null", "not a JSON object"},
        {"\"ready\"", "not a JSON object"},
        {"{}", "no \"type\""},
        {R"({"type": 1})", "no \"type\""},
        {R"({"type": null})", "no \"type\""},
        {R"({"type": "hello"})", "\"protocol\" is missing"},
        {R"({"type": "hello", "protocol": "1"})",
         "\"protocol\" is not an integer from 0 to 2147483647"},
        {R"({"type": "hello", "protocol": -1})",
         "\"protocol\" is not an integer from 0 to 2147483647"},
        {R"({"type": "hello", "protocol": 1.5})",
         "\"protocol\" is not an integer from 0 to 2147483647"},
        {R"({"type": "hello", "protocol": 2147483648})",
         "\"protocol\" is not an integer from 0 to 2147483647"},
        {R"({"type": "hello", "protocol": 1, "max_batch": 0})",
         "\"max_batch\" is not an integer from 1 to 64"},
        {R"({"type": "hello", "protocol": 1, "max_batch": 65})",
         "\"max_batch\" is not an integer from 1 to 64"},
        {R"({"type": "hello", "protocol": 1, "max_batch": -1})",
         "\"max_batch\" is not an integer from 1 to 64"},
        {R"({"type": "hello", "protocol": 1, "max_batch": null})",
         "\"max_batch\" is not an integer from 1 to 64"},
        {R"({"type": "bye", "reason": 1})", "\"reason\" is not a string"},
    };
    for (const auto& entry : cases)
        CHECK_MESSAGE(decode_control(entry.packet) == malformed(entry.reason), entry.packet);
}

TEST_CASE("JSON may nest 32 levels deep, 33 are refused")
{
    CHECK(decode_control(ready_nested(32)) == ControlMessage{Ready{}});
    CHECK(decode_control(ready_nested(33)) == malformed("nested too deeply"));
}

TEST_CASE("a packet full of brackets is refused without using up the stack")
{
    CHECK(decode_control(std::string(max_control_message, '[')) == malformed("nested too deeply"));
    std::string objects;
    while (objects.size() < max_control_message)
        objects += R"({"a":)";
    CHECK(decode_control(objects) == malformed("nested too deeply"));
}

TEST_CASE("a message may fill a packet of 4 KiB")
{
    Bye bye;
    const auto frame = encode(bye).size();
    bye.reason.assign(max_control_message - frame, 'r');

    const auto packet = encode(bye);
    REQUIRE(packet.size() == max_control_message);
    CHECK(decode_control(packet) == ControlMessage{bye});
}

TEST_SUITE_END();

} // namespace usher::control_test
