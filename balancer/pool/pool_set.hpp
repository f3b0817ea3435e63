// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_set.hpp"
#include "balancer/config/resolved_config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/output/outputs.hpp"
#include "balancer/pool/ending.hpp"
#include "balancer/pool/pool.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// The pools of a master: those its configuration names, and those that still drain after it no
/// longer does.
class PoolSet {
public:
    using Handle = std::shared_ptr<Pool>;

    /// `on_all_ended` is called once, when no pool is left that could serve; `on_given_up` when one
    /// that has served has ended by itself.
    PoolSet(boost::asio::any_io_executor executor, EventBus& events, Outputs& outputs,
            BusSet& buses, std::function<void()> on_all_ended, std::function<void()> on_given_up);

    /// A pool that does not belong to the set yet.  With `labelled`, the log calls its workers
    /// `worker NAME/1` instead of `worker 1`.
    [[nodiscard]] Handle make(ResolvedPool config, bool labelled);

    /// Makes `pool` one of the set, in the place of one of the same name that has ended, if there
    /// is one.  Whoever adds it starts it.  False, and nothing happens, if usher is stopping.
    [[nodiscard]] bool add(const Handle& pool);

    /// Drains `pool` and forgets it when it has ended.
    void remove(const Handle& pool);

    /// Drains and ends all.
    void stop();

    /// Ends what is left quickly.
    void hurry();

    /// The pool of that name, or the only one if `name` is empty; null if there is none, or only
    /// one that is being removed.
    [[nodiscard]] Handle find(std::string_view name) const noexcept;

    /// Their names, for a sentence.
    [[nodiscard]] std::string names() const;

    [[nodiscard]] const std::vector<Handle>& all() const noexcept { return pools_; }
    [[nodiscard]] bool is_stopping() const noexcept { return ending_.is_stopping(); }

    /// True once `on_all_ended` is called.
    [[nodiscard]] bool is_over() const noexcept { return ending_.is_over(); }

    /// As long as one lives, an operation is under way that may bring another pool: the end waits
    /// for it.
    class Operation {
    public:
        explicit Operation(PoolSet& pools) noexcept : pools_{pools}
        {
            pools_.ending_.on_operation_begun();
        }
        Operation(const Operation&) = delete;
        Operation& operator=(const Operation&) = delete;
        ~Operation() // NOLINT(bugprone-exception-escape): without memory nothing could be ended
        {
            pools_.ending_.on_operation_ended();
            pools_.look_for_end();
        }

    private:
        PoolSet& pools_;
    };

private:
    [[nodiscard]] bool is_there(const Pool& pool) const noexcept;
    void on_end(const Handle& pool);
    void forget(const Handle& pool);
    void look_for_end();

    boost::asio::any_io_executor executor_;
    EventBus& events_;
    Outputs& outputs_;
    BusSet& buses_;
    std::function<void()> on_all_ended_;
    std::function<void()> on_given_up_;
    std::vector<Handle> pools_;
    std::uint64_t last_worker_id_ = 0;
    Ending ending_;
};

} // namespace usher
