// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_frames.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace usher {

namespace {

constexpr std::size_t prefix_size = 4;

/// The length that the first bytes of `text` say.
std::size_t length_in(std::string_view text) noexcept
{
    std::uint32_t result = 0;
    for (const char c : text.substr(0, prefix_size))
        result = result << 8 | static_cast<unsigned char>(c);
    return result;
}

} // namespace

std::optional<std::string_view> NodeFrames::next(std::string_view& bytes)
{
    if (too_long_)
        return std::nullopt;
    return serialization_ == NodeConfig::Serialization::json ? next_line(bytes) : next_sized(bytes);
}

std::optional<std::string_view> NodeFrames::next_line(std::string_view& bytes)
{
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) {
        partial_ += std::exchange(bytes, {});
        too_long_ = partial_.size() > longest;
        return std::nullopt;
    }
    auto line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (!partial_.empty()) {
        whole_ = std::exchange(partial_, {});
        whole_ += line;
        line = whole_;
    }
    return line;
}

std::optional<std::string_view> NodeFrames::next_sized(std::string_view& bytes)
{
    // Most come whole, and are not copied.
    if (partial_.empty() && bytes.size() >= prefix_size &&
        bytes.size() - prefix_size >= length_in(bytes)) {
        const auto length = length_in(bytes);
        const auto message = bytes.substr(prefix_size, length);
        bytes.remove_prefix(prefix_size + length);
        return message;
    }
    while (!bytes.empty()) {
        const auto wanted = prefix_size + (partial_.size() < prefix_size ? 0 : length_in(partial_));
        too_long_ = wanted > prefix_size + longest;
        if (too_long_)
            return std::nullopt;
        const auto size = std::min(wanted - partial_.size(), bytes.size());
        partial_ += bytes.substr(0, size);
        bytes.remove_prefix(size);
        if (partial_.size() >= prefix_size &&
            partial_.size() == prefix_size + length_in(partial_)) {
            whole_ = std::exchange(partial_, {});
            return std::string_view{whole_}.substr(prefix_size);
        }
    }
    return std::nullopt;
}

} // namespace usher
