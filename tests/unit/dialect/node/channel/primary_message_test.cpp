// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/primary_message.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::primary_message_test {

using node::primary_message_of;

TEST_SUITE_BEGIN("primary_message");

TEST_CASE("what libraries say to their primary is told by what they send")
{
    struct {
        std::string_view text;
        std::string_view kind;
        std::string_view remedy;
        bool is_relayed_in_vain;
    } const messages[]{
        {R"({"topic":"log4js:message","data":"{}"})", "log4js", "disableClustering: true", true},
        {R"({"type":"prom-client:getMetricsRes","requestId":0})", "prom-client", "docs/sharing.md",
         true},
        {R"({"channel":"rate_limiter_flexible","id":1})", "rate-limiter-flexible",
         "docs/sharing.md", true},
        {R"({"type":1,"uid":"a","nsp":"/","source":"_sio_adapter"})", "socket.io",
         R"("messages": "relay")", false},
        {R"({"anything":1})", "others", R"("messages": "relay")", false},
    };
    for (const auto& message : messages) {
        CAPTURE(message.text);
        const auto found = primary_message_of(message.text, false);
        CHECK(found.kind == message.kind);
        CHECK(found.text.find(message.remedy) != std::string_view::npos);
        CHECK(found.is_lost == (message.kind != "others"));
        CHECK(primary_message_of(message.text, true).kind.empty() == !message.is_relayed_in_vain);
    }
}

TEST_CASE("words and numbers are for people")
{
    for (const auto* const text : {"\"ready\"", "\"log4js\"", "1", "null", "[1]", ""})
        CHECK(primary_message_of(text, false).kind.empty());
}

TEST_SUITE_END();

} // namespace usher::primary_message_test
