// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/names.hpp"

#include <sys/resource.h>

namespace usher {

/// How the configuration calls the resources of setrlimit(2).
inline constexpr Names<int, 9> resource_names{{
    {RLIMIT_NOFILE, "nofile"},
    {RLIMIT_NPROC, "nproc"},
    {RLIMIT_CORE, "core"},
    {RLIMIT_AS, "as"},
    {RLIMIT_MEMLOCK, "memlock"},
    {RLIMIT_STACK, "stack"},
    {RLIMIT_CPU, "cpu"},
    {RLIMIT_FSIZE, "fsize"},
    {RLIMIT_DATA, "data"},
}};

} // namespace usher
