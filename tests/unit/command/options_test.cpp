// SPDX-License-Identifier: MIT
#include "balancer/command/options.hpp"

#include "balancer/config/json/config_error.hpp"
#include "common/sys/process/cpus.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <unistd.h>

namespace usher::options_test {

namespace {

using Arguments = std::vector<const char*>;

/// The configuration `usher run` makes of `arguments`, without what accounts stand for.
Config run_config(const Arguments& arguments)
{
    const auto config = std::get<RunCommand>(parse_options(arguments)).config;
    return {.pools = {config.pools.begin(), config.pools.end()},
            .log_level = config.log_level,
            .log_format = config.log_format,
            .lame_duck = config.lame_duck};
}

std::string printed(const Arguments& arguments)
{
    return std::get<PrintCommand>(parse_options(arguments)).text;
}

std::string usage_error(const Arguments& arguments)
{
    try {
        static_cast<void>(parse_options(arguments));
        return "no error";
    } catch (const UsageError& error) {
        return error.what();
    }
}

std::string config_error(const Arguments& arguments)
{
    try {
        static_cast<void>(parse_options(arguments));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

/// A configuration file that is gone at the end of the scope.
class ScopedFile {
public:
    explicit ScopedFile(std::string_view text)
    {
        const int fd = ::mkstemp(name_.data());
        REQUIRE(fd >= 0);
        std::ofstream{name_} << text;
        ::close(fd);
    }
    ScopedFile(const ScopedFile&) = delete;
    ScopedFile& operator=(const ScopedFile&) = delete;
    ~ScopedFile() { std::filesystem::remove(name_); }

    [[nodiscard]] const char* name() const noexcept { return name_.c_str(); }

private:
    std::string name_ = "/tmp/usher-options-test-XXXXXX";
};

constexpr std::string_view one_pool =
    R"({"pools": [{"command": ["./a"], "listen": "80", "backlog": 7, "max_queue": 9}]})";
constexpr std::string_view two_pools =
    R"({"pools": [{"command": ["./a"], "listen": "80"},
                  {"name": "b", "command": ["./b"], "listen": "81"}]})";

} // namespace

TEST_SUITE_BEGIN("options");

TEST_CASE("run makes a configuration of flags and command")
{
    const Config config = run_config({"run", "--listen", "8000", "--workers", "4",
                                      "--listen=[::]:80", "--backlog", "10", "--", "./a", "x"});
    const Config expected{.pools = {{.command = {"./a", "x"},
                                     .workers = 4,
                                     .listen = {{.address = "8000"}, {.address = "[::]:80"}},
                                     .backlog = 10}}};
    CHECK(config == expected);
}

TEST_CASE("a dialect is one of those there are, and the flag replaces what the file says")
{
    CHECK(run_config({"run", "--listen", "0", "--dialect", "preload", "--", "a"})
              .pools.at(0)
              .dialect == Dialect::preload);
    CHECK(usage_error({"run", "--listen", "0", "--dialect", "telnet", "--", "a"}) ==
          "--dialect: is \"telnet\", but must be \"auto\", \"native\", \"preload\", \"node\", "
          "\"listen-fds\" or \"none\"");

    const ScopedFile file{
        R"({"pools": [{"command": ["./a"], "listen": "80", "dialect": "preload"}]})"};
    CHECK(run_config({"run", "--config", file.name()}).pools.at(0).dialect == Dialect::preload);
    CHECK(run_config({"run", "--config", file.name(), "--dialect", "native"}).pools.at(0).dialect ==
          Dialect::native);
}

TEST_CASE("what is not given keeps its default, auto is the default of workers")
{
    const Config config = run_config({"run", "--listen", "0", "--", "a"});
    Config expected{.pools = {{.command = {"a"}, .listen = {{.address = "0"}}}}};
    expected.pools.at(0).workers = sys::usable_cpus();
    CHECK(config == expected);
    CHECK(run_config({"run", "--workers", "auto", "--listen", "0", "--", "a"}) == config);
}

TEST_CASE("everything behind the first -- is the command, verbatim")
{
    const Config config =
        run_config({"run", "--listen", "80", "--", "a", "--listen", "81", "--", "--help", ""});
    CHECK(config.pools.at(0).listen.size() == 1);
    CHECK(config.pools.at(0).command ==
          std::vector<std::string>{"a", "--listen", "81", "--", "--help", ""});
}

TEST_CASE("an address is not taken apart by the parser of the command line")
{
    CHECK(usage_error({"run", "--listen", "[::1]", "--", "a"}) ==
          "--listen: \"[::1]\" has no port: use [::1]:8000");
    CHECK(usage_error({"run", "--listen", "", "--", "a"}) ==
          "--listen: \"\" is no address: use 8000, 127.0.0.1:8000, [::]:8000, localhost:8000 or "
          "unix:/path");
}

TEST_CASE("a file gives the configuration, and flags replace what it says of a single pool")
{
    const ScopedFile file{one_pool};
    Config expected{
        .pools = {
            {.command = {"./a"}, .listen = {{.address = "80"}}, .backlog = 7, .max_queue = 9}}};
    expected.pools.at(0).workers = sys::usable_cpus();
    CHECK(run_config({"run", "--config", file.name()}) == expected);

    expected.pools.at(0).command = {"./b"};
    expected.pools.at(0).listen = {{.address = "81"}};
    expected.pools.at(0).workers = 2;
    CHECK(run_config({"run", "--config", file.name(), "--listen", "81", "--workers", "2", "--",
                      "./b"}) == expected);
}

TEST_CASE("flags may complete a file")
{
    const ScopedFile file{R"({"pools": [{"max_queue": 9}]})"};
    CHECK(run_config({"run", "--config", file.name(), "--listen", "81", "--", "./b"})
              .pools.at(0)
              .max_queue == 9);
    CHECK(config_error({"run", "--config", file.name(), "--listen", "81"}) ==
          std::string{file.name()} +
              ": /pools/0: has no \"command\"; add one, e.g. \"command\": [\"./my-server\"]");
}

TEST_CASE("with several pools a flag could mean any")
{
    const ScopedFile file{two_pools};
    CHECK(run_config({"run", "--config", file.name()}).pools.size() == 2);

    const std::string rest = std::string{": "} + file.name() +
                             " has 2 pools, so the flag could mean any; write it in the file";
    CHECK(usage_error({"run", "--config", file.name(), "--listen", "1"}) == "--listen" + rest);
    CHECK(usage_error({"run", "--config", file.name(), "--dialect", "auto"}) == "--dialect" + rest);
    CHECK(usage_error({"run", "--config", file.name(), "--workers", "1"}) == "--workers" + rest);
    CHECK(usage_error({"run", "--config", file.name(), "--backlog", "1"}) == "--backlog" + rest);
    CHECK(usage_error({"run", "--config", file.name(), "--", "a"}) == "-- COMMAND" + rest);
}

TEST_CASE("values are checked, and the flag is named")
{
    constexpr auto must = "--workers: is {}, but must be a number from 1 to 1024 or \"auto\"";
    for (const std::string bad : {"0", "1025", "-1", "99999999999"})
        CHECK(usage_error({"run", "--workers", bad.c_str()}) == fmt::format(must, bad));
    for (const std::string bad : {"x", "4 ", "1e2"})
        CHECK(usage_error({"run", "--workers", bad.c_str()}) ==
              fmt::format(must, fmt::format("\"{}\"", bad)));
    CHECK(usage_error({"run", "--backlog", "0"}) == "--backlog: is 0, but must be from 1 to 65535");
    CHECK(usage_error({"run", "--backlog", "many"}) ==
          "--backlog: is \"many\", but must be a whole number from 1 to 65535");
    CHECK(run_config({"run", "--move-after", "1s", "--", "a"}).pools.at(0).move_after ==
          std::chrono::seconds{1});
    CHECK(usage_error({"run", "--move-after", "soon", "--", "a"}).starts_with("--move-after: "));
    CHECK(usage_error({"run", "--listen", "70000"}) ==
          "--listen: \"70000\" is no port: use 0 to 65535");
    CHECK(usage_error({"run", "--listen", "80", "--listen", "*:80"}) ==
          "--listen: \"*:80\" is where an earlier --listen is; give it once");
    CHECK(run_config({"run", "--listen", "0", "--listen", "0", "--", "a"}).pools[0].listen.size() ==
          2);
}

TEST_CASE("an option needs its value, and only --listen may come again")
{
    CHECK(usage_error({"run", "--config"}) == "--config: needs a value; see usher run --help");
    CHECK(usage_error({"run", "--config", ""}) == "--config: needs a value; see usher run --help");
    CHECK(usage_error({"run", "--workers", "--", "a"}) ==
          "--workers: needs a value; see usher run --help");
    CHECK(usage_error({"run", "--workers", "1", "--workers", "1"}) ==
          "--workers is given more than once; see usher run --help");
}

TEST_CASE("run without a command or a listener shows a whole example")
{
    CHECK(usage_error({"run", "--listen", "80"}) ==
          "run has no command; write e.g. usher run --listen 8000 -- ./my-server");
    CHECK(usage_error({"run", "--dialect", "native", "--", "a"}) ==
          "run has no --listen, which dialect native needs; write e.g. usher run --listen 8000 -- "
          "./my-server");
    CHECK(run_config({"run", "--", "a"}).pools.at(0).listen.empty());
    CHECK(run_config({"run", "--dialect", "node", "--", "a"}).pools.at(0).listen.empty());
    for (const char* dialect : {"node", "none"})
        CHECK(run_config({"run", "--dialect", dialect, "--", "a"}).pools.at(0).listen.empty());
    CHECK(usage_error({"run", "--dialect", "none", "--listen", "80", "--", "a"}) ==
          "--listen: has no effect with --dialect none, whose workers have no connections; leave "
          "it out");
    CHECK(usage_error({"run", "--dialect", "none", "--backlog", "80", "--", "a"}) ==
          "--backlog: has no effect with --dialect none, whose workers have no connections; leave "
          "it out");
    for (const Arguments& arguments : {Arguments{"run", "--"}, Arguments{"run", "--", ""}})
        CHECK(usage_error(arguments) ==
              "-- is followed by no command; write e.g. usher run --listen 8000 -- ./my-server");
    CHECK(usage_error({}) ==
          "there is nothing to do; write e.g. usher run --listen 8000 -- ./my-server");
}

TEST_CASE("a command without -- is told where it belongs")
{
    for (const std::string word : {"./my-server", "check", "", "-", "---"})
        CHECK(usage_error({"run", "--listen", "80", word.c_str()}) ==
              "\"" + word +
                  "\" stands before --; put -- in front of the command, e.g. usher run --listen "
                  "8000 -- ./my-server");
}

TEST_CASE("numbers of the bus and the store are whole, and as large as they may be")
{
    CHECK(usage_error({"subscribe", "a", "--count", "0"}) ==
          "--count: is \"0\", but must be a whole number from 1 to 18446744073709551615");
    for (const auto* const verb : {"get", "erase", "increment", "watch", "dump"})
        CHECK(usage_error({"store", verb, "a\xff"}).ends_with(", which is no UTF-8, as keys are"));
    CHECK(usage_error({"store", "put", "a\xff", "1"}).starts_with("KEY: is "));
    CHECK(usage_error({"store", "put", "k", "1", "--expect", "-1"}) ==
          "--expect: is \"-1\", but must be a whole number from 0 to 18446744073709551615");
    CHECK(usage_error({"store", "increment", "k", "9223372036854775808"}) ==
          "N: is \"9223372036854775808\", but must be a whole number from -9223372036854775808 to "
          "9223372036854775807");
    CHECK(usage_error({"store", "get"}).starts_with("KEY is required"));
    CHECK(usage_error({"store", "get", "-x"}) != "no error");
    CHECK(usage_error({"store", "get", "--", "-x"}) == "no error");
    CHECK(usage_error({"store", "dump", "--", "x", "y"}).starts_with("\"y\" is too much"));
    CHECK(usage_error({"publish", "a b", "1"}).starts_with("\"a b\" is no topic"));
    CHECK(usage_error({"subscribe", "a.>.b"}).starts_with("\"a.>.b\" is no pattern"));
}

TEST_CASE("a misspelt command or option is answered with the nearest one")
{
    CHECK(usage_error({"rnu"}) == "\"rnu\" is no command of usher; did you mean run?");
    CHECK(usage_error({"serve"}) ==
          "\"serve\" is no command of usher; use one of run, check, status, "
          "reload, restart, drain, scale, send, stop, events, publish, subscribe, request, store, "
          "completion");
    CHECK(usage_error({"run", "--wokers=4"}) ==
          "\"--wokers=4\" is no option of usher run; did you mean --workers?");
    CHECK(usage_error({"run", "-listen", "80"}) ==
          "\"-listen\" is no option of usher run; did you mean --listen?");
    CHECK(usage_error({"run", "--dump"}) ==
          "\"--dump\" is no option of usher run; see usher run --help");
    CHECK(usage_error({"--versoin"}) ==
          "\"--versoin\" is no option of usher; did you mean --version?");
    CHECK(usage_error({"--listen", "80"}) ==
          "\"--listen\" is no option of usher; see usher --help");
}

TEST_CASE("check loads and validates the file it is given")
{
    const ScopedFile file{one_pool};
    CHECK(printed({"check", "--config", file.name()}) ==
          file.name() + std::string{": the configuration is good\n"});
    CHECK(printed({"check", "--dump", "--config", file.name()}).find("\"max_queue\": 9") !=
          std::string::npos);

    CHECK(config_error({"check", "--config", "/no/file"}) ==
          "/no/file: cannot be read: No such file or directory");
    const ScopedFile incomplete{R"({"pools": [{"command": ["a"], "dialect": "native"}]})"};
    CHECK(config_error({"check", "--config", incomplete.name()}) ==
          std::string{incomplete.name()} +
              ": /pools/0: has no \"listen\"; add one, e.g. \"listen\": [\"8000\"]");
}

TEST_CASE("check looks at the files of stores, and makes and changes none")
{
    const ScopedFile store{""};
    const auto check = [](const std::string& path) {
        const ScopedFile file{fmt::format(R"({{"pools": [{{"command": ["a"], "dialect": "none",
            "store": {{"persist": "{}"}}}}]}})",
                                          path)};
        try {
            return printed({"check", "--config", file.name()}) ==
                           file.name() + std::string{": the configuration is good\n"}
                       ? std::string{"good"}
                       : "?";
        } catch (const ConfigError& e) {
            return std::string{e.what()}.substr(std::string_view{file.name()}.size());
        }
    };
    CHECK(check(store.name()) == "good");
    CHECK(std::filesystem::file_size(store.name()) == 0);
    std::filesystem::permissions(store.name(), std::filesystem::perms{0620});
    CHECK(check(store.name()) ==
          fmt::format(": /pools/0/store/persist: the store's file {} can be written by others than "
                      "its owner; chmod it go-w",
                      store.name()));
    std::filesystem::permissions(store.name(), std::filesystem::perms{0600});
    std::ofstream{store.name()} << "usher-store 2\nbat";
    const ScopedFile file{fmt::format(R"({{"pools": [{{"command": ["a"], "dialect": "none",
            "store": {{"persist": "{}"}}}}]}})",
                                      store.name())};
    CHECK(printed({"check", "--config", file.name()}) ==
          fmt::format("{0}: /pools/0/store/persist: the store's file {1}: its last 3 bytes were "
                      "not written to the end, as by a crash, and are cut off when usher starts\n"
                      "{0}: the configuration is good\n",
                      file.name(), store.name()));
    std::filesystem::remove(store.name());
    CHECK(check(store.name()) == "good");
    CHECK_FALSE(std::filesystem::exists(store.name()));
    const auto nowhere = std::string{store.name()} + "/store";
    CHECK(
        check(nowhere) ==
        fmt::format(": /pools/0/store/persist: the store's file {} cannot be opened: No such file "
                    "or directory; make its folder, which only usher's own user may write",
                    nowhere));
}

TEST_CASE("check takes a file and nothing else")
{
    CHECK(usage_error({"check"}) == "--config is required; see usher check --help");
    CHECK(usage_error({"check", "usher.json"}) ==
          "\"usher.json\" is too much for usher check; see usher check --help");
    CHECK(usage_error({"check", "--config", "x", "--", "a"}) ==
          "\"a\" is too much for usher check; see usher check --help");
}

TEST_CASE("the commands that speak to a master take their options and no others")
{
    const auto command = [](const Arguments& arguments) {
        return std::get<ControlCommand>(parse_options(arguments));
    };
    CHECK_FALSE(command({"reload"}).timeout);
    for (const char* name : {"status", "reload", "stop"})
        CHECK(command({name, "--timeout", "1500ms"}).timeout == std::chrono::milliseconds{1'500});
    CHECK(command({"scale", "2", "--timeout", "2m"}).timeout == std::chrono::minutes{2});

    const auto request = [&](const Arguments& arguments) { return command(arguments).request; };
    using enum Request::Command;
    CHECK(request({"status"}) == Request{.command = status});
    CHECK(command({"status", "--json"}).json);
    CHECK(request({"ls"}) == Request{.command = status});
    CHECK(command({"ls", "-w"}).watches);
    CHECK_FALSE(command({"status"}).watches);
    CHECK(request({"events"}) == Request{.command = events});
    CHECK(request({"events", "-f"}) == Request{.command = events, .follow = true});
    CHECK(request({"events", "--follow"}) == Request{.command = events, .follow = true});
    CHECK(request({"stop"}) == Request{.command = stop, .wait = true});
    CHECK(request({"stop", "--now", "--no-wait"}) == Request{.command = stop, .fast = true});
    CHECK(request({"reload", "--dry-run"}) == Request{.command = reload, .dry_run = true});
    CHECK(request({"restart", "all"}) == Request{.command = restart});
    CHECK(request({"restart", "2", "--pool", "a"}) ==
          Request{.command = restart, .pool = "a", .slot = 2});
    CHECK(request({"drain", "1024"}) == Request{.command = drain, .slot = 1024});
    CHECK(request({"scale", "-1"}) == Request{.command = scale, .workers = "-1"});
    CHECK(request({"scale", "+1", "--pool", "a"}) ==
          Request{.command = scale, .pool = "a", .workers = "+1"});
    CHECK(command({"drain", "1", "--control", "/x"}).path == "/x");
    for (const char* bad : {"0", "1025", "-1", "x", "1.5", ""}) {
        CAPTURE(bad);
        CHECK(usage_error({"restart", bad}).find("SLOT|all: ") == 0);
        CHECK(usage_error({"drain", bad}).find("SLOT: ") == 0);
    }
    for (const char* name : {"restart", "drain", "scale", "send"}) {
        CHECK(usage_error({name}).ends_with(std::string{"is required; see usher "} + name +
                                            " --help"));
        CHECK(usage_error({name, "1", "--pol", "a"}) ==
              std::string{"\"--pol\" is no option of usher "} + name + "; did you mean --pool?");
    }

    CHECK(request({"send", "{ }"}) == Request{.command = send, .message = "{ }"});
    CHECK(request({"send", "-1", "--worker", "3", "--pool", "a"}) ==
          Request{.command = send, .pool = "a", .slot = 3, .message = "-1"});
    CHECK(request({"send", "[1, 2]", "--worker", "3"}).message == "[1, 2]");
    CHECK(request({"send", "--worker=3", "--pool=a", "true"}) ==
          Request{.command = send, .pool = "a", .slot = 3, .message = "true"});
    CHECK(usage_error({"send", "hello"}).starts_with("the message: line 1, column 1: is not JSON"));
    CHECK(usage_error({"send", "1", "2"}) ==
          "\"2\" is too much for usher send; see usher send --help");
    CHECK(usage_error({"send", "1", "--worker", "all"}).starts_with("--worker: Value all not in "));

    CHECK(usage_error({"reload", "--timeout", "soon"}).starts_with("--timeout: \"soon\" is no "));
    CHECK(usage_error({"stop", "--timeout", "0s"}) ==
          "--timeout: is \"0s\", but must be longer than 0");
    CHECK(usage_error({"events", "--timeout", "1s"}) ==
          "\"--timeout\" is no option of usher events; see usher events --help");
    CHECK(usage_error({"status", "-f"}) ==
          "\"-f\" is no option of usher status; see usher status --help");
}

TEST_CASE("completion prints what a shell reads, and knows three shells")
{
    for (const char* shell : {"bash", "fish", "zsh"})
        CHECK(printed({"completion", shell}).find(fmt::format("`usher completion {}`", shell)) !=
              std::string::npos);
    CHECK(usage_error({"completion", "tcsh"}) ==
          "\"tcsh\" is no shell that is known; say bash, fish or zsh");
    CHECK(usage_error({"completion"}).find("bash|fish|zsh is required") != std::string::npos);
}

TEST_CASE("--version prints name and number")
{
    CHECK(printed({"--version"}) == "usher " USHER_VERSION "\n");
}

TEST_CASE("--help is there for usher and for each command, whatever else is given")
{
    for (const Arguments& arguments : {Arguments{"--help"}, Arguments{"-h"}})
        CHECK(printed(arguments).starts_with("usher: one front door for many worker processes\n"
                                             "Usage: usher [OPTIONS] [COMMAND]\n"));
    CHECK(printed({"run", "--workers", "x", "--help"}).find("Usage: usher run ") !=
          std::string::npos);
    CHECK(printed({"check", "-h"}).find("Usage: usher check ") != std::string::npos);
    CHECK(printed({"drain", "x", "-h"}).find("Usage: usher drain ") != std::string::npos);
    CHECK(printed({"drain", "--help"}).find("Usage: usher drain ") != std::string::npos);
}

TEST_CASE("--env and --env-file add to what the file says, and --env wins")
{
    const ScopedFile first{"A=1"};
    const ScopedFile second{"A=2"};
    const ScopedFile file{R"({"pools": [{"command": ["./a"], "listen": "80",
        "env": {"A": "1", "B": "1"}, "env_file": ")" +
                          std::string{first.name()} + "\"}]}"};
    const auto pool = [](const Arguments& arguments) { return run_config(arguments).pools.at(0); };
    const auto both = pool({"run", "--config", file.name(), "--env", "B=2=3", "--env=C="});
    CHECK(both.env == std::map<std::string, std::string>{{"A", "1"}, {"B", "2=3"}, {"C", ""}});

    CHECK(pool({"run", "--config", file.name(), "--env-file", second.name()}).env_files ==
          std::vector<std::string>{first.name(), second.name()});

    const auto plain = pool({"run", "--listen", "80", "--env", "P=${slot}$$", "--", "./a",
                             "--port=90${slot}", "${HOME}", "$$"});
    CHECK(plain.env.at("P") == "${slot}$$");
    CHECK(plain.command == std::vector<std::string>{"./a", "--port=90${slot}", "${HOME}", "$$"});

    CHECK(usage_error({"run", "--env", "A", "--listen", "80", "--", "./a"}) ==
          "--env: \"A\" has no =; write e.g. --env LOG_LEVEL=info");
    CHECK(usage_error({"run", "--env", "USHER_A=1", "--listen", "80", "--", "./a"}) ==
          "--env: \"USHER_A\": names that begin with USHER_ are reserved; choose another name");
    CHECK(usage_error({"run", "--env", "=1", "--listen", "80", "--", "./a"}) ==
          "--env: \"\": has an empty name; name the variable");
}

TEST_CASE("the variables of files are read with the configuration, and anew with each reload")
{
    const ScopedFile variables{"A=1\n"};
    const auto command = std::get<RunCommand>(parse_options(std::vector<const char*>{
        "run", "--listen", "80", "--env-file", variables.name(), "--", "./a"}));
    CHECK(command.config.pools.at(0).file_env.at("A") == "1");
    std::ofstream{variables.name()} << "A=2\n";
    CHECK(command.reload().pools.at(0).file_env.at("A") == "2");
    std::ofstream{variables.name()} << "A\n";
    CHECK_THROWS_WITH_AS(
        std::ignore = command.reload(),
        (std::string{variables.name()} +
         ": line 1: has no =; write NAME=value, and a value of several lines in quotes")
            .c_str(),
        ConfigError);
}

TEST_CASE("the help names every option, its default and the exit codes")
{
    const auto check_all = [](const Arguments& arguments, const Arguments& texts) {
        const std::string help = printed(arguments);
        for (const char* text : texts) {
            CAPTURE(text);
            CAPTURE(help);
            CHECK(help.find(text) != std::string::npos);
        }
    };
    const auto backlog = "(default " + std::to_string(PoolConfig{}.backlog) + ")";
    check_all({"run", "--help"},
              {"--config FILE", "--listen ADDR", "--workers N|auto", "--dialect NAME",
               "--backlog N", "--move-after TIME", "--env NAME=VALUE", "--env-file FILE",
               "-- COMMAND ARG...", "--help", "1 to 1024", "1 to 65535", backlog.c_str(),
               "2   wrong usage"});
    check_all({"check", "--help"}, {"--config FILE", "--dump", "3   wrong config"});
    check_all({"status", "-h"}, {"--json", "--timeout TIME", "--control PATH"});
    check_all({"reload", "-h"}, {"--dry-run", "--timeout TIME", "5   rolled back"});
    check_all({"restart", "-h"}, {"SLOT|all", "--pool NAME"});
    check_all({"drain", "-h"}, {"SLOT", "--pool NAME"});
    check_all({"scale", "-h"}, {"N|+N|-N", "--pool NAME"});
    check_all({"send", "-h"}, {"JSON|-", "--worker SLOT", "--pool NAME"});
    check_all({"stop", "-h"}, {"--now", "--no-wait", "6   no result"});
    check_all({"events", "-h"}, {"-f,--follow", "--json"});
    check_all({"--help"},
              {"usher run --listen 8000 -- ./my-server", "--version", "check", "status", "restart",
               "0   done", "1   failed", "2   wrong usage", "3   wrong config"});
}

TEST_CASE("--log-format is one of two words")
{
    CHECK(run_config({"run", "--listen", "80", "--log-format", "json", "--", "a"}).log_format ==
          log::Format::json);
    CHECK(usage_error({"run", "--listen", "80", "--log-format", "xml", "--", "a"}) ==
          "--log-format: is \"xml\", but must be \"text\" or \"json\"");
}

TEST_SUITE_END();

} // namespace usher::options_test
