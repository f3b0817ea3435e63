// SPDX-License-Identifier: MIT
#include "balancer/listen/reuseport_group.hpp"

#include "balancer/listen/listening_socket.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/syscall.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace usher {

namespace {

/// A classic BPF program that yields one of `indices`, by chance.  The kernel numbers the sockets
/// of a group in the order in which they began to listen (net/core/sock_reuseport.c).
std::vector<sock_filter> choose_among(const std::vector<std::uint32_t>& indices)
{
    std::vector<sock_filter> program;
    const auto add = [&](unsigned code, std::uint32_t k, std::uint8_t otherwise = 0) {
        program.push_back(
            {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = otherwise, .k = k});
    };
    constexpr auto random = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM);
    const auto count = static_cast<std::uint32_t>(indices.size());
    add(BPF_LD | BPF_W | BPF_ABS, random);
    add(BPF_ALU | BPF_MOD | BPF_K, count);
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
        add(BPF_JMP | BPF_JEQ | BPF_K, i, 1);
        add(BPF_RET | BPF_K, indices[i]);
    }
    add(BPF_RET | BPF_K, indices.back());
    return program;
}

} // namespace

ReuseportGroup::ReuseportGroup(sys::UniqueFd holder, const sys::SocketAddress& address, bool v6only,
                               unsigned backlog)
    : holder_{std::move(holder)}, address_{address}, v6only_{v6only}, backlog_{backlog}
{
}

sys::UniqueFd ReuseportGroup::open(std::optional<unsigned> backlog) const
{
    sys::UniqueFd fd;
    if (const auto error = sys::open_bound_socket(
            address_,
            {.reuse_address = true, .reuse_port = true, .v6only = v6only_, .backlog = backlog}, fd))
        throw_bind_error(error, address_);
    return fd;
}

/// Whoever has one of the sockets can shut it down: then it is none of the group's any more, and
/// the kernel puts the last one into the gap (reuseport_detach_sock()).  Who listens again is the
/// last.  Of several in one look nobody knows the order; so it is looked before each step that goes
/// by it.
void ReuseportGroup::look_for_shut() noexcept
{
    const auto move_those = [](bool listening, auto& from, auto& to) {
        for (std::size_t i = 0; i < from.size();) {
            if ((sys::socket_option(from[i].get(), SO_ACCEPTCONN) == 1) != listening) {
                ++i;
                continue;
            }
            std::swap(from[i], from.back());
            to.push_back(std::move(from.back())); // there is room
            from.pop_back();
        }
    };
    move_those(false, sockets_, shut_);
    move_those(true, shut_, sockets_);
}

int ReuseportGroup::add()
{
    look_for_shut();
    make_room();
    if (is_locked_ && guard_ < 0)
        add_guard();
    try {
        sockets_.push_back(open(backlog_));
    } catch (...) {
        remove_lonely_guard();
        throw;
    }
    const int socket = sockets_.back().get();
    if (guard_ >= 0)
        sys::lock_filter(socket);
    return socket;
}

void ReuseportGroup::lock()
{
    is_locked_ = true;
    look_for_shut();
    if (!sockets_.empty() && guard_ < 0)
        add_guard();
}

/// For one more and a guard, wherever each is then: so nothing that was opened is lost.
void ReuseportGroup::make_room()
{
    const auto room = sockets_.size() + shut_.size() + 2;
    sockets_.reserve(room);
    shut_.reserve(room);
}

void ReuseportGroup::add_guard()
{
    make_room();
    auto guard = open({});
    sock_filter none{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0}; // passes no packet
    const sock_fprog program{.len = 1, .filter = &none};
    if (::setsockopt(guard.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        ::listen(guard.get(), 1) < 0)
        throw std::system_error{sys::last_error(), address_.to_string()};
    for (const auto* const all : {&sockets_, &shut_})
        for (const auto& socket : *all)
            sys::lock_filter(socket.get());
    guard_ = guard.get();
    sockets_.push_back(std::move(guard));
}

/// What comes to the guard, nobody takes.
void ReuseportGroup::remove_lonely_guard() noexcept
{
    if (guard_ < 0 || sockets_.size() > 1 || !shut_.empty()) // those may listen again, behind it
        return;
    sockets_.clear();
    guard_ = -1;
}

void ReuseportGroup::remove(int socket) noexcept
{
    look_for_shut();
    if (guard_ >= 0 && sockets_.front().get() == socket) { // the last one becomes the first
        ::shutdown(guard_, SHUT_RDWR);
        look_for_shut();
        if (::listen(guard_, 1) < 0) { // the next one that is added brings another
            const int old = std::exchange(guard_, -1);
            std::erase_if(shut_, [old](const auto& shut) { return shut.get() == old; });
        }
        look_for_shut();
    }
    if (guard_ >= 0)
        sys::disown(socket);
    ::shutdown(socket, SHUT_RDWR); // others may have it, and would keep it in the group
    look_for_shut();
    std::erase_if(shut_, [socket](const auto& shut) { return shut.get() == socket; });
    remove_lonely_guard();
}

std::error_code ReuseportGroup::steer(const std::set<int>& sockets)
{
    look_for_shut();
    std::vector<std::uint32_t> indices;
    for (std::size_t i = 0; i < sockets_.size(); ++i)
        if (sockets.contains(sockets_[i].get()))
            indices.push_back(static_cast<std::uint32_t>(i));
    if (indices.empty())
        return {};
    auto program = choose_among(indices);
    const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                              .filter = program.data()};
    const bool guarded = guard_ >= 0;
    const int any = guarded ? guard_ : sockets_.front().get();
    if (::setsockopt(any, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached) == 0)
        return {};
    const auto error = sys::last_error();
    if (guarded)
        return error;
    // Rather to all than to those of a moment ago.
    const int ignored = 0;
    ::setsockopt(any, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &ignored, sizeof ignored);
    return error;
}

void ReuseportGroup::set_backlog(unsigned backlog) noexcept
{
    backlog_ = backlog;
    look_for_shut();
    for (const auto& socket : sockets_)
        ::listen(socket.get(), static_cast<int>(backlog)); // may be called again
}

} // namespace usher
