// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace usher::test {

/// An answer as it came over the wire.
struct HttpAnswer {
    std::string head;
    std::string body;

    [[nodiscard]] bool ok() const
    {
        return head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.0 200");
    }
    [[nodiscard]] std::string header(std::string_view name) const; ///< empty if there is none
    [[nodiscard]] int slot() const { return std::stoi("0" + header("X-Slot")); }
    [[nodiscard]] int pid() const { return std::stoi("0" + header("X-Pid")); }
};

/// One blocking client connection.  Everything throws std::runtime_error if it is refused, reset,
/// cut short, or takes longer than `limit`.
class HttpClient {
public:
    static constexpr std::chrono::seconds limit{60};

    explicit HttpClient(std::uint16_t port);           ///< connects to 127.0.0.1
    explicit HttpClient(const std::string& unix_path); ///< connects to a Unix socket
    explicit HttpClient(const sys::SocketAddress& address);

    void send(std::string_view bytes) const;

    /// Sends a request without a body; `close`: ask for the end of the connection after it.
    void send_get(std::string_view target, bool close = true) const;

    /// Reads one answer, as long as its Content-Length says.
    [[nodiscard]] HttpAnswer read_answer();

    /// Reads up to the end of a line.
    [[nodiscard]] std::string read_line();

    /// True if something has come that was not read as a line or an answer.
    [[nodiscard]] bool has_rest() const noexcept { return !buffer_.empty(); }

    /// True if there is something to read now.
    [[nodiscard]] bool has_answer() const;

    /// True if the other side ends the connection within `within`, cleanly.
    [[nodiscard]] bool sees_end(std::chrono::milliseconds within);

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    void close() { socket_.reset(); }

private:
    void fill();

    sys::UniqueFd socket_;
    std::string buffer_;
};

/// One connection, one request.
[[nodiscard]] HttpAnswer get(std::uint16_t port, std::string_view target);

} // namespace usher::test
