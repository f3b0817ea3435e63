// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/control_places.hpp"
#include "balancer/admin/operations.hpp"
#include "balancer/bus/bus_client.hpp"
#include "common/async/condition.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// One connection to the control socket: a request, its progress, its result, and the end.
///
/// Whoever is at the other end may be slow, silent or gone: lines that it does not read are dropped
/// and counted, and it has `patience` to ask and to read the result.
class ControlSession final : public std::enable_shared_from_this<ControlSession> {
public:
    static constexpr std::chrono::seconds patience{5};

    /// `has_room` is asked before it begins anything but a `stop` that may take long.
    ControlSession(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                   Operations& operations, std::function<bool()> has_room);

    void start();

    /// Another client needs its place.
    void make_way();

    /// Sends what can be sent without waiting, and ends.
    void close();

    [[nodiscard]] ControlPlaces::Client client() const noexcept { return client_; }

    /// It has no descriptor any more, though what was asked for may be under way.
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }

private:
    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] boost::asio::awaitable<Outcome> answer(std::string_view line);
    [[nodiscard]] boost::asio::awaitable<void> client_end();
    void watch_client();

    [[nodiscard]] boost::asio::awaitable<Outcome> speak(const Request& request);
    [[nodiscard]] boost::asio::awaitable<void> bus_end();
    void take_from_bus();

    void queue(const std::string& line);
    void send_queued();
    void wait_for_room();
    void hang_up() noexcept;

    boost::asio::local::stream_protocol::socket socket_;
    Operations& operations_;
    std::function<bool()> has_room_;
    ControlPlaces::Client client_ = ControlPlaces::Client::silent;
    std::optional<BusClient> bus_; ///< of who speaks on one
    Condition changed_;            ///< all was sent, or it is closed
    std::string queue_;            ///< lines, the first perhaps sent in part
    std::uint64_t dropped_ = 0;    ///< lines that were not queued, and not yet told
    bool waiting_ = false;         ///< for room in the socket
    bool closed_ = false;
};

} // namespace usher
