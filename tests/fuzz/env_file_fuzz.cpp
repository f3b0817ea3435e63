// SPDX-License-Identifier: MIT
//
// Whatever the bytes, parse_env_file() refuses them with a ConfigError of one line, or gives
// variables that an environment can have, and the same ones when they are written in quotes.
#include "balancer/config/env_file.hpp"
#include "balancer/config/json/config_error.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

using namespace usher;
using namespace usher::fuzz;

namespace {

std::string quoted(const std::string& value)
{
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\' || c == '$' || c == '`')
            text += '\\';
        text += c;
    }
    return text + '"';
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    try {
        const auto variables = parse_env_file(text_of(data, size), "fuzz");
        std::string again;
        for (const auto& [name, value] : variables) {
            require(variable_name_problem(name).empty());
            require(name.find_first_of(" \t\r\n\"'") == std::string::npos);
            require(value.find('\0') == std::string::npos);
            again += "export " + name + "=" + quoted(value) + " # \n";
        }
        require(parse_env_file(again, "again") == variables);
    } catch (const ConfigError& error) {
        require(is_one_line(error.what()));
    }
    return 0;
}
