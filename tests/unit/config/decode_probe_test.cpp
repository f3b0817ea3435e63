// SPDX-License-Identifier: MIT
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

namespace usher::decode_probe_test {

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("decode_probe");

TEST_CASE("without the key there is no probe, and a path is all it needs")
{
    CHECK_FALSE(pool_of(R"("workers": 1)").probe);
    CHECK(pool_of(R"("probe": {"path": "/health"})").probe == ProbeConfig{.path = "/health"});
    CHECK(pool_of(R"("probe": {"path": "/a?b=c", "expect": 204, "timeout": "50ms"})").probe ==
          ProbeConfig{.path = "/a?b=c", .expect = 204, .timeout = 50ms});
}

TEST_CASE("what is wrong is said with its place")
{
    CHECK(pool_error(R"("probe": "/health")") ==
          "f: /pools/0/probe: is a string, but must be an object with \"path\"");
    CHECK(pool_error(R"("probe": {})") ==
          "f: /pools/0/probe: has no \"path\"; add one, e.g. \"path\": \"/health\"");
    CHECK(pool_error(R"("probe": {"path": "/", "expect": 199})") ==
          "f: /pools/0/probe/expect: is 199, but must be from 200 to 599");
    CHECK(pool_error(R"("probe": {"path": "/", "timeout": "0s"})") ==
          "f: /pools/0/probe/timeout: is \"0s\", but must be longer than 0");
    CHECK(pool_error(R"("probe": {"paht": "/"})") ==
          "f: /pools/0/probe/paht: unknown key; did you mean \"path\"?");
}

TEST_CASE("a path that would break the request is refused")
{
    for (const std::string path : {"", "health", "/a b", "/a\\r\\nX: y", "/\\u00e4", "/\\u007f"}) {
        CAPTURE(path);
        CHECK(
            pool_error(R"("probe": {"path": ")" + path + "\"}")
                .find(
                    "but must be a path of printable ASCII characters without blanks, at most 1024 "
                    "of them, that begins with /, e.g. \"/health\"") != std::string::npos);
    }
    const std::string longest = "/" + std::string(1023, 'x');
    CHECK(pool_error(R"("probe": {"path": ")" + longest + "\"}") == "no error");
    CHECK(pool_error(R"("probe": {"path": ")" + longest + "x\"}") != "no error");
}

TEST_SUITE_END();

} // namespace usher::decode_probe_test
