// SPDX-License-Identifier: MIT
#include "tests/support/node_programs.hpp"

#include "tests/support/usher_process.hpp"

#include <filesystem>
#include <stdexcept>

namespace usher::test {

namespace {

/// npm puts there what is for this kind of machine, and nothing else.
std::string find_package(const std::string& folder, const std::string& prefix,
                         const std::string& program)
{
    const auto packages = source_folder() + "/tests/node/node_modules/" + folder;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{packages, ignored})
        if (entry.path().filename().string().starts_with(prefix))
            return entry.path() / program;
    throw std::runtime_error{"no " + prefix + "* in " + packages +
                             ": run scripts/install-deps test"};
}

} // namespace

std::string node_program(int version)
{
    return find_package("", "node-" + std::to_string(version) + "-", "bin/node");
}

std::string deno_program()
{
    return find_package("@deno", "linux-", "deno");
}

std::string bun_program()
{
    return find_package("@oven", "bun-linux-", "bin/bun");
}

} // namespace usher::test
