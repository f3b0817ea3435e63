// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/node_advanced.hpp"

#include <array>
#include <utility>

namespace usher {

namespace {

using Serialization = NodeConfig::Serialization;

std::string end_line(std::string json)
{
    json += '\n';
    return json;
}

/// Both in one piece: Node before 20 loses the thread if a length comes in two.
std::string put_length_before(std::string_view payload)
{
    const auto size = payload.size();
    const std::array prefix{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                            static_cast<char>(size >> 8), static_cast<char>(size)};
    std::string result;
    result.reserve(prefix.size() + size);
    result.append(prefix.data(), prefix.size());
    result += payload;
    return result;
}

} // namespace

node::Message NodeCodec::decode(std::string_view message) const
{
    return serialization_ == Serialization::json ? node::decode(message)
                                                 : node::decode_advanced(message);
}

std::string NodeCodec::encode(std::string json) const
{
    return serialization_ == Serialization::json ? end_line(std::move(json))
                                                 : put_length_before(node::to_advanced(json));
}

std::string NodeCodec::encode_connection(std::string_view key, std::uint64_t seq) const
{
    return serialization_ == Serialization::json
               ? end_line(node::encode_connection(key, seq))
               : put_length_before(node::encode_advanced_connection(key, seq));
}

} // namespace usher
