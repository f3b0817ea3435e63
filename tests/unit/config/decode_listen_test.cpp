// SPDX-License-Identifier: MIT
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>

namespace usher::decode_listen_test {

using namespace usher::test;

TEST_SUITE_BEGIN("decode_listen");

TEST_CASE("one address needs no array")
{
    const std::vector<ListenConfig> expected{{.address = "8000"}};
    CHECK(pool_of(R"("listen": "8000")").listen == expected);
    CHECK(pool_of(R"("listen": {"address": "8000"})").listen == expected);
    CHECK(pool_of(R"("listen": ["8000"])").listen == expected);
}

TEST_CASE("options stand beside the address")
{
    const auto listen = pool_of(R"("listen": [
        {"address": "[::]:80", "v6only": true}, {"address": "unix:a", "mode": "0660"}])")
                            .listen;
    REQUIRE(listen.size() == 2);
    CHECK(listen[0] == ListenConfig{.address = "[::]:80", .v6only = true});
    CHECK(listen[1] == ListenConfig{.address = "unix:a", .mode = 0660});
    CHECK(pool_of(R"("listen": {"address": "unix:a", "owner": "www-data", "group": 33})").listen ==
          std::vector<ListenConfig>{{.address = "unix:a", .owner = "www-data", .group = "33"}});
}

TEST_CASE("an address is parsed, its error is passed on")
{
    CHECK(pool_error(R"("listen": ["8000", "70000"])") ==
          "f: /pools/0/listen/1: \"70000\" is no port: use 0 to 65535");
    CHECK(pool_error(R"("listen": {"address": "::1"})") ==
          "f: /pools/0/listen/address: \"::1\" has an IPv6 address without brackets: use "
          "[::1]:8000");
}

TEST_CASE("wrong types are named")
{
    CHECK(pool_error(R"("listen": 8000)") ==
          "f: /pools/0/listen: is 8000, but must be an address or an array, e.g. [\"8000\"]");
    CHECK(pool_error(R"("listen": [8000])") ==
          "f: /pools/0/listen/0: is 8000, but must be an address or an object with \"address\"");
    CHECK(pool_error(R"("listen": {"address": 8000})") ==
          "f: /pools/0/listen/address: is 8000, but must be a string");
    CHECK(pool_error(R"("listen": {"address": "80", "v6only": 1})") ==
          "f: /pools/0/listen/v6only: is 1, but must be true or false");
}

TEST_CASE("an object needs its address and takes no other key")
{
    CHECK(pool_error(R"("listen": [{"mode": "0660"}])") ==
          "f: /pools/0/listen/0: has no \"address\"; add one, e.g. \"address\": "
          "\"127.0.0.1:8000\"");
    CHECK(pool_error(R"("listen": {"adress": "80"})") ==
          "f: /pools/0/listen/adress: unknown key; did you mean \"address\"?");
}

TEST_CASE("v6only is for TCP, what a file has for Unix-domain sockets that have one")
{
    CHECK(pool_error(R"("listen": {"address": "unix:a", "v6only": false})") ==
          "f: /pools/0/listen/v6only: is for TCP addresses only; remove it");
    CHECK(pool_error(R"("listen": {"address": "unix:@a", "v6only": false})") ==
          "f: /pools/0/listen/v6only: is for TCP addresses only; remove it");
    for (const std::string key : {"mode", "owner", "group"}) {
        const auto with = [&](const std::string& address) {
            return pool_error(
                fmt::format(R"("listen": {{"address": "{}", "{}": "0660"}})", address, key));
        };
        CHECK(with("unix:a") == "no error");
        CHECK(with("8000") ==
              "f: /pools/0/listen/" + key + ": is for unix: addresses only; remove it");
        CHECK(with("unix:@a") == "f: /pools/0/listen/" + key +
                                     ": is for a socket's file, and this has none, so that anybody "
                                     "may connect; remove it, or take a path");
    }
    for (const std::string bad : {"\"\"", "-1", "true", "[]"})
        CHECK(pool_error(R"("listen": {"address": "unix:a", "owner": )" + bad + "}")
                  .ends_with("but must be a name or a number, e.g. \"www-data\" or 33"));
}

TEST_CASE("a name is what FileDescriptorName= may be")
{
    CHECK(pool_of(R"("listen": {"address": "80", "name": "web one.socket"})").listen ==
          std::vector<ListenConfig>{{.address = "80", .name = "web one.socket"}});
    for (const auto& bad : std::vector<std::string>{"", "a:b", "ä", std::string(256, 'x')})
        CHECK(pool_error(R"("listen": {"address": "80", "name": ")" + bad + "\"}")
                  .starts_with("f: /pools/0/listen/name: is "));
    CHECK(pool_error(R"("listen": {"address": "80", "name": "a\u0009b"})")
              .ends_with("but must be 1 to 255 printable ASCII characters other than a colon"));
}

TEST_CASE("a mode is an octal string up to 0777")
{
    const auto mode_error = [](const std::string& mode) {
        return pool_error(R"("listen": {"address": "unix:a", "mode": )" + mode + "}");
    };
    for (const std::string good : {"\"0\"", "\"660\"", "\"0777\""})
        CHECK(mode_error(good) == "no error");
    for (const std::string bad : {"\"\"", "\"0999\"", "\"1000\"", "\"-1\"", "\"0660 \"", "660"})
        CHECK(mode_error(bad) == "f: /pools/0/listen/mode: is " + bad +
                                     ", but must be an octal string from \"0\" to \"0777\", e.g. "
                                     "\"0660\"");
}

TEST_SUITE_END();

} // namespace usher::decode_listen_test
