// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/signal_stream.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <optional>

#include <sys/types.h>

namespace usher {

/// Reaps processes that have become children of this one because their parents died, so that none
/// stays a zombie.  How they ended concerns nobody.
///
/// Our own children are never touched: their owners reap them, through their pidfds, and say so
/// here.  There is one list of them, as the kernel has one of the process's children.
class OrphanReaper {
public:
    explicit OrphanReaper(const boost::asio::any_io_executor& executor);
    OrphanReaper(const OrphanReaper&) = delete;
    OrphanReaper& operator=(const OrphanReaper&) = delete;
    ~OrphanReaper();

    /// Does nothing in a process that is given no orphans: see sys::adopts_orphans().  Throws what
    /// SignalStream does.
    void start();

    /// Leaves nothing on the event loop.
    void close();

    /// Somebody has started the child `pid` and will reap it.
    static void on_own_child(pid_t pid);

    /// That was done.
    static void on_own_child_reaped(pid_t pid);

private:
    static void reap() noexcept;

    boost::asio::any_io_executor executor_;
    std::optional<SignalStream> ends_; ///< of children
};

} // namespace usher
