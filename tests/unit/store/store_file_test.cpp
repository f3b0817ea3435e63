// SPDX-License-Identifier: MIT
#include "balancer/store/store_file.hpp"

#include "balancer/store/store_record.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <sys/stat.h>

namespace usher::store_file_test {

using namespace usher::test;

namespace {

Store::Change set(const std::string& key, const std::string& value, std::uint64_t revision)
{
    return {.key = key,
            .revision = revision,
            .entry = Store::Entry{.value = std::make_shared<const std::string>(value),
                                  .revision = revision,
                                  .owner = "web/1"}};
}

std::string record(const std::string& key, std::uint64_t revision)
{
    return encode_record(set(key, "1", revision), ClockPair::now());
}

/// Keys that it says, joined by blanks.
std::string keys_of(const std::string& path)
{
    StoreFile file{path};
    std::string keys;
    for (const auto& change : file.take_changes())
        keys += (keys.empty() ? "" : " ") + change.key;
    return keys;
}

std::string refusal(const std::string& path)
{
    try {
        const StoreFile file{path};
    } catch (const std::exception& e) {
        return e.what();
    }
    return "opened";
}

std::string content(const std::string& path)
{
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

} // namespace

TEST_SUITE_BEGIN("store_file");

TEST_CASE("what was appended is there when it is opened again")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    {
        StoreFile file{path};
        CHECK(file.take_changes().empty());
        file.append(record("a", 1));
        file.append(record("b", 2) + record("c", 3));
        CHECK(file.note().empty());
    }
    CHECK(keys_of(path) == "a b c");
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::mask) ==
          std::filesystem::perms{0600});
}

TEST_CASE("one that is in use is refused")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile file{path};
    CHECK(refusal(path) ==
          "the store's file " + path + " is in use by another usher; give each its own");
    file.rewrite({}, 0);
    CHECK(refusal(path) ==
          "the store's file " + path + " is in use by another usher; give each its own");
}

TEST_CASE("an end that was not written is cut off, and what follows is found")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile{path}.append(record("a", 1));
    std::ofstream{path, std::ios::app} << "0123";
    {
        StoreFile file{path};
        CHECK(file.note() ==
              "its last 4 bytes were not written to the end, as by a crash, and were cut off");
        file.append(record("b", 2));
    }
    CHECK(keys_of(path) == "a b");
}

TEST_CASE("one that is damaged is refused and left as it is")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile{path}.append(record("a", 1) + record("b", 2));
    auto text = content(path);
    text[20] = '!';
    std::ofstream{path} << text;
    CHECK(refusal(path).starts_with(
        "the store's file " + path +
        " is damaged at byte 14, and more follows; it was left as it is."));
    CHECK(content(path) == text);
    std::ofstream{path} << "something else\n";
    CHECK(refusal(path).starts_with("the store's file " + path +
                                    " is not a store that usher has written"));
    CHECK(content(path) == "something else\n");
}

TEST_CASE("what is no file of ours is refused, and nobody waits for it")
{
    const TempDir dir;
    const auto fifo = dir.path().string() + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(refusal(fifo) == "the store's file " + fifo + " is no regular file");
    CHECK(refusal(dir.path().string() + "/none/store").find("No such file") != std::string::npos);
    const auto open = dir.path().string() + "/open";
    std::filesystem::create_directory(open);
    std::filesystem::permissions(open, std::filesystem::perms::all);
    CHECK(refusal(open + "/store").find("in which others may exchange it") != std::string::npos);
}

TEST_CASE("written anew it has nothing outdated, and goes on")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    {
        StoreFile file{path};
        std::string many;
        for (std::uint64_t i = 1; i <= 20'000; ++i)
            many += record("a", i);
        CHECK_FALSE(file.wants_rewrite());
        file.append(many);
        CHECK(file.wants_rewrite());
        file.rewrite({{"a", *set("a", "1", 20'000).entry}}, 20'001);
        CHECK_FALSE(file.wants_rewrite());
        file.append(record("b", 20'002));
        CHECK(std::filesystem::file_size(path) < 400);
    }
    StoreFile file{path};
    const auto changes = file.take_changes();
    REQUIRE(changes.size() == 3);
    CHECK(changes[0].revision == 20'000);
    CHECK(changes[1].revision == 20'001);
    CHECK(changes[1].key.empty());
    CHECK(changes[2].key == "b");
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_CASE("what was outdated when it was opened counts as that")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    {
        StoreFile file{path};
        std::string many;
        for (std::uint64_t i = 1; i <= 20'000; ++i)
            many += record("a", i);
        file.append(many);
    }
    StoreFile file{path};
    CHECK(file.wants_rewrite());
    file.postpone_rewrite();
    CHECK_FALSE(file.wants_rewrite());
}

TEST_CASE("what the disk does not take leaves nothing behind")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    {
        StoreFile file{path};
        file.append(record("a", 1));
        const auto before = content(path);
        rlimit old{};
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
        const rlimit small{.rlim_cur = before.size() + 10, .rlim_max = old.rlim_max};
        auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        CHECK_THROWS_AS(file.append(record("b", 2)), std::system_error);
        CHECK_THROWS_AS(file.rewrite({{"a", *set("a", std::string(5'000, '1'), 1).entry}}, 1),
                        std::system_error);
        CHECK(::setrlimit(RLIMIT_FSIZE, &old) == 0);
        std::signal(SIGXFSZ, handler);
        CHECK(content(path) == before);
        CHECK_FALSE(std::filesystem::exists(path + ".new"));
        file.append(record("c", 2));
    }
    CHECK(keys_of(path) == "a c");
}

TEST_SUITE_END();

} // namespace usher::store_file_test
