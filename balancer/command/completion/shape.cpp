// SPDX-License-Identifier: MIT
#include "balancer/command/completion/shape.hpp"

namespace usher::completion {

std::string quoted(const std::string& text, const std::string& quote)
{
    std::string result = "'";
    for (const char c : text)
        result += c == '\'' ? quote : std::string{c};
    return result + '\'';
}

} // namespace usher::completion
