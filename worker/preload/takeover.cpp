// SPDX-License-Identifier: MIT
#include "worker/preload/takeover.hpp"

#include "worker/preload/bound_table.hpp"
#include "worker/preload/descriptor.hpp"
#include "worker/preload/epoll_registrations.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/inherited_options.hpp"
#include "worker/preload/master_link.hpp"
#include "worker/preload/next.hpp"
#include "worker/preload/quiet.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

namespace usher::preload {

namespace {

/// What ScoreboardPage::chosen holds for a place; never 0.
std::uint32_t mark_of(const Address& address) noexcept
{
    constexpr std::uint32_t tcp = 0x1'0000;
    constexpr std::uint32_t unix_domain = 0x2'0000;
    if (address.is_tcp())
        return tcp | address.port();
    // One mark for all paths: a program has one such listener, or is told apart by its port.
    return unix_domain;
}

/// The queue of the pool's listener at the same port or path; queue_count if there is none.
std::size_t exact_match(const Address& address) noexcept
{
    const auto& all = inheritance();
    for (std::size_t i = 0; i < all.listener_count; ++i)
        if (same_place(all.listeners[i].address, address))
            return all.listeners[i].queue;
    return all.queue_count;
}

/// If the pool listens at one place only, the program may choose its own.
///
/// A Unix socket is never taken for a TCP listener: it is more often a control socket than what
/// clients connect to.
bool may_guess(const Address& address) noexcept
{
    const auto& all = inheritance();
    if (all.queue_count != 1)
        return false;
    if (all.asks_place)
        return address.is_tcp();
    const bool of_same_kind = address.is_tcp() == all.listeners[0].address.is_tcp();
    return address.is_tcp() || (address.family() == AF_UNIX && of_same_kind);
}

bool has_matched() noexcept
{
    return (inheritance().page->preload.load() & PreloadProgress::listens(0)) != 0;
}

enum class Choice { no, again, fresh };

/// The first place the program listens at, in whichever process, is the one; another address of
/// the same port, say for IPv6, is the same place.
Choice choose(const Address& address) noexcept
{
    if (!may_guess(address))
        return Choice::no;
    auto& chosen = inheritance().page->chosen;
    const auto mark = mark_of(address);
    if (chosen.load() == mark)
        return Choice::again;
    std::uint32_t nothing = 0;
    if (!has_matched() && chosen.compare_exchange_strong(nothing, mark))
        return Choice::fresh;
    return chosen.load() == mark ? Choice::again : Choice::no; // another was faster
}

void unchoose(const Address& address) noexcept
{
    auto mark = mark_of(address);
    inheritance().page->chosen.compare_exchange_strong(mark, 0);
}

bool is_v6only(int fd) noexcept
{
    int value = 0;
    socklen_t size = sizeof value;
    return next::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size) == 0 && value != 0;
}

/// Undoes a guess: the program's first listener was taken because there was no better one, and now
/// the right one has come.
void give_back(Listening& entry) noexcept
{
    if (!entry.is_guess)
        return;
    int fresh = ::socket(entry.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    next::setsockopt(fresh, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool listens = next::bind(fresh, &entry.wanted.any, entry.wanted.size) == 0 &&
                         next::listen(fresh, SOMAXCONN) == 0;
    if (!listens) {
        // Another worker has the port.  Better nobody comes in here than the wrong ones.
        ::close(fresh);
        fresh = make_quiet();
    }
    if (fresh >= 0) {
        replace(entry, fresh);
        ::close(fresh);
        forget_listening(entry);
    }
}

void copy_timeout(int from, int to) noexcept
{
    timeval timeout{};
    socklen_t size = sizeof timeout;
    if (next::getsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &timeout, &size) == 0)
        next::setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

/// Has `to` block, or not, as `from` does.  They may be one open file, like those of a listening
/// socket that is shared after fork().
void copy_blocking(int from, int to) noexcept
{
    const int flags = ::fcntl(from, F_GETFL);
    if (flags >= 0)
        ::fcntl(to, F_SETFL, flags & O_NONBLOCK);
}

/// A descriptor of `queue`: the one inherited, or one the program has already.
int open_queue(std::size_t queue) noexcept
{
    const auto& socket = inheritance().queues[queue].socket;
    return ::fcntl(is_there(socket) ? socket.fd : listening_at(queue), F_DUPFD_CLOEXEC, 3);
}

} // namespace

bool might_match(const Address& address) noexcept
{
    const auto& all = inheritance();
    if (exact_match(address) < all.queue_count)
        return true;
    const auto chosen = all.page->chosen.load();
    return may_guess(address) && (chosen == 0 ? !has_matched() : chosen == mark_of(address));
}

void replace(const Listening& entry, int replacement) noexcept
{
    const int fd = entry.fd.load();
    copy_blocking(fd, replacement);
    const int flags = ::fcntl(fd, F_GETFD);
    EpollRegistrations registrations{fd};
    ::dup3(replacement, fd, (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
    registrations.restore();
}

void prepare_bind(int fd) noexcept
{
    if (!inheritance().asks_place)
        return;
    const KeepErrno keep;
    const int on = 1;
    if (socket_option(fd, SO_TYPE) == SOCK_STREAM && socket_option(fd, SO_DOMAIN) != AF_UNIX)
        next::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

bool may_bind(int fd, const Address& wanted) noexcept
{
    return !inheritance().asks_place ||
           ask_master(Wish::bind, wanted, is_v6only(fd)).code == ShimVerdict::granted;
}

bool is_pools_file(int folder, const char* path) noexcept
{
    const KeepErrno keep;
    struct stat file {};
    const auto& all = inheritance();
    for (std::size_t i = 0; path != nullptr && i < all.listener_count; ++i) {
        const auto& address = all.listeners[i].address;
        struct stat own {};
        if (address.size > 0 && address.family() == AF_UNIX &&
            ::fstatat(folder, path, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(file.st_mode) &&
            ::lstat(address.local.sun_path, &own) == 0 && own.st_dev == file.st_dev &&
            own.st_ino == file.st_ino)
            return true;
    }
    return false;
}

bool is_still_free(const sockaddr* address, socklen_t size) noexcept
{
    if (address == nullptr || size <= sizeof address->sa_family || address->sa_family != AF_UNIX ||
        has_matched())
        return false;
    const auto wanted = copy_of(address, size); // ends with a zero byte, whatever its size
    return is_pools_file(AT_FDCWD, wanted.local.sun_path);
}

std::optional<int> take_over(int fd, const Address& wanted) noexcept
{
    auto& all = inheritance();
    auto queue = exact_match(wanted);
    const bool is_guess = queue == all.queue_count;
    auto choice = Choice::again;
    if (is_guess) {
        choice = choose(wanted);
        if (choice == Choice::no)
            return std::nullopt;
        queue = 0;
    }
    Verdict verdict;
    if (all.asks()) {
        verdict = ask_master(Wish::listen, wanted, is_v6only(fd));
        if (verdict.code != ShimVerdict::granted) {
            if (choice == Choice::fresh && !has_matched())
                unchoose(wanted);
            if (verdict.code >= ShimVerdict::own)
                return std::nullopt;
            errno = static_cast<int>(verdict.code);
            return -1;
        }
    }
    if (!is_guess && all.page->chosen.exchange(0) != 0)
        for_each_listening(give_back);

    const int socket = open_queue(queue);
    if (socket < 0)
        return -1;
    copy_timeout(fd, socket);
    auto* const entry = add_listening(fd, queue, socket_option(fd, SO_DOMAIN), wanted, is_guess);
    if (entry == nullptr) {
        ::close(socket);
        errno = ENOBUFS;
        return -1;
    }
    entry->real = verdict.address;
    entry->v6only = is_v6only(fd);
    // What the program starts from now on is not the server.  Until now it may have been: a shell,
    // env, a launcher.
    if (is_there(all.queues[queue].socket))
        ::fcntl(all.queues[queue].socket.fd, F_SETFD, FD_CLOEXEC);
    (void)take_bound(fd);
    const auto family = entry->family;
    const auto* const other = find_family(queue, family == AF_INET ? AF_INET6 : AF_INET);
    note_options(queue, family, fd, other == nullptr && listening_at(queue) < 0);
    // Two sockets for one queue: that for IPv6 can show clients of both families, that for IPv4
    // cannot, so nobody comes in there.
    const int quiet = other != nullptr ? stand_in_for(all.queues[queue]) : -1;
    replace(*entry, family == AF_INET && quiet >= 0 ? quiet : socket);
    if (family == AF_INET6 && quiet >= 0)
        replace(*other, quiet);
    ::close(socket);
    say_listening(queue);
    return 0;
}

Listening* recognize(int fd) noexcept
{
    const auto& all = inheritance();
    const auto queue = all.find_queue(inode_of(fd));
    if (queue == all.queue_count)
        return nullptr;

    Address wanted;
    for (std::size_t i = 0; i < all.listener_count; ++i)
        if (all.listeners[i].queue == queue)
            wanted = all.listeners[i].address;
    if (wanted.size == 0) // the pool did not know yet where it listens
        wanted = from_wire(all.page->place);
    return add_listening(fd, queue, wanted.family(), wanted, false);
}

} // namespace usher::preload
