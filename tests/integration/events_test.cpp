// SPDX-License-Identifier: MIT
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace usher::events_test {

using namespace usher::test;
using nlohmann::json;

namespace {

std::vector<std::string> lines_of(const std::string& text)
{
    std::istringstream in{text};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

const std::regex time_pattern{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d)"};

} // namespace

TEST_SUITE_BEGIN("events");

TEST_CASE("events prints what has happened, each with its time, and ends")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto result = usher.command({"events"});
    CHECK(result.code == 0);
    const auto lines = lines_of(result.output);
    REQUIRE(lines.size() >= 6);
    std::string last;
    for (const auto& line : lines) {
        CAPTURE(line);
        const auto blank = line.find(' ');
        CHECK(std::regex_match(line.substr(0, blank), time_pattern));
        CHECK(last <= line.substr(0, blank)); // one zone, so they sort as text
        last = line.substr(0, blank);
    }
    CHECK(lines.front().find("usher 0.") != std::string::npos); // from the very beginning
    CHECK(result.output.find("listening on 127.0.0.1:") != std::string::npos);
    CHECK(result.output.find(": ready after") != std::string::npos);
}

TEST_CASE("as JSON each event is an object with its time")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    const auto result = usher.command({"events", "--json"});
    CHECK(result.code == 0);
    std::vector<std::string> kinds;
    for (const auto& line : lines_of(result.output)) {
        const auto event = json::parse(line);
        CHECK(event.at("type") == "event");
        CHECK(std::regex_match(event.at("time").get<std::string>(), time_pattern));
        kinds.push_back(event.at("event"));
    }
    const std::vector<std::string> expected{"note", "listening", "fork",
                                            "note", "online",    "ready"}; // the dialect
    CHECK(kinds == expected);
}

TEST_CASE("events -f goes on with what happens, until the master has ended")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    UsherProcess events{{"events", "--follow", "--json", "--control", usher.control_path()}};
    events.wait_for("\"event\":\"ready\""); // had happened before
    CHECK(events.count("\"event\":\"scaled\"") == 0);

    CHECK(usher.command({"scale", "2"}).code == 0);
    const auto scaled = json::parse(events.wait_for("\"event\":\"scaled\""));
    CHECK(scaled.at("generation") == 1);
    CHECK(usher.command({"restart", "1"}).code == 0);
    events.wait_for("\"event\":\"disconnect\"");
    events.wait_for("\"event\":\"exit\"");
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(events.wait() == usher::sys::ExitStatus{});
    CHECK(events.count("\"event\":\"stopping\"") == 1);
    for (const auto& line : lines_of(events.log()))
        CHECK(json::parse(line).at("type") == "event"); // each whole, and none twice
    CHECK(events.count("\"event\":\"listening\"") == 1);
}

TEST_CASE("events -f is ended by whoever reads it, and the master does not mind")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    UsherProcess events{{"events", "-f", "--control", usher.control_path()}};
    events.wait_for(": ready after");
    events.signal(SIGINT);
    CHECK(events.wait() == usher::sys::ExitStatus{.by_signal = true, .code = SIGINT});
    CHECK(usher.command({"scale", "2"}).code == 0);
}

TEST_SUITE_END();

} // namespace usher::events_test
