// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/intake.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/pool/broadcast.hpp"
#include "balancer/pool/exchange.hpp"
#include "balancer/pool/outcome.hpp"
#include "balancer/pool/worker_count.hpp"
#include "balancer/worker/memory_patience.hpp"
#include "balancer/worker/worker_slot.hpp"
#include "common/async/condition.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace usher {

/// Identical workers, and the intake that feeds them.
///
/// The owner keeps it until it has ended and what it had waiting in the event loop has run.
/// Operations that change which workers there are (reload, restart, scale) take turns; who has
/// begun one keeps the pool until it has ended.
class Pool final : public std::enable_shared_from_this<Pool> {
public:
    /// `last_worker_id` is shared by all pools of the master.  With `labelled`, the log calls its
    /// workers `worker NAME/1` instead of `worker 1`.
    Pool(const boost::asio::any_io_executor& executor, ResolvedPool config, bool labelled,
         EventBus& events, Outputs& outputs, BusSet& buses, std::uint64_t& last_worker_id);

    /// Opens what `next` has and the pool has not yet, and changes nothing; see Intake.
    [[nodiscard]] ListenerChange prepare(const ResolvedPool& next, SocketSource& sockets);

    /// Calls `on_end` once, when no worker is left and none will be started; from the event loop,
    /// so never in the middle of a call.
    void watch(std::function<void()> on_end);

    /// Starts workers and accepts.
    void start();

    /// Starts workers on trial, and accepts as soon as all of them are ready.
    [[nodiscard]] boost::asio::awaitable<Outcome> enter_service();

    /// Stops accepting and drains the workers.
    void stop();

    /// Ends what is left quickly.
    void hurry();

    /// Brings in `next`: by a new generation of workers if their command changed or nothing did,
    /// without replacing anybody otherwise.  `change` are the listeners it needs, open already.
    /// A number of workers that people have asked for stays if `next` says what was configured.
    [[nodiscard]] boost::asio::awaitable<Outcome> reload(std::shared_ptr<const ResolvedPool> next,
                                                         ListenerChange change);

    /// What reload() would do with both: one sentence.
    [[nodiscard]] std::string plan(const ResolvedPool& next, const ListenerChange& change) const;

    /// Replaces the worker in `slot`, or every one if it is 0, by a new one of the same
    /// configuration, the new one ready before the old one drains; failed slots come back.
    [[nodiscard]] boost::asio::awaitable<Outcome> restart(unsigned slot);

    /// Drains the worker in `slot`, or every one if it is 0, and leaves the slot empty, until a
    /// reload or restart() fills it again.  Goes on listening.
    [[nodiscard]] boost::asio::awaitable<Outcome> drain(unsigned slot);

    /// Has as many workers from now on as `wanted` says, "4", "+1" or "-2", when its turn comes;
    /// surplus ones drain.
    [[nodiscard]] boost::asio::awaitable<Outcome> scale(std::string wanted);

    /// Sends `message` to the program of the worker in `slot`, or to those of all workers if it is
    /// 0, also of those that a reload is bringing in; `broadcast` is told how that went.
    void send_message(unsigned slot, const std::shared_ptr<const ProgramMessage>& message,
                      Broadcast& broadcast);

    /// Why no worker is left although nobody stopped it: none was ever ready, or all have failed
    /// too often, or one that was not to be followed.  Empty otherwise, also where all have done
    /// their work.
    [[nodiscard]] std::string failure() const;

    [[nodiscard]] bool is_stopping() const noexcept { return exchange_.is_stopping(); }
    [[nodiscard]] bool was_ever_ready() const noexcept { return shared_.was_ever_ready; }

    /// True once no worker is left and none will be started.
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

    [[nodiscard]] const ResolvedPool& config() const noexcept { return *config_; }
    [[nodiscard]] WorkerCount worker_count() const noexcept { return count_; }
    [[nodiscard]] unsigned generation() const noexcept { return generation_; }

    /// How many slots there are, with those that an operation under way adds.
    [[nodiscard]] unsigned places() const noexcept { return exchange_.places(); }

    [[nodiscard]] const std::vector<std::shared_ptr<WorkerSlot>>& slots() const noexcept
    {
        return slots_;
    }
    [[nodiscard]] const std::vector<std::shared_ptr<WorkerSlot>>& leaving() const noexcept
    {
        return leaving_;
    }
    [[nodiscard]] const Intake& intake() const noexcept { return *shared_.intake; }
    [[nodiscard]] const EventSource& events() const noexcept { return events_; }

    /// What its workers speak on; null if they are gone, and the pool with them.
    [[nodiscard]] std::shared_ptr<Bus> bus() const { return shared_.buses.find_present(*config_); }

private:
    [[nodiscard]] bool is_spent() const;
    using Slot = std::shared_ptr<WorkerSlot>;

    void on_change(const WorkerSlot& slot) noexcept;

    /// Does `operation` when its turn comes, unless nothing can be asked of the pool any more, or
    /// there is no `slot`.
    template <typename Operation>
    [[nodiscard]] boost::asio::awaitable<Outcome> in_turn(Operation operation, unsigned slot = 0);

    // Called with a plan that has a name: g++ 12 destroys an aggregate twice that is written into a
    // co_await.
    [[nodiscard]] boost::asio::awaitable<Outcome>
    carry_out(Exchange::Plan plan, std::shared_ptr<const ResolvedPool> config, unsigned generation);
    [[nodiscard]] Outcome outcome_of(const Exchange::Result& result);
    void perform_all();
    void perform(const Exchange::Action& action);
    void start_slot(const Exchange::Action& action);
    void route(unsigned place, const Slot& slot);
    void release(const Slot& slot);
    void look_for_end();
    void finish();
    void adopt(std::shared_ptr<const ResolvedPool> config);
    void adopt(WorkerCount count);
    [[nodiscard]] std::vector<unsigned> places_to_mend() const;
    void end_oldest_generations(unsigned most);

    void look_at_memory(const WorkerProcess& worker, std::chrono::steady_clock::time_point now);
    [[nodiscard]] std::vector<unsigned> due_places(std::chrono::steady_clock::time_point now) const;
    [[nodiscard]] boost::asio::awaitable<void> recycle_workers();
    [[nodiscard]] boost::asio::awaitable<Outcome> recycle();

    void watch_workers();

    std::shared_ptr<const ResolvedPool> config_; ///< with as many workers as are wanted
    WorkerCount count_{config_->workers};
    bool labelled_;
    EventSource events_;
    WorkerSlot::Shared shared_;

    Exchange exchange_;
    std::map<Exchange::Worker, Slot> members_;        ///< those that it knows, or may name again
    std::shared_ptr<const ResolvedPool> next_config_; ///< of those that an operation starts
    unsigned next_generation_ = 1;

    std::vector<Slot> slots_;   ///< place 1 first: who is routed, or was last
    std::vector<Slot> leaving_; ///< on trial, parked, or draining
    unsigned generation_ = 1;
    unsigned last_generation_ = 1; ///< that any worker is of

    Condition changed_; ///< something of a slot, or an operation has ended
    bool turn_taken_ = false;

    MemoryPatience memory_patience_;
    boost::asio::steady_timer watch_timer_;
    std::chrono::steady_clock::time_point watched_at_{};
    std::function<void()> on_end_;
    bool has_ended_ = false;
};

} // namespace usher
