// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/node_allow_list.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace usher;

namespace {

ServerRequest for_path(std::string path)
{
    return {.address = std::move(path), .is_path = true, .port = -1};
}

} // namespace

TEST_SUITE_BEGIN("node_allow_list");

TEST_CASE("a path is allowed however it is written, if it is absolute")
{
    const NodeAllowList list{{{.address = "unix:/run/a/s"}}};
    CHECK(list.allows(for_path("/run/a/s")));
    CHECK(list.allows(for_path("/run//a/../a/./s")));
    CHECK_FALSE(list.allows(for_path("/run/a/t")));
    CHECK_FALSE(list.allows({.port = 80}));
    for (const char* const path : {"", "s", "run/a/s", "./run/a/s"})
        CHECK_FALSE(list.allows(for_path(path)));
    CHECK_FALSE(list.allows({.is_path = true}));
}

TEST_SUITE_END();
