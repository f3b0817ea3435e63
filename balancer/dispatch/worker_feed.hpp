// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace usher {

/// The way to one worker, whatever its dialect, for those who watch and limit it.
class WorkerFeed {
public:
    WorkerFeed() = default;
    WorkerFeed(const WorkerFeed&) = delete;
    WorkerFeed& operator=(const WorkerFeed&) = delete;
    virtual ~WorkerFeed() = default;

    /// At most so many connections are handed to it that it has not taken yet.
    virtual void set_max_queue(std::size_t count) noexcept = 0;

    /// Has `handler` called once, when so many connections have been handed over; 0: never.  It is
    /// called in the middle of a hand-off, so it must do no more than take note.
    virtual void notify_at(std::uint64_t count, std::function<void()> handler) = 0;

    /// False if it accepts by itself: then nobody knows handed_off(), queued() and taken().
    [[nodiscard]] virtual bool sees_connections() const noexcept { return true; }

    [[nodiscard]] virtual std::uint64_t handed_off() const noexcept = 0;

    /// Handed to the worker and not taken by its application.
    [[nodiscard]] virtual std::uint64_t queued() const noexcept = 0;

    /// Taken by the worker's application.
    [[nodiscard]] virtual std::uint64_t taken() const noexcept { return handed_off() - queued(); }

    /// Taken by the application and not closed; nothing if nobody can count that.
    [[nodiscard]] virtual std::optional<std::uint64_t> open() const noexcept = 0;

    /// When the worker's event loop last showed a sign of life; the epoch if it never does.
    [[nodiscard]] virtual std::chrono::steady_clock::time_point heartbeat() const noexcept = 0;

    /// What is wrong with what the worker tells of itself; empty if nothing.
    [[nodiscard]] virtual std::string_view audit() noexcept = 0;
};

} // namespace usher
