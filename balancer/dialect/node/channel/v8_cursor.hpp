// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/node/channel/v8_format.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace usher::node::v8 {

/// Takes bytes of V8's serializer off one after the other.  What is not there reads as nothing, and
/// from then on the cursor is not good.
class Cursor {
public:
    explicit Cursor(std::string_view bytes) noexcept : rest_{bytes} {}

    [[nodiscard]] bool is_good() const noexcept { return good_; }

    /// The next tag, taken off.
    char tag() noexcept
    {
        skip_padding();
        const auto first = bytes(1);
        return first.empty() ? padding : first.front();
    }

    /// True if the next tag is `tag`, which is taken off then.
    bool skip(char tag) noexcept
    {
        skip_padding();
        if (!rest_.starts_with(tag))
            return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::uint32_t varint() noexcept
    {
        std::uint32_t result = 0;
        for (int shift = 0; shift < 32; shift += 7) {
            const auto raw = bytes(1);
            const auto byte = raw.empty() ? 0U : static_cast<unsigned char>(raw.front());
            result |= (byte & 0x7fU) << shift;
            if ((byte & 0x80U) == 0)
                return result;
        }
        good_ = false;
        return 0;
    }

    /// The next `count` bytes, taken off; nothing if there are fewer.
    std::string_view bytes(std::size_t count) noexcept
    {
        if (rest_.size() < count) {
            good_ = false;
            return {};
        }
        const auto result = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return result;
    }

private:
    void skip_padding() noexcept
    {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(padding), rest_.size()));
    }

    std::string_view rest_;
    bool good_ = true;
};

} // namespace usher::node::v8
