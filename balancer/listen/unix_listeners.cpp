// SPDX-License-Identifier: MIT
#include "balancer/listen/unix_listeners.hpp"

#include "balancer/listen/same_address.hpp"
#include "balancer/listen/unix_listener.hpp"
#include "common/text/listen_address.hpp"

#include <algorithm>
#include <utility>

namespace usher {

void UnixListeners::open(const std::vector<Wanted>& wanted)
{
    for (const auto& [config, backlog, held, stays] : wanted) {
        const auto path = parse_listen_address(config.address).path;
        const auto address = sys::SocketAddress::unix_path(path);
        if (knows(address, static_cast<bool>(held)))
            continue; // two ask for it
        Entry entry{.address = address, .result = Kept{}};
        const bool is_lost = !held.is_there();
        if (is_lost && held && stays) {
            entry.result = Kept{.is_lost = true};
        } else if (is_lost) {
            try {
                entry.result = open_unix_listener(path, config.mode, backlog);
            } catch (...) {
                entry.result = std::current_exception();
            }
        }
        std::erase_if(entries_, [&](const auto& old) { return is_same(old.address, address); });
        entries_.push_back(std::move(entry));
    }
}

const UnixListeners::Entry* UnixListeners::find(const sys::SocketAddress& address) const noexcept
{
    const auto found = std::ranges::find_if(
        entries_, [&](const auto& entry) { return is_same(entry.address, address); });
    return found == entries_.end() ? nullptr : &*found;
}

bool UnixListeners::knows(const sys::SocketAddress& address, bool is_held) const noexcept
{
    const auto* const entry = find(address);
    return entry != nullptr && (is_held || !std::holds_alternative<Kept>(entry->result));
}

bool UnixListeners::replaces(const sys::SocketAddress& address) const noexcept
{
    return knows(address, false);
}

std::vector<std::string> UnixListeners::notes() const
{
    std::vector<std::string> result;
    for (const auto& entry : entries_)
        if (const auto* const kept = std::get_if<Kept>(&entry.result);
            kept != nullptr && kept->is_lost)
            result.push_back(entry.address.to_string() +
                             ": somebody has removed the file, so that no client finds the socket, "
                             "which the workers have; restart usher");
    return result;
}

std::optional<ListeningSocket> UnixListeners::take(const ListenConfig& config)
{
    const auto where = parse_listen_address(config.address);
    if (where.kind != ListenAddress::Kind::unix_path)
        return std::nullopt;
    const auto address = sys::SocketAddress::unix_path(where.path);
    const auto found = std::ranges::find_if(
        entries_, [&](const auto& entry) { return is_same(entry.address, address); });
    if (found == entries_.end() || std::holds_alternative<Kept>(found->result))
        return std::nullopt;
    if (const auto* const failure = std::get_if<std::exception_ptr>(&found->result))
        std::rethrow_exception(*failure);
    const auto twice = std::make_exception_ptr(
        AddressInUse{address.to_string() + ": is asked for twice", address});
    auto result = std::exchange(found->result, twice);
    return std::get<ListeningSocket>(std::move(result));
}

} // namespace usher
