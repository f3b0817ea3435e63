// SPDX-License-Identifier: MIT
#include "common/wire/json_depth.hpp"

#include <doctest/doctest.h>

namespace usher::json_depth_test {

using wire::json_depth;

TEST_SUITE_BEGIN("json_depth");

TEST_CASE("arrays and objects count, and brackets in texts do not")
{
    CHECK(json_depth("") == 0);
    CHECK(json_depth("1") == 0);
    CHECK(json_depth("[]") == 1);
    CHECK(json_depth(R"({"a":[{}],"b":[]})") == 3);
    CHECK(json_depth("[],[],{}") == 1);
    CHECK(json_depth(R"(["[[[{{{",{"]}\"[":"\\"},[[]]])") == 3);
}

TEST_CASE("what is no JSON is as deep as a parser can get in it")
{
    CHECK(json_depth("]]]}}[[") == 2);
    CHECK(json_depth("[[[") == 3);
    CHECK(json_depth("[\"[[[") == 1);
    CHECK(json_depth("[\"\\") == 1);
}

TEST_SUITE_END();

} // namespace usher::json_depth_test
