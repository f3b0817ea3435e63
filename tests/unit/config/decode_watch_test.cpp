// SPDX-License-Identifier: MIT
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace usher::decode_watch_test {

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("decode_watch");

TEST_CASE("what is watched is a path, several, or an object with paths")
{
    CHECK(pool_of("").watch == WatchConfig{});
    CHECK(pool_of(R"("watch": "src")").watch == WatchConfig{.paths = {"src"}});
    CHECK(pool_of(R"("watch": ["src", "package.json"])").watch ==
          WatchConfig{.paths = {"src", "package.json"}});
    CHECK(pool_of(R"("watch": [])").watch == WatchConfig{});
    CHECK(pool_of(R"("watch": {"paths": ["a"], "ignore": ["*.log"], "delay": "1s"})").watch ==
          WatchConfig{.paths = {"a"}, .ignore = {"*.log"}, .delay = 1s});
}

TEST_CASE("what cannot be watched is refused")
{
    CHECK(pool_error(R"("watch": true)") == "f: /pools/0/watch: is true, but must be a path, an "
                                            "array of paths or an object with \"paths\"");
    CHECK(pool_error(R"("watch": "")") == "f: /pools/0/watch: is \"\", but must be the path of a "
                                          "file or folder, e.g. \"src\"");
    CHECK(pool_error(R"("watch": ["a", 1])") == "f: /pools/0/watch/1: is 1, but must be the path "
                                                "of a file or folder, e.g. \"src\"");
    CHECK(pool_error(R"("watch": {"ignore": ["a"]})") ==
          "f: /pools/0/watch: has no \"paths\"; add some, e.g. \"paths\": [\"src\"]");
    CHECK(pool_error(R"("watch": {"paths": ["a"], "ignore": [""]})") ==
          "f: /pools/0/watch/ignore/0: is \"\", but must be a pattern, e.g. \"*.log\"");
    CHECK(pool_error(R"("watch": {"paths": ["a"], "delay": "0s"})") ==
          "f: /pools/0/watch/delay: is \"0s\", but must be longer than 0");
    CHECK(pool_error(R"("watch": {"path": ["a"]})") ==
          "f: /pools/0/watch/path: unknown key; did you mean \"paths\"?");
}

TEST_SUITE_END();

} // namespace usher::decode_watch_test
