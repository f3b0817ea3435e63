// SPDX-License-Identifier: MIT
#include "balancer/systemd/service_state.hpp"

#include "common/text/counted.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace usher::systemd {

namespace {

/// Far below the 4096 bytes that the service manager reads of a message.
constexpr std::size_t longest_status = 1'000;

bool is_settled(const PoolFacts& pool)
{
    if (pool.is_leaving)
        return true;
    return pool.was_ready ? pool.awaited <= pool.may_lack : pool.awaited == 0;
}

bool is_ready(const ServiceState::Facts& pools)
{
    return std::ranges::all_of(pools, is_settled) &&
           std::ranges::any_of(pools, &PoolFacts::was_ready);
}

std::string describe(const PoolFacts& pool)
{
    const bool drained = state_of(pool) == PoolState::drained;
    return fmt::format("{} of {} ready{}{}, generation {}", pool.ready,
                       counted(pool.workers, "worker"),
                       pool.failed > 0 ? fmt::format(", {} failed", pool.failed) : "",
                       drained ? ", drained" : "", pool.generation);
}

std::string describe(const ServiceState::Facts& pools)
{
    const auto stays = [](const auto& pool) { return !pool.is_leaving; };
    const bool named = std::ranges::count_if(pools, stays) != 1;
    std::vector<std::string> texts;
    for (const auto& pool : pools)
        if (stays(pool))
            texts.push_back((named ? pool.name + ": " : "") + describe(pool));
    return fmt::format("{}", fmt::join(texts, "; "));
}

} // namespace

std::string ServiceState::status(const Facts& pools) const
{
    if (phase_ == Phase::stopping) {
        unsigned alive = 0;
        for (const auto& pool : pools)
            alive += pool.alive;
        return fmt::format("stopping: {} left", counted(alive, "worker"));
    }
    if (phase_ == Phase::running)
        return describe(pools) + (trouble_.empty() ? "" : "; " + trouble_);
    return (phase_ == Phase::starting ? "starting: " : "reloading: ") + describe(pools);
}

std::string ServiceState::tell(const std::string& news, std::string status)
{
    // A status ends at its line's end, and what is behind that would be another assignment.
    status = on_one_line(status, longest_status);
    if (news.empty() && status == told_)
        return {};
    told_ = std::move(status);
    return news + "STATUS=" + told_;
}

std::string ServiceState::on_change(const Facts& pools)
{
    const bool begins = phase_ == Phase::starting && is_ready(pools);
    if (begins)
        phase_ = Phase::running;
    return tell(begins ? "READY=1\n" : "", status(pools));
}

std::string ServiceState::on_reload_started(const Facts& pools,
                                            std::chrono::steady_clock::time_point now)
{
    trouble_.clear();
    // Before READY=1 the end of a reload must not look like the end of the start.
    if (phase_ != Phase::running)
        return on_change(pools);
    phase_ = Phase::reloading;
    return tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n",
                            now.time_since_epoch() / std::chrono::microseconds{1}),
                status(pools));
}

std::string ServiceState::on_reload_ended(const Facts& pools, std::string trouble)
{
    trouble_ = std::move(trouble);
    if (phase_ != Phase::reloading)
        return on_change(pools);
    phase_ = Phase::running;
    return tell("READY=1\n", status(pools));
}

std::string ServiceState::on_stopping(const Facts& pools, std::string reason)
{
    const bool is_news = std::exchange(phase_, Phase::stopping) != Phase::stopping;
    return tell(is_news ? "STOPPING=1\n" : "", reason.empty() ? status(pools) : std::move(reason));
}

} // namespace usher::systemd
