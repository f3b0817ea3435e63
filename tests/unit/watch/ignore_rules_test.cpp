// SPDX-License-Identifier: MIT
#include "balancer/watch/ignore_rules.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace usher::ignore_rules_test {

namespace {

using Paths = std::vector<std::string>;

/// What of `paths` is ignored.
Paths ignored(const IgnoreRules& rules, const Paths& paths)
{
    Paths result;
    for (const auto& path : paths)
        if (rules.ignores(path))
            result.push_back(path);
    return result;
}

} // namespace

TEST_SUITE_BEGIN("ignore_rules");

TEST_CASE("what editors, tools and interpreters write is ignored wherever it is")
{
    const IgnoreRules rules{{}, {}, "/srv"};
    const Paths noise{".git",        "a/.git",  "node_modules", "a/node_modules",
                      "__pycache__", "a/b.pyc", "a/.b.js.swp",  "a/b.js~",
                      "a/.#b.js",    "4913",    "/x/y/4913"};
    CHECK(ignored(rules, noise) == noise);
    CHECK(ignored(rules, {"app.js", "src", ".env", "a/.gitignore", "git", "49130", "b.py",
                          ".git/config", "swp", "/x/y"})
              .empty());
}

TEST_CASE("a pattern without a slash is for names, one with a slash for paths")
{
    const IgnoreRules rules{{"*.log", "dist/", "src/gen/*", "./a/b", "/tmp/x?"}, {}, "/srv"};
    const Paths meant{"x.log",          "a/b/x.log", "dist",     "a/dist", "src/gen/c.js",
                      "/srv/src/gen/c", "a/b",       "/srv/a/b", "/tmp/xy"};
    CHECK(ignored(rules, meant) == meant);
    CHECK(ignored(rules, {"log", "dist.js", "src/gen", "b/src/gen/c", "x/a/b", "/tmp/x", "xy"})
              .empty());
}

TEST_CASE("usher's own log files are ignored, with their full ones, and no others")
{
    const IgnoreRules rules{{}, {"logs/[app].log", "/var/log/a-${slot}.log", "$${slot}"}, "/srv"};
    const Paths meant{
        "logs/[app].log",   "/srv/logs/[app].log", "logs/[app].log.1",   "logs/[app].log.12",
        "./logs/[app].log", "/var/log/a-7.log",    "/var/log/a-7.log.3", "${slot}"};
    CHECK(ignored(rules, meant) == meant);
    CHECK(ignored(rules, {"logs/a.log", "logs/[app].log.js", "[app].log", "/var/log/a.log",
                          "var/log/a-7.log", "/var/log/a-7.logs"})
              .empty());
}

TEST_SUITE_END();

} // namespace usher::ignore_rules_test
