// SPDX-License-Identifier: MIT
#include "balancer/config/validate.hpp"

#include "balancer/config/json/config_error.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

namespace usher::validate_test {

namespace {

/// Each pool with a name of its own, if it has no other.
std::string error_of(Config config)
{
    for (std::size_t i = 1; i < config.pools.size(); ++i)
        if (config.pools[i].name == PoolConfig{}.name)
            config.pools[i].name += std::to_string(i);
    try {
        validate(config, "f");
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

PoolConfig pool_on(std::vector<std::string> addresses)
{
    PoolConfig pool{.command = {"./a"}};
    for (std::string& address : addresses)
        pool.listen.push_back({.address = std::move(address)});
    return pool;
}

} // namespace

TEST_SUITE_BEGIN("validate");

TEST_CASE("pools with a command and listeners of their own are good")
{
    CHECK(error_of({.pools = {pool_on({"80", "unix:a"}), pool_on({"localhost:80", "unix:b"})}}) ==
          "no error");
}

TEST_CASE("every pool has a name of its own")
{
    auto one = pool_on({"80"});
    auto other = pool_on({"81"});
    one.name = other.name = "a";
    CHECK(error_of({.pools = {one, other}}) ==
          "f: /pools/1: is named \"a\" like /pools/0; give each pool its own \"name\"");
}

TEST_CASE("a command and a listener must be there")
{
    CHECK(error_of({.pools = {{.listen = {{.address = "80"}}}}}) ==
          "f: /pools/0: has no \"command\"; add one, e.g. \"command\": [\"./my-server\"]");
    const PoolConfig native{.command = {"./a"}, .dialect = Dialect::native};
    CHECK(error_of({.pools = {pool_on({"80"}), native}}) ==
          "f: /pools/1: has no \"listen\"; add one, e.g. \"listen\": [\"8000\"]");
}

TEST_CASE("workers of some dialects can say themselves where the pool listens")
{
    for (const auto dialect : {Dialect::automatic, Dialect::preload, Dialect::node})
        CHECK(error_of({.pools = {{.command = {"node"}, .dialect = dialect}}}) == "no error");
    for (const auto dialect : {Dialect::native, Dialect::listen_fds})
        CHECK(error_of({.pools = {{.command = {"node"}, .dialect = dialect}}}) != "no error");
}

TEST_CASE("a key that would have no effect on the pool's dialect is refused")
{
    const auto error_with = [](Dialect dialect, auto change) {
        auto pool = pool_on({"80"});
        pool.dialect = dialect;
        change(pool);
        return error_of({.pools = {pool}});
    };
    const auto share = [](PoolConfig& pool) { pool.share = true; };
    const auto delay = [](PoolConfig& pool) { pool.start_delay = std::chrono::milliseconds{0}; };
    const auto notify = [](PoolConfig& pool) { pool.ready = Readiness::notify; };
    const auto probe = [](PoolConfig& pool) { pool.probe = ProbeConfig{.path = "/"}; };
    const auto count = [](PoolConfig& pool) { pool.recycle.max_connections = 1; };
    const auto no_policy = [](PoolConfig& pool) { pool.node.policy = NodeConfig::Policy::none; };

    CHECK(error_with(Dialect::preload, share) ==
          "f: /pools/0/share: is for dialect \"listen-fds\" alone; remove it");
    CHECK(error_with(Dialect::node, delay) ==
          "f: /pools/0/start_delay: is for dialects \"listen-fds\" and \"none\" alone; remove it");
    CHECK(error_with(Dialect::native, notify) ==
          "f: /pools/0/ready: cannot be \"notify\" for dialect \"native\", whose workers say "
          "themselves when they are ready; remove it");
    CHECK(
        error_with(Dialect::listen_fds, probe) ==
        "f: /pools/0/probe: cannot be had with dialect \"listen-fds\", because the workers accept "
        "themselves; remove it");
    CHECK(error_with(Dialect::listen_fds, count) ==
          "f: /pools/0/max_connections: cannot be counted with dialect \"listen-fds\", because the "
          "workers accept themselves; use max_age or max_memory");
    CHECK(error_with(Dialect::node,
                     [&](PoolConfig& pool) {
                         no_policy(pool);
                         probe(pool);
                     }) ==
          "f: /pools/0/probe: cannot be had with node policy \"none\", because the workers "
          "accept themselves; remove it");

    CHECK(error_with(Dialect::listen_fds,
                     [&](PoolConfig& pool) {
                         delay(pool);
                         notify(pool);
                     }) ==
          "f: /pools/0/start_delay: has no effect with \"ready\": \"notify\"; remove one of "
          "them");

    for (const auto dialect : {Dialect::preload, Dialect::node, Dialect::listen_fds})
        CHECK(error_with(dialect, notify) == "no error");
    CHECK(error_with(Dialect::node, probe) == "no error");
    CHECK(error_with(Dialect::listen_fds, [&](PoolConfig& pool) {
              share(pool);
              delay(pool);
          }) == "no error");
}

TEST_CASE("a pool without connections has no key that is about them")
{
    const auto error_with = [](auto change) {
        PoolConfig pool{.command = {"./a"}, .dialect = Dialect::none};
        change(pool);
        return error_of({.pools = {pool}});
    };
    const std::string why{
        ": has no effect with dialect \"none\", whose workers have no connections; remove it"};
    using Pool = PoolConfig;

    CHECK(error_with([](Pool&) {}) == "no error");
    CHECK(error_with([](Pool& pool) { pool.start_delay = std::chrono::milliseconds{0}; }) ==
          "no error");
    CHECK(error_with([](Pool& pool) { pool.ready = Readiness::notify; }) == "no error");
    CHECK(error_with([](Pool& pool) { pool.listen = {{.address = "80"}}; }) ==
          "f: /pools/0/listen" + why + ", or choose another dialect");
    CHECK(error_with([](Pool& pool) { pool.backlog = 1; }) == "f: /pools/0/backlog" + why);
    CHECK(error_with([](Pool& pool) { pool.max_queue = 1; }) == "f: /pools/0/max_queue" + why);
    CHECK(error_with([](Pool& pool) { pool.move_after = {}; }) == "f: /pools/0/move_after" + why);
    CHECK(error_with([](Pool& pool) { pool.probe = ProbeConfig{.path = "/"}; }) ==
          "f: /pools/0/probe" + why + ", or use \"ready\": \"notify\"");
    CHECK(error_with([](Pool& pool) { pool.recycle.max_connections = 1; }) ==
          "f: /pools/0/max_connections" + why + ", or use max_age or max_memory");
    CHECK(error_with([](Pool& pool) { pool.node.window = 2; }) == "f: /pools/0/node" + why);
    CHECK(error_with([](Pool& pool) { pool.share = true; }) ==
          "f: /pools/0/share: is for dialect \"listen-fds\" alone; remove it");
    CHECK(error_with([](Pool& pool) { pool.start_timeout = PoolConfig::default_start_delay; }) ==
          "f: /pools/0/start_timeout: is 1s, but must be longer than start_delay, 1s, after which "
          "a worker of dialect \"none\" is ready");
}

TEST_CASE("no address is listened on twice, however it is written and in whichever pool")
{
    CHECK(error_of({.pools = {pool_on({"80", "*:80"})}}) ==
          "f: /pools/0/listen/1: listens on \"*:80\" like /pools/0/listen/0; remove one of them");
    CHECK(error_of({.pools = {pool_on({"unix:a"}), pool_on({"80", "unix:a"})}}) ==
          "f: /pools/1/listen/1: listens on \"unix:a\" like /pools/0/listen/0; remove one of them");
}

TEST_CASE("no two listeners share a name, unless they have none")
{
    auto one = pool_on({"80", "82"});
    auto other = pool_on({"81"});
    one.listen[1].name = other.listen[0].name = "web";
    CHECK(error_of({.pools = {one, other}}) ==
          "f: /pools/1/listen/0: is called \"web\" like /pools/0/listen/1; choose another name");
    other.listen[0].name = "Web";
    CHECK(error_of({.pools = {one, other}}) == "no error");
}

TEST_CASE("what usher was started with is for any number of pools")
{
    auto one = pool_on({"80"});
    auto other = pool_on({"81"});
    one.output = {.kind = OutputConfig::Kind::file, .file = "/dev/stdout", .errors = "/dev/fd/2"};
    other.output = one.output;
    CHECK(error_of({.pools = {one, other}}) == "no error");
    other.output.errors = "log";
    CHECK(error_of({.pools = {one, other}}) == "no error");
    one.output.file = "log";
    CHECK(error_of({.pools = {one, other}}) ==
          "f: /pools/1/output/errors: writes to \"log\" like /pools/0/output/file; give each pool "
          "its own file");
    one.output.errors = "log";
    CHECK(error_of({.pools = {one}}) ==
          "f: /pools/0/output/errors: writes to \"log\" like /pools/0/output/file; give each pool "
          "its own file");
}

TEST_CASE("each pool has its own file")
{
    auto one = pool_on({"80"});
    auto other = pool_on({"81"});
    one.output = {.kind = OutputConfig::Kind::file, .file = "log"};
    other.output = one.output;
    CHECK(
        error_of({.pools = {one, other}}) ==
        "f: /pools/1/output/file: writes to \"log\" like /pools/0/output/file; give each pool its "
        "own file");
    other.output.file = "other";
    CHECK(error_of({.pools = {one, other}}) == "no error");

    one.output.file = "log-${slot}";
    CHECK(error_of({.pools = {one, other}}) == "no error");
    for (const char* const file : {"log-7", "log-${slot}"}) {
        other.output.file = file;
        CHECK(error_of({.pools = {one, other}}).find("writes to \"log-") != std::string::npos);
    }
    other.output.file = "log-$${slot}";
    CHECK(error_of({.pools = {one, other}}) == "no error");
}

TEST_CASE("port 0 is another port every time")
{
    CHECK(error_of({.pools = {pool_on({"0", "0", "localhost:0", "localhost:0"})}}) == "no error");
}

TEST_SUITE_END();

} // namespace usher::validate_test
