// SPDX-License-Identifier: MIT

#include "balancer/config/load.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace usher::dump_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("dump");

TEST_CASE("the defaults are written out")
{
    const Config config{.pools = {{.command = {"./a"}, .listen = {{.address = "80"}}}}};
    CHECK(dump_config(config) == R"({
  "log_level": "info",
  "log_format": "text",
  "lame_duck": "0s",
  "pools": [
    {
      "name": "default",
      "command": [
        "./a"
      ],
      "dialect": "auto",
      "node": {
        "policy": "auto",
        "window": 1,
        "ready": "listening",
        "serialization": "json",
        "messages": "show",
        "allow_inherited": false
      },
      "share": false,
      "workers": "auto",
      "listen": [
        {
          "address": "80",
          "v6only": false
        }
      ],
      "backlog": 4096,
      "env_file": [],
      "env": {},
      "cwd": "",
      "rlimits": {},
      "ambient_capabilities": [],
      "cgroup": "auto",
      "clear_env": false,
      "max_queue": 64,
      "move_after": "100ms",
      "start_timeout": "30s",
      "ready": "auto",
      "start_attempts": 3,
      "drain_timeout": "30s",
      "stop_grace": "5s",
      "stop_signal": "TERM",
      "stop_scope": "group",
      "stall_timeout": "10s",
      "hang_signal": "ABRT",
      "max_connections": 0,
      "max_age": "0s",
      "max_memory": 0,
      "output": "stderr",
      "restart": {
        "on": "always",
        "first_delay": "100ms",
        "longest_delay": "30s",
        "healthy_after": "10s",
        "give_up_after": 10,
        "give_up": "never"
      },
      "reload": {
        "strategy": "rolling",
        "max_surge": 1,
        "max_unavailable": 0,
        "soak": "0s",
        "max_old_generations": 3
      },
      "watch": [],
      "bus": {
        "max_messages": 10000,
        "max_bytes": "4MiB"
      },
      "store": {
        "max_keys": 100000,
        "max_bytes": "64MiB",
        "worker_bytes": "16MiB"
      },
      "on": {}
    }
  ]
})");
}

TEST_CASE("what is written is read back equal")
{
    const Config config{
        .pools =
            {
                {.name = "a",
                 .command = {"./a", "--text", "ä\n\"", "${slot}$${slot}${A}$$"},
                 .dialect = Dialect::preload,
                 .node = {.policy = NodeConfig::Policy::reuseport,
                          .window = 2,
                          .ready = NodeConfig::Ready::online},
                 .share = true,
                 .workers = 7,
                 .listen = {{.address = "[::]:80", .name = "web", .v6only = true},
                            {.address = "unix:/x", .mode = 0600, .owner = "a", .group = "1"},
                            {.address = "unix:@z"},
                            {.address = "unix:y", .mode = 0}},
                 .backlog = 1,
                 .env_files = {"a.env", "$${b}"},
                 .env = {{"A", "1"}, {"B", "$$${slot}$$"}},
                 .cwd = "/srv",
                 .run_as = {.user = "a",
                            .group = "1",
                            .groups = {{"b", "2"}},
                            .umask = 07,
                            .rlimits = {{"core", {}}, {"cpu", {.soft = 0, .hard = 1}}},
                            .nice = -1,
                            .oom_score_adj = -2,
                            .cpu_affinity = {.cpus = {0, 8191}},
                            .no_new_privs = true,
                            .ambient_capabilities = {10, 13},
                            .cgroup = CgroupMode::on,
                            .clear_env = true},
                 .max_queue = 2,
                 .move_after = 7ms,
                 .start_timeout = 1'001ms,
                 .ready = Readiness::notify,
                 .start_delay = 0s,
                 .probe = ProbeConfig{.path = "/a?b", .expect = 204, .timeout = 3ms},
                 .start_attempts = 4,
                 .drain_timeout = 0s,
                 .stop_grace = 48h,
                 .stop_signal = SIGQUIT,
                 .stop_scope = StopScope::leader,
                 .stall_timeout = 0s,
                 .hang_signal = SIGKILL,
                 .recycle = {.max_connections = 1, .max_age = 2s, .max_memory = 1025},
                 .output = {.kind = OutputConfig::Kind::file,
                            .format = log::Format::json,
                            .file = "log${slot}",
                            .errors = "errors${slot}",
                            .max_size = 1025},
                 .restart = {.on = RestartConfig::On::never,
                             .first_delay = 1ms,
                             .longest_delay = 2min,
                             .give_up_after = 0,
                             .give_up = RestartConfig::GiveUp::exit},
                 .reload = {.strategy = ReloadConfig::Strategy::all_at_once,
                            .max_surge = 0,
                            .max_unavailable = 2,
                            .soak = 1s,
                            .max_old_generations = 1},
                 .watch = {.paths = {"a", "b"}, .ignore = {"*.log"}, .delay = 1s},
                 .hooks = {.exit = {"./a", "$${b}"}, .failed = {"c"}, .stalled = {"d", ""}}},
                {.name = "b",
                 .dialect = Dialect::native,
                 .run_as = {.groups = {{}},
                            .cpu_affinity = {.by_slot = true},
                            .cgroup = CgroupMode::off}},
            },
        .log_level = log::Level::error,
        .log_format = log::Format::json,
        .lame_duck = 3s};
    CHECK(decode_config(dump_config(config), "f") == config);
}

TEST_CASE("bytes that are no UTF-8 are replaced")
{
    const Config config{.pools = {{.command = {"\xff"}}}};
    CHECK(decode_config(dump_config(config), "f").pools.at(0).command.at(0) == "\uFFFD");
}

TEST_SUITE_END();

} // namespace usher::dump_test
