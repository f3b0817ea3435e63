// SPDX-License-Identifier: MIT
#include "worker/preload/inherited_options.hpp"

#include "common/scoreboard_page.hpp"
#include "worker/preload/descriptor.hpp"
#include "worker/preload/inheritance.hpp"
#include "worker/preload/next.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace usher::preload {

namespace {

enum Families : unsigned { ipv4 = 1, ipv6 = 2, any_ip = ipv4 | ipv6, local = 4 };

/// An option that a connection inherits.
struct Option {
    int level;
    int number;
    Families families = any_ip; ///< the listening sockets that have it
    bool is_doubled = false;    ///< the kernel answers twice what it was told: socket(7)
};

// tcp(7), socket(7), ip(7), ipv6(7), and sock_setsockopt() for those that have no manual page.  Not
// what chooses who may connect (devices, filters), which is the master's listener's, nor what needs
// more rights on each connection than it needed on the listener.
constexpr std::array inherited{
    Option{SOL_SOCKET, SO_BUSY_POLL},
    Option{SOL_SOCKET, SO_DONTROUTE},
    Option{SOL_SOCKET, SO_KEEPALIVE},
    Option{SOL_SOCKET, SO_LINGER},
    Option{SOL_SOCKET, SO_MARK},
    Option{SOL_SOCKET, SO_MAX_PACING_RATE},
    Option{SOL_SOCKET, SO_OOBINLINE},
    Option{SOL_SOCKET, SO_PASSCRED, local},
    Option{SOL_SOCKET, SO_PASSSEC, local},
    Option{SOL_SOCKET, SO_RCVBUF, any_ip, true},
    Option{SOL_SOCKET, SO_RCVLOWAT},
    Option{SOL_SOCKET, SO_RCVTIMEO},
    Option{SOL_SOCKET, SO_SNDBUF, any_ip, true},
    Option{SOL_SOCKET, SO_SNDTIMEO},
    Option{SOL_SOCKET, SO_TIMESTAMP},
    Option{SOL_SOCKET, SO_TIMESTAMPING},
    Option{SOL_SOCKET, SO_TIMESTAMPNS},
    Option{SOL_SOCKET, SO_ZEROCOPY},
    Option{IPPROTO_TCP, TCP_CONGESTION},
    Option{IPPROTO_TCP, TCP_CORK},
    Option{IPPROTO_TCP, TCP_INQ},
    Option{IPPROTO_TCP, TCP_KEEPCNT},
    Option{IPPROTO_TCP, TCP_KEEPIDLE},
    Option{IPPROTO_TCP, TCP_KEEPINTVL},
    Option{IPPROTO_TCP, TCP_LINGER2},
    Option{IPPROTO_TCP, TCP_MAXSEG},
    Option{IPPROTO_TCP, TCP_NODELAY},
    Option{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    Option{IPPROTO_TCP, TCP_QUICKACK},
    Option{IPPROTO_TCP, TCP_SYNCNT},
    Option{IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    Option{IPPROTO_TCP, TCP_TX_DELAY},
    Option{IPPROTO_TCP, TCP_USER_TIMEOUT},
    Option{IPPROTO_TCP, TCP_WINDOW_CLAMP},
    Option{IPPROTO_IP, IP_MINTTL},
    Option{IPPROTO_IP, IP_MTU_DISCOVER},
    Option{IPPROTO_IP, IP_RECVERR},
    Option{IPPROTO_IP, IP_TOS},
    Option{IPPROTO_IP, IP_TTL},
    Option{IPPROTO_IPV6, IPV6_DONTFRAG, ipv6},
    Option{IPPROTO_IPV6, IPV6_MINHOPCOUNT, ipv6},
    Option{IPPROTO_IPV6, IPV6_MTU_DISCOVER, ipv6},
    Option{IPPROTO_IPV6, IPV6_RECVERR, ipv6},
    Option{IPPROTO_IPV6, IPV6_TCLASS, ipv6},
    Option{IPPROTO_IPV6, IPV6_UNICAST_HOPS, ipv6},
    Option{SOL_SOCKET, SO_PRIORITY}, // the last to be set: IP_TOS changes it as well
};

/// The largest are timeval and the name of a congestion control.
struct Value {
    alignas(std::uint64_t) std::array<std::byte, 16> bytes{};
    socklen_t size = 0; ///< 0: none

    bool operator==(const Value&) const = default;
};

/// A socket as the program made its own, to ask the kernel what it would say of that.
class FreshSocket {
public:
    explicit FreshSocket(int family) noexcept : fd_{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        // Which a program that attaches a filter to a group after listen() has set before.
        const int on = 1;
        next::setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    FreshSocket(const FreshSocket&) = delete;
    FreshSocket& operator=(const FreshSocket&) = delete;
    ~FreshSocket()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }

    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

Families families_of(int family) noexcept
{
    return family == AF_INET ? ipv4 : family == AF_INET6 ? ipv6 : local;
}

Value read_option(int fd, const Option& option) noexcept
{
    Value value;
    value.size = value.bytes.size();
    if (next::getsockopt(fd, option.level, option.number, value.bytes.data(), &value.size) < 0)
        return {};
    if (option.level == IPPROTO_TCP && option.number == TCP_CONGESTION) {
        // The kernel fills up with zeros, which are no part of the name.
        const auto end = std::find(value.bytes.begin(), value.bytes.end(), std::byte{0});
        value.size = static_cast<socklen_t>(end - value.bytes.begin());
    }
    if (option.is_doubled) {
        int number = 0;
        std::memcpy(&number, value.bytes.data(), sizeof number);
        number /= 2;
        std::memcpy(value.bytes.data(), &number, sizeof number);
    }
    return value;
}

/// What stands for an option of a queue on the scoreboard; never 0.
constexpr std::uint32_t key_of(std::size_t queue, std::size_t index) noexcept
{
    return static_cast<std::uint32_t>(queue << 8 | (index + 1));
}

constexpr std::uint32_t being_written = 0x8000'0000;

/// Without a lock, as several processes listen at once: a place is reserved, filled, and then
/// shown.  Two may have one key, and say the same.
void note(std::size_t queue, std::size_t index, const Value& value) noexcept
{
    const auto key = key_of(queue, index);
    bool is_known = false;
    for (auto& place : inheritance().page->inherited) {
        auto what = place.what.load(std::memory_order_acquire);
        if (what == 0) {
            if (is_known || value.size == 0)
                return;
            if (!place.what.compare_exchange_strong(what, key | being_written))
                continue;
            what = key;
        }
        if (what != key)
            continue;
        // Whoever accepts meanwhile may see half of it, which the kernel refuses or the next
        // connection has whole.
        place.value = std::bit_cast<std::array<std::uint64_t, 2>>(value.bytes);
        place.size.store(value.size, std::memory_order_release);
        place.what.store(key, std::memory_order_release);
        is_known = true;
    }
}

/// Has `fd` be what the program has set so far.
void set_noted(std::size_t queue, int fd) noexcept
{
    const InheritedOption* last = nullptr;
    const auto set = [&](const InheritedOption& place, std::size_t index) {
        // What the connection is too unlike the program's socket for, such as a Unix one, it lacks.
        (void)next::setsockopt(fd, inherited[index].level, inherited[index].number,
                               place.value.data(), place.size.load(std::memory_order_relaxed));
    };
    for (const auto& place : inheritance().page->inherited) {
        const auto what = place.what.load(std::memory_order_acquire);
        if (what == 0)
            break;
        const auto size = place.size.load(std::memory_order_acquire);
        const std::size_t index = (what & 0xff) - 1;
        if (what != key_of(queue, index) || index >= inherited.size() || size == 0 ||
            size > sizeof place.value)
            continue;
        if (index == inherited.size() - 1)
            last = &place;
        else
            set(place, index);
    }
    if (last != nullptr)
        set(*last, inherited.size() - 1);
}

} // namespace

void note_options(std::size_t queue, int family, int fd, bool is_only) noexcept
{
    const KeepErrno keep;
    const FreshSocket fresh{family};
    for (std::size_t i = 0; i < inherited.size(); ++i) {
        const auto& option = inherited[i];
        if ((option.families & families_of(family)) == 0)
            continue;
        const auto value = read_option(fd, option);
        if (const bool is_set = value.size > 0 && !(value == read_option(fresh.get(), option));
            is_set || is_only)
            note(queue, i, is_set ? value : Value{});
    }
}

int set_listening_option(const Listening& entry, int level, int option, const void* value,
                         socklen_t size) noexcept
{
    const int error = errno;
    const FreshSocket fresh{entry.family};
    if (fresh.get() >= 0) {
        set_noted(entry.queue, fresh.get());
        if (next::setsockopt(fresh.get(), level, option, value, size) < 0)
            return -1;
        note_options(entry.queue, entry.family, fresh.get(), true);
    }
    // Of the queue in its place these alone are the program's affair: how long accept() waits.
    if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO))
        (void)next::setsockopt(entry.fd.load(), level, option, value, size);
    errno = error;
    return 0;
}

int get_listening_option(const Listening& entry, int level, int option, void* value,
                         socklen_t* size) noexcept
{
    const FreshSocket fresh{entry.family};
    if (fresh.get() < 0)
        return -1;
    set_noted(entry.queue, fresh.get());
    const int error = errno;
    const int result = next::getsockopt(fresh.get(), level, option, value, size);
    if (result == 0)
        errno = error;
    return result;
}

void inherit_options(std::size_t queue, int connection) noexcept
{
    const KeepErrno keep;
    set_noted(queue, connection);
}

} // namespace usher::preload
