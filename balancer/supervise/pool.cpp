// SPDX-License-Identifier: MIT
#include "balancer/supervise/pool.hpp"

#include "common/log.hpp"
#include "common/sys/cpu_count.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr std::chrono::seconds audit_interval{1};

PoolConfig with_worker_count(PoolConfig config)
{
    if (config.workers == 0)
        config.workers = sys::usable_cpus();
    return config;
}

} // namespace

Pool::Pool(const asio::any_io_executor& executor, PoolConfig config, bool labelled,
           std::uint64_t& last_worker_id)
    : executor_{executor},
      config_{with_worker_count(std::move(config))},
      last_worker_id_{last_worker_id},
      dispatcher_{executor, *this},
      audit_timer_{executor}
{
    WorkerSlot::Owner& owner = *this;
    for (unsigned slot = 1; slot <= config_.workers; ++slot) {
        auto label = labelled ? fmt::format("worker {}/{}", config_.name, slot)
                              : fmt::format("worker {}", slot);
        slots_.push_back(std::make_unique<WorkerSlot>(executor_, config_, slot, std::move(label),
                                                      dispatcher_, owner));
    }
}

void Pool::open()
{
    Listener::Observer& observer = *this;
    for (const auto& listen : config_.listen) {
        for (auto& socket : open_listeners(listen, config_.backlog)) {
            auto name = socket.address.to_string();
            log::info("listening on {}", name);
            const auto index = static_cast<std::uint16_t>(listeners_.size());
            listeners_.push_back(
                {.name = std::move(name),
                 .file = std::move(socket.file),
                 .listener = std::make_shared<Listener>(executor_, std::move(socket.fd), index,
                                                        dispatcher_, observer)});
        }
    }
}

void Pool::start(std::function<void()> on_end)
{
    on_end_ = std::move(on_end);
    running_slots_ = slots_.size();
    for (const auto& slot : slots_)
        asio::co_spawn(executor_, slot->run(), [this](const std::exception_ptr& error) {
            if (error)
                std::rethrow_exception(error); // a bug: main() reports it
            on_slot_end();
        });
    for (const auto& open : listeners_)
        open.listener->start();
    audit_periodically();
}

void Pool::close_listeners()
{
    for (const auto& open : listeners_)
        open.listener->stop();
    listeners_.clear();
}

void Pool::stop()
{
    if (std::exchange(stopping_, true))
        return;
    close_listeners();
    for (const auto& slot : slots_)
        slot->stop();
}

void Pool::hurry()
{
    for (const auto& slot : slots_)
        slot->hurry();
}

void Pool::on_slot_end()
{
    if (--running_slots_ > 0)
        return;

    close_listeners();
    audit_timer_.cancel();
    if (const auto closed = dispatcher_.stop(); closed > 0)
        log::warning("{} connections were closed, because no worker was left to take them", closed);
    on_end_();
}

std::string Pool::failure() const
{
    const auto failed = [](const auto& slot) { return slot->has_failed(); };
    if (!std::ranges::all_of(slots_, failed))
        return {};
    return fmt::format("{} of pool \"{}\"; last: {}",
                       was_ever_ready_ ? "every worker slot has failed"
                                       : "no worker was ever ready",
                       config_.name, slots_.front()->last_failure());
}

void Pool::audit_periodically()
{
    audit_timer_.expires_after(audit_interval);
    audit_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled || running_slots_ == 0)
            return;
        for (const auto& slot : slots_)
            slot->audit();
        audit_periodically();
    });
}

void Pool::on_reclaimed(std::string_view worker, std::size_t reclaimed, std::size_t closed) noexcept
{
    if (reclaimed > 0)
        log::info("{}: {} connections it had not taken went to others", worker, reclaimed);
    if (closed > 0)
        log::warning("{}: {} connections closed, because {} workers ended before taking them",
                     worker, closed, ReclaimQueue::most_reclaims);
}

void Pool::on_accept_failure(const Listener& listener, std::error_code error,
                             std::chrono::milliseconds pause) noexcept
{
    log::warning("{}: cannot accept: {}; clients wait in the backlog, next try in {} ms",
                 listeners_[listener.index()].name, error.message(), pause.count());
}

} // namespace usher
