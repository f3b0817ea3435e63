// SPDX-License-Identifier: MIT
#include "balancer/config/accounts.hpp"

#include "balancer/config/json/config_error.hpp"
#include "common/sys/process/account.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include <linux/capability.h>
#include <unistd.h>

namespace usher::accounts_test {

namespace {

Config config_with(RunAsConfig run_as)
{
    return {.pools = {{.run_as = std::move(run_as)}}};
}

AccountIds ids_of(RunAsConfig run_as)
{
    return resolve_accounts(config_with(std::move(run_as)), "f", false).pools.front().account;
}

std::map<std::string, std::string> login_of(const sys::User& user)
{
    return {
        {"HOME", user.home}, {"LOGNAME", user.name}, {"SHELL", user.shell}, {"USER", user.name}};
}

std::string error_of(RunAsConfig run_as)
{
    try {
        std::ignore = resolve_accounts(config_with(std::move(run_as)), "f", false);
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

} // namespace

TEST_SUITE_BEGIN("accounts");

TEST_CASE("nothing said, nothing changed")
{
    CHECK(ids_of({}) == AccountIds{});
}

TEST_CASE("a user brings its group and its supplementary groups, by name or number")
{
    const auto root = sys::find_user("root");
    REQUIRE(root);
    const AccountIds expected{.user = 0,
                              .group = root->group,
                              .groups = sys::groups_of("root", root->group),
                              .variables = login_of(*root)};
    CHECK(ids_of({.user = "root"}) == expected);
    CHECK(ids_of({.user = "0"}) == expected);
    CHECK(sys::find_user(0)->name == "root");
}

TEST_CASE("a user brings the variables of a login, but no shell that lets nobody in")
{
    const auto nobody = sys::find_user("nobody");
    REQUIRE(nobody);
    REQUIRE(nobody->shell.ends_with("/nologin"));
    const std::map<std::string, std::string> expected{
        {"HOME", nobody->home}, {"LOGNAME", "nobody"}, {"USER", "nobody"}};
    CHECK(ids_of({.user = "nobody"}).variables == expected);
    CHECK(ids_of({.user = std::to_string(nobody->id)}).variables == expected);
    CHECK(ids_of({.user = "nobody", .group = "root"}).variables == expected);
    CHECK(ids_of({.group = "root"}).variables.empty());
    CHECK(ids_of({.user = "54321", .group = "root"}).variables.empty());
}

TEST_CASE("what is said of the groups goes before the user's own")
{
    CHECK(ids_of({.user = "root", .group = "12", .groups = {{"13", "14"}}}) ==
          AccountIds{.user = 0,
                     .group = 12,
                     .groups = {{13, 14}},
                     .variables = login_of(*sys::find_user("root"))});
    CHECK(ids_of({.user = "root", .groups = std::vector<std::string>{}}).groups->empty());
    CHECK(ids_of({.group = "root"}) == AccountIds{.group = 0});
}

TEST_CASE("a number that is no user's needs a group, and has only that")
{
    CHECK(error_of({.user = "4294900000"}) ==
          "f: /pools/0/user: no user has the number 4294900000, so that its group is unknown; add "
          "\"group\"");
    CHECK(ids_of({.user = "4294900000", .group = "12"}) ==
          AccountIds{.user = 4'294'900'000, .group = 12, .groups = {{12}}});
}

TEST_CASE("the owner and the group of a Unix socket's file, by name or number")
{
    const auto owner_of = [](ListenConfig listen, bool to_run = false) {
        Config config{.pools = {{.listen = {{.address = "80"}, std::move(listen)}}}};
        return resolve_accounts(std::move(config), "f", to_run).pools.front().listen[1].file_owner;
    };
    using sys::FileOwner;
    CHECK(owner_of({.address = "unix:a"}) == FileOwner{});
    CHECK(owner_of({.address = "unix:a", .owner = "root"}) == FileOwner{.user = 0, .group = {}});
    CHECK(owner_of({.address = "unix:a", .owner = "4294900000", .group = "root"}) ==
          FileOwner{.user = 4'294'900'000, .group = 0});
    CHECK_THROWS_WITH_AS(std::ignore = owner_of({.address = "unix:a", .owner = "no-such-user"}),
                         "f: /pools/0/listen/1/owner: there is no user \"no-such-user\" on this "
                         "system; create it, or name another",
                         ConfigError);
    CHECK_THROWS_AS(std::ignore = owner_of({.address = "unix:a", .group = "no-such-group"}),
                    ConfigError);
    const auto own = std::to_string(::getegid());
    CHECK(owner_of({.address = "unix:a", .group = own}, true).group == ::getegid());
    if (sys::has_capability(CAP_CHOWN))
        CHECK(owner_of({.address = "unix:a", .owner = "12", .group = "13"}, true).group == 13);
    else
        CHECK_THROWS_AS(std::ignore = owner_of({.address = "unix:a", .owner = "12"}, true),
                        ConfigError);
}

TEST_CASE("what is not there is named")
{
    CHECK(error_of({.user = "no-such-user"}) ==
          "f: /pools/0/user: there is no user \"no-such-user\" on this system; create it, or name "
          "another");
    CHECK(error_of({.group = "no-such-group"}) ==
          "f: /pools/0/group: there is no group \"no-such-group\" on this system; create it, or "
          "name another");
    CHECK(error_of({.groups = {{"root", "no-such-group"}}}) ==
          "f: /pools/0/groups/1: there is no group \"no-such-group\" on this system; create it, or "
          "name another");
}

TEST_SUITE_END();

} // namespace usher::accounts_test
