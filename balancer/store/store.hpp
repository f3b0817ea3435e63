// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/store_config.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

/// Keys and JSON values that workers share, and the order of all changes.  The one writer: whoever
/// has a copy follows it by a StoreFeed.  Decides without I/O, and is told the time.
///
/// Changes are tried first and are seen by nobody but those tried after them, until commit(): so
/// they can be written to a file before anybody believes in them.
class Store {
public:
    using Clock = std::chrono::steady_clock;
    using Text = std::shared_ptr<const std::string>;

    struct Entry {
        Text value{}; ///< JSON
        std::uint64_t revision = 0;
        std::optional<Clock::time_point> expires{};
        std::string owner{}; ///< who has written it: `web/2`
    };

    struct Command {
        enum class Kind { put, erase, increment };

        Kind kind = Kind::put;
        std::string key{};
        std::string value{};                            ///< of put: JSON
        std::int64_t by = 1;                            ///< of increment
        std::optional<std::chrono::milliseconds> ttl{}; ///< until it is erased
        std::optional<std::uint64_t> expected{};        ///< revision; 0: must not be there
        std::string owner{};
    };

    struct Answer {
        std::string_view code{};    ///< what is wrong; empty: it was done
        std::string reason{};       ///< a clause for people
        std::uint64_t revision = 0; ///< of the change; of a conflict: of what is there
        std::string value{};        ///< of increment
        std::uint64_t seen = 0;     ///< of a conflict: the revision of the store that it is with
    };

    struct Change {
        std::string key{};
        std::uint64_t revision = 0;
        std::optional<Entry> entry{}; ///< none: erased
        bool has_expired = false;
    };

    using Entries = std::map<std::string, Entry, std::less<>>;

    struct Size {
        std::uint64_t keys = 0;
        std::uint64_t bytes = 0;                                      ///< of keys and values
        std::map<std::string, std::uint64_t, std::less<>> of_owner{}; ///< bytes
    };

    /// What is in a store.  It may be made anywhere, and is then given to a store as a whole.
    struct Content {
        Entries entries{};
        std::set<std::pair<Clock::time_point, std::string>> expiries{};
        std::uint64_t revision = 0;
        Size size{};

        /// Brings back what a file had.  Of a change without a key only the revision counts.
        void restore(const Change& change);

        /// The same, without the size.
        void enter(const Change& change);

        /// In place of `old` there is `next`; null: nothing.
        void count(std::string_view key, const Entry* old, const Entry* next);
    };

    explicit Store(const StoreConfig& limits) : limits_{limits} {}
    Store(const Store&) = delete; ///< feeds know it
    Store& operator=(const Store&) = delete;
    ~Store() = default;

    /// Others than at the start; what is there already stays.
    void set_limits(const StoreConfig& limits) { limits_ = limits; }

    /// Tries `command`: if there is an error nothing changes.
    [[nodiscard]] Answer apply(const Command& command, Clock::time_point now);

    /// Tries to erase what has expired, at most so much at a time.
    void expire(Clock::time_point now);

    /// What was tried since the last commit() or roll_back(), in its order.
    [[nodiscard]] const std::vector<Change>& pending() const noexcept { return pending_; }

    void commit();
    void roll_back();

    /// Has `content`, before anybody sees the store.
    void adopt(Content content) { content_ = std::move(content); }

    // What was committed.
    [[nodiscard]] const Entries& entries() const noexcept { return content_.entries; }
    [[nodiscard]] const Entry* find(std::string_view key) const;
    [[nodiscard]] std::uint64_t revision() const noexcept { return content_.revision; }
    [[nodiscard]] std::optional<Clock::time_point> next_expiry() const;

    /// Of keys and values, with what was tried.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return content_.size.bytes; }

    /// The line that tells of the change with `revision`; null if that is too long ago.
    [[nodiscard]] Text recent(std::uint64_t revision) const noexcept;

    /// How many such lines there are.
    [[nodiscard]] std::size_t recent_count() const noexcept { return recent_.size(); }

private:
    [[nodiscard]] const Entry* find_tried(std::string_view key) const;
    [[nodiscard]] std::string check_room(std::string_view key, const Entry* old,
                                         const Entry& next) const;
    std::uint64_t add(std::string_view key, std::optional<Entry> entry, bool has_expired);

    StoreConfig limits_;
    Content content_; ///< its size is with what was tried

    std::vector<Change> pending_;
    std::map<std::string, std::optional<Entry>, std::less<>> tried_; ///< over the entries

    std::deque<Text> recent_; ///< the last is of revision()
    std::size_t recent_bytes_ = 0;
};

} // namespace usher
