// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string_view>

#include <sys/resource.h>

namespace usher {

/// How the configuration calls a resource of setrlimit(2).
struct ResourceName {
    std::string_view name;
    int resource;
};

inline constexpr std::array<ResourceName, 9> resource_names{{
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"core", RLIMIT_CORE},
    {"as", RLIMIT_AS},
    {"memlock", RLIMIT_MEMLOCK},
    {"stack", RLIMIT_STACK},
    {"cpu", RLIMIT_CPU},
    {"fsize", RLIMIT_FSIZE},
    {"data", RLIMIT_DATA},
}};

} // namespace usher
