// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/listen/listening_socket.hpp"
#include "balancer/listen/socket_file.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace usher {

/// The Unix listeners that a configuration asks for, opened where waiting for a disk holds up
/// nobody.
class UnixListeners {
public:
    struct Wanted {
        ListenConfig config;
        unsigned backlog;
        SocketFile held;            ///< of the listener that is open there already, if it is
        bool needs_workers = false; ///< what is opened is of use only to workers that are started
        bool is_inherited = false;  ///< the one that is open there: it stays, its file is others'
    };

    /// Opens those of `wanted` that are not open, and anew those whose file somebody has removed.
    /// What goes wrong is thrown by take().
    void open(const std::vector<Wanted>& wanted);

    /// The same for those of `wanted` alone that are open, and whose file somebody has removed
    /// without putting another in its place; of what is of use only to new workers notes() says so.
    void open_lost(std::vector<Wanted> wanted);

    /// True if nothing was opened, nor tried.
    [[nodiscard]] bool is_empty() const noexcept { return entries_.empty(); }

    /// True if it is known what becomes of `address`, where somebody listens already or not.
    [[nodiscard]] bool knows(const sys::SocketAddress& address, bool is_held) const noexcept;

    /// True if the file of the listener that is open at `address` is gone, so that no client finds
    /// it: another is to take its place.
    [[nodiscard]] bool replaces(const sys::SocketAddress& address) const noexcept;

    /// What is to be said of those that are open and stay as they are, although their file is gone.
    [[nodiscard]] std::vector<std::string> notes() const;

    /// The socket for `config`, which is the caller's from then on; nothing: it is not opened here.
    [[nodiscard]] std::optional<ListeningSocket> take(const ListenConfig& config);

private:
    struct Kept {
        std::string_view loss{}; ///< what is to be said of its file; empty: that is there
    };
    struct Entry {
        sys::SocketAddress address;
        std::variant<Kept, ListeningSocket, std::exception_ptr> result;
    };

    [[nodiscard]] const Entry* find(const sys::SocketAddress& address) const noexcept;

    std::vector<Entry> entries_;
};

} // namespace usher
