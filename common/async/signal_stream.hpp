// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <csignal>
#include <functional>

#include <sys/types.h>

namespace usher {

/// A signal that has come (signalfd(2)).
struct Signal {
    int number = 0;
    /// The kernel's own: of a terminal, of a limit that is reached (SI_KERNEL, sigaction(2)).
    bool is_from_kernel = false;
    pid_t sender = 0; ///< of kill(2); 0 if the kernel has sent it, or somebody outside of our
                      ///< namespace of processes
};

/// The signals that come to this process, as events of the loop.
///
/// They are blocked from the constructor on and for ever, so that none of them has its default
/// effect.  Their number, kind and sender are told, which a handler by way of a pipe forgets; and
/// the kernel does not stop a process for writing to its terminal if SIGTTOU is blocked (tty(4)).
/// Threads must have them blocked as well; those of start_thread() have.
class SignalStream {
public:
    /// Throws std::system_error if no descriptor is left; see adopt_fd().
    SignalStream(const boost::asio::any_io_executor& executor, const sigset_t& signals);

    /// Tells `handler` of each until close(), which `handler` may call.
    void keep_receiving(std::function<void(const Signal&)> handler);

    /// Leaves nothing on the event loop.  What comes later is never told.
    void close() noexcept;

private:
    boost::asio::posix::stream_descriptor descriptor_;
};

} // namespace usher
