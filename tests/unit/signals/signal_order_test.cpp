// SPDX-License-Identifier: MIT
#include "balancer/signals/signal_order.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace usher::signal_order_test {

namespace {

constexpr pid_t shell = 100;
constexpr pid_t anybody = 200; ///< with a shell of another session
constexpr pid_t job = 300;     ///< a group that a shell has made for us

constexpr Signal sent(int number, pid_t sender = anybody)
{
    return {.number = number, .sender = sender};
}

constexpr Signal of_kernel(int number)
{
    return {.number = number, .is_from_kernel = true};
}

constexpr TerminalState daemon{.session = shell, .group = job};
constexpr TerminalState foreground{
    .is_there = true, .in_foreground = true, .session = shell, .group = job};
constexpr TerminalState background{.is_there = true, .session = shell, .group = job};
constexpr TerminalState foreground_gone{.in_foreground = true, .session = shell, .group = job};
constexpr TerminalState of_script{
    .is_there = true, .in_foreground = true, .session = shell, .group = shell};
constexpr TerminalState all_states[]{daemon, foreground, background, foreground_gone, of_script};

TerminalState under_nohup(TerminalState state)
{
    state.survives_hangup = true;
    return state;
}

} // namespace

TEST_SUITE_BEGIN("signal order");

TEST_CASE("what operators send means the same on every terminal and on none")
{
    const struct {
        int number;
        SignalOrder order;
    } table[]{
        {SIGTERM, SignalOrder::stop},         {SIGINT, SignalOrder::stop},
        {SIGQUIT, SignalOrder::stop},         {SIGUSR1, SignalOrder::reopen},
        {SIGTTIN, SignalOrder::more_workers}, {SIGTTOU, SignalOrder::fewer_workers},
        {SIGCONT, SignalOrder::none},         {SIGXFSZ, SignalOrder::none},
        {SIGUSR2, SignalOrder::unknown},      {SIGALRM, SignalOrder::unknown},
        {SIGPWR, SignalOrder::unknown},       {SIGRTMIN, SignalOrder::unknown},
        {SIGRTMAX, SignalOrder::unknown},
    };
    for (const auto& row : table)
        for (const auto& state : all_states) {
            CAPTURE(row.number);
            CHECK(order_of(sent(row.number), state) == row.order);
            CHECK(order_of(sent(row.number), under_nohup(state)) == row.order);
        }
}

TEST_CASE("what the kernel sends because of the terminal is no order")
{
    for (const int number : {SIGTTIN, SIGTTOU, SIGWINCH})
        for (const auto& state : all_states) {
            CAPTURE(number);
            CHECK(order_of(of_kernel(number), state) == SignalOrder::none);
        }
    // Keys are.
    CHECK(order_of(of_kernel(SIGINT), foreground) == SignalOrder::stop);
    CHECK(order_of(of_kernel(SIGQUIT), foreground) == SignalOrder::stop);
}

TEST_CASE("WINCH drains where no window can have changed")
{
    CHECK(order_of(sent(SIGWINCH), daemon) == SignalOrder::drain);
    CHECK(order_of(sent(SIGWINCH), foreground_gone) == SignalOrder::drain);
    CHECK(order_of(sent(SIGWINCH), foreground) == SignalOrder::none);
    CHECK(order_of(sent(SIGWINCH), background) == SignalOrder::none);
}

TEST_CASE("HUP reloads, but for the end of the terminal")
{
    const struct {
        Signal signal;
        TerminalState state;
        SignalOrder order;
    } table[]{
        {sent(SIGHUP), daemon, SignalOrder::reload},
        {sent(SIGHUP), foreground, SignalOrder::reload},
        {sent(SIGHUP), background, SignalOrder::reload},
        {sent(SIGHUP), foreground_gone, SignalOrder::hang_up},
        // kill %1, and a shell that tells its jobs
        {sent(SIGHUP, shell), daemon, SignalOrder::reload},
        {sent(SIGHUP, shell), background, SignalOrder::reload},
        {sent(SIGHUP, shell), foreground, SignalOrder::hang_up},
        {sent(SIGHUP, shell), foreground_gone, SignalOrder::hang_up},
        // A script that leads the session has no jobs to tell: it passes an order on.
        {sent(SIGHUP, shell), of_script, SignalOrder::reload},
        {of_kernel(SIGHUP), of_script, SignalOrder::hang_up},
        {of_kernel(SIGHUP), daemon, SignalOrder::hang_up},
        {of_kernel(SIGHUP), foreground, SignalOrder::hang_up},
        {of_kernel(SIGHUP), background, SignalOrder::hang_up},
        {of_kernel(SIGHUP), foreground_gone, SignalOrder::hang_up},
    };
    for (const auto& row : table) {
        CAPTURE(&row - table);
        CHECK(order_of(row.signal, row.state) == row.order);
        const auto survivor = under_nohup(row.state);
        const auto expected =
            row.order == SignalOrder::reload ? SignalOrder::reload : SignalOrder::none;
        CHECK(order_of(row.signal, survivor) == expected);
    }
}

TEST_SUITE_END();

} // namespace usher::signal_order_test
