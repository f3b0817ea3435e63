// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// The text of a message to the programs of workers: `json` on one line, without the white space
/// between its parts and otherwise as it stands.
///
/// Throws ConfigError if it is no JSON, or none that every program can be sent: too long, too deep,
/// a key twice in an object, or what a program's run-time library keeps for itself.
[[nodiscard]] std::string message_text(std::string_view json);

} // namespace usher
