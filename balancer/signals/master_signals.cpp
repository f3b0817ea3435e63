// SPDX-License-Identifier: MIT
#include "balancer/signals/master_signals.hpp"

#include "balancer/config/units/signal_name.hpp"
#include "common/sys/process/terminal.hpp"

#include <algorithm>
#include <csignal>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace usher {

namespace {

/// Left as it is: what tells of a fault of the program must end it; PIPE is ignored, URG says
/// nothing, children are waited for otherwise, and Ctrl-Z stops the job.
constexpr int left_alone[]{SIGKILL, SIGSTOP, SIGTSTP, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                           SIGFPE,  SIGSEGV, SIGSYS,  SIGPIPE, SIGURG,  SIGCHLD};

/// What means something also where it was ignored from the start: a shell without job control
/// starts its background so.
constexpr int always_heard[]{SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGTTIN, SIGTTOU, SIGWINCH};

bool is_heard(int number) noexcept
{
    if (std::ranges::find(left_alone, number) != std::end(left_alone))
        return false;
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) != 0) // libc's own
        return false;
    return now.sa_handler == SIG_DFL ||
           std::ranges::find(always_heard, number) != std::end(always_heard);
}

sigset_t heard_signals() noexcept
{
    sigset_t heard;
    ::sigemptyset(&heard);
    for (int number = 1; number <= SIGRTMAX; ++number)
        if (is_heard(number))
            ::sigaddset(&heard, number);
    return heard;
}

bool is_ignored(int number) noexcept
{
    struct sigaction now {};
    return ::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

std::string name_of(int number)
{
    if (number >= SIGRTMIN && number <= SIGRTMAX)
        return "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
    return "SIG" + signal_text(number);
}

/// Once there is no terminal any more, what was known of the foreground stays.
void look_at_terminal(TerminalState& state) noexcept
{
    std::error_code error;
    const auto foreground = sys::terminal_foreground(error);
    if (error)
        return;
    state.is_there = foreground.has_value();
    if (foreground)
        state.in_foreground = *foreground == ::getpgrp();
}

} // namespace

MasterSignals::MasterSignals(const boost::asio::any_io_executor& executor)
    : terminal_{.survives_hangup = is_ignored(SIGHUP),
                .session = ::getsid(0),
                .group = ::getpgrp()},
      stream_{executor, heard_signals()}
{
    look_at_terminal(terminal_);
}

void MasterSignals::start(std::function<void(SignalOrder order, const std::string& name)> handler)
{
    stream_.keep_receiving([this, handler = std::move(handler)](const Signal& signal) {
        look_at_terminal(terminal_);
        const auto order = order_of(signal, terminal_);
        if (order == SignalOrder::none)
            return;
        if (order == SignalOrder::unknown && !unknown_[signal.number].take(RateLimit::Clock::now()))
            return;
        handler(order, name_of(signal.number));
    });
}

} // namespace usher
