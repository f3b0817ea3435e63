// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <system_error>

namespace usher {

/// Asks a worker over HTTP whether it can serve, again and again, until it answers as it should.
///
/// The question goes where a client's would: the worker is handed one end of a stream pair, and we
/// speak at the other.  So it needs no port, and proves the whole way of a connection.
///
/// An actor that lives as a shared pointer: a question under way keeps it until stop().
class Probe final : public std::enable_shared_from_this<Probe> {
public:
    /// Hands the worker a connection; the descriptor stays the caller's.
    using HandOver = std::function<std::error_code(int fd)>;

    /// Hears what became of the questions: the worker has `passed`, and nothing further is asked;
    /// or failure() says why not.  Called again only if that has changed.
    using Report = std::function<void(bool passed)>;

    /// `hand_over` and `report` are called until stop().  Each question is as `config` has it by
    /// then; none follows where it has no `probe` any more.
    Probe(const boost::asio::any_io_executor& executor, std::shared_ptr<const PoolConfig> config,
          HandOver hand_over, Report report);

    void start();

    /// Asks and reports nothing from now on.
    void stop() noexcept;

    /// What it asks for: `probe GET /health`.
    [[nodiscard]] std::string name() const;

    /// Why the worker is not ready: one clause, about the last question that has ended.
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

private:
    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] boost::asio::awaitable<std::string> ask();
    [[nodiscard]] boost::asio::awaitable<std::string> speak();
    [[nodiscard]] boost::asio::awaitable<void> read_to_end();
    [[nodiscard]] boost::asio::awaitable<void> pause(std::chrono::milliseconds duration);
    [[nodiscard]] std::string connect();
    void hang_up() noexcept;

    std::shared_ptr<const PoolConfig> config_;
    ProbeConfig question_; ///< the last one
    HandOver hand_over_;
    Report report_;
    boost::asio::local::stream_protocol::socket socket_; ///< our end of the pair
    boost::asio::steady_timer timer_;
    std::string failure_;
    bool stopped_ = false;
};

} // namespace usher
