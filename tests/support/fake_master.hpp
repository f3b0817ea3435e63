// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/handoff_channel.hpp"
#include "common/scoreboard.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/control.hpp"
#include "common/wire/handoff.hpp"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// A master in the process of its worker.
///
/// Its constructor leaves descriptors and variables as they are in a worker after its start, for
/// one Acceptor to take over; its destructor removes what nobody took.
class FakeMaster {
public:
    FakeMaster();
    FakeMaster(const FakeMaster&) = delete;
    FakeMaster& operator=(const FakeMaster&) = delete;
    ~FakeMaster();

    /// Hands these connections over in one packet; closes them here.
    void hand_off(std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> connections);

    /// What the worker has said since the last call.
    [[nodiscard]] std::vector<wire::ControlMessage> heard() const;

    void say(std::string_view packet) const;

    /// No further connection will come.
    void shut_down() { channel_->shut_down(); }

    /// Closes all its ends, as the kernel does for a master that is killed.
    void die();

    [[nodiscard]] ScoreboardPage& page() const noexcept { return board_.page(); }
    [[nodiscard]] HandoffChannel& channel() { return *channel_; }

private:
    struct Inherited {
        int fd;
        ino_t inode;
    };

    void inherit(const char* name, sys::UniqueFd fd);

    std::optional<HandoffChannel> channel_{std::in_place, 64};
    Scoreboard board_;
    sys::UniqueFd control_;
    std::vector<Inherited> inherited_;
};

} // namespace usher::test
