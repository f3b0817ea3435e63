// SPDX-License-Identifier: MIT
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

namespace usher::decode_run_as_test {

using namespace usher::test;

namespace {

RunAsConfig run_as_of(std::string_view members)
{
    return pool_of(members).run_as;
}

} // namespace

TEST_SUITE_BEGIN("decode_run_as");

TEST_CASE("everything that is said is taken over")
{
    CHECK(run_as_of(R"("user": "www-data", "group": 33, "groups": ["ssl-cert", 7],
        "umask": "0027", "rlimits": {"nofile": 65536, "core": "unlimited",
        "as": {"soft": 1, "hard": 9223372036854775807}}, "nice": -20, "oom_score_adj": 1000,
        "cpu_affinity": [0, 3], "no_new_privs": true, "clear_env": true,
        "ambient_capabilities": ["CAP_NET_BIND_SERVICE", "cap_net_raw"])") ==
          RunAsConfig{.user = "www-data",
                      .group = "33",
                      .groups = {{"ssl-cert", "7"}},
                      .umask = 027,
                      .rlimits = {{"nofile", {.soft = 65'536, .hard = 65'536}},
                                  {"core", {}},
                                  {"as", {.soft = 1, .hard = 9'223'372'036'854'775'807}}},
                      .nice = -20,
                      .oom_score_adj = 1000,
                      .cpu_affinity = {.cpus = {0, 3}},
                      .no_new_privs = true,
                      .ambient_capabilities = {10, 13},
                      .clear_env = true});
    CHECK(run_as_of(R"("cpu_affinity": "auto")").cpu_affinity == AffinityConfig{.by_slot = true});
    CHECK(run_as_of(R"("groups": [])").groups == std::vector<std::string>{});
}

TEST_CASE("users and groups are names or numbers")
{
    const std::string must = ", but must be a name or a number, e.g. \"www-data\" or 33";
    CHECK(pool_error(R"("user": 4294967294)") == "no error");
    CHECK(pool_error(R"("user": 4294967295)") == "f: /pools/0/user: is 4294967295" + must);
    CHECK(pool_error(R"("user": "")") == "f: /pools/0/user: is \"\"" + must);
    CHECK(pool_error(R"("user": -1)") == "f: /pools/0/user: is -1" + must);
    CHECK(pool_error(R"("group": true)") == "f: /pools/0/group: is true" + must);
    CHECK(pool_error(R"("groups": ["a", ""])") == "f: /pools/0/groups/1: is \"\"" + must);
    CHECK(pool_error(R"("groups": "a")") ==
          "f: /pools/0/groups: is a string, but must be an array of names or numbers, e.g. "
          "[\"ssl-cert\"]");
}

TEST_CASE("a umask is octal")
{
    for (const std::string bad : {"\"1000\"", "\"8\"", "\"\"", "\"0o27\"", "27"})
        CHECK(pool_error("\"umask\": " + bad) ==
              "f: /pools/0/umask: is " + bad +
                  ", but must be an octal string from \"0\" to \"0777\", e.g. \"0027\"");
}

TEST_CASE("limits have known names, and a soft one that is not above the hard one")
{
    CHECK(pool_error(R"("rlimits": {"nofiles": 1})") ==
          "f: /pools/0/rlimits/nofiles: unknown limit; did you mean \"nofile\"?");
    CHECK(pool_error(R"("rlimits": {"priority": 1})") ==
          "f: /pools/0/rlimits/priority: unknown limit; use one of nofile, nproc, core, as, "
          "memlock, stack, cpu, fsize, data");
    const std::string must = ", but must be a whole number from 0 or \"unlimited\"";
    CHECK(pool_error(R"("rlimits": {"cpu": -1})") == "f: /pools/0/rlimits/cpu: is -1" + must);
    CHECK(pool_error(R"("rlimits": {"cpu": 1.5})") == "f: /pools/0/rlimits/cpu: is 1.5" + must);
    CHECK(pool_error(R"("rlimits": {"cpu": 9223372036854775808})") ==
          "f: /pools/0/rlimits/cpu: is 9223372036854775808" + must);
    CHECK(pool_error(R"("rlimits": {"cpu": "many"})") ==
          "f: /pools/0/rlimits/cpu: is \"many\"" + must);
    CHECK(pool_error(R"("rlimits": {"cpu": {"soft": 1}})") ==
          "f: /pools/0/rlimits/cpu: must have both, \"soft\" and \"hard\"; or write one number for "
          "both");
    CHECK(pool_error(R"("rlimits": {"cpu": {"soft": 2, "hard": 1}})") ==
          "f: /pools/0/rlimits/cpu: has a \"soft\" above its \"hard\"; make it lower");
    CHECK(pool_error(R"("rlimits": {"cpu": {"soft": "unlimited", "hard": 1}})") ==
          "f: /pools/0/rlimits/cpu: has a \"soft\" above its \"hard\"; make it lower");
    CHECK(pool_error(R"("rlimits": {"cpu": {"sof": 2}})") ==
          "f: /pools/0/rlimits/cpu/sof: unknown key; did you mean \"soft\"?");
    CHECK(pool_error(R"("rlimits": [])") ==
          "f: /pools/0/rlimits: is an array, but must be an object");
}

TEST_CASE("nice and oom_score_adj stay in the kernel's range")
{
    CHECK(pool_error(R"("nice": -21)") == "f: /pools/0/nice: is -21, but must be from -20 to 19");
    CHECK(pool_error(R"("nice": "5")") ==
          "f: /pools/0/nice: is \"5\", but must be a whole number from -20 to 19");
    CHECK(pool_error(R"("oom_score_adj": 1001)") ==
          "f: /pools/0/oom_score_adj: is 1001, but must be from -1000 to 1000");
    CHECK(pool_error(R"("oom_score_adj": 18446744073709551615)") ==
          "f: /pools/0/oom_score_adj: is 18446744073709551615, but must be from -1000 to 1000");
}

TEST_CASE("a cgroup is wanted, refused, or left to what usher finds")
{
    CHECK(pool_of(R"("nice": 0)").run_as.cgroup == CgroupMode::automatic);
    CHECK(pool_of(R"("cgroup": "auto")").run_as.cgroup == CgroupMode::automatic);
    CHECK(pool_of(R"("cgroup": "on")").run_as.cgroup == CgroupMode::on);
    CHECK(pool_of(R"("cgroup": "off")").run_as.cgroup == CgroupMode::off);
    CHECK(pool_error(R"("cgroup": "yes")") ==
          "f: /pools/0/cgroup: is \"yes\", but must be \"auto\", \"on\" or \"off\"");
    CHECK(pool_error(R"("cgroup": true)") ==
          "f: /pools/0/cgroup: is true, but must be \"auto\", \"on\" or \"off\"");
}

TEST_CASE("CPUs are chosen by slot or listed")
{
    CHECK(pool_error(R"("cpu_affinity": "all")") ==
          "f: /pools/0/cpu_affinity: is \"all\", but must be \"auto\" or an array of CPU numbers, "
          "e.g. [0, 1]");
    CHECK(pool_error(R"("cpu_affinity": [])") ==
          "f: /pools/0/cpu_affinity: is empty, but must hold a CPU number; or leave it out");
    CHECK(pool_error(R"("cpu_affinity": [0, 8192])") ==
          "f: /pools/0/cpu_affinity/1: is 8192, but must be from 0 to 8191");
    CHECK(
        pool_error(R"("ambient_capabilities": ["CAP_FLY"])") ==
        "f: /pools/0/ambient_capabilities/0: is \"CAP_FLY\", but must be the name of a capability, "
        "e.g. \"CAP_NET_BIND_SERVICE\"");
    CHECK(pool_error(R"("no_new_privs": 1)") ==
          "f: /pools/0/no_new_privs: is 1, but must be true or false");
}

TEST_SUITE_END();

} // namespace usher::decode_run_as_test
