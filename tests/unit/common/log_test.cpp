// SPDX-License-Identifier: MIT
#include "common/log.hpp"

#include "common/async/shared_descriptor.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/eventually.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace usher::log_test {

using namespace usher::test;

TEST_SUITE_BEGIN("log");

TEST_CASE("a log that nobody reads stops nobody, and says later how much was lost")
{
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const sys::UniqueFd reader{ends[0]};
    const sys::UniqueFd end{ends[1]};
    ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
    LineWriter writer{std::make_shared<SharedDescriptor>(end.get())};
    std::string text;
    const auto read = [&] {
        std::string some(1 << 20, '\0');
        const auto size = ::read(reader.get(), some.data(), some.size());
        text.append(some, 0, size > 0 ? static_cast<std::size_t>(size) : 0);
    };

    log::start("name", log::Level::info, log::Format::text, writer);
    log::write(log::Level::debug, "not shown");
    const std::string long_text(1 << 16, 'x');
    for (int i = 0; i < 100; ++i)
        log::write(log::Level::info, long_text);
    CHECK(eventually([&] { return read(), writer.is_idle(); }, 30s));
    log::write(log::Level::warning, "the last");
    CHECK(eventually([&] { return read(), text.ends_with("warning: the last\n"); }));

    const auto at = text.find(" lines of the log lost, because nobody read on");
    REQUIRE(at != std::string::npos);
    const auto lost = std::stol(text.substr(text.rfind(' ', at - 1)));
    CHECK(std::count(text.begin(), text.end(), '\n') - 2 + lost == 100);
    CHECK(text.find("not shown") == std::string::npos);
    CHECK(text.find(" name[" + std::to_string(::getpid()) + "] info: xxx") != std::string::npos);
}

TEST_CASE("in JSON each line is an object, whatever is in the text, and may be text again")
{
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const sys::UniqueFd reader{ends[0]};
    const sys::UniqueFd end{ends[1]};
    LineWriter writer{std::make_shared<SharedDescriptor>(end.get())};
    const auto next_line = [&reader] {
        std::string line;
        for (char byte = 0; ::read(reader.get(), &byte, 1) == 1 && byte != '\n';)
            line += byte;
        return line;
    };

    log::start("name", log::Level::info, log::Format::json, writer);
    const std::string strange = "a \"quoted\" \\ {} %v \x1b[1m";
    log::write(log::Level::warning, strange);
    auto line = nlohmann::json::parse(next_line());
    CHECK(line.at("level") == "warning");
    CHECK(line.at("master") == ::getpid());
    CHECK(line.at("message") == strange);
    CHECK(line.at("time").get<std::string>().size() ==
          std::string{"2026-03-01T14:05:09.042+01:00"}.size());

    log::write(log::Level::info, "text", R"("slot":1)");
    line = nlohmann::json::parse(next_line());
    CHECK(line.at("slot") == 1);
    CHECK(line.at("message") == "text");

    log::set_format(log::Format::text);
    log::write(log::Level::info, "text", R"("slot":1)");
    CHECK(next_line().ends_with(" info: text"));
}

TEST_SUITE_END();

} // namespace usher::log_test
