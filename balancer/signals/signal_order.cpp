// SPDX-License-Identifier: MIT
#include "balancer/signals/signal_order.hpp"

#include <csignal>

namespace usher {

namespace {

/// The kernel sends it to the terminal's foreground.  A shell that is told passes it on to its
/// jobs, those of the background too, which are meant to stay.  Whoever else sends it wants a
/// reload: also a script that leads the session, which has no jobs in groups of their own.
SignalOrder order_of_hangup(const Signal& signal, const TerminalState& terminal) noexcept
{
    const bool is_job = terminal.group != terminal.session;
    const bool is_passed_on = is_job && terminal.in_foreground && signal.sender == terminal.session;
    const bool is_gone = terminal.in_foreground && !terminal.is_there;
    if (!signal.is_from_kernel && !is_passed_on && !is_gone)
        return SignalOrder::reload;
    return terminal.survives_hangup ? SignalOrder::none : SignalOrder::hang_up;
}

} // namespace

SignalOrder order_of(const Signal& signal, const TerminalState& terminal) noexcept
{
    switch (signal.number) {
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        return SignalOrder::stop;
    case SIGHUP:
        return order_of_hangup(signal, terminal);
    case SIGUSR1:
        return SignalOrder::reopen;
    // The kernel's own mean that a job of the background has read from or written to its terminal.
    case SIGTTIN:
        return signal.is_from_kernel ? SignalOrder::none : SignalOrder::more_workers;
    case SIGTTOU:
        return signal.is_from_kernel ? SignalOrder::none : SignalOrder::fewer_workers;
    // The window has another size.  What runs a program on a terminal of its own passes that on.
    case SIGWINCH:
        return signal.is_from_kernel || terminal.is_there ? SignalOrder::none : SignalOrder::drain;
    case SIGCONT: // perhaps in the background now, which has been looked at
    case SIGXFSZ: // whoever wrote the file has EFBIG, and says so
        return SignalOrder::none;
    default:
        return SignalOrder::unknown;
    }
}

} // namespace usher
