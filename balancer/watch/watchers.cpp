// SPDX-License-Identifier: MIT
#include "balancer/watch/watchers.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace usher {

namespace {

/// The log files of all pools: a line in one is no reason to restart another.
std::vector<std::string> output_files(const ResolvedConfig& config)
{
    std::vector<std::string> files;
    for (const auto& pool : config.pools)
        for (const auto* const file : {&pool.output.file, &pool.output.errors})
            if (!file->empty())
                files.push_back(*file);
    return files;
}

std::string problem_of(const std::system_error& error)
{
    if (error.code() == std::error_code{EMFILE, std::system_category()})
        return "the user's limit of inotify instances is reached, or that of descriptors; raise it "
               "(sysctl fs.inotify.max_user_instances, ulimit -n)";
    return error.what();
}

} // namespace

Watchers::Watchers(boost::asio::any_io_executor executor, EventBus& events,
                   PoolWatcher::Restart restart)
    : executor_{std::move(executor)}, events_{events}, restart_{std::move(restart)}
{
}

void Watchers::update(const ResolvedConfig& config)
{
    std::map<std::string, std::shared_ptr<PoolWatcher>> next;
    for (const auto& pool : config.pools) {
        if (pool.watch.paths.empty())
            continue;
        std::error_code nowhere; // then paths are taken as they are
        const IgnoreRules rules{pool.watch.ignore, output_files(config),
                                std::filesystem::current_path(nowhere).string()};
        if (const auto found = watchers_.find(pool.name);
            found != watchers_.end() && found->second->is_for(pool.watch, rules)) {
            next.insert(watchers_.extract(found));
            continue;
        }
        try {
            const auto watcher = std::make_shared<PoolWatcher>(executor_, pool.name, pool.watch,
                                                               rules, events_, restart_);
            watcher->start();
            next.emplace(pool.name, watcher);
        } catch (const std::system_error& error) {
            EventSource{events_, {.pool = pool.name}}.publish(
                EventKind::note, log::Level::warning,
                fmt::format("pool \"{}\": changes are not watched for: {}", pool.name,
                            problem_of(error)));
        }
    }
    close();
    watchers_ = std::move(next);
}

void Watchers::close() noexcept
{
    for (const auto& [pool, watcher] : watchers_)
        watcher->close();
    watchers_.clear();
}

} // namespace usher
