// SPDX-License-Identifier: MIT
#include "balancer/listen/unix_listeners.hpp"

#include "balancer/listen/same_address.hpp"
#include "balancer/listen/unix_listener.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace usher {

namespace {

constexpr std::string_view workers_have_it =
    "somebody has removed the file, so that no client finds the socket, which the workers have; "
    "reload usher: new workers get one that is opened anew";
constexpr std::string_view is_anothers =
    "there is no socket's file that usher could see; if somebody has removed it, no client "
    "finds the socket, which usher was started with: stop usher, have whoever passed it make it "
    "anew (systemctl restart of its socket unit), and start usher";

/// False only if that is certain.
bool may_be_socket(const std::string& path)
{
    std::error_code error;
    const auto type = std::filesystem::symlink_status(path, error).type();
    return type == std::filesystem::file_type::socket || type == std::filesystem::file_type::none;
}

/// Of a Unix socket's file.
sys::SocketAddress address_of(const ListenConfig& config)
{
    return sys::SocketAddress::unix_path(parse_listen_address(config.address).path);
}

} // namespace

void UnixListeners::open(const std::vector<Wanted>& wanted)
{
    for (const auto& [config, backlog, held, needs_workers, is_inherited] : wanted) {
        const auto path = parse_listen_address(config.address).path;
        const auto address = address_of(config);
        if (knows(address, is_inherited || held))
            continue; // two ask for it
        Entry entry{.address = address, .result = Kept{}};
        const bool is_lost = !held.is_there();
        if (is_inherited) {
            if (!may_be_socket(path))
                entry.result = Kept{.loss = is_anothers};
        } else if (is_lost) {
            try {
                entry.result = open_unix_listener(path, config.mode, backlog, config.file_owner,
                                                  longest_opening);
            } catch (...) {
                entry.result = std::current_exception();
            }
        }
        std::erase_if(entries_, [&](const auto& old) { return is_same(old.address, address); });
        entries_.push_back(std::move(entry));
    }
}

void UnixListeners::open_lost(std::vector<Wanted> wanted)
{
    std::erase_if(wanted, [](const Wanted& each) { return !each.held.is_lost(); });
    for (const auto& each : wanted)
        if (const auto address = address_of(each.config);
            each.needs_workers && !knows(address, true))
            entries_.push_back({.address = address, .result = Kept{.loss = workers_have_it}});
    std::erase_if(wanted, &Wanted::needs_workers);
    open(wanted);
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
            kept != nullptr && !kept->loss.empty())
            result.push_back(fmt::format("{}: {}", entry.address.to_string(), kept->loss));
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
