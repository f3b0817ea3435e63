// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <optional>
#include <set>
#include <system_error>
#include <vector>

namespace usher {

/// Listening sockets at one address, between which the kernel deals the connections: a group of
/// SO_REUSEPORT (socket(7)).  The destructor closes ours only: who has been given one goes on
/// listening.
///
/// Left to itself the kernel sends connections to every socket that listens, also to one whose
/// worker does not take any yet, or no longer.  steer() says which are meant.
class ReuseportGroup {
public:
    /// `holder` is bound to `address` with SO_REUSEPORT and does not listen.
    ReuseportGroup(sys::UniqueFd holder, const sys::SocketAddress& address, bool v6only,
                   unsigned backlog);

    /// Another socket that listens; it stays the group's.  Throws AddressInUse, std::system_error.
    [[nodiscard]] int add();

    /// Whoever is given one of its sockets, now or later, can neither filter what comes to it nor
    /// steer: see sys::lock_filter().  Throws std::system_error.
    ///
    /// The kernel still lets them end what steer() has said, until it is said anew: then some
    /// connections go to the guard, which does not answer, and are tried again and again.  And by
    /// shutdown() and listen(), one soon after the other, they change the order of the sockets
    /// unseen: then others get what was meant for one of these, but never the guard.  That ends
    /// with remove() of the same socket if none was added in between, and else when the group has
    /// no more than one.
    void lock();

    /// `socket` listens no longer, for whoever has it, nor again if it is locked: see
    /// sys::disown(). What waits there is reset, unless the system lets others have it
    /// (net.ipv4.tcp_migrate_req). Steer anew.
    void remove(int socket) noexcept;

    /// New connections go to these of its sockets, each as likely as the other.  What waits
    /// elsewhere stays there.
    ///
    /// After an error they go to all of its sockets, or those of before if it is locked.
    [[nodiscard]] std::error_code steer(const std::set<int>& sockets);

    /// Of all its sockets, and of those that are added.
    void set_backlog(unsigned backlog) noexcept;

private:
    [[nodiscard]] sys::UniqueFd open(std::optional<unsigned> backlog) const;
    void look_for_shut() noexcept;
    void make_room();
    void add_guard();
    void remove_lonely_guard() noexcept;

    sys::UniqueFd holder_;
    sys::SocketAddress address_;
    bool v6only_;
    unsigned backlog_;
    bool is_locked_ = false;

    /// Of `sockets_`, but nobody is given it: by those that are locked none can steer.  It is the
    /// first, which the kernel never moves, as soon as those are gone that were there before it.
    int guard_ = -1;

    std::vector<sys::UniqueFd>
        sockets_;                     ///< that listen, in the kernel's order: see look_for_shut()
    std::vector<sys::UniqueFd> shut_; ///< the others
};

} // namespace usher
