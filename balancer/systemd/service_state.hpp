// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/pool/pool_facts.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace usher::systemd {

/// Decides what the service manager is told.  Holds no socket, clock or process: it is told what
/// happened and answers with what to send, lines as in sd_notify(3), empty if there is no news.
class ServiceState {
public:
    using Facts = std::vector<PoolFacts>;

    /// Says READY once: when no pool waits for more than `may_lack` of its first workers, and some
    /// worker was ready.  What has given up, a slot or a pool, is not waited for.
    [[nodiscard]] std::string on_change(const Facts& pools);

    /// `now` is of CLOCK_MONOTONIC, libstdc++'s steady clock.
    [[nodiscard]] std::string on_reload_started(const Facts& pools,
                                                std::chrono::steady_clock::time_point now);

    /// `trouble` is why it failed, for people; empty if it did not.
    [[nodiscard]] std::string on_reload_ended(const Facts& pools, std::string trouble);

    /// With a `reason`, for people, the process is about to exit.
    [[nodiscard]] std::string on_stopping(const Facts& pools, std::string reason = {});

private:
    enum class Phase { starting, running, reloading, stopping };

    [[nodiscard]] std::string status(const Facts& pools) const;
    [[nodiscard]] std::string tell(const std::string& news, std::string status);

    Phase phase_ = Phase::starting;
    std::string trouble_; ///< of the last reload
    std::string told_;    ///< the last status
};

} // namespace usher::systemd
