// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/notification.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::notification_test {

TEST_SUITE_BEGIN("notification");

TEST_CASE("a message has any of the words, one in a line")
{
    CHECK(parse_notification("READY=1") == Notification{.ready = true});
    CHECK(parse_notification("STOPPING=1\n") == Notification{.stopping = true});
    CHECK(parse_notification("WATCHDOG=1\nREADY=1\nSTATUS=all well") ==
          Notification{.ready = true, .watchdog = true, .status = "all well"});
    CHECK(parse_notification("STATUS=") == Notification{.status = ""});
    CHECK(parse_notification("STATUS=a\nSTATUS=b").status == "b");
}

TEST_CASE("what is unknown or malformed is passed over")
{
    CHECK(parse_notification("") == Notification{});
    CHECK(parse_notification("\n\n=\nREADY\nREADY=10\n READY=1\nready=1\nMAINPID=1\nFDSTORE=1\n"
                             "WATCHDOG=trigger\nBARRIER=1\nSTATUS") == Notification{});
}

TEST_CASE("a status cannot look like a line of the log")
{
    using namespace std::string_literals;
    CHECK(parse_notification("STATUS=a\r\x1b[31m\0b\x7f"s).status == "a  [31m b ");
    CHECK(parse_notification("STATUS=" + std::string(5000, 'x')).status ==
          std::string(200, 'x') + "...");
}

TEST_SUITE_END();

} // namespace usher::notification_test
