// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"

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

    /// What becomes of a message of a worker's program.
    enum class Messages {
        show,  ///< people see it
        relay, ///< the programs of all other workers of the pool get it, too
    };

    Policy policy = Policy::automatic;
    unsigned window = 1; ///< most connections of a server that a worker has not replied to yet
    Ready ready = Ready::listening;
    Serialization serialization = Serialization::json;
    Messages messages = Messages::show;

    /// Workers of another user than usher's may have sockets that usher was started with.
    bool allow_inherited = false;

    friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

inline constexpr Names<NodeConfig::Policy, 4> node_policy_names{{
    {NodeConfig::Policy::automatic, "auto"},
    {NodeConfig::Policy::round_robin, "rr"},
    {NodeConfig::Policy::none, "none"},
    {NodeConfig::Policy::reuseport, "reuseport"},
}};

inline constexpr Names<NodeConfig::Serialization, 2> node_serialization_names{{
    {NodeConfig::Serialization::json, "json"},
    {NodeConfig::Serialization::advanced, "advanced"},
}};

} // namespace usher
