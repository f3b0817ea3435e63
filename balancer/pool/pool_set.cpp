// SPDX-License-Identifier: MIT
#include "balancer/pool/pool_set.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

PoolSet::PoolSet(asio::any_io_executor executor, EventBus& events, Outputs& outputs, BusSet& buses,
                 std::function<void()> on_all_ended, std::function<void()> on_given_up)
    : executor_{std::move(executor)},
      events_{events},
      outputs_{outputs},
      buses_{buses},
      on_all_ended_{std::move(on_all_ended)},
      on_given_up_{std::move(on_given_up)}
{
}

PoolSet::Handle PoolSet::make(ResolvedPool config, bool labelled)
{
    return std::make_shared<Pool>(executor_, std::move(config), labelled, events_, outputs_, buses_,
                                  last_worker_id_);
}

bool PoolSet::add(const Handle& pool)
{
    if (!ending_.may_start())
        return false;
    if (const auto old = find(pool->config().name))
        forget(old);
    pools_.push_back(pool);
    ending_.on_pool_started();
    // Not the handle itself, which the pool would keep.
    pool->watch([this, weak = std::weak_ptr{pool}] { on_end(weak.lock()); });
    return true;
}

void PoolSet::remove(const Handle& pool)
{
    const auto bus = pool->bus();
    const bool is_shared = std::ranges::any_of(pools_, [&](const auto& other) {
        return other != pool && is_there(*other) && other->bus() == bus;
    });
    if (bus && !is_shared)
        bus->end_outside();
    if (pool->has_ended())
        forget(pool);
    else
        pool->stop();
}

void PoolSet::forget(const Handle& pool)
{
    std::erase(pools_, pool);
    // What it has waiting in the event loop is cancelled, and comes before this.
    asio::post(executor_, [pool] {});
}

void PoolSet::on_end(const Handle& pool)
{
    const auto failure = pool->failure();
    if (!failure.empty() && !pool->is_stopping())
        pool->events().publish(EventKind::note, log::Level::error, failure);
    if (pool->is_stopping() && !is_stopping())
        forget(pool);
    const bool has_given_up = pool->was_ever_ready() && !pool->is_stopping() && !failure.empty();
    ending_.on_pool_ended();
    if (has_given_up)
        on_given_up_();
    look_for_end();
}

void PoolSet::look_for_end()
{
    // Whoever brings it about is not through yet.
    asio::post(executor_, [this] {
        if (ending_.find())
            on_all_ended_();
    });
}

void PoolSet::stop()
{
    ending_.stop();
    for (const auto& pool : std::vector{pools_})
        pool->stop();
}

void PoolSet::hurry()
{
    for (const auto& pool : pools_)
        pool->hurry();
}

/// Pools that are being removed are not; but when all are stopping, people still name them.
bool PoolSet::is_there(const Pool& pool) const noexcept
{
    return is_stopping() || !pool.is_stopping();
}

PoolSet::Handle PoolSet::find(std::string_view name) const noexcept
{
    const auto is_meant = [&](const auto& pool) {
        return is_there(*pool) && (name.empty() || pool->config().name == name);
    };
    const auto found = std::ranges::find_if(pools_, is_meant);
    const bool is_unclear = name.empty() && std::ranges::count_if(pools_, is_meant) > 1;
    return found == pools_.end() || is_unclear ? nullptr : *found;
}

std::string PoolSet::names() const
{
    std::string names;
    for (const auto& pool : pools_)
        if (is_there(*pool))
            names += (names.empty() ? "" : ", ") + pool->config().name;
    return names;
}

} // namespace usher
