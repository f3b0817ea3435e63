// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/program_message.hpp"
#include "balancer/dispatch/figures.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sys/types.h>

namespace usher {

/// How the master and one worker speak: what the worker is given when it starts, how connections
/// reach it, and what it says of itself.  There is one for each dialect.  The process itself is
/// others' business.
///
/// Lives as a shared pointer: waits under way keep it until finish().  Its Intake must outlive it.
class WorkerLink {
public:
    /// Hears what the worker says of itself.  May be called in the middle of any call but the
    /// destructor's.
    class Observer {
    public:
        /// Its program runs.
        virtual void on_online() = 0;

        /// It can take connections.  Called again if it says so again.
        virtual void on_ready() = 0;

        /// It wants no further connection, and will end: one clause.  Where it `has_said_so`
        /// itself, it ends in order if its exit code is 0.
        virtual void on_leaving(std::string reason, bool has_said_so) = 0;

        /// While it drains: it has nothing left to do.
        virtual void on_idle() = 0;

        /// It breaks the rules of its dialect: one clause that goes on after "it".
        virtual void on_fault(std::string reason) = 0;

        /// Something to know: one clause that goes on after the worker's name.
        virtual void on_note(std::string text) = 0;

        /// It cannot serve as it is: one clause like a note's, with the remedy.
        virtual void on_warning(std::string text) = 0;

        /// Another link fits its program: it is to be started anew, and that is nobody's fault.
        virtual void on_misfit() = 0;

        /// Its program has sent a message; this is how it is shown to people: not too long.
        virtual void on_message(std::string_view text) = 0;

    protected:
        ~Observer() = default;
    };

    WorkerLink() = default;
    WorkerLink(const WorkerLink&) = delete;
    WorkerLink& operator=(const WorkerLink&) = delete;
    virtual ~WorkerLink() = default;

    /// What the process is given besides variables.
    struct Equipment {
        /// They stay the link's, and get the numbers from `first_number` on, in this order.
        std::vector<int> descriptors;

        /// Variables whose value is its own process number.
        std::vector<std::string> pid_variables{};

        /// It cannot see by itself that its master has died.
        bool outlives_master = false;

        /// Looks at the program's file, on a thread, before it is started; it must not be if this
        /// throws std::runtime_error.
        std::function<void(const std::string& file)> check{};
    };

    /// Adds to `environment` what the process needs, and returns what else it does.
    ///
    /// Throws std::runtime_error if it cannot be given what it needs.
    [[nodiscard]] virtual Equipment equip(std::map<std::string, std::string>& environment,
                                          int first_number) const = 0;

    /// The process runs.  `observer` must stay until finish().
    virtual void start(pid_t process, Observer& observer) = 0;

    /// Connections come to it from now on, in the place of its slot's worker that there was; until
    /// detach() or until the next one in the slot is attached.
    virtual void attach() = 0;
    virtual void detach() noexcept = 0;

    /// Has it finish what it has and end, within `timeout`.  Needs detach().  True if only a
    /// signal can tell it.
    [[nodiscard]] virtual bool drain(std::chrono::milliseconds timeout) = 0;

    /// It gets a signal to end, at once, maybe because it is `at_fault`: what it has not taken is
    /// for others.  Needs detach().
    virtual void cut_off(bool at_fault) = 0;

    /// The process has ended: what it had not taken is for others.  Nothing is heard any more.
    virtual void finish() = 0;

    /// Hands over a connection of the master's own; `fd` stays the caller's.
    [[nodiscard]] virtual std::error_code send_probe(int /*fd*/)
    {
        return std::make_error_code(std::errc::operation_not_supported);
    }

    /// Sends `message` to its program, or keeps it until that can hear it.
    [[nodiscard]] virtual Delivery
    send_message(const std::shared_ptr<const ProgramMessage>& /*message*/)
    {
        return Delivery::none;
    }

    struct Limits {
        std::size_t max_queue = 0; ///< connections that are handed to it and that it has not taken
        std::chrono::milliseconds move_after{0}; ///< until others may have those; 0: never
        std::uint64_t due_at = 0; ///< so many in all, then it is to be replaced; 0: never
    };

    /// `on_due` is called once when `limits.due_at` have been handed over; in the middle of a
    /// hand-off, so it must do no more than take note.
    virtual void
    set_limits(const Limits& /*limits*/,
               std::function<void()> /*on_due*/) // NOLINT(performance-unnecessary-value-param)
    {
    }

    /// What is known of its connections; nothing if it accepts by itself.
    [[nodiscard]] virtual std::optional<Figures> figures() const noexcept { return std::nullopt; }

    /// What is wrong with what it tells of itself; empty if nothing.
    [[nodiscard]] virtual std::string_view audit() noexcept { return {}; }

    /// How many connections its program has open, by whatever it takes to find out; nothing if
    /// that cannot be known, or not before `deadline` expires or is cancelled.
    [[nodiscard]] virtual boost::asio::awaitable<std::optional<std::uint64_t>>
    count_open(boost::asio::steady_timer& /*deadline*/)
    {
        const auto known = figures();
        co_return known ? known->open : std::nullopt;
    }

    /// False if it is not of a dialect that brings it any: then it has none to finish either.
    [[nodiscard]] virtual bool has_connections() const noexcept { return true; }

    /// True if its program runs and can be told by drain() to end, also before it is ready.
    [[nodiscard]] virtual bool can_drain_early() const noexcept { return false; }

    /// Why it has not become ready, as far as anybody can tell: one clause, empty if nobody can.
    [[nodiscard]] virtual std::string explain_not_ready() const { return {}; }

    /// What is known to keep its program from serving, whatever it says itself: one clause, empty
    /// if nothing is.
    [[nodiscard]] virtual std::string obstacle() const { return {}; }
};

} // namespace usher
