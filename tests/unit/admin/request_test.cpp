// SPDX-License-Identifier: MIT
#include "balancer/admin/request.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace usher::request_test {

using nlohmann::json;

TEST_SUITE_BEGIN("request");

TEST_CASE("a request arrives as it was made")
{
    const auto again = [](const Request& request) { return decode_request(encode(request)); };
    CHECK(std::get<StopRequest>(again(StopRequest{.fast = true, .wait = true})).wait);
    CHECK(std::get<StopRequest>(again(StopRequest{.fast = true, .wait = true})).fast);
    CHECK_FALSE(std::get<StopRequest>(again(StopRequest{})).wait);
    CHECK(std::get<EventsRequest>(again(EventsRequest{.follow = true})).follow);
    CHECK_FALSE(std::get<EventsRequest>(again(EventsRequest{})).follow);
    CHECK(std::get<ReloadRequest>(again(ReloadRequest{.dry_run = true})).dry_run);
    CHECK(std::get<RestartRequest>(again(RestartRequest{.pool = "a", .slot = 7})).slot == 7);
    CHECK(std::get<DrainRequest>(again(DrainRequest{.pool = "a", .slot = 7})).pool == "a");
    CHECK(std::get<ScaleRequest>(again(ScaleRequest{.pool = "a", .workers = "+1"})).workers ==
          "+1");
    const auto send = std::get<SendRequest>(
        again(SendRequest{.pool = "a", .slot = 7, .message = R"({"b":1.0,"a":"\""})"}));
    CHECK(send.pool == "a");
    CHECK(send.slot == 7);
    CHECK(send.message == R"({"b":1.0,"a":"\""})");
    CHECK(std::holds_alternative<StatusRequest>(again(StatusRequest{})));
}

TEST_CASE("what a request leaves out is what it would be by hand: no waiting, no following")
{
    CHECK_FALSE(std::get<StopRequest>(decode_request(R"({"command":"stop"})")).wait);
    CHECK_FALSE(std::get<EventsRequest>(decode_request(R"({"command":"events"})")).follow);
}

TEST_CASE("a message that is not JSON goes no further than the control socket")
{
    for (const char* const line :
         {R"({"command":"send","slot":0})", R"({"command":"send","slot":0,"message":"{"})",
          R"({"command":"send","slot":0,"message":{}})", R"({"command":"send","message":"1"})",
          R"({"command":"send","slot":1025,"message":"1"})"}) {
        CAPTURE(line);
        CHECK(std::holds_alternative<BadRequest>(decode_request(line)));
    }
    CHECK(std::get<SendRequest>(decode_request(R"({"command":"send","slot":0,"message":"[\n1 ]"})"))
              .message == "[1]");
}

TEST_CASE("a line of a master says what it is")
{
    const Event event{
        .kind = EventKind::ready, .message = "worker 1: ready", .time = {}, .pool = "a", .slot = 1};
    const auto line = decode_line(encode(event));
    CHECK(line.kind == Line::Kind::event);
    CHECK(line.text == "worker 1: ready");
    CHECK(line.time == json::parse(encode(event)).at("time"));
    CHECK(line.time.find("T") == 10);

    const auto dropped = decode_line(encode_dropped(7));
    CHECK(dropped.kind == Line::Kind::dropped);
    CHECK(dropped.text.starts_with("7 lines were left out here"));
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
