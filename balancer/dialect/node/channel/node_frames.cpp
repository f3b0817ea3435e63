// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_frames.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace usher {

namespace {

constexpr std::size_t prefix_size = 4;

/// The length that `text`, a whole prefix, says.
std::size_t length_in(std::string_view text) noexcept
{
    std::uint32_t result = 0;
    for (const char c : text)
        result = result << 8 | static_cast<unsigned char>(c);
    return result;
}

} // namespace

/// How many bytes the message has yet, `bytes` included; if that does not show, at least one more.
std::size_t NodeFrames::missing(std::string_view bytes) const noexcept
{
    if (is_line())
        return std::min(bytes.find('\n'), bytes.size()) + 1;
    auto prefix = partial_.substr(0, prefix_size);
    prefix += bytes.substr(0, prefix_size - prefix.size());
    return prefix.size() < prefix_size ? bytes.size() + 1
                                       : prefix_size + length_in(prefix) - partial_.size();
}

std::optional<std::string_view> NodeFrames::next(std::string_view& bytes)
{
    const auto size = missing(bytes);
    const auto longest_frame = longest + (is_line() ? 1 : prefix_size);
    too_long_ = too_long_ || partial_.size() + size > longest_frame;
    if (too_long_)
        return std::nullopt;
    if (size > bytes.size()) {
        partial_ += std::exchange(bytes, {});
        return std::nullopt;
    }
    auto message = bytes.substr(0, size); // most come whole, and are not copied
    bytes.remove_prefix(size);
    if (!partial_.empty()) {
        whole_ = std::exchange(partial_, {});
        whole_ += message;
        message = whole_;
    }
    return is_line() ? message.substr(0, message.size() - 1) : message.substr(prefix_size);
}

} // namespace usher
