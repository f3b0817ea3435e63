// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus.hpp"
#include "balancer/bus/bus_port.hpp"
#include "balancer/config/resolved_config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/store/store_file.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// The buses of a master: one for each pool, or for those that share one.
class BusSet {
public:
    /// Files of stores by their paths; see open_files().
    using Files = std::map<std::string, std::shared_ptr<StoreFile>>;

    BusSet(boost::asio::any_io_executor executor, EventBus& events);
    BusSet(const BusSet&) = delete;
    BusSet& operator=(const BusSet&) = delete;
    ~BusSet() { close(); }

    /// A file of a store that is not open.
    struct WantedFile {
        std::string path;
        std::string pool; ///< that names it
    };

    /// The files that `pools` want.
    ///
    /// Throws std::runtime_error if a pool whose workers live would change its bus, or a store that
    /// is there would get a file, or another.
    [[nodiscard]] std::vector<WantedFile> find_wanted(const std::vector<ResolvedPool>& pools);

    /// Opens them; may wait for a disk.
    ///
    /// Throws what StoreFile's constructor throws, and names the pool.
    [[nodiscard]] static Files open_files(const std::vector<WantedFile>& wanted);

    /// Throws what open_files() would throw, and changes nothing; may wait for a disk.
    static void check_files(const std::vector<WantedFile>& wanted);

    /// From now on there are the buses of `pools`, with `files`, which find_wanted() has asked
    /// for.  What nobody uses any more goes, now or with the last worker that does.
    void adopt(const std::vector<ResolvedPool>& pools, const Files& files);

    /// That pool could not be added: its bus goes as soon as nobody uses it.
    void forget(const std::string& pool);

    /// The bus of `pool`; made if there is none.
    [[nodiscard]] std::shared_ptr<Bus> find(const PoolConfig& pool);

    /// The same; null if there is none.
    [[nodiscard]] std::shared_ptr<Bus> find_present(const PoolConfig& pool) const;

    /// Nothing waits any more.
    void close();

private:
    /// Of pools that share, and of single ones, under which name.
    struct Key {
        bool is_shared = false;
        std::string name;

        friend auto operator<=>(const Key&, const Key&) = default;
    };

    struct Place {
        std::shared_ptr<Bus> bus;
        std::string persist; ///< the path of the store's file; empty: none
    };

    [[nodiscard]] static Key key_of(const PoolConfig& pool);
    Place& make(const Key& key, const StoreConfig& limits);
    void forget_unused();
    void on_event(const Event& event);

    boost::asio::any_io_executor executor_;
    EventSource events_;
    std::map<Key, Place> buses_;
    std::map<std::string, Key> keys_; ///< by the pool's name
    EventBus::Subscription subscription_;
};

} // namespace usher
