// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>

namespace usher::test {

/// Makes this process the user `nobody`, with no other groups; ends it if that fails.
void become_nobody();

/// True if this process is root and `nobody` can execute these programs.
[[nodiscard]] bool can_run_as_nobody(std::initializer_list<std::string> programs);

} // namespace usher::test
