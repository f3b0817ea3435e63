// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/listen/listening_socket.hpp"

#include <optional>
#include <string>
#include <vector>

namespace usher {

/// Listening sockets that were open when this process began, and the listeners they are for.
///
/// Their files are those of whoever opened them: never removed, never changed.
class InheritedSockets {
public:
    InheritedSockets() noexcept = default;

    /// Takes over `fd`, which its giver calls `name`, and makes it non-blocking.
    ///
    /// Throws std::runtime_error if it is not a listening stream socket.
    void add(sys::UniqueFd fd, std::string name);

    /// Finds which of `listeners` each socket is for: the one of its name, or else one that is to
    /// listen where it does.  Closes those that are for none, and returns a sentence for each.
    ///
    /// Throws std::runtime_error if the host of a listener cannot be resolved.
    [[nodiscard]] std::vector<std::string> assign(const std::vector<ListenConfig>& listeners);

    /// Which of those that were closed keeps a listener from `address`, as long as whoever has
    /// given it to us has it, too: what it is called.  Empty if none does.
    [[nodiscard]] std::string obstacle_at(const sys::SocketAddress& address) const;

    /// The sockets for `listen`, which are the caller's from then on; none: it has to open its own.
    [[nodiscard]] std::vector<ListeningSocket> take(const ListenConfig& listen, unsigned backlog);

private:
    struct Socket {
        ListeningSocket socket;
        std::string name;
        std::optional<ListenConfig> listener{}; ///< whose it is, until that has taken it
    };

    std::vector<Socket> sockets_;
    std::vector<Socket> closed_; ///< by assign(), without their descriptors
};

} // namespace usher
