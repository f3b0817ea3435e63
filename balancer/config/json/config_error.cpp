// SPDX-License-Identifier: MIT
#include "balancer/config/json/config_error.hpp"

#include "common/text/one_line.hpp"

#include <fmt/core.h>

namespace usher {

ConfigError::ConfigError(std::string_view file, std::string_view pointer, std::string_view problem)
    : std::runtime_error{fmt::format("{}: {}{}{}", file, printable(pointer, longest_pointer),
                                     pointer.empty() ? "" : ": ", problem)}
{
}

} // namespace usher
