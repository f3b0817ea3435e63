// SPDX-License-Identifier: MIT
#include "balancer/admin/control_client.hpp"

#include "balancer/admin/control_path.hpp"
#include "balancer/admin/status_text.hpp"
#include "common/sys/socket_address.hpp"
#include "common/sys/syscall.hpp"
#include "common/sys/unique_fd.hpp"

#include <array>
#include <cstdio>
#include <optional>
#include <string_view>

#include <sys/socket.h>

namespace usher {

namespace {

/// Reads lines from a socket, blocking.
class LineReader {
public:
    explicit LineReader(int socket) noexcept : socket_{socket} {}

    /// The next line without its end; nothing at the end of the stream.
    [[nodiscard]] std::optional<std::string> next()
    {
        for (;;) {
            if (const auto end = buffer_.find('\n'); end != std::string::npos) {
                auto line = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                return line;
            }
            std::array<char, 4096> chunk;
            const auto size =
                sys::retry_on_eintr([&] { return ::recv(socket_, chunk.data(), chunk.size(), 0); });
            if (size <= 0)
                return std::nullopt;
            buffer_.append(chunk.data(), static_cast<std::size_t>(size));
        }
    }

private:
    int socket_;
    std::string buffer_;
};

bool send_all(int socket, std::string_view text) noexcept
{
    while (!text.empty()) {
        const auto sent = sys::retry_on_eintr(
            [&] { return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL); });
        if (sent < 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void print(std::FILE* where, const std::string& line)
{
    std::fprintf(where, "%s\n", line.c_str());
    std::fflush(where); // `usher events` is read as it comes, also through a pipe
}

} // namespace

ExitCode ask_master(const ControlCommand& command)
{
    const auto path = command.path.empty() ? default_control_path() : command.path;
    const auto address = sys::SocketAddress::unix_path(path);
    const sys::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket || ::connect(socket.get(), address.data(), address.size()) < 0) {
        print(stderr, "usher: no master answers at " + path + ": " + sys::last_error().message() +
                          "; is it running, with another --control?");
        return ExitCode::not_running;
    }
    if (!send_all(socket.get(), encode(command.request))) {
        print(stderr, "usher: the master at " + path + " hung up");
        return ExitCode::not_running;
    }

    LineReader reader{socket.get()};
    while (const auto text = reader.next()) {
        const auto line = decode_line(*text);
        if (line.kind == Line::Kind::result) {
            if (line.code != ExitCode::done)
                print(stderr, "usher: " + line.text);
            else if (!line.text.empty() && !command.json)
                print(stdout, line.text);
            return line.code;
        }
        if (command.json)
            print(stdout, line.kind == Line::Kind::status ? line.text : *text);
        else if (line.kind == Line::Kind::status)
            print(stdout, status_text(line.text));
        else
            print(stdout, line.text);
    }
    // A master that was told to stop is gone before it can say so.
    if (std::holds_alternative<StopRequest>(command.request) ||
        std::holds_alternative<EventsRequest>(command.request))
        return ExitCode::done;
    print(stderr, "usher: the master at " + path + " ended before it answered");
    return ExitCode::failed;
}

} // namespace usher
