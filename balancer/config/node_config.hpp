// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace usher {

/// What only workers of dialect `node` have.
struct NodeConfig {
    /// How the connections come to the workers; cluster.schedulingPolicy has the first two.
    enum class Policy {
        automatic, ///< what NODE_CLUSTER_SCHED_POLICY says, else round robin
        round_robin,
        none,      ///< all workers accept from one socket
        reuseport, ///< each worker accepts from a socket of its own on the same port
    };

    /// When a worker counts as ready.
    enum class Ready {
        listening, ///< when the first of its servers listens, or it sends the message "ready"
        online,    ///< as soon as Node runs: for workers that have no server of the cluster's
    };

    /// How messages are written, as cluster.settings.serialization has it.
    enum class Serialization {
        json,
        advanced, ///< as V8 clones values: Buffer, Map, BigInt and cycles survive
    };

    Policy policy = Policy::automatic;
    unsigned window = 1; ///< most connections of a server that a worker has not replied to yet
    Ready ready = Ready::listening;
    Serialization serialization = Serialization::json;

    friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

/// One policy and the name it has in the configuration.
struct NodePolicyName {
    NodeConfig::Policy policy;
    std::string_view name;
};

inline constexpr std::array node_policy_names{
    NodePolicyName{NodeConfig::Policy::automatic, "auto"},
    NodePolicyName{NodeConfig::Policy::round_robin, "rr"},
    NodePolicyName{NodeConfig::Policy::none, "none"},
    NodePolicyName{NodeConfig::Policy::reuseport, "reuseport"},
};

[[nodiscard]] constexpr std::optional<NodeConfig::Policy>
node_policy_from(std::string_view name) noexcept
{
    for (const auto& entry : node_policy_names)
        if (entry.name == name)
            return entry.policy;
    return std::nullopt;
}

[[nodiscard]] constexpr std::string_view name_of(NodeConfig::Policy policy) noexcept
{
    for (const auto& entry : node_policy_names)
        if (entry.policy == policy)
            return entry.name;
    return {};
}

[[nodiscard]] constexpr std::string_view name_of(NodeConfig::Serialization serialization) noexcept
{
    return serialization == NodeConfig::Serialization::json ? "json" : "advanced";
}

} // namespace usher
