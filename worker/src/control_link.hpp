// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/wire/control.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace usher::worker {

/// The worker's end of the control socket.
///
/// Must be owned by a shared pointer: a pending wait keeps it alive until close().
class ControlLink final : public std::enable_shared_from_this<ControlLink> {
public:
    ControlLink(boost::asio::io_context& io, sys::UniqueFd socket);

    /// Calls `on_drain` when the master says that no more connections will come.
    void start(std::function<void()> on_drain);

    /// Sends `packet`, and ignores that the master is gone or does not read.
    void send(const std::string& packet) noexcept;

    void close() noexcept;

private:
    void wait();
    [[nodiscard]] bool read_all();

    boost::asio::posix::stream_descriptor socket_;
    std::function<void()> on_drain_;
    std::unique_ptr<std::array<std::byte, wire::max_control_message>> buffer_;
};

} // namespace usher::worker
