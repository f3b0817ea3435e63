// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

/// Looks for a command of Node's own in what V8's serializer has written, whatever else that is.
namespace usher::node::v8 {

/// No value is nested deeper than this that is looked through.
inline constexpr int deepest_searched = 512;

/// True if `value` is known to be none of Node's own messages: it is not if it has "cmd" among its
/// own keys with a text that begins with "NODE_" and goes on, wherever that stands.  False also if
/// it cannot be read.
[[nodiscard]] bool is_without_command(std::string_view value);

} // namespace usher::node::v8
