// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/handoff_channel.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/process/exit_status.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "common/wire/control.hpp"
#include "common/wire/handoff.hpp"
#include "tests/support/sockets.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// preload-probe with the shim in it, and a master's side for it: started as a worker of a pool
/// that listens at `listeners`, which lets it work for `drain_timeout` after its master has died.
class PreloadWorker {
public:
    /// `steps` are what it does; see preload_probe.cpp.
    PreloadWorker(const std::vector<sys::SocketAddress>& listeners,
                  const std::vector<std::string>& steps,
                  std::chrono::milliseconds drain_timeout = std::chrono::milliseconds{20});
    PreloadWorker(const PreloadWorker&) = delete;
    PreloadWorker& operator=(const PreloadWorker&) = delete;
    ~PreloadWorker(); ///< kills it

    /// What came of the next step, such as `ok`; throws if it is not what came next.
    std::string result_of(const std::string& step);

    /// Lets a step `wait` come to its end.
    void go() const;

    /// Connects to `socket`, which listens at `listeners[index]`, accepts as the master does, hands
    /// the connection over with `record` and the client's address, and returns the client's end.
    [[nodiscard]] sys::UniqueFd connect(const TestListener& socket, std::uint16_t index = 0,
                                        wire::HandoffRecord record = {});

    /// What it has said to the master by now.
    [[nodiscard]] std::vector<wire::ControlMessage> heard() const;

    /// Closes the master's ends, as the kernel does for a master that is killed.
    void die();

    /// Waits for its end.
    [[nodiscard]] sys::ExitStatus wait();

    [[nodiscard]] HandoffChannel& channel() { return *channel_; }
    [[nodiscard]] ScoreboardPage& page() const noexcept { return board_.page(); }

private:
    std::string read_line();

    std::optional<HandoffChannel> channel_;
    Scoreboard board_;
    sys::UniqueFd control_;
    sys::UniqueFd input_;
    sys::UniqueFd output_;
    std::string buffer_;
    pid_t pid_ = -1;
    sys::UniqueFd pidfd_;
};

} // namespace usher::test
