// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/intake.hpp"
#include "balancer/dialect/listen_fds/seat_choice.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/listen/reuseport_group.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace usher {

/// Listening sockets that workers accept from themselves: each from its own, or all from one.
///
/// The sockets outlive the workers: what waits in the backlog of a dead one is for the next that
/// gets its socket.  Those of another user's workers outlive them only where somebody waits.
class ListenFdsIntake final : public Intake {
public:
    using Clock = std::chrono::steady_clock;

    /// Whoever connects waits in a backlog after so long at the latest.
    static constexpr std::chrono::milliseconds handshake_time{500};

    /// The sockets of one worker, one for each address.
    struct Seat {
        /// How many connections nobody has accepted yet.
        [[nodiscard]] std::size_t waiting() const noexcept;

        std::vector<int> sockets; ///< the intake's; what was opened anew since it is free
        bool own = true;          ///< all of them are nobody else's
        bool taken = false;       ///< a worker that has not ended has it
        bool active = false;      ///< its worker is ready
        bool steered = true;      ///< new connections may go there
        Clock::time_point left{}; ///< since when they do not
        std::unique_ptr<boost::asio::steady_timer> abandoned{}; ///< free, and somebody waits
    };

    /// As many as a child can be given.
    static constexpr std::size_t most_sockets = 64;

    ListenFdsIntake(boost::asio::any_io_executor executor, const ResolvedPool& config,
                    EventBus& events);

    [[nodiscard]] ListenerChange prepare(const ResolvedPool& next, SocketSource& sockets) override;
    void close(std::function<void()> on_closed) override;
    [[nodiscard]] std::shared_ptr<WorkerLink> connect(std::shared_ptr<const ResolvedPool> config,
                                                      const WorkerIdentity& identity) override;

    /// A worker has `seat` from now on, until release().
    void take(Seat& seat) noexcept;

    /// New connections come to `seat` or not.
    void set_active(Seat& seat, bool active) noexcept;

    /// Its worker has ended; or was never started, and `was_given` nothing.
    void release(Seat& seat, bool was_given);

    /// No connection comes to any worker by us any more.
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }

    /// What LISTEN_FDNAMES says, sd_listen_fds_with_names(3).
    [[nodiscard]] std::string socket_names() const;

    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const override;
    [[nodiscard]] std::vector<SocketFile> files() const override;
    [[nodiscard]] std::vector<Listening> listening() const override;

private:
    struct Place {
        std::size_t entry;                   ///< of `listen` in the configuration
        ListeningSocket socket;              ///< without its descriptor if there is a group
        std::optional<ReuseportGroup> group; ///< unless all share `socket`

        /// Those from before it was opened anew, which workers have.
        std::vector<sys::UniqueFd> old{};
    };

    /// What is to be opened anew: the place's number.
    using Renewed = std::map<std::size_t, ListeningSocket>;

    [[nodiscard]] ListenerChange prepare_change(const ResolvedPool& next, SocketSource& sockets);
    void renew(Renewed& sockets) noexcept;
    void say_renewed(const Place& place) noexcept;
    void close_old() noexcept;
    [[nodiscard]] bool has_old(const Seat& seat) const noexcept;
    void change_places(ResolvedPool next) noexcept;
    void add_places(std::vector<Place> places) noexcept;
    [[nodiscard]] std::vector<SeatFacts> facts(bool asks_waiting) const;
    [[nodiscard]] bool is_waited_at(const Seat& seat) const noexcept;
    [[nodiscard]] bool is_left(const Seat& seat) const noexcept;
    [[nodiscard]] Seat& add_seat();
    void remove(Seat& seat) noexcept;
    void give_up(Seat& seat) noexcept;
    void look_after(Seat& seat);
    void steer() noexcept;

    boost::asio::any_io_executor executor_;
    ResolvedPool config_; ///< as `places_` are
    EventSource events_;
    std::vector<Place> places_;
    std::list<Seat> seats_;
    const Seat* last_active_ = nullptr; ///< or null
    bool is_distrusted_ = false;        ///< some workers are, or were, another user's
    bool said_not_steered_ = false;
    bool closed_ = false;
};

} // namespace usher
