// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// What goes over the channel between Node's `cluster` and its workers: JSON values.
///
///     worker                          usher
///        online ─────────────────────▶            Node runs
///        queryServer ────────────────▶            it calls listen()
///                ◀──────────────────── its answer
///        listening ──────────────────▶            ready
///                ◀──────────────────── newconn, with a connection
///        HANDLE_ACK, accepted ───────▶
///                ◀──────────────────── disconnect
///        close ──────────────────────▶            for each of its servers; then end-of-file
namespace usher {

/// Where a worker's server wants to listen.
struct ServerRequest {
    enum class Kind { stream, datagram4, datagram6 };

    std::uint64_t seq = 0;  ///< what the answer names
    std::string fault;      ///< why it cannot be answered with a server, one clause; else empty
    std::int64_t index = 0; ///< the how many-th of its kind in the worker
    Kind kind = Kind::stream;
    std::optional<std::string> address; ///< none: every interface; a path if `is_path`
    bool is_path = false;
    int port = 0;
    int fd = -1; ///< a descriptor of the master's to use instead
    int backlog = 0;
    bool v6only = false;
    bool reuse_address = false; ///< of a UDP socket
    bool readable_all = false;  ///< of a Unix socket's file
    bool writable_all = false;

    /// Every server's are kept, and go to every worker that has it.
    static constexpr std::size_t longest_data = 64UL * 1024;
    std::string data = "null"; ///< JSON, e.g. the TLS ticket keys

    [[nodiscard]] bool is_datagram() const noexcept { return kind != Kind::stream; }

    /// What makes two requests the same.
    [[nodiscard]] std::string identity() const;
};

namespace node {

struct Online {};
struct QueryServer {
    ServerRequest request;
};
struct Listening {};
/// The answer to a connection.
struct ConnectionReply {
    std::uint64_t ack = 0;
    bool accepted = false;
};
struct CloseServer {
    std::string key;
};
struct ExitedAfterDisconnect {
    std::uint64_t seq = 0;
};
/// The answer to a descriptor.
struct HandleReply {
    bool arrived = false;
};
/// What the program itself has sent; any value.
struct UserMessage {
    /// No more of its bytes are shown to people.
    static constexpr std::size_t most_shown = 3072; // a line of the log takes that

    /// As JSON; if it is long, the beginning and a note; a note alone if JSON cannot say it.
    std::string text;
};
/// A descriptor of the worker's comes with it.
struct Handle {
    UserMessage message; ///< that its program sent with it
};
/// What became of the connections that its program has sent?  They were closed at once.
struct SocketQuestion {
    std::string answer; ///< JSON
};
/// Node's own, and of no interest.
struct Ignored {};
struct Malformed {
    std::string reason; ///< one clause
};

using Message = std::variant<Online, QueryServer, Listening, ConnectionReply, CloseServer,
                             ExitedAfterDisconnect, HandleReply, Handle, SocketQuestion,
                             UserMessage, Ignored, Malformed>;

/// No message of Node's own is longer, but for those that carry one of the program's: all of it is
/// built to be read, which takes many times its size.
inline constexpr std::size_t longest_internal = 256UL * 1024;

/// Reads one message.  Never throws for what is in it: that is Malformed.
///
/// A longer one than `longest_internal` is Node's own if it begins with the command, as Node writes
/// it, else the program's, of which no more than the beginning is read.
[[nodiscard]] Message decode(std::string_view text);

/// What stands for one of Node's own that is longer.
[[nodiscard]] Malformed too_long_internal();

/// What stands for a message of `size` bytes that is not shown.
[[nodiscard]] std::string size_note(std::size_t size);

/// The beginning of `text`, which is UTF-8, and the note that the whole has `size` bytes.
[[nodiscard]] std::string cut_short(std::string_view text, std::size_t size);

// All that is encoded is JSON on one line, without its end.

/// The address without the port, as Node writes it.
[[nodiscard]] std::string host_of(const sys::SocketAddress& address);

/// The answer to a server request.  `error` is 0 or an errno; `data` JSON; `name` is where the
/// server listens, as far as the worker shall see it.
[[nodiscard]] std::string encode_answer(std::uint64_t ack, std::string_view key, int error,
                                        std::string_view data, const sys::SocketAddress& name = {});

/// `message` as it goes with the descriptor of a stream or datagram socket.
[[nodiscard]] std::string encode_with_handle(std::string_view message, bool datagram = false);

/// Goes with a connection for the server `key`.
[[nodiscard]] std::string encode_connection(std::string_view key, std::uint64_t seq);

inline constexpr std::string_view disconnect =
    R"({"cmd":"NODE_CLUSTER","act":"disconnect","seq":0})";

[[nodiscard]] std::string encode_ack(std::uint64_t ack);
[[nodiscard]] std::string encode_handle_ack(bool arrived);

} // namespace node

} // namespace usher
