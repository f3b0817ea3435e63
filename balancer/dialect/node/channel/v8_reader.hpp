// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// Reads what V8's serializer has written, as far as it is plain data: what JSON can say, too.
/// Trusts nothing of what it reads, least of all lengths.
namespace usher::node::v8 {

enum class Result {
    done,
    not_plain, ///< a map, a buffer, a reference to an object before...: only V8 can read it
    too_long,  ///< longer as JSON than it may be
    malformed, ///< cut short, or nothing that V8 has written
};

/// No object or array is nested deeper than this.
inline constexpr int deepest = 64;

/// The value in `payload`, behind the header.  Nothing if that is none, or of a version older than
/// Node 16's.
[[nodiscard]] std::optional<std::string_view> value_in(std::string_view payload) noexcept;

/// Appends `value` as JSON to `json`, which shall not grow beyond `most` bytes; after not_plain and
/// too_long it has the beginning, of which the end may be cut.
[[nodiscard]] Result to_json(std::string_view value, std::string& json, std::size_t most);

} // namespace usher::node::v8
