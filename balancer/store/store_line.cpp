// SPDX-License-Identifier: MIT
#include "balancer/store/store_line.hpp"

#include "balancer/store/json_members.hpp"

#include <fmt/core.h>

namespace usher {

std::string encode_set(std::string_view key, const Store::Entry& entry)
{
    return fmt::format("{{\"type\":\"set\",\"key\":{},\"revision\":{},\"value\":{}}}\n",
                       json_quote(key), entry.revision, *entry.value);
}

std::string encode_change(const Store::Change& change)
{
    if (change.entry)
        return encode_set(change.key, *change.entry);
    return fmt::format("{{\"type\":\"erased\",\"key\":{},\"revision\":{}{}}}\n",
                       json_quote(change.key), change.revision,
                       change.has_expired ? ",\"expired\":true" : "");
}

std::string encode_snapshot(std::uint64_t revision, std::size_t keys)
{
    return fmt::format("{{\"type\":\"snapshot\",\"revision\":{},\"keys\":{}}}\n", revision, keys);
}

std::string encode_synced(std::uint64_t revision)
{
    return fmt::format("{{\"type\":\"synced\",\"revision\":{}}}\n", revision);
}

} // namespace usher
