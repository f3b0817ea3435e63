// SPDX-License-Identifier: MIT
#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

#include <map>

namespace usher::decode_variables_test {

using namespace usher::test;

namespace {

std::optional<std::string> value_of(const std::string& name)
{
    static const std::map<std::string, std::string> values{
        {"N", "3"},          {"WORD", "many"},
        {"PORT", "8000"},    {"YES", "true"},
        {"AUTO", "auto"},    {"SIZE", "10MiB"},
        {"MINUS", "-5"},     {"SECRET", "hunter2"},
        {"TIME", "5s"},      {"HUGE", "99999999999999999999"},
        {"ODD", "${slot}$$"}};
    const auto found = values.find(name);
    return found != values.end() ? std::optional{found->second} : std::nullopt;
}

PoolConfig pool(std::string_view members)
{
    return decode_config(pool_text(members), "f", value_of).pools.at(0);
}

std::string error(std::string_view members)
{
    try {
        static_cast<void>(pool(members));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

} // namespace

TEST_SUITE_BEGIN("variables in the configuration");

TEST_CASE("every string value may have variables in it")
{
    const auto filled = pool(R"("name": "${WORD}", "command": ["./${WORD}", "${N}"],
        "listen": ["${PORT}", {"address": "unix:/run/${WORD}"}], "env": {"A": "x${N}"},
        "cwd": "/${WORD}", "stop_grace": "${TIME}", "user": "${WORD}", "max_memory": "${SIZE}",
        "dialect": "${NONE:-node}", "output": {"file": "${WORD}.log"}, "probe": {"path": "/${N}"})");
    CHECK(filled.name == "many");
    CHECK(filled.command == std::vector<std::string>{"./many", "3"});
    CHECK(filled.listen.at(0).address == "8000");
    CHECK(filled.listen.at(1).address == "unix:/run/many");
    CHECK(filled.env.at("A") == "x3");
    CHECK(filled.cwd == "/many");
    CHECK(filled.stop_grace == std::chrono::seconds{5});
    CHECK(filled.run_as.user == "many");
    CHECK(filled.recycle.max_memory == 10 * 1024 * 1024);
    CHECK(filled.dialect == Dialect::node);
    CHECK(filled.output.file == "many.log");
    CHECK(filled.probe->path == "/3");
}

TEST_CASE("a string that is one variable may stand for a number, true or false")
{
    const auto filled = pool(R"("workers": "${N}", "backlog": "${NONE:-7}", "nice": "${MINUS}",
        "share": "${YES}", "max_memory": "${PORT}", "user": "${N}", "rlimits": {"core": "${N}"},
        "cpu_affinity": ["${N}"], "max_connections": "${N}")");
    CHECK(filled.workers == 3);
    CHECK(filled.backlog == 7);
    CHECK(filled.run_as.nice == -5);
    CHECK(filled.share);
    CHECK(filled.recycle.max_memory == 8000);
    CHECK(filled.run_as.user == "3");
    CHECK(filled.run_as.rlimits.at("core").hard == 3);
    CHECK(filled.run_as.cpu_affinity.cpus == std::vector<unsigned>{3});
    CHECK(pool(R"("workers": "${AUTO}")").workers == 0);
    CHECK(pool(R"("env": {"A": "${N}"})").env.at("A") == "3");
}

TEST_CASE("what is no number is refused with what it is and where that comes from")
{
    CHECK(error(R"("workers": "${WORD}")") == "f: /pools/0/workers: is \"many\" by \"${WORD}\", "
                                              "but must be a number from 1 to 1024 or \"auto\"");
    CHECK(error(R"("workers": "${PORT}")") == "f: /pools/0/workers: is \"8000\" by \"${PORT}\", "
                                              "but must be a number from 1 to 1024 or \"auto\"");
    CHECK(error(R"("backlog": "1${N}")") == "f: /pools/0/backlog: is \"13\" by \"1${N}\", but "
                                            "must be a whole number from 1 to 65535");
    CHECK(error(R"("backlog": "${HUGE}")").find("is \"99999999999999999999\" by") !=
          std::string::npos);
    CHECK(error(R"("backlog": "3")") ==
          "f: /pools/0/backlog: is \"3\", but must be a whole number from 1 to 65535");
    CHECK(error(R"("share": "${N}")") ==
          "f: /pools/0/share: is \"3\" by \"${N}\", but must be true or false");
}

TEST_CASE("a variable that is not set is named with its place")
{
    const std::string remedy = "the variable NONE is not set in usher's environment; set it, or "
                               "say what is meant without it, as in ${NONE:-default}";
    CHECK(error(R"("env": {"A": "${NONE}"})") == "f: /pools/0/env/A: line 1: " + remedy);
    CHECK(error("// first\n\"command\": [\"a\", // second\n  \"b${NONE}\"\n]") ==
          "f: /pools/0/command/1: line 3: " + remedy);
    CHECK(error("\n\n\"backlog\": \"${NONE}\"") == "f: /pools/0/backlog: line 3: " + remedy);
    CHECK(error("\"env\": {\n\"a/b\":\n\"${NONE}\"}") == "f: /pools/0/env/a~1b: line 3: " + remedy);
}

TEST_CASE("names of keys are no place for variables")
{
    CHECK(pool(R"("env": {"${N}": "a"})").env.at("${N}") == "a");
    CHECK(error(R"("${N}": 1)").find("unknown key") != std::string::npos);
}

TEST_CASE("the value of a variable of env or command is in no error")
{
    CHECK(error(R"("env": {"A": "${SECRET}${NONE}"})").find("hunter2") == std::string::npos);
    CHECK(error(R"("env": "${SECRET}")") == "f: /pools/0/env: is a string, but must be an object");
    CHECK(error(R"("command": "${SECRET}")").find("hunter2") == std::string::npos);
}

TEST_CASE("${slot} is kept in env, command and output.file, and refused elsewhere")
{
    const auto filled = pool(R"("env": {"A": "x${slot}", "B": "${ODD}"},
        "command": ["./a", "--port=90${slot}"], "output": {"file": "/l/${N}-${slot}"})");
    CHECK(filled.env.at("A") == "x${slot}");
    CHECK(filled.env.at("B") == "$${slot}$$");
    CHECK(filled.command.at(1) == "--port=90${slot}");
    CHECK(filled.output.file == "/l/3-${slot}");
    for (const std::string member :
         {R"("cwd": "${slot}")", R"("name": "a${slot}")", R"("listen": "80${slot}")",
          R"("workers": "${slot}")", R"("probe": {"path": "/${slot}"})",
          R"("output": "${slot}")"}) {
        CAPTURE(member);
        CHECK(error(member).find(": line 1: has ${slot} in it, which can stand only in") !=
              std::string::npos);
    }
}

TEST_CASE("a dump shows what was filled in, and is read back equal in any environment")
{
    const auto config = decode_config(pool_text(R"("command": ["a$$b", "$${N}", "${ODD}${slot}"],
        "cwd": "$$$${N}", "env": {"A": "${N}"}, "output": {"file": "$${slot}${slot}"})"),
                                      "f", value_of);
    const auto dump = dump_config(config);
    CHECK(dump.find("\"A\": \"3\"") != std::string::npos);
    CHECK(decode_config(dump, "dump", [](const std::string&) { return std::nullopt; }) == config);
}

TEST_SUITE_END();

} // namespace usher::decode_variables_test
