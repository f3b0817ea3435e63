// SPDX-License-Identifier: MIT
#include "balancer/output/line_format.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

namespace usher::line_format_test {

using nlohmann::json;
using Stream = LineFormat::Stream;

namespace {

constexpr std::chrono::system_clock::time_point now{std::chrono::milliseconds{1'700'000'000'042}};

std::string line_of(const LineFormat& format, Stream stream, const std::string& text,
                    bool cut = false)
{
    std::string batch = "before\n";
    format.append(batch, format.head(stream, now), text, cut);
    REQUIRE(batch.starts_with("before\n"));
    REQUIRE(batch.ends_with('\n'));
    return batch.substr(7, batch.size() - 8);
}

OutputConfig json_config()
{
    OutputConfig config;
    config.format = log::Format::json;
    return config;
}

} // namespace

TEST_SUITE_BEGIN("line_format");

TEST_CASE("text stays as it is, behind the worker's name if that is wanted")
{
    OutputConfig config;
    CHECK(line_of({config, "p", 2}, Stream::output, "a\x1b[1m") == "[p/2] a\x1b[1m");
    CHECK(line_of({config, "p", 2}, Stream::errors, "a", true) == "[p/2] a [goes on]");
    CHECK(line_of({config, "p", 2, "on.exit"}, Stream::errors, "a") == "[p/2 on.exit] a");
    CHECK(line_of({config, "p", 2, "", true}, Stream::output, "a\x1b[1m") == "[p/2] a [1m");
    config.prefix = false;
    CHECK(line_of({config, "p", 2}, Stream::output, "a") == "a");
}

TEST_CASE("JSON says whose line it is, when it came and which stream it is of")
{
    LineFormat format{json_config(), "p", 2};
    format.set_pid(4711);
    auto line = json::parse(line_of(format, Stream::output, "a"));
    CHECK(line.at("time").get<std::string>().find("T") == 10);
    CHECK(line.at("time").get<std::string>().find(".042") == 19);
    line.erase("time");
    CHECK(line ==
          json{{"pool", "p"}, {"slot", 2}, {"pid", 4711}, {"stream", "stdout"}, {"line", "a"}});
    line = json::parse(line_of(format, Stream::errors, "a", true));
    CHECK(line.at("stream") == "stderr");
    CHECK(line.at("goes_on") == true);
    line = json::parse(line_of({json_config(), "p", 2, "on.exit"}, Stream::errors, "a"));
    CHECK(line.at("hook") == "on.exit");
    CHECK_FALSE(line.contains("pid"));
}

TEST_CASE("whatever bytes a worker writes, JSON is one line that is valid and steers no terminal")
{
    const LineFormat format{json_config(), "p", 1};
    CHECK(json::parse(line_of(format, Stream::output, "\"\\\t\u00e4")).at("line") ==
          "\"\\\t\u00e4");
    std::string all;
    for (int byte = 0; byte < 256; ++byte)
        all += static_cast<char>(byte);
    for (std::size_t from = 0; from < all.size(); ++from) {
        const auto text = line_of(format, Stream::output, all.substr(from));
        CHECK(json::accept(text));
        CHECK(text.find_first_of("\n\x1b\x7f") == std::string::npos);
    }
}

TEST_SUITE_END();

} // namespace usher::line_format_test
