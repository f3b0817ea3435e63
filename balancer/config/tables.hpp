// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/key.hpp"

#include <vector>

namespace usher {

/// The keys of the file, but for `$schema`.
[[nodiscard]] const Keys<Config>& config_table();

/// The keys of a pool.
[[nodiscard]] const Keys<PoolConfig>& pool_table();

/// The keys of a pool's `node`.
[[nodiscard]] const Keys<NodeConfig>& node_table();

/// A user or a group, by name or number.
[[nodiscard]] Codec<std::string> account();

/// Adds those of a pool that say what its workers run as.
void add_run_as_keys(Keys<PoolConfig>& keys);

/// `listen`: one address, one object with "address", or an array of them.
[[nodiscard]] Codec<std::vector<ListenConfig>> listen_entries();

/// `output`: "stderr", "inherit" or an object with "file".
[[nodiscard]] Codec<OutputConfig> output();

/// `watch`: a path, an array of them, or an object with "paths".
[[nodiscard]] Codec<WatchConfig> watch();

/// `codec`, where what is empty is left out.
template <typename Value>
[[nodiscard]] Codec<Value> or_empty(Codec<Value> codec)
{
    return {codec.read, [write = codec.write](const Value& value) {
                return value.empty() ? decltype(write(value)){} : write(value);
            }};
}

} // namespace usher
