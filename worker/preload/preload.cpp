// SPDX-License-Identifier: MIT
// What the program sees of this library: functions of libc's names, in front of libc's own.
//
// Each passes on at once what is not about a listening socket of a worker; in a process that is no
// worker that is everything.
#include "worker/preload/bound_table.hpp"
#include "worker/preload/connection_table.hpp"
#include "worker/preload/descriptor.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/inherited_options.hpp"
#include "worker/preload/master_link.hpp"
#include "worker/preload/next.hpp"
#include "worker/preload/take.hpp"
#include "worker/preload/takeover.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

using namespace usher;
using namespace usher::preload;

namespace {

[[gnu::constructor]] void begin() noexcept
{
    const KeepErrno keep;
    next::look_up();
    take_inheritance();
    if (!inheritance().is_active())
        return;
    make_connection_table();
    say_loaded();
}

bool is_worker() noexcept
{
    return inheritance().is_active();
}

/// The address of the pool's listener behind a listening socket, as its program expects it.
Address real_address(const Listening& entry) noexcept
{
    const auto& all = inheritance();
    if (entry.real.size > 0)
        return in_family(entry.real, entry.family);
    const PoolListener* best = nullptr;
    for (std::size_t i = 0; i < all.listener_count; ++i) {
        const auto& listener = all.listeners[i];
        const bool fits = listener.address.family() == entry.family;
        if (listener.queue == entry.queue &&
            (best == nullptr || (fits && best->address.family() != entry.family)))
            best = &listener;
    }
    return best == nullptr || best->address.size == 0 ? entry.wanted
                                                      : in_family(best->address, entry.family);
}

/// The bind() that was put off until it was clear that the socket is not the pool's.
int bind_after_all(int fd) noexcept
{
    const auto address = take_bound(fd);
    return address.size > 0 ? next::bind(fd, &address.any, address.size) : 0;
}

/// What only a socket that listens answers so, at SOL_SOCKET.
std::optional<int> listening_option(const Listening& entry, int option) noexcept
{
    switch (option) {
    case SO_ACCEPTCONN:
        return 1;
    case SO_DOMAIN:
        return entry.family;
    case SO_TYPE:
        return SOCK_STREAM;
    case SO_PROTOCOL:
        return entry.family == AF_UNIX ? 0 : IPPROTO_TCP;
    default:
        return std::nullopt;
    }
}

/// Answers for one end of a connection: what the master knew of it, or else what the kernel says.
template <typename Question>
int tell(const WireAddress& known, Question& question, int fd, int family, sockaddr* out,
         socklen_t* size) noexcept
{
    Address address = from_wire(known);
    if (address.size == 0)
        address = ask(question, fd);
    if (address.size == 0)
        return -1;
    write_address(in_family(address, family), out, size);
    return 0;
}

/// A listening socket that another process has left us, whose option a program has asked for in
/// vain: of a Unix socket's peer the kernel knows none of TCP's.
const Listening* found_by_option(int fd, int level) noexcept
{
    if (errno != EOPNOTSUPP || level == SOL_SOCKET || !is_worker())
        return nullptr;
    const KeepErrno keep;
    return recognize(fd);
}

int accept_any(int fd, sockaddr* address, socklen_t* size, int flags)
{
    auto* entry = find_listening(fd);
    if (entry == nullptr) {
        const int connection = next::accept4(fd, address, size, flags);
        // Of a hand-off socket the kernel says that it does not listen; of what stands in for one,
        // that it cannot.
        const int error = errno;
        if (connection >= 0 || (error != EINVAL && error != EOPNOTSUPP))
            return connection;
        entry = recognize(fd);
        if (entry == nullptr) {
            errno = error;
            return -1;
        }
    }
    const int connection = take_connection(*entry, fd, address, size, flags);
    if (connection >= 0 || errno != ENOTSOCK)
        return connection;
    forget_listening(*entry);
    return next::accept4(fd, address, size, flags);
}

} // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" {

[[gnu::visibility("default")]] int bind(int fd, const sockaddr* address, socklen_t size) noexcept
{
    if (is_worker())
        prepare_bind(fd);
    const int result = next::bind(fd, address, size);
    if (result == 0 || !is_worker() || (errno != EADDRINUSE && errno != EACCES))
        return result;

    // The master listens there, or another worker has just been told that it is bound there.
    const int error = errno;
    const auto wanted = copy_of(address, size);
    const bool is_ours = (error == EADDRINUSE || wanted.is_tcp()) && might_match(wanted) &&
                         socket_option(fd, SO_TYPE) == SOCK_STREAM && may_bind(fd, wanted) &&
                         remember_bound(fd, wanted);
    errno = error;
    return is_ours ? 0 : -1;
}

[[gnu::visibility("default")]] int listen(int fd, int backlog) noexcept
{
    if (!is_worker()) // but it may have been until it said `hello` itself
        return bind_after_all(fd) < 0 ? -1 : next::listen(fd, backlog);
    if (is_listening(fd) != nullptr)
        return 0; // the backlog is the master's
    if (socket_option(fd, SO_TYPE) != SOCK_STREAM)
        return recognize(fd) != nullptr ? 0 : next::listen(fd, backlog);

    const auto believed = find_bound(fd);
    if (const auto taken = take_over(fd, believed.size > 0 ? believed : ask(next::getsockname, fd)))
        return *taken;
    return bind_after_all(fd) < 0 ? -1 : next::listen(fd, backlog);
}

[[gnu::visibility("default")]] int accept(int fd, sockaddr* address, socklen_t* size)
{
    return accept_any(fd, address, size, 0);
}

[[gnu::visibility("default")]] int accept4(int fd, sockaddr* address, socklen_t* size, int flags)
{
    return accept_any(fd, address, size, flags);
}

[[gnu::visibility("default")]] int connect(int fd, const sockaddr* address, socklen_t size)
{
    // So Puma asks whether another server has its Unix socket.
    if (is_worker() && is_still_free(address, size)) {
        errno = ECONNREFUSED;
        return -1;
    }
    return bind_after_all(fd) < 0 ? -1 : next::connect(fd, address, size);
}

// libuv's way to a program, in the child that it has forked.
[[gnu::visibility("default")]] int execvp(const char* file, char* const arguments[]) noexcept
{
    if (is_worker() && std::getenv("NODE_UNIQUE_ID") != nullptr)
        say_node_primary();
    return next::execvp(file, arguments);
}

[[gnu::visibility("default")]] int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept
{
    if (!is_worker())
        return next::getsockname(fd, address, size);
    const socklen_t room = size != nullptr ? *size : 0;
    if (const auto* const entry = is_listening(fd)) {
        write_address(real_address(*entry), address, size);
        return 0;
    }
    if (const auto believed = find_bound(fd); believed.size > 0) {
        write_address(believed, address, size);
        return 0;
    }
    if (const auto facts = find_facts(fd))
        return tell(facts->local, next::getsockname, fd, facts->family, address, size);
    const int result = next::getsockname(fd, address, size);
    // An unnamed Unix socket may be a listening socket that another process has left us.
    if (result < 0 || address == nullptr || address->sa_family != AF_UNIX ||
        *size > sizeof address->sa_family)
        return result;
    if (const auto* const entry = recognize(fd)) {
        *size = room;
        write_address(real_address(*entry), address, size);
    }
    return 0;
}

[[gnu::visibility("default")]] int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept
{
    if (!is_worker())
        return next::getpeername(fd, address, size);
    if (const auto facts = find_facts(fd))
        return tell(facts->peer, next::getpeername, fd, facts->family, address, size);
    const int result = next::getpeername(fd, address, size);
    // A hand-off socket has a peer, a listening socket has none.
    if (result == 0 && is_listening(fd) != nullptr) {
        errno = ENOTCONN;
        return -1;
    }
    return result;
}

[[gnu::visibility("default")]] int getsockopt(int fd, int level, int option, void* value,
                                              socklen_t* size) noexcept
{
    const auto* entry = is_worker() ? is_listening(fd) : nullptr;
    if (entry == nullptr) {
        const int result = next::getsockopt(fd, level, option, value, size);
        entry = result < 0 ? found_by_option(fd, level) : nullptr;
        if (entry == nullptr)
            return result;
    }
    const auto answer = level == SOL_SOCKET ? listening_option(*entry, option) : std::nullopt;
    if (!answer || value == nullptr || size == nullptr)
        return get_listening_option(*entry, level, option, value, size);
    *size = std::min(*size, static_cast<socklen_t>(sizeof *answer));
    std::memcpy(value, &*answer, *size);
    return 0;
}

[[gnu::visibility("default")]] int setsockopt(int fd, int level, int option, const void* value,
                                              socklen_t size) noexcept
{
    const auto* entry = is_worker() ? is_listening(fd) : nullptr;
    if (entry == nullptr) {
        const int result = next::setsockopt(fd, level, option, value, size);
        entry = result < 0 ? found_by_option(fd, level) : nullptr;
        if (entry == nullptr)
            return result;
    }
    return set_listening_option(*entry, level, option, value, size);
}

// Servers remove the file of their Unix socket before they bind it, and when they end.

[[gnu::visibility("default")]] int unlink(const char* path) noexcept
{
    return is_worker() && is_pools_file(AT_FDCWD, path) ? 0 : next::unlink(path);
}

[[gnu::visibility("default")]] int unlinkat(int folder, const char* path, int flags) noexcept
{
    return is_worker() && is_pools_file(folder, path) ? 0 : next::unlinkat(folder, path, flags);
}

[[gnu::visibility("default")]] int remove(const char* path) noexcept
{
    return is_worker() && is_pools_file(AT_FDCWD, path) ? 0 : next::remove(path);
}

} // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
