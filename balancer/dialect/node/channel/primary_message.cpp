// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/primary_message.hpp"

#include <array>

namespace usher::node {

namespace {

struct Known {
    std::string_view mark; ///< among the first members of its messages
    PrimaryMessage message;
    bool is_for_others = false; ///< the other workers know what to do with it
};

constexpr std::array<Known, 4> known{{
    {R"("topic":"log4js:message")",
     {"log4js",
      "sends what log4js has to write to a primary, and nobody writes it; set disableClustering: "
      "true in log4js.configure(), so that each worker writes by itself"}},
    {R"("type":"prom-client:)",
     {"prom-client", "sends metrics of prom-client to a primary, and nobody adds them up; ask the "
                     "workers over the "
                     "bus, as docs/sharing.md shows"}},
    {R"("channel":"rate_limiter_flexible")",
     {"rate-limiter-flexible",
      "asks a primary for limits of rate-limiter-flexible, and nobody answers; count in the store "
      "of the bus, as docs/sharing.md shows"}},
    {R"("source":"_sio_adapter")",
     {"socket.io",
      "sends what Socket.IO has for clients of other workers to a primary, and nobody passes it "
      "on; set \"node\": {\"messages\": \"relay\"}"},
     true},
}};

} // namespace

PrimaryMessage primary_message_of(std::string_view text, bool is_relayed) noexcept
{
    for (const auto& each : known)
        if (text.find(each.mark) != std::string_view::npos)
            return is_relayed && each.is_for_others ? PrimaryMessage{} : each.message;
    if (is_relayed || !text.starts_with('{'))
        return {};
    return {.kind = "others",
            .text = "sends messages, which are events and which nobody answers; with \"node\": "
                    "{\"messages\": \"relay\"} the other workers get them",
            .is_lost = false};
}

} // namespace usher::node
