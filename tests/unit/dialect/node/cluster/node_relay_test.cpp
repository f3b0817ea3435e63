// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_relay.hpp"

#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace usher::node_relay_test {

using namespace usher::test;
using Serialization = NodeConfig::Serialization;

namespace {

struct Worker final : NodeRelay::Member {
    explicit Worker(NodeRelay& to_join, Serialization what = Serialization::json)
        : relay{to_join}, own{what}
    {
        relay.join(*this);
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() { relay.leave(*this); }

    [[nodiscard]] Serialization serialization() const noexcept override { return own; }
    void keep(RelayedMessage::Bytes message) override
    {
        kept += message ? *message : "unreadable\n";
        last = std::move(message);
    }
    void send_kept() override { sent.push_back(std::exchange(kept, {})); }

    NodeRelay& relay;
    Serialization own;
    std::string kept;
    RelayedMessage::Bytes last;
    std::vector<std::string> sent;
};

struct Fixture {
    boost::asio::io_context io;
    std::shared_ptr<NodeRelay> relay = std::make_shared<NodeRelay>(io.get_executor());
};

} // namespace

TEST_SUITE_BEGIN("node_relay");

TEST_CASE_FIXTURE(Fixture, "all but the sender get a message, and the same bytes")
{
    Worker first{*relay};
    Worker second{*relay};
    Worker third{*relay};
    relay->relay(second, "1");
    CHECK(first.kept == "1\n");
    CHECK(first.last == third.last);
    CHECK(second.kept.empty());
}

TEST_CASE_FIXTURE(Fixture, "what comes in one turn is sent at its end, in order")
{
    Worker first{*relay};
    Worker second{*relay};
    Worker third{*relay};
    relay->relay(first, "1");
    relay->relay(second, "2");
    relay->relay(first, "3");
    CHECK(third.sent.empty());
    run_ready(io);
    CHECK(third.sent == std::vector<std::string>{"1\n2\n3\n"});
    CHECK(second.sent == std::vector<std::string>{"1\n3\n"});
    relay->relay(first, "4");
    run_ready(io);
    CHECK(third.sent.back() == "4\n");
}

TEST_CASE_FIXTURE(Fixture, "who has left gets nothing, and who is alone sends to nobody")
{
    Worker first{*relay};
    {
        Worker second{*relay};
        relay->relay(first, "1");
    }
    run_ready(io);
    relay->relay(first, "2");
    run_ready(io);
    CHECK(first.sent == std::vector<std::string>{""}); // of the first turn alone
}

TEST_CASE_FIXTURE(Fixture, "its end may come before the turn's")
{
    {
        Worker first{*relay};
        Worker second{*relay};
        relay->relay(first, "1");
    }
    relay.reset();
    run_ready(io);
}

TEST_CASE_FIXTURE(Fixture, "during a reload each gets what it can read")
{
    Worker old{*relay};
    Worker next{*relay, Serialization::advanced};
    relay->relay(old, "true");
    CHECK(next.kept == std::string("\0\0\0\3\xff\x0dT", 7));
    relay->relay(next, "\xff\x0f"
                       "B\1x");
    relay->relay(next, "\xff\x0fT");
    CHECK(old.kept == "unreadable\ntrue\n");
}

TEST_SUITE_END();

} // namespace usher::node_relay_test
