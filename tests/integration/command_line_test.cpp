// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <regex>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace usher::command_line_test {

using namespace usher::test;

namespace {

constexpr usher::sys::ExitStatus code(int value)
{
    return {.by_signal = false, .code = value};
}

} // namespace

TEST_SUITE_BEGIN("command_line");

TEST_CASE("--version and --help are for the reader: standard output, exit 0")
{
    UsherProcess version{{"--version"}};
    CHECK(version.wait() == code(0));
    CHECK(version.log().starts_with("usher 0."));

    UsherProcess help{{"--help"}};
    CHECK(help.wait() == code(0));
    CHECK(help.count("usher run --listen") >= 1);
}

TEST_CASE("a mistake on the command line is one line with the remedy, exit 2")
{
    UsherProcess usher{{"run", "--lisen", "8000", "--", "./my-server"}};
    CHECK(usher.wait() == code(2));
    CHECK(usher.log().starts_with("usher: "));
    CHECK(usher.count("--listen") >= 1);
    CHECK(usher.count("\n") == 1);
}

TEST_CASE("a mistake in the configuration names file, place and nearest name, exit 3")
{
    const TempDir folder;
    const auto file = folder.write("usher.json", R"({"pools":[{"comand":["x"],"listen":"8000"}]})");
    for (const char* const command : {"check", "run"}) {
        UsherProcess usher{{command, "--config", file.string()}};
        CHECK(usher.wait() == code(3));
        CHECK(usher.log() == "usher: " + file.string() +
                                 ": /pools/0/comand: unknown key; did you mean \"command\"?\n");
    }
}

TEST_CASE("check says that a configuration is good, and --dump prints it with its defaults")
{
    const TempDir folder;
    const auto file =
        folder.write("usher.json", R"({"pools":[{"command":["x"],"listen":"8000","workers":3}]})");
    UsherProcess check{{"check", "--config", file.string()}};
    CHECK(check.wait() == code(0));

    UsherProcess dump{{"check", "--config", file.string(), "--dump"}};
    CHECK(dump.wait() == code(0));
    const auto config = nlohmann::json::parse(dump.log());
    CHECK(config.at("pools").at(0).at("workers") == 3);
    CHECK(config.at("pools").at(0).at("drain_timeout") == "30s");
}

TEST_CASE("a command whose output cannot be written says so, and does not succeed")
{
    ConfigFile config;
    config.pool["command"] = {python_program(), source_folder() + "/tests/sharing/raw_worker.py"};
    config.pool["dialect"] = "none";
    config.pool["workers"] = 1;
    config.pool["start_delay"] = "100ms";
    config.pool.erase("listen");
    config.write();
    const std::vector<std::vector<std::string>> commands{
        {"--help"},
        {"--version"},
        {"run", "--help"},
        {"check", "--config", config.path()},
        {"check", "--config", config.path(), "--dump"},
        {"status"},
        {"status", "--json"},
        {"events"},
        {"events", "--json", "-f"},
        {"completion", "bash"},
        {"publish", "a", "1"},
        {"subscribe", "a"},
        {"request", "op.1", R"({"op":"size"})"},
        {"store", "put", "k", "1"},
        {"store", "get", "k"},
        {"store", "increment", "n"},
        {"store", "watch"},
        {"store", "dump"},
        {"store", "--help"},
        {"reload", "--dry-run"},
        {"reload"},
        {"restart", "1"},
        {"scale", "1"},
        {"drain", "1"},
        {"stop"},
    };
    // All there are, but the one that wants a worker of dialect node.
    UsherProcess help{{"--help"}};
    CHECK(help.wait() == code(0));
    const std::regex name{"\n  ([a-z]+) {2,}"};
    const auto text = help.log().substr(help.log().find("Subcommands:"));
    for (std::sregex_iterator each{text.begin(), text.end(), name}, end; each != end; ++each) {
        const auto is_it = [&](const auto& command) { return command.front() == (*each)[1]; };
        CHECK_MESSAGE(((*each)[1] == "send" || std::ranges::any_of(commands, is_it)),
                      (*each)[1].str());
    }

    const std::string_view sentence = "usher: the standard output cannot be written: ";
    struct Manner {
        std::string name;
        std::function<void()> in_child;
        usher::sys::ExitStatus status;
        std::string says;
    };
    const auto to_nobody = [](auto on_pipe) {
        return [on_pipe] {
            std::array<int, 2> ends{};
            if (::pipe(ends.data()) == 0)
                ::dup2(ends[1], STDOUT_FILENO);
            ::close(ends[0]);
            ::close(ends[1]);
            ::signal(SIGPIPE, on_pipe);
        };
    };
    const std::vector<Manner> manners{
        {"full disk", [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); }, code(1),
         std::string{sentence} + "No space left on device\n"},
        {"closed", [] { ::close(STDOUT_FILENO); }, code(1),
         std::string{sentence} + "Bad file descriptor\n"},
        {"nobody reads", to_nobody(SIG_IGN), code(1), ""},
        {"nobody reads, as usual", to_nobody(SIG_DFL), {.by_signal = true, .code = SIGPIPE}, ""},
    };
    for (const auto& manner : manners) {
        UsherProcess usher{config.run()};
        usher.wait_until_ready(1);
        // For those who wait for something to show.
        const std::jthread life{[&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                std::ignore = usher.command({"publish", "a", "1"});
                std::ignore = usher.command({"store", "increment", "n"});
            }
        }};
        REQUIRE(eventually([&] {
            return usher.command({"request", "op.1", R"({"op":"size"})"}).code == 0;
        }));
        for (auto command : commands) {
            CAPTURE(manner.name);
            CAPTURE(command.front());
            CAPTURE(command.back());
            const bool asks_master = !command.back().starts_with("--help") &&
                                     !command.front().starts_with("--") &&
                                     command.front() != "check" && command.front() != "completion";
            if (asks_master)
                command.insert(command.end(), {"--control", usher.control_path()});
            UsherProcess client{command, manner.in_child};
            CHECK(client.wait() == manner.status);
            CHECK(client.log() == manner.says);
        }
        CHECK(usher.wait() == code(0)); // what was asked of it was done
    }
}

TEST_CASE("a command that has nothing to show does not mind where it would show it")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    UsherProcess client{{"store", "erase", "k", "--control", usher.control_path()},
                        [] { ::close(STDOUT_FILENO); }};
    CHECK(client.wait() == code(0));
    CHECK(client.log().empty());
}

TEST_SUITE_END();

} // namespace usher::command_line_test
