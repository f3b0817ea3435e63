// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_set.hpp"

#include "balancer/events/event_json.hpp"

#include <boost/asio/post.hpp>
#include <fmt/core.h>

#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

/// Does `work` with each file; what it throws names the pool.
template <typename Work>
void with_each(const std::vector<BusSet::WantedFile>& wanted, const Work& work)
{
    for (const auto& each : wanted) {
        const auto place = fmt::format("pool \"{}\": store.persist: ", each.pool);
        try {
            work(each.path);
        } catch (const std::system_error& e) { // which says more than its text
            const std::string_view text = e.what();
            const auto code = ": " + e.code().message();
            throw std::system_error{e.code(),
                                    place + std::string{text.substr(0, text.rfind(code))}};
        } catch (const std::runtime_error& e) {
            throw std::runtime_error{place + e.what()};
        }
    }
}

} // namespace

BusSet::BusSet(asio::any_io_executor executor, EventBus& events)
    : executor_{std::move(executor)},
      events_{events},
      subscription_{events, [this](const Event& event) { on_event(event); }}
{
}

BusSet::Key BusSet::key_of(const PoolConfig& pool)
{
    const bool is_shared = !pool.bus.share.empty();
    return {.is_shared = is_shared, .name = is_shared ? pool.bus.share : pool.name};
}

std::vector<BusSet::WantedFile> BusSet::find_wanted(const std::vector<ResolvedPool>& pools)
{
    forget_unused();
    std::map<std::string, std::string> wanted; // the pool by the path
    for (const auto& pool : pools) {
        // Else there would be two leaders and two stores while the old workers leave.
        if (const auto key = keys_.find(pool.name);
            key != keys_.end() && key->second != key_of(pool))
            throw std::runtime_error{fmt::format("pool \"{}\": bus.share changes, but workers "
                                                 "cannot move to another bus, nor a store "
                                                 "with them; stop usher and start it anew",
                                                 pool.name)};
        const auto there = buses_.find(key_of(pool));
        const auto& path = pool.store.persist;
        if (there != buses_.end() && there->second.persist != path)
            throw std::runtime_error{fmt::format(
                "pool \"{}\": store.persist changes from {} to {}, but what is in a store cannot "
                "move while it is used; stop usher and start it anew",
                pool.name, there->second.persist.empty() ? "none" : there->second.persist,
                path.empty() ? "none" : path)};
        if (there == buses_.end() && !path.empty())
            wanted.emplace(path, pool.name);
    }
    std::vector<WantedFile> result;
    result.reserve(wanted.size());
    for (auto& [path, pool] : wanted)
        result.push_back({.path = path, .pool = std::move(pool)});
    return result;
}

BusSet::Files BusSet::open_files(const std::vector<WantedFile>& wanted)
{
    Files files;
    with_each(wanted, [&files](const std::string& path) {
        files.emplace(path, std::make_shared<StoreFile>(path));
    });
    return files;
}

void BusSet::check_files(const std::vector<WantedFile>& wanted)
{
    with_each(wanted, [](const std::string& path) { StoreFile::check(path, false); });
}

void BusSet::adopt(const std::vector<ResolvedPool>& pools, const Files& files)
{
    keys_.clear();
    for (const auto& pool : pools) {
        const auto key = key_of(pool);
        keys_.insert_or_assign(pool.name, key);
        auto& place = make(key, pool.store);
        place.bus->keeper().set_limits(pool.store);
        if (pool.store.persist.empty() || place.bus->keeper().has_file())
            continue;
        place.persist = pool.store.persist;
        const auto& file = files.at(place.persist);
        if (!file->note().empty())
            events_.publish(EventKind::note, log::Level::warning,
                            fmt::format("the store's file {}: {}", file->path(), file->note()));
        place.bus->keeper().adopt(file);
    }
    forget_unused();
}

/// Those of pools that are gone, once their workers are: the last of them may still drain.
void BusSet::forget_unused()
{
    std::set<Key> used;
    for (const auto& [pool, key] : keys_)
        used.insert(key);
    std::erase_if(buses_, [&](const auto& place) {
        if (used.contains(place.first) || place.second.bus->router().has_workers())
            return false;
        place.second.bus->end_outside();
        place.second.bus->close(); // whoever listens has it for a moment yet, but not its file
        return true;
    });
}

void BusSet::forget(const std::string& pool)
{
    keys_.erase(pool);
    forget_unused();
}

std::shared_ptr<Bus> BusSet::find_present(const PoolConfig& pool) const
{
    const auto place = buses_.find(key_of(pool));
    return place == buses_.end() ? nullptr : place->second.bus;
}

std::shared_ptr<Bus> BusSet::find(const PoolConfig& pool)
{
    return make(key_of(pool), pool.store).bus;
}

BusSet::Place& BusSet::make(const Key& key, const StoreConfig& limits)
{
    auto& place = buses_[key];
    if (place.bus)
        return place;
    const auto keeper = std::make_shared<StoreKeeper>(executor_, limits);
    place.bus = std::make_shared<Bus>(executor_, key.name, keeper);
    keeper->watch(
        [this, weak = std::weak_ptr{place.bus}](log::Level level, const std::string& news) {
            if (!news.empty())
                events_.publish(EventKind::note, level, news);
            if (const auto bus = weak.lock()) {
                bus->router().on_stored();
                bus->settle_soon();
            }
        });
    return place;
}

/// Whoever wants to know finds events as messages.
void BusSet::on_event(const Event& event)
{
    std::string json;
    const auto tell = [&](Bus& bus) {
        if (bus.router().is_silent())
            return;
        if (json.empty())
            json = encode_event(event);
        bus.router().publish("usher", fmt::format("usher.events.{}", name_of(event.kind)), json);
        bus.settle_soon();
    };
    if (event.pool.empty()) {
        for (const auto& [key, place] : buses_)
            tell(*place.bus);
        return;
    }
    const auto key = keys_.find(event.pool);
    if (key == keys_.end()) {
        // One of a pool that is gone, perhaps the last; its place is given up in this turn.
        if (event.kind == EventKind::exit)
            asio::post(executor_, [this] { forget_unused(); });
        return;
    }
    if (const auto place = buses_.find(key->second); place != buses_.end())
        tell(*place->second.bus);
}

void BusSet::close()
{
    for (const auto& [key, place] : buses_)
        place.bus->close();
}

} // namespace usher
