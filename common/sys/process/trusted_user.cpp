// SPDX-License-Identifier: MIT
#include "common/sys/process/trusted_user.hpp"

#include <fstream>

#include <unistd.h>

namespace usher::sys {

namespace {

constexpr uid_t overflow_user = 65'534; // /proc/sys/kernel/overflowuid, as nobody changes it

/// True if every number is mapped to itself, as it is in the first namespace.
bool everybody_has_a_number()
{
    static const bool result = [] {
        unsigned long inside = 0;
        unsigned long outside = 0;
        unsigned long count = 0;
        std::ifstream{"/proc/self/uid_map"} >> inside >> outside >> count;
        return inside == 0 && outside == 0 && count == 0xffff'ffff;
    }();
    return result;
}

} // namespace

bool is_trusted_user(uid_t user) noexcept
{
    if (user == 0)
        return true;
    return user == ::geteuid() && (user != overflow_user || everybody_has_a_number());
}

bool is_trusted_owner(uid_t user) noexcept
{
    return is_trusted_user(user) || (user == overflow_user && !everybody_has_a_number());
}

} // namespace usher::sys
