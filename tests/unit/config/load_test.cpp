// SPDX-License-Identifier: MIT
#include "balancer/config/load.hpp"

#include "tests/unit/config/config_errors.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

namespace usher::load_test {

using namespace usher::test;

namespace {

/// A directory that goes with its content at the end of the scope.
class ScopedDirectory {
public:
    ScopedDirectory() { REQUIRE(::mkdtemp(name_.data()) != nullptr); }
    ScopedDirectory(const ScopedDirectory&) = delete;
    ScopedDirectory& operator=(const ScopedDirectory&) = delete;
    ~ScopedDirectory() { std::filesystem::remove_all(name_); }

    [[nodiscard]] std::filesystem::path write(const std::string& name, std::string_view text) const
    {
        auto file = std::filesystem::path{name_} / name;
        std::ofstream{file, std::ios::binary} << text;
        return file;
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    std::string name_ = "/tmp/usher-load-test-XXXXXX";
};

std::string load_error(const std::filesystem::path& file)
{
    try {
        static_cast<void>(load_config(file));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

constexpr std::string_view example =
    R"({"pools": [{"command": ["./my-server"], "listen": "8000"}]})";

} // namespace

TEST_SUITE_BEGIN("load");

TEST_CASE("a file is read, and its name stands in errors")
{
    const ScopedDirectory directory;
    CHECK(load_config(directory.write("good.json", example)).pools.at(0).command.at(0) ==
          "./my-server");

    const auto bad = directory.write("bad.json", R"({"pool": []})");
    CHECK(load_error(bad) == bad.string() + ": /pool: unknown key; did you mean \"pools\"?");
}

TEST_CASE("a file that cannot be read is named with the reason")
{
    const ScopedDirectory directory;
    CHECK(load_error(directory.name() + "/none.json") ==
          directory.name() + "/none.json: cannot be read: No such file or directory");
    CHECK(load_error(directory.name()) == directory.name() + ": cannot be read: Is a directory");
}

TEST_CASE("a file larger than a configuration can be is refused, however large")
{
    CHECK(load_error("/dev/zero") == "/dev/zero: is larger than 1024 KiB; make it smaller");
}

TEST_CASE("an empty file is answered with an example")
{
    CHECK(error_of(" \n") == "f: is empty; begin with " + std::string{example});
}

TEST_CASE("the document is an object with pools")
{
    CHECK(error_of("[]") == "f: is an array, but must be an object with \"pools\"");
    CHECK(error_of("\"x\"") == "f: is a string, but must be an object with \"pools\"");
    CHECK(error_of("{}") == "f: has no \"pools\"; begin with " + std::string{example});
    CHECK(error_of(R"({"pools": []})") ==
          "f: /pools: is empty, but must hold a pool, e.g. [{\"command\": [\"./my-server\"]}]");
    CHECK(error_of(R"({"pools": {}})") == "f: /pools: is an object, but must be an array of pools");
    CHECK(error_of(R"({"pools": [1]})") ==
          "f: /pools/0: is 1, but must be an object with \"command\" and \"listen\"");
    CHECK(error_of(R"({"pols": []})") == "f: /pols: unknown key; did you mean \"pools\"?");
}

TEST_CASE("$schema is for editors and ignored")
{
    CHECK(error_of(R"({"$schema": "x", "pools": [{}]})") == "no error");
    CHECK(error_of(R"({"$schema": 1, "pools": [{}]})") ==
          "f: /$schema: is 1, but must be a string");
}

TEST_CASE("root takes no file that others can write, nor one in a folder of theirs")
{
    if (::geteuid() != 0) {
        MESSAGE("left out: this takes root");
        return;
    }
    const ScopedDirectory directory;
    const auto file = directory.write("usher.json", example);
    const auto refused = [&] {
        return load_error(file).find("others than root") != std::string::npos;
    };
    for (const mode_t mode : {0666U, 0620U, 0602U}) {
        REQUIRE(::chmod(file.c_str(), mode) == 0);
        CHECK(refused());
    }
    REQUIRE(::chmod(file.c_str(), 0644) == 0);
    CHECK_FALSE(refused());
    REQUIRE(::chown(file.c_str(), 65'533, 0) == 0);
    CHECK(refused());
    REQUIRE(::chown(file.c_str(), 0, 0) == 0);

    REQUIRE(::chmod(directory.name().c_str(), 0777) == 0);
    CHECK(refused());
    REQUIRE(::chmod(directory.name().c_str(), 01777) == 0); // whose names are safe
    CHECK_FALSE(refused());
    REQUIRE(::chown(directory.name().c_str(), 65'533, 0) == 0);
    CHECK(refused());
}

TEST_SUITE_END();

} // namespace usher::load_test
