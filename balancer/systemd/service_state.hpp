// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace usher::systemd {

/// What a service manager may care about in one pool.
struct PoolFacts {
    std::string name;
    unsigned generation = 1;
    unsigned workers = 0;    ///< as configured
    unsigned may_lack = 0;   ///< of them, `reload.max_unavailable`
    unsigned ready = 0;      ///< at present
    unsigned failed = 0;     ///< slots that have given up
    unsigned awaited = 0;    ///< slots that never had a ready worker and have not given up
    unsigned alive = 0;      ///< workers in whatever state
    bool was_ready = false;  ///< any worker, ever
    bool is_leaving = false; ///< a reload has removed it, or all are being stopped
};

/// Decides what the service manager is told.  Holds no socket, clock or process: it is told what
/// happened and answers with what to send, lines as in sd_notify(3), empty if there is no news.
class ServiceState {
public:
    using Facts = std::vector<PoolFacts>;

    /// Says READY once: when no pool waits for more than `may_lack` of its first workers, and some
    /// worker was ready.  What has given up, a slot or a pool, is not waited for.
    [[nodiscard]] std::string on_change(const Facts& pools);

    /// `now` is CLOCK_MONOTONIC.
    [[nodiscard]] std::string on_reload_started(const Facts& pools, std::chrono::microseconds now);

    /// `trouble` is why it failed, for people; empty if it did not.
    [[nodiscard]] std::string on_reload_ended(const Facts& pools, std::string trouble);

    [[nodiscard]] std::string on_stopping(const Facts& pools);

    /// The process is about to exit; `reason` is for people.
    [[nodiscard]] std::string on_end(std::string reason);

private:
    enum class Phase { starting, running, reloading, stopping };

    [[nodiscard]] std::string status(const Facts& pools) const;
    [[nodiscard]] std::string tell(const std::string& news, std::string status);

    Phase phase_ = Phase::starting;
    std::string trouble_; ///< of the last reload
    std::string told_;    ///< the last status
};

} // namespace usher::systemd
