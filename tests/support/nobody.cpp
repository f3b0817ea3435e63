// SPDX-License-Identifier: MIT
#include "tests/support/nobody.hpp"

#include "common/sys/process/account.hpp"

#include <algorithm>

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::test {

namespace {

bool nobody_can_execute(const std::string& program)
{
    const pid_t child = ::fork();
    if (child == 0) {
        become_nobody();
        ::_exit(::access(program.c_str(), X_OK) == 0 ? 0 : 1);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    return status == 0;
}

} // namespace

void become_nobody()
{
    const auto nobody = sys::find_user("nobody");
    if (!nobody || ::setgroups(1, &nobody->group) < 0 || ::setgid(nobody->group) < 0 ||
        ::setuid(nobody->id) < 0)
        ::_exit(126);
}

bool can_run_as_nobody(std::initializer_list<std::string> programs)
{
    return ::geteuid() == 0 && sys::find_user("nobody") &&
           std::ranges::all_of(programs, nobody_can_execute);
}

} // namespace usher::test
