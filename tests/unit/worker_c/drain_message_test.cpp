// SPDX-License-Identifier: MIT
#include "common/wire/control.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

extern "C" {
#include "worker/c/control.h"
}

namespace usher::drain_message_test {

using namespace std::chrono_literals;

namespace {

std::optional<std::uint64_t> drain_timeout(std::string_view packet)
{
    std::uint64_t timeout = 0;
    return uw_read_drain(packet.data(), packet.size(), &timeout) ? std::optional{timeout}
                                                                 : std::nullopt;
}

} // namespace

TEST_SUITE_BEGIN("drain_message");

TEST_CASE("what the master encodes is understood")
{
    for (const auto timeout : {0ms, 1ms, 30'000ms, std::chrono::milliseconds{24h}})
        CHECK(drain_timeout(wire::encode_drain(timeout)) ==
              static_cast<std::uint64_t>(timeout.count()));
    CHECK_FALSE(drain_timeout(wire::encode_welcome(1, 1, 1)));
}

TEST_CASE("blanks, order and members that are not known make no difference")
{
    CHECK(drain_timeout(" { \"timeout_ms\" :\t5 ,\r\n\"type\":\"drain\" } ") == 5);
    CHECK(
        drain_timeout(R"({"a":[1,{"type":"x"},[]],"type":"drain","b":{},"c":"\"}","timeout_ms":7,)"
                      R"("d":-1.5e3,"e":null})") == 7);
}

TEST_CASE("everything else is no drain message")
{
    for (const std::string_view packet : {"",
                                          "{",
                                          "{}",
                                          "[]",
                                          "drain",
                                          "\"drain\"",
                                          R"({"type":"drain"})",
                                          R"({"type":"drained","timeout_ms":1})",
                                          R"({"type":["drain"],"timeout_ms":1})",
                                          R"({"type":"drain","timeout_ms":-1})",
                                          R"({"type":"drain","timeout_ms":"1"})",
                                          R"({"type":"drain","timeout_ms":1.5})",
                                          R"({"type":"drain","timeout_ms":1)",
                                          R"({"type":"drain","timeout_ms":1}})",
                                          R"({"type":"drain","timeout_ms":1},)",
                                          R"({"type":"drain","timeout_ms":1000000000000})",
                                          R"({"x":{"type":"drain","timeout_ms":1}})",
                                          R"({"type" "drain","timeout_ms":1})",
                                          R"({"type":"drain","timeout_ms":1,})",
                                          R"({"\)"}) {
        CAPTURE(packet);
        CHECK_FALSE(drain_timeout(packet));
    }
    CHECK_FALSE(drain_timeout(R"({"type":"drain","timeout_ms":1,"x":)" + std::string(50'000, '[')));
}

TEST_SUITE_END();

} // namespace usher::drain_message_test
