// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/listener_change.hpp"
#include "balancer/dialect/listening.hpp"
#include "balancer/dialect/worker_identity.hpp"
#include "balancer/dialect/worker_link.hpp"
#include "balancer/dispatch/dispatch_counters.hpp"
#include "balancer/listen/opened_sockets.hpp"
#include "balancer/listen/socket_file.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace usher {

/// Where the connections of a pool come in, and how they get to its workers.  There is one for
/// each kind of dialect.
class Intake {
public:
    struct Asked {
        ListenConfig config;
        bool needs_workers; ///< only for workers that are started: the others accept themselves
    };

    Intake() = default;
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;
    virtual ~Intake() = default;

    /// Opens what `next` has and the pool has not yet, from `sockets`, and changes
    /// nothing.
    ///
    /// Throws AddressInUse, std::system_error, std::runtime_error; also if what `next` wants can
    /// only be had by restarting usher.
    [[nodiscard]] virtual ListenerChange prepare(const ResolvedPool& next,
                                                 SocketSource& sockets) = 0;

    /// Begins to accept, unless its workers do.
    virtual void start() {}

    /// Closes the listeners, then calls `on_closed`, maybe at once.  What waits in their backlogs
    /// is handed off first, over several turns of the event loop.  Without a handler they are
    /// closed during the call; if there was a call before, its handler is called.
    virtual void close(std::function<void()> on_closed) = 0;

    /// No worker is left: closes the connections that none has taken, and counts them.
    virtual std::size_t drop_waiting() { return 0; }

    /// Nobody will follow in `slot`: what is its own alone closes once its worker has ended.
    virtual void give_up_slot(unsigned /*slot*/) {}

    /// The way to a worker that is about to be started.
    ///
    /// Throws std::system_error, std::runtime_error.
    [[nodiscard]] virtual std::shared_ptr<WorkerLink>
    connect(std::shared_ptr<const ResolvedPool> config, const WorkerIdentity& identity) = 0;

    /// True if the programs of its workers can be sent messages.
    [[nodiscard]] virtual bool takes_messages() const noexcept { return false; }

    /// Where it listens.
    [[nodiscard]] virtual std::vector<sys::SocketAddress> addresses() const = 0;

    /// The files that it listens at.
    [[nodiscard]] virtual std::vector<SocketFile> files() const { return {}; }

    /// The Unix sockets that its programs have asked for: how to open them anew.
    [[nodiscard]] virtual std::vector<Asked> asked_for() const { return {}; }

    /// What is open, and who waits there.
    [[nodiscard]] virtual std::vector<Listening> listening() const { return {}; }

    /// The dialect that its programs were found to speak, where that was to be found out; nothing
    /// as long as none has shown it.
    [[nodiscard]] virtual std::optional<Dialect> found() const noexcept { return std::nullopt; }

    /// What became of its connections; nothing if the workers accept by themselves.
    [[nodiscard]] virtual std::optional<DispatchCounters> counters() const noexcept
    {
        return std::nullopt;
    }
};

} // namespace usher
