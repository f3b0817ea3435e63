// SPDX-License-Identifier: MIT
#include "balancer/admin/request.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace usher::request_test {

using nlohmann::json;

TEST_SUITE_BEGIN("request");

TEST_CASE("a request arrives as it was made")
{
    using enum Request::Command;
    for (const Request& request : {
             Request{.command = status},
             Request{.command = reload, .dry_run = true},
             Request{.command = restart, .pool = "a", .slot = 7},
             Request{.command = restart},
             Request{.command = drain, .pool = "a", .slot = 7},
             Request{.command = scale, .pool = "a", .workers = "+1"},
             Request{.command = send, .pool = "a", .slot = 7, .message = R"({"b":1.0,"a":"\""})"},
             Request{.command = stop, .fast = true, .wait = true},
             Request{.command = stop},
             Request{.command = events, .follow = true},
             Request{.command = events},
         }) {
        CAPTURE(encode(request));
        CHECK(decode_request(encode(request)) == request);
    }
}

TEST_CASE("what a request leaves out is what it would be by hand: no waiting, no following")
{
    using enum Request::Command;
    CHECK(decode_request(R"({"command":"stop"})") == Request{.command = stop});
    CHECK(decode_request(R"({"command":"events"})") == Request{.command = events});
}

TEST_CASE("what cannot be meant goes no further than the control socket")
{
    for (const char* const line :
         {"", "1", "[]", "{", R"({"command":"dance"})", R"({"command":1})",
          R"({"command":"send","slot":0})", R"({"command":"send","slot":0,"message":"{"})",
          R"({"command":"send","slot":0,"message":{}})", R"({"command":"send","message":"1"})",
          R"({"command":"send","slot":1025,"message":"1"})", R"({"command":"restart"})",
          R"({"command":"restart","slot":-1})", R"({"command":"restart","slot":1.5})",
          R"({"command":"drain","slot":0})", R"({"command":"drain","slot":true})"}) {
        CAPTURE(line);
        CHECK_THROWS_AS(static_cast<void>(decode_request(line)), std::runtime_error);
    }
    CHECK(decode_request(R"({"command":"send","slot":0,"message":"[\n1 ]"})").message == "[ 1 ]");
}

TEST_CASE("a request costs its bytes, whatever is in it")
{
    using enum Request::Command;
    std::string objects = "{}";
    std::string members;
    for (int i = 0; i < 200'000; ++i) {
        objects += ",{}";
        members += "\"" + std::to_string(i) + "\":0,";
    }
    // Minutes, if an array or an object is walked for each part of it.
    CHECK(decode_request(R"({"x":[)" + objects + R"(],"command":"stop"})") ==
          Request{.command = stop});
    CHECK(decode_request("{" + members + R"("command":"stop"})") == Request{.command = stop});
    const std::string deep(1'000'000, '[');
    CHECK_THROWS_AS(static_cast<void>(decode_request(R"({"command":"stop","x":)" + deep)),
                    std::runtime_error);
}

TEST_CASE("a line of a master says what it is")
{
    const Event event{
        .kind = EventKind::ready, .message = "worker 1: ready", .time = {}, .pool = "a", .slot = 1};
    const auto line = decode_line(encode(event));
    CHECK(line.kind == Line::Kind::event);
    CHECK(line.text == "worker 1: ready");
    CHECK(line.time == json::parse(encode(event)).at("time"));
    CHECK(line.time.find('T') == 10);

    const auto dropped = decode_line(encode_dropped(7));
    CHECK(dropped.kind == Line::Kind::dropped);
    CHECK(dropped.text.starts_with("7 lines left out here"));
    CHECK(json::parse(encode_dropped(7)).at("count") == 7);

    const auto result =
        decode_line(encode(Outcome{.kind = Outcome::Kind::rolled_back, .message = "no"}));
    CHECK(result.kind == Line::Kind::result);
    CHECK(result.outcome == Outcome::Kind::rolled_back);
    CHECK(decode_line(encode_status(R"({"pid":1})")).text == R"({"pid":1})");
    CHECK(decode_line("garbage").kind == Line::Kind::unknown);
}

TEST_SUITE_END();

} // namespace usher::request_test
