// SPDX-License-Identifier: MIT
#include "balancer/pool/pool.hpp"

#include "common/async/shared_descriptor.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include <unistd.h>

namespace usher::pool_test {

using namespace usher::test;
namespace asio = boost::asio;

TEST_SUITE_BEGIN("pool");

TEST_CASE("an operation that throws gives its turn to the next one")
{
    asio::io_context io{1};
    EventBus events;
    LineWriter standard_error{std::make_shared<SharedDescriptor>(STDERR_FILENO)};
    Outputs outputs{io.get_executor(), standard_error, events};
    BusSet buses{io.get_executor(), events};
    std::uint64_t last_worker_id = 0;
    const auto pool = std::make_shared<Pool>(io.get_executor(), ResolvedPool{}, false, events,
                                             outputs, buses, last_worker_id);
    auto next = std::make_shared<ResolvedPool>();
    next->workers = 0; // nobody is to be started
    int committed = 0;
    int thrown = 0;
    const auto reload = [&](bool throws) {
        ListenerChange change;
        change.commit = [&committed, throws] {
            if (throws)
                throw std::runtime_error{"thrown in between"};
            ++committed;
        };
        asio::co_spawn(io, pool->reload(next, std::move(change)),
                       [&](const std::exception_ptr& error, const Outcome& outcome) {
                           thrown += error ? 1 : 0;
                           CHECK(outcome.is_done());
                       });
    };
    reload(true);
    reload(false);
    run_ready(io);
    CHECK(thrown == 1);
    CHECK(committed == 1);
}

TEST_SUITE_END();

} // namespace usher::pool_test
