// SPDX-License-Identifier: MIT
#include "balancer/admin/control_path.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace usher::control_path_test {

namespace {

std::vector<ControlPlace> places(const char* runtime_folder, const char* sudo_user, uid_t user)
{
    return control_places({.runtime_folder = runtime_folder, .sudo_user = sudo_user, .user = user});
}

using Places = std::vector<ControlPlace>;

} // namespace

TEST_SUITE_BEGIN("control_path");

TEST_CASE("a user's own place comes first, then the system's")
{
    CHECK(places("/run/user/7", nullptr, 7) ==
          Places{{.path = "/run/user/7/usher.sock"}, {.path = "/run/usher.sock"}});
    CHECK(places("/elsewhere", nullptr, 7) == Places{{.path = "/elsewhere/usher.sock"},
                                                     {.path = "/run/user/7/usher.sock"},
                                                     {.path = "/run/usher.sock"}});
}

TEST_CASE("without the variable, as in cron, the folder of the login is looked into")
{
    for (const auto* const empty : {"", static_cast<const char*>(nullptr)})
        CHECK(places(empty, nullptr, 7) ==
              Places{{.path = "/run/usher.sock"}, {.path = "/run/user/7/usher.sock"}});
    CHECK(places(nullptr, nullptr, 0) ==
          Places{{.path = "/run/usher.sock"}, {.path = "/run/user/0/usher.sock"}});
}

TEST_CASE("with sudo the master of whoever has called it may be meant, and may answer")
{
    CHECK(places(nullptr, "7", 0) ==
          Places{{.path = "/run/usher.sock"}, {.path = "/run/user/7/usher.sock", .user = 7}});
    CHECK(places("/run/user/0", "7", 0) == Places{{.path = "/run/user/0/usher.sock"},
                                                  {.path = "/run/user/7/usher.sock", .user = 7},
                                                  {.path = "/run/usher.sock"}});
    // Of another user than root the variable says nothing: anybody can set it.
    CHECK(places("/run/user/8", "7", 8) ==
          Places{{.path = "/run/user/8/usher.sock"}, {.path = "/run/usher.sock"}});
    for (const auto* const nonsense : {"", "x", "7x", "-1", "99999999999999"})
        CHECK(places(nullptr, nonsense, 0) == Places{{.path = "/run/usher.sock"}});
}

TEST_SUITE_END();

} // namespace usher::control_path_test
