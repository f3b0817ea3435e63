// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/native/control_channel.hpp"
#include "balancer/dialect/worker_identity.hpp"
#include "balancer/dialect/worker_link.hpp"
#include "balancer/dispatch/dispatcher.hpp"
#include "balancer/dispatch/handoff_channel.hpp"
#include "common/async/rate_limit.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/control.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// A worker that speaks the worker protocol: a hand-off socket, a control socket, a scoreboard.
class NativeLink : public WorkerLink, public std::enable_shared_from_this<NativeLink> {
public:
    /// Throws std::system_error.
    NativeLink(const boost::asio::any_io_executor& executor, WorkerIdentity identity,
               Dispatcher& dispatcher, std::unique_ptr<HandoffChannel> handoff);
    ~NativeLink() override { stop_watching(); }
    NativeLink(const NativeLink&) = delete;
    NativeLink& operator=(const NativeLink&) = delete;

    [[nodiscard]] Equipment equip(std::map<std::string, std::string>& environment,
                                  int first_number) const override;
    void start(pid_t process, Observer& observer) override;
    void attach() override;
    void detach() noexcept override;
    [[nodiscard]] bool drain(std::chrono::milliseconds timeout) override;
    void cut_off(bool at_fault) override;
    void finish() override;
    [[nodiscard]] std::error_code send_probe(int fd) noexcept override
    {
        return handoff_->send_probe(fd);
    }
    void set_limits(const Limits& limits, std::function<void()> on_due) override;
    [[nodiscard]] std::optional<Figures> figures() const noexcept override
    {
        return handoff_->figures();
    }
    [[nodiscard]] std::string_view audit() noexcept override { return handoff_->audit(); }

protected:
    [[nodiscard]] const HandoffChannel& handoff() const noexcept { return *handoff_; }
    [[nodiscard]] int worker_control() const noexcept { return worker_control_.get(); }
    [[nodiscard]] pid_t process() const noexcept { return process_; }
    [[nodiscard]] Observer& observer() noexcept { return *observer_; }

    [[nodiscard]] HandoffChannel& handoff() noexcept { return *handoff_; }

    /// What it has not taken goes to others; one that several workers leave when they die, and not
    /// because they were told to end, may be to blame for it: `suspect`.
    void give_back(bool suspect);

    /// Its `hello` is good, and not answered yet.  False if that makes it at fault.
    [[nodiscard]] virtual bool on_identified(const wire::Hello& /*hello*/) { return true; }

    /// What only the preload shim says.
    virtual void on_question(const wire::ListenQuestion& /*question*/) { on_unknown("listen"); }
    virtual void on_node_primary() { on_unknown("node-primary"); }

    /// From now on it is taken for one that has said `hello`.
    void set_identified() noexcept { said_hello_ = true; }

    /// A hand-off socket was shut down, by the worker or because it cannot be used any more:
    /// nothing reaches the worker by it.
    virtual void on_shut_down();
    void stop_watching() noexcept;

private:
    void on_message(const wire::ControlMessage& message);
    void on_hello(const wire::Hello& hello);
    void on_unknown(std::string_view type);
    void watch(int socket);

    boost::asio::any_io_executor executor_;
    WorkerIdentity identity_;
    Dispatcher& dispatcher_;
    std::unique_ptr<HandoffChannel> handoff_;
    std::vector<boost::asio::posix::stream_descriptor> watched_; ///< its sockets', borrowed
    std::shared_ptr<ControlChannel> control_;
    sys::UniqueFd worker_control_; ///< its end of that; empty once it runs
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    pid_t process_ = 0;
    Observer* observer_ = nullptr;
    /// Of any kind: it has little to say, but what it says is read on the master's time.
    static constexpr std::uint64_t most_messages = 1'000;
    RateLimit messages_{most_messages};
    bool said_hello_ = false;
    bool told_unknown_ = false; ///< that it says what nobody knows
};

} // namespace usher
