// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/signals/signal_order.hpp"
#include "balancer/signals/terminal_state.hpp"
#include "common/async/rate_limit.hpp"
#include "common/async/signal_stream.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <map>
#include <string>

namespace usher {

/// The signals that are for the master, as orders.
class MasterSignals {
public:
    /// From here on no signal has its default effect but those that nobody can or should hold back:
    /// KILL and STOP, TSTP (job control), those of a fault of the program, and those that somebody
    /// else in this process has a handler for, such as a profiler.
    ///
    /// Throws what SignalStream does.
    explicit MasterSignals(const boost::asio::any_io_executor& executor);

    /// Tells `handler` each order but none, with its signal's name; unknown ones of a number at
    /// most once in 10 s.  Until close().
    void start(std::function<void(SignalOrder order, const std::string& name)> handler);

    void close() noexcept { stream_.close(); }

private:
    TerminalState terminal_;
    SignalStream stream_;
    std::map<int, RateLimit> unknown_; ///< by number
};

} // namespace usher
