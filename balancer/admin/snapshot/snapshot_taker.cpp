// SPDX-License-Identifier: MIT
#include "balancer/admin/snapshot/snapshot_taker.hpp"

#include "common/async/helper_thread.hpp"
#include "common/sys/proc/group_usage.hpp"

#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace usher {

namespace {

using Clock = UsageMeter::Clock;

constexpr std::chrono::seconds longest_read{1};

struct Usage {
    std::map<pid_t, sys::GroupUsage> groups;
    sys::GroupUsage master;
};

void fill_in(std::vector<WorkerSnapshot>& workers, const Usage& usage, UsageMeter& meter,
             Clock::time_point now)
{
    for (auto& worker : workers) {
        if (!worker.process)
            continue;
        auto& process = *worker.process;
        const auto found = usage.groups.find(process.pid); // which leads its group
        if (found == usage.groups.end())
            continue;
        process.cpu_percent = meter.look(now, process.worker, process.age, found->second.cpu);
        process.memory = found->second.memory;
    }
}

} // namespace

SnapshotTaker::SnapshotTaker(asio::any_io_executor executor, std::function<MasterSnapshot()> take)
    : executor_{std::move(executor)}, take_{std::move(take)}
{
}

asio::awaitable<MasterSnapshot> SnapshotTaker::take()
{
    auto snapshot = take_();
    std::vector<pid_t> groups;
    for (const auto& pool : snapshot.pools)
        for (const auto* const workers : {&pool.workers, &pool.leaving})
            for (const auto& worker : *workers)
                if (worker.process)
                    groups.push_back(worker.process->pid);
    auto read = [groups = std::move(groups)] {
        return Usage{.groups = sys::usage_of_groups(groups), .master = sys::usage_of_this()};
    };
    std::optional<Usage> usage;
    try {
        asio::steady_timer deadline{executor_, longest_read};
        usage = co_await on_helper_thread(std::move(read), deadline);
    } catch (const std::exception&) { // no thread, or the end: then nobody can tell
    }
    if (!usage)
        co_return snapshot;

    const auto now = Clock::now();
    for (auto& pool : snapshot.pools) {
        fill_in(pool.workers, *usage, meter_, now);
        fill_in(pool.leaving, *usage, meter_, now);
    }
    // No worker has number 0.
    snapshot.cpu_percent = meter_.look(now, 0, snapshot.age, usage->master.cpu);
    snapshot.memory = usage->master.memory;
    meter_.forget_old(now);
    co_return snapshot;
}

} // namespace usher
