// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

/// The control messages: one JSON object a packet, `{"type": ...}`, at most 4 KiB, both ways
/// on a SOCK_SEQPACKET socket.
///
///     worker → master   {"type":"hello","protocol":1,"max_batch":64,"fallback":"127.0.0.1:8000"}
///     first
///                       {"type":"ready"}                       connections may come
///                       {"type":"bye","reason":"..."}          about to exit by itself
///     master → worker   {"type":"welcome","protocol":1,"id":7,"slot":2,"generation":1}
///                       {"type":"drain","timeout_ms":30000}    no further connection will come
///
/// The preload shim says two more, which are no part of the protocol:
///
///     {"type":"listen","question":1,"address":"[::]:3000","v6only":false,"bind":false}
///     {"type":"node-primary"}     the program forks workers of Node's cluster
///
/// A type that is not known is ignored and counted, so that either side may be newer.
namespace usher::wire {

inline constexpr std::size_t max_control_message = 4UL * 1024;

struct Hello {
    int protocol = 0;
    std::size_t max_batch = 64; ///< most records per hand-off packet, 1..64
    std::string fallback{};     ///< where it would listen without a master; empty: it does not say
    friend bool operator==(const Hello&, const Hello&) = default;
};

struct Ready {
    friend bool operator==(const Ready&, const Ready&) = default;
};

struct Bye {
    std::string reason;
    friend bool operator==(const Bye&, const Bye&) = default;
};

/// The shim asks whether a socket of its program's is the pool's; the answer comes by the
/// scoreboard.
struct ListenQuestion {
    std::uint32_t number = 0;
    std::string address; ///< where the program wants to listen, as sys::SocketAddress writes it
    bool v6only = false;
    bool is_bind = false; ///< bind() has failed, so that nothing is to be opened yet
    friend bool operator==(const ListenQuestion&, const ListenQuestion&) = default;
};

/// The shim has seen its program fork a worker of Node's cluster.
struct NodePrimary {
    friend bool operator==(const NodePrimary&, const NodePrimary&) = default;
};

/// A message of a type this version does not know.
struct UnknownMessage {
    std::string type;
    friend bool operator==(const UnknownMessage&, const UnknownMessage&) = default;
};

/// Bytes that are no control message.
struct MalformedMessage {
    std::string reason; ///< one clause: what is wrong, and where
    friend bool operator==(const MalformedMessage&, const MalformedMessage&) = default;
};

/// What a worker says.
using ControlMessage =
    std::variant<Hello, Ready, Bye, ListenQuestion, NodePrimary, UnknownMessage, MalformedMessage>;

/// Reads a worker's packet.  Never throws for what is in it: bad input is MalformedMessage.
[[nodiscard]] ControlMessage decode_control(std::string_view packet);

/// What the master says.
[[nodiscard]] std::string encode_welcome(std::uint64_t worker_id, unsigned slot,
                                         unsigned generation);
[[nodiscard]] std::string encode_drain(std::chrono::milliseconds timeout);

} // namespace usher::wire
