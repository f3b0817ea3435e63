// SPDX-License-Identifier: MIT
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace usher::decode_pool_test {

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("decode_pool");

TEST_CASE("what is not said keeps its default")
{
    CHECK(pool_of("") == PoolConfig{});
}

TEST_CASE("everything that is said is taken over")
{
    const PoolConfig pool = pool_of(R"(
        "name": "api", "command": ["./a", ""], "workers": 3, "listen": "80", "backlog": 7,
        "env": {"A": "1", "B": ""}, "cwd": "/srv", "max_queue": 9, "move_after": "8ms", "start_timeout": "1s",
        "start_attempts": 2, "drain_timeout": "0s", "stop_grace": "0ms", "stop_scope": "leader",
        "restart": {
            "on": "failure", "first_delay": "1ms", "longest_delay": "2ms", "healthy_after": "3ms",
            "give_up_after": 0, "give_up": "exit"})");
    CHECK(pool == PoolConfig{
                      .name = "api",
                      .command = {"./a", ""},
                      .workers = 3,
                      .listen = {{.address = "80"}},
                      .backlog = 7,
                      .env = {{"A", "1"}, {"B", ""}},
                      .cwd = "/srv",
                      .max_queue = 9,
                      .move_after = 8ms,
                      .start_timeout = 1s,
                      .start_attempts = 2,
                      .drain_timeout = 0s,
                      .stop_grace = 0s,
                      .stop_scope = StopScope::leader,
                      .restart = {.on = RestartConfig::On::failure,
                                  .first_delay = 1ms,
                                  .longest_delay = 2ms,
                                  .healthy_after = 3ms,
                                  .give_up_after = 0,
                                  .give_up = RestartConfig::GiveUp::exit},
                  });
}

TEST_CASE("an unknown key is answered with the nearest one, or with all")
{
    CHECK(pool_error(R"("wrokers": 4)") ==
          "f: /pools/0/wrokers: unknown key; did you mean \"workers\"?");
    CHECK(pool_error(R"("restart": {"firstDelay": "1s"})") ==
          "f: /pools/0/restart/firstDelay: unknown key; did you mean \"first_delay\"?");
    CHECK(pool_error(R"("restart": {"a/b\n": 1})") ==
          "f: /pools/0/restart/a~1b\\n: unknown key; use one of on, first_delay, longest_delay, "
          "healthy_after, give_up_after, give_up");
}

TEST_CASE("a name is made of plain characters")
{
    CHECK(pool_error(R"("name": "A-z_0.9")") == "no error");
    CHECK(pool_error("\"name\": \"" + std::string(64, 'x') + "\"") == "no error");

    const std::string must = ", but must be 1 to 64 letters, digits, dots, hyphens or underscores";
    CHECK(pool_error(R"("name": "")") == "f: /pools/0/name: is \"\"" + must);
    CHECK(pool_error(R"("name": "a b")") == "f: /pools/0/name: is \"a b\"" + must);
    CHECK(pool_error("\"name\": \"" + std::string(65, 'x') + "\"") ==
          "f: /pools/0/name: is \"" + std::string(65, 'x') + "\"" + must);
    CHECK(pool_error(R"("name": null)") == "f: /pools/0/name: is null, but must be a string");
}

TEST_CASE("a command is an array of strings that begins with a program")
{
    CHECK(pool_error(R"("command": "./my-server")") ==
          "f: /pools/0/command: is a string, but must be an array of strings, e.g. "
          "[\"./my-server\", \"--flag\"]");
    CHECK(pool_error(R"("command": ["a", 1])") ==
          "f: /pools/0/command/1: is 1, but must be a string");
    CHECK(pool_error(R"("command": [])") ==
          "f: /pools/0/command: is empty, but must name a program, e.g. [\"./my-server\"]");
    CHECK(pool_error(R"("command": [""])") ==
          "f: /pools/0/command/0: is empty, but must name a program, e.g. \"./my-server\"");
}

TEST_CASE("a zero byte is refused wherever a string may stand")
{
    CHECK(pool_error(R"("command": ["a\u0000"])") ==
          "f: /pools/0/command/0: has a zero byte (\\u0000); remove it");
    CHECK(pool_error(R"("cwd": "\u0000")") ==
          "f: /pools/0/cwd: has a zero byte (\\u0000); remove it");
    CHECK(pool_error(R"("env": {"A": "\u0000"})") ==
          "f: /pools/0/env/A: has a zero byte (\\u0000); remove it");
    CHECK(pool_error(R"("env": {"A\u0000": ""})") ==
          "f: /pools/0/env/A\\u0000: has a zero byte (\\u0000) in its name; remove it");
    CHECK(pool_error(R"("start_timeout": "1\u0000s")") ==
          "f: /pools/0/start_timeout: has a zero byte (\\u0000); remove it");
}

TEST_CASE("how a worker shows that it is ready, and what is shared")
{
    CHECK(pool_of("").ready == Readiness::automatic);
    CHECK(pool_of(R"("ready": "auto")").ready == Readiness::automatic);
    CHECK(pool_of(R"("ready": "notify")").ready == Readiness::notify);
    CHECK(pool_error(R"("ready": "soon")") ==
          "f: /pools/0/ready: is \"soon\", but must be \"auto\" or \"notify\"");
    CHECK_FALSE(pool_of("").start_delay);
    CHECK(pool_of(R"("start_delay": "5s")").start_delay == 5s);
    CHECK(pool_of(R"("start_delay": "0s")").start_delay == 0s);
    CHECK_FALSE(pool_of("").share);
    CHECK(pool_of(R"("share": true)").share);
    CHECK(pool_error(R"("share": 1)") == "f: /pools/0/share: is 1, but must be true or false");
}

TEST_CASE("a dialect is one of those there are")
{
    CHECK(pool_of(R"("dialect": "auto")").dialect == Dialect::automatic);
    CHECK(pool_of(R"("dialect": "native")").dialect == Dialect::native);
    CHECK(pool_of(R"("dialect": "preload")").dialect == Dialect::preload);
    CHECK(pool_of(R"("dialect": "node")").dialect == Dialect::node);
    CHECK(pool_of(R"("dialect": "listen-fds")").dialect == Dialect::listen_fds);
    CHECK(pool_of(R"("dialect": "none")").dialect == Dialect::none);
    CHECK(pool_error(R"("dialect": "Native")") ==
          "f: /pools/0/dialect: is \"Native\", but must be "
          "\"auto\", \"native\", \"preload\", \"node\", \"listen-fds\" or \"none\"");
    CHECK(pool_error(R"("dialect": 1)") ==
          "f: /pools/0/dialect: is 1, but must be \"auto\", \"native\", \"preload\", \"node\", "
          "\"listen-fds\" or \"none\"");
}

TEST_CASE("what only Node workers have is an object of its own")
{
    CHECK(pool_of(R"("node": {})").node == NodeConfig{});
    CHECK(pool_of(R"("node": {"policy": "none", "window": 16, "ready": "online"})").node ==
          NodeConfig{.policy = NodeConfig::Policy::none,
                     .window = 16,
                     .ready = NodeConfig::Ready::online});
    CHECK(pool_of(R"("node": {"policy": "rr"})").node.policy == NodeConfig::Policy::round_robin);
    CHECK(pool_of(R"("node": {"policy": "reuseport"})").node.policy ==
          NodeConfig::Policy::reuseport);
    CHECK(pool_error(R"("node": {"policy": "fair"})") ==
          "f: /pools/0/node/policy: is \"fair\", but must be \"auto\", \"rr\", \"none\" or "
          "\"reuseport\"");
    CHECK(pool_error(R"("node": {"ready": "soon"})") ==
          "f: /pools/0/node/ready: is \"soon\", but must be \"listening\" or \"online\"");
    CHECK(pool_of(R"("node": {"serialization": "advanced"})").node.serialization ==
          NodeConfig::Serialization::advanced);
    CHECK(pool_of(R"("node": {"serialization": "json"})").node == NodeConfig{});
    CHECK(pool_error(R"("node": {"serialization": "xml"})") ==
          "f: /pools/0/node/serialization: is \"xml\", but must be \"json\" or \"advanced\"");
    CHECK(pool_of(R"("node": {"messages": "relay"})").node.messages == NodeConfig::Messages::relay);
    CHECK(pool_error(R"("node": {"messages": true})") ==
          "f: /pools/0/node/messages: is true, but must be \"show\" or \"relay\"");
}

TEST_CASE("workers are a number or auto")
{
    CHECK(pool_of(R"("workers": "auto")").workers == 0);
    CHECK(pool_of(R"("workers": 1)").workers == 1);
    CHECK(pool_of(R"("workers": 1024)").workers == 1024);
    for (const std::string bad : {"0", "1025", "-1", "1.5", "true", "\"4\"", "\"many\"", "[]"})
        CHECK(pool_error("\"workers\": " + bad) ==
              "f: /pools/0/workers: is " + (bad == "[]" ? "an array" : bad) +
                  ", but must be a number from 1 to 1024 or \"auto\"");
}

TEST_CASE("numbers stay in their range")
{
    CHECK(pool_error(R"("backlog": 0)") ==
          "f: /pools/0/backlog: is 0, but must be from 1 to 65535");
    CHECK(pool_error(R"("backlog": 65536)") ==
          "f: /pools/0/backlog: is 65536, but must be from 1 to 65535");
    CHECK(pool_error(R"("backlog": -9223372036854775808)") ==
          "f: /pools/0/backlog: is -9223372036854775808, but must be from 1 to 65535");
    CHECK(pool_error(R"("backlog": 18446744073709551615)") ==
          "f: /pools/0/backlog: is 18446744073709551615, but must be from 1 to 65535");
    CHECK(pool_error(R"("backlog": 4.0)") ==
          "f: /pools/0/backlog: is 4.0, but must be a whole number from 1 to 65535");
    CHECK(pool_error(R"("backlog": "4")") ==
          "f: /pools/0/backlog: is \"4\", but must be a whole number from 1 to 65535");
    CHECK(pool_error(R"("max_queue": 0)") ==
          "f: /pools/0/max_queue: is 0, but must be from 1 to 65535");
    CHECK(pool_error(R"("start_attempts": 0)") ==
          "f: /pools/0/start_attempts: is 0, but must be from 1 to 1000000");
    CHECK(pool_error(R"("restart": {"give_up_after": -1})") ==
          "f: /pools/0/restart/give_up_after: is -1, but must be from 0 to 1000000");
}

TEST_CASE("durations are strings, and longer than 0 where 0 makes no sense")
{
    CHECK(pool_error(R"("stop_grace": 30)") ==
          "f: /pools/0/stop_grace: is 30, but must be a duration, e.g. \"30s\"");
    CHECK(pool_error(R"("stop_grace": "30")") ==
          "f: /pools/0/stop_grace: \"30\" has no unit: use 30s or 30ms");
    CHECK(pool_error(R"("start_timeout": "0s")") ==
          "f: /pools/0/start_timeout: is \"0s\", but must be longer than 0");
    for (const std::string key : {"first_delay", "longest_delay", "healthy_after"})
        CHECK(pool_error("\"restart\": {\"" + key + "\": \"0ms\"}") ==
              "f: /pools/0/restart/" + key + ": is \"0ms\", but must be longer than 0");
}

TEST_CASE("environment names must be usable, and not ours")
{
    CHECK(pool_error(R"("env": {"": "1"})") ==
          "f: /pools/0/env/: has an empty name; name the variable");
    CHECK(pool_error(R"("env": {"A=B": "1"})") ==
          "f: /pools/0/env/A=B: has \"=\" in its name; choose a name without it");
    CHECK(pool_error(R"("env": {"USHER_SLOT": "1"})") ==
          "f: /pools/0/env/USHER_SLOT: names that begin with USHER_ are reserved; choose another "
          "name");
    CHECK(pool_error(R"("env": {"A": 1})") == "f: /pools/0/env/A: is 1, but must be a string");
    CHECK(pool_error(R"("env": [])") == "f: /pools/0/env: is an array, but must be an object");
}

TEST_CASE("the first delay is not longer than the longest")
{
    CHECK(pool_error(R"("restart": {"first_delay": "30s"})") == "no error");
    CHECK(pool_error(R"("restart": {"first_delay": "1m"})") ==
          "f: /pools/0/restart: first_delay is 1m, but must not be longer than longest_delay, "
          "30s");
    CHECK(pool_error(R"("restart": 1)") == "f: /pools/0/restart: is 1, but must be an object");
}

TEST_SUITE_END();

} // namespace usher::decode_pool_test
