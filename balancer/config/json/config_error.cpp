// SPDX-License-Identifier: MIT
#include "balancer/config/json/config_error.hpp"

#include "common/text/one_line.hpp"

#include <string>

namespace usher {

namespace {

constexpr std::size_t longest_pointer = 240;

std::string join(std::string_view file, std::string_view pointer, std::string_view problem)
{
    std::string text{file};
    text += ": ";
    if (!pointer.empty()) {
        text += printable(pointer, longest_pointer);
        text += ": ";
    }
    text += problem;
    return text;
}

} // namespace

ConfigError::ConfigError(std::string_view file, std::string_view pointer, std::string_view problem)
    : std::runtime_error{join(file, pointer, problem)}
{
}

} // namespace usher
