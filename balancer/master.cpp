// SPDX-License-Identifier: MIT
#include "balancer/master.hpp"

#include "common/log.hpp"
#include "common/sys/pidfd.hpp"

#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// Workers are watched through pidfds; better one sentence now than a riddle at every start.
void require_pidfd()
{
    try {
        std::ignore = sys::open_pidfd(::getpid());
    } catch (const std::system_error& e) {
        throw std::runtime_error{std::string{"this system refuses pidfd_open ("} +
                                 e.code().message() +
                                 "): usher needs Linux 5.9 or newer and a sandbox that allows it"};
    }
}

} // namespace

Master::Master(const Config& config) : signals_{io_, SIGTERM, SIGINT}
{
    require_pidfd();

    // A client or worker that goes away is an EPIPE for whoever writes, not the master's end.
    ::signal(SIGPIPE, SIG_IGN);

    const bool labelled = config.pools.size() > 1;
    for (const auto& pool : config.pools)
        pools_.push_back(
            std::make_unique<Pool>(io_.get_executor(), pool, labelled, last_worker_id_));
}

int Master::run()
{
    log::info("usher {}, master pid {}", USHER_VERSION, ::getpid());
    for (const auto& pool : pools_)
        pool->open();

    running_pools_ = pools_.size();
    for (const auto& pool : pools_)
        pool->start([this] { on_pool_end(); });
    await_signal();

    io_.run();

    if (!stopping_) {
        log::error("nothing is left to serve with, giving up");
        return 1;
    }
    log::info("stopped");
    return 0;
}

void Master::await_signal()
{
    signals_.async_wait([this](const boost::system::error_code& cancelled, int number) {
        // A signal that was caught before the last pool ended may be delivered after it, when
        // cancel() finds nothing to cancel any more.
        if (cancelled || running_pools_ == 0)
            return;
        on_signal(number);
        await_signal();
    });
}

void Master::on_signal(int number)
{
    const bool first = !std::exchange(stopping_, true);
    log::info("SIG{}: {}", ::sigabbrev_np(number),
              first ? "accepting nothing more, draining the workers (again to stop now)"
                    : "stopping now");
    for (const auto& pool : pools_) {
        if (first)
            pool->stop();
        else
            pool->hurry();
    }
}

void Master::on_pool_end()
{
    if (!stopping_)
        for (const auto& pool : pools_)
            if (const auto failure = pool->failure(); !failure.empty())
                log::error("{}", failure);

    if (--running_pools_ == 0)
        signals_.cancel();
}

} // namespace usher
