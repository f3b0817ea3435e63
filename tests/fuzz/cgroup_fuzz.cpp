// SPDX-License-Identifier: MIT
//
// Whatever the texts of /proc, an empty line between them, the folder they name is made of them.
#include "common/sys/process/own_cgroup.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr std::string_view between = "\n\n";
    const std::string text{text_of(data, size)};
    const auto cgroups = text.substr(0, text.find(between));
    const auto mounts = text.substr(std::min(cgroups.size() + between.size(), text.size()));
    for (const auto* const controller : {"", "cpu"})
        require(usher::sys::find_own_cgroup(cgroups, mounts, controller).size() <= text.size());
    return 0;
}
