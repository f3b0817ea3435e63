// SPDX-License-Identifier: MIT
#include "balancer/config/load.hpp"
#include "balancer/config/validate.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace usher::examples_test {

namespace {

std::vector<std::filesystem::path> example_files()
{
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator{USHER_SOURCE_DIR "/docs/examples"})
        if (entry.path().extension() == ".json")
            files.push_back(entry.path());
    return files;
}

} // namespace

TEST_SUITE_BEGIN("examples");

TEST_CASE("every example runs as it is and survives a dump")
{
    const auto files = example_files();
    REQUIRE(files.size() >= 3);
    for (const auto& file : files) {
        CAPTURE(file);
        const Config config = load_config(file);
        CHECK_NOTHROW(validate(config, file.string()));
        CHECK(decode_config(dump_config(config), "dump") == config);
    }
}

TEST_SUITE_END();

} // namespace usher::examples_test
