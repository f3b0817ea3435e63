// SPDX-License-Identifier: MIT
#include "tests/support/shell.hpp"

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace usher::test {

std::string output_of(const std::string& command)
{
    std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "re"), ::pclose};
    if (!pipe)
        throw std::runtime_error{"cannot run " + command};
    std::string text;
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get()))
        text += static_cast<char>(c);
    if (const int status = ::pclose(pipe.release()); status != 0)
        throw std::runtime_error{command + " failed: " + text};
    return text;
}

} // namespace usher::test
