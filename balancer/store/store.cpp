// SPDX-License-Identifier: MIT
#include "balancer/store/store.hpp"

#include "balancer/store/json_members.hpp"
#include "balancer/store/store_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace usher {

namespace {

/// What is erased in one go for its time: the event loop is for others, too.
constexpr std::size_t most_expired_at_once = 256;

/// Whoever has missed no more than this is told of changes; others get all anew.
constexpr std::size_t most_recent = 16'384;
constexpr std::size_t most_recent_bytes = 8UL * 1024 * 1024;

std::uint64_t bytes_of(std::string_view key, const Store::Entry& entry)
{
    return key.size() + entry.value->size();
}

/// `seen` is the revision of all that was looked at.
Store::Answer conflict(const Store::Entry* there, std::uint64_t seen)
{
    return {.code = "conflict",
            .reason = there == nullptr ? "the key is not there"
                                       : fmt::format("the key has revision {}", there->revision),
            .revision = there == nullptr ? 0 : there->revision,
            .seen = seen};
}

} // namespace

const Store::Entry* Store::find(std::string_view key) const
{
    const auto found = content_.entries.find(key);
    return found == content_.entries.end() ? nullptr : &found->second;
}

const Store::Entry* Store::find_tried(std::string_view key) const
{
    const auto found = tried_.find(key);
    if (found == tried_.end())
        return find(key);
    return found->second ? &*found->second : nullptr;
}

Store::Answer Store::apply(const Command& command, Clock::time_point now)
{
    const auto* old = find_tried(command.key);
    if (old != nullptr && old->expires &&
        *old->expires <= now) { // its time is over, and it is late
        add(command.key, std::nullopt, true);
        old = nullptr;
    }
    if (command.expected && *command.expected != (old == nullptr ? 0 : old->revision))
        return conflict(old, content_.revision + pending_.size());
    if (command.kind == Command::Kind::erase)
        return {.revision = old == nullptr ? content_.revision + pending_.size()
                                           : add(command.key, std::nullopt, false)};

    Entry next{.owner = command.owner};
    if (command.ttl)
        next.expires = now + *command.ttl;
    if (command.kind == Command::Kind::increment) {
        std::int64_t number = 0;
        if (old != nullptr) {
            const auto& text = *old->value;
            const auto [end, error] =
                std::from_chars(text.data(), text.data() + text.size(), number);
            if (error != std::errc{} || end != text.data() + text.size())
                return {.code = "not-a-number",
                        .reason = "the value is no whole number of 64 bits"};
            next.expires = old->expires;
        }
        if (__builtin_add_overflow(number, command.by, &number))
            return {.code = "not-a-number", .reason = "the sum has more than 64 bits"};
        next.value = std::make_shared<const std::string>(std::to_string(number));
    } else {
        next.value = std::make_shared<const std::string>(command.value);
    }
    if (auto reason = check_room(command.key, old, next); !reason.empty())
        return {.code = "full", .reason = std::move(reason)};
    Answer answer;
    if (command.kind == Command::Kind::increment)
        answer.value = *next.value;
    answer.revision = add(command.key, std::move(next), false);
    return answer;
}

void Store::expire(Clock::time_point now)
{
    std::size_t count = 0;
    for (const auto& [time, key] : content_.expiries) {
        if (time > now || ++count > most_expired_at_once)
            break;
        const auto* entry = find_tried(key);
        if (entry != nullptr && entry->expires && *entry->expires <= now)
            add(key, std::nullopt, true);
    }
}

/// Why there is no room for `next`; empty if there is.
std::string Store::check_room(std::string_view key, const Entry* old, const Entry& next) const
{
    if (old == nullptr && content_.size.keys >= limits_.max_keys)
        return fmt::format("the store has {} keys, its limit (store.max_keys)", content_.size.keys);
    const auto more = bytes_of(key, next);
    const auto less = old == nullptr ? 0 : bytes_of(key, *old);
    if (more > less && content_.size.bytes - less + more > limits_.max_bytes)
        return fmt::format("the store has {} bytes; with this it would have more than its limit, "
                           "{} (store.max_bytes)",
                           content_.size.bytes, limits_.max_bytes);
    const auto own = content_.size.of_owner.find(next.owner);
    const auto owned = own == content_.size.of_owner.end() ? 0 : own->second;
    const auto own_less = old != nullptr && old->owner == next.owner ? less : 0;
    if (more > own_less && owned - own_less + more > limits_.worker_bytes)
        return fmt::format("{} has written {} bytes of what is in the store; with this it would be "
                           "more than a worker may, {} (store.worker_bytes)",
                           next.owner, owned, limits_.worker_bytes);
    return {};
}

std::uint64_t Store::add(std::string_view key, std::optional<Entry> entry, bool has_expired)
{
    const auto revision = content_.revision + pending_.size() + 1;
    if (entry)
        entry->revision = revision;
    content_.count(key, find_tried(key), entry ? &*entry : nullptr);
    pending_.push_back({.key = std::string{key},
                        .revision = revision,
                        .entry = entry,
                        .has_expired = has_expired});
    tried_.insert_or_assign(std::string{key}, std::move(entry));
    return revision;
}

void Store::commit()
{
    for (const auto& change : pending_) {
        content_.enter(change);
        recent_.push_back(std::make_shared<const std::string>(encode_change(change)));
        recent_bytes_ += recent_.back()->size();
    }
    while (recent_.size() > most_recent || recent_bytes_ > most_recent_bytes) {
        recent_bytes_ -= recent_.front()->size();
        recent_.pop_front();
    }
    pending_.clear();
    tried_.clear();
}

void Store::roll_back()
{
    for (const auto& [key, entry] : tried_)
        content_.count(key, entry ? &*entry : nullptr, find(key));
    pending_.clear();
    tried_.clear();
}

void Store::Content::restore(const Change& change)
{
    if (change.key.empty()) {
        revision = std::max(revision, change.revision);
        return;
    }
    const auto old = entries.find(change.key);
    count(change.key, old == entries.end() ? nullptr : &old->second,
          change.entry ? &*change.entry : nullptr);
    enter(change);
}

void Store::Content::enter(const Change& change)
{
    const auto old = entries.find(change.key);
    if (old != entries.end() && old->second.expires)
        expiries.erase({*old->second.expires, change.key});
    if (change.entry) {
        if (change.entry->expires)
            expiries.emplace(*change.entry->expires, change.key);
        entries.insert_or_assign(change.key, *change.entry);
    } else if (old != entries.end()) {
        entries.erase(old);
    }
    revision = std::max(revision, change.revision);
}

void Store::Content::count(std::string_view key, const Entry* old, const Entry* next)
{
    if (old != nullptr) {
        --size.keys;
        size.bytes -= bytes_of(key, *old);
        if (const auto owner = size.of_owner.find(old->owner); owner != size.of_owner.end()) {
            owner->second -= bytes_of(key, *old);
            if (owner->second == 0)
                size.of_owner.erase(owner);
        }
    }
    if (next != nullptr) {
        ++size.keys;
        size.bytes += bytes_of(key, *next);
        size.of_owner[next->owner] += bytes_of(key, *next);
    }
}

std::optional<Store::Clock::time_point> Store::next_expiry() const
{
    if (content_.expiries.empty())
        return std::nullopt;
    return content_.expiries.begin()->first;
}

Store::Text Store::recent(std::uint64_t revision) const noexcept
{
    const auto first = content_.revision - recent_.size() + 1;
    if (revision < first || revision > content_.revision)
        return nullptr;
    return recent_[revision - first];
}

} // namespace usher
