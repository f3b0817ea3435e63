// SPDX-License-Identifier: MIT
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

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

TEST_SUITE_END();

} // namespace usher::command_line_test
