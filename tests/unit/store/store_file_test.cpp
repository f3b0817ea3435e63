// SPDX-License-Identifier: MIT
#include "balancer/store/store_file.hpp"

#include "balancer/store/store_record.hpp"
#include "tests/support/file_faults.hpp"
#include "tests/support/small_files.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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

/// A store with the keys that are named, of one revision after the other.
struct Committed : Store {
    explicit Committed(const std::vector<std::string>& keys = {}, std::uint64_t revision = 0)
        : Store{StoreConfig{}}
    {
        Content content;
        for (const auto& key : keys)
            content.restore(set(key, "1", content.revision + 1));
        content.revision = std::max(content.revision, revision);
        adopt(std::move(content));
    }
};

/// Keys that it has, joined by blanks.
std::string keys_of(const std::string& path)
{
    StoreFile file{path};
    std::string keys;
    const auto content = file.take_content();
    for (const auto& [key, entry] : content.entries)
        keys += (keys.empty() ? "" : " ") + key;
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

/// The same of who only looks, and that nothing has changed by that.
std::string complaint(const std::string& path, bool may_be_in_use = false)
{
    try {
        const auto note = StoreFile::check(path, may_be_in_use);
        return note.empty() ? "good" : note;
    } catch (const std::exception& e) {
        return e.what();
    }
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
        CHECK(file.take_content().entries.empty());
        CHECK(file.append(record("a", 1), Committed{}).empty());
        CHECK(file.append(record("b", 2) + record("c", 3), Committed{{"a"}}).empty());
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
    const auto sentence = "the store's file " + path +
                          " is in use, by another pool or another usher; give each its own";
    CHECK(refusal(path) == sentence);
    CHECK(complaint(path) == sentence);
    CHECK(complaint(path, true) == "good");
    file.rewrite(Committed{});
    CHECK(refusal(path) == sentence);
}

TEST_CASE("who opens it while it is written anew gets the new one")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    auto first = std::make_unique<StoreFile>(path);
    FileFaults::before_lock = [&] {
        first->rewrite(Committed{{"a"}});
        first.reset();
    };
    CHECK(keys_of(path) == "a");
    CHECK(first == nullptr);
}

TEST_CASE("a write that was not done to its end is cut off, and what follows is found")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile{path}.append(record("a", 1), Committed{});
    std::ofstream{path, std::ios::app} << "0123";
    const auto before = content(path);
    constexpr auto note =
        "its last 4 bytes were not written to the end, as by a crash, and are cut off";
    CHECK(complaint(path) == note);
    CHECK(complaint(path, true) == note);
    CHECK(content(path) == before);
    {
        StoreFile file{path};
        CHECK(file.note() == note);
        CHECK(complaint(path, true) == "good"); // what is half written is being written
        file.append(record("b", 2), Committed{{"a"}});
    }
    CHECK(keys_of(path) == "a b");
}

TEST_CASE("one that is damaged is refused and left as it is")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    {
        StoreFile file{path};
        file.append(record("a", 1), Committed{});
        file.append(record("b", 2), Committed{{"a"}});
    }
    auto text = content(path);
    text[20] = '!';
    std::ofstream{path} << text;
    CHECK(refusal(path).starts_with("the store's file " + path +
                                    " is damaged at byte 14, and is whole again from byte "));
    CHECK(refusal(path).ends_with("; it was left as it is. Bring it back from a copy, or move it "
                                  "away to begin with an empty store"));
    CHECK(complaint(path) == refusal(path));
    CHECK(content(path) == text);
    std::ofstream{path} << "something else\n";
    CHECK(refusal(path).starts_with("the store's file " + path +
                                    " is not a store that this usher has written"));
    CHECK(content(path) == "something else\n");
}

TEST_CASE("what stands beside the file is nobody's to remove")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    const auto copy = dir.write("store.new", "a copy").string();
    StoreFile{path}.rewrite(Committed{{"a"}});
    CHECK(content(copy) == "a copy");
    CHECK(keys_of(path) == "a");
}

TEST_CASE("damage of what was written anew is never taken for a torn end")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile{path}.rewrite(Committed{{"a", "b"}});
    auto text = content(path);
    text[text.find("\"b\"")] = '!';
    std::ofstream{path} << text;
    CHECK(refusal(path).find("is damaged at byte 14") != std::string::npos);
}

TEST_CASE("what is no file of ours is refused, and nobody waits for it")
{
    const TempDir dir;
    const auto folder = dir.path().string();
    const auto same = [](const std::string& path, const std::string& sentence) {
        CHECK(refusal(path) == sentence);
        CHECK(complaint(path) == sentence);
    };
    const auto fifo = folder + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    same(fifo, "the store's file " + fifo +
                   " is no regular file; name one, or one that is not there yet");
    same(folder + "/none/store", "the store's file " + folder +
                                     "/none/store cannot be opened: No such file or directory; "
                                     "make its folder, which only usher's own user may write");
    const auto open = folder + "/open";
    std::filesystem::create_directory(open);
    std::filesystem::permissions(open, std::filesystem::perms::all);
    same(open + "/store", "the store's file " + open +
                              "/store is in a folder in which others may exchange it; choose one "
                              "that only usher's own user may write");
    const auto writable = folder + "/writable";
    std::ofstream{writable} << store_file_header;
    std::filesystem::permissions(writable, std::filesystem::perms{0622});
    same(writable, "the store's file " + writable +
                       " can be written by others than its owner; chmod it go-w");
}

TEST_CASE("who looks makes nothing")
{
    const TempDir dir;
    CHECK(complaint(dir.path().string() + "/store") == "good");
    CHECK(std::filesystem::is_empty(dir.path()));
    std::ofstream{dir.path().string() + "/empty"}.close();
    CHECK(complaint(dir.path().string() + "/empty") == "good");
    CHECK(std::filesystem::file_size(dir.path().string() + "/empty") == 0);
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
        file.append(many, Committed{});
        CHECK(file.wants_rewrite());
        file.rewrite(Committed{{"a"}, 20'001});
        CHECK_FALSE(file.wants_rewrite());
        file.append(record("b", 20'002), Committed{{"a"}, 20'001});
        CHECK(std::filesystem::file_size(path) < 400);
    }
    StoreFile file{path};
    const auto content = file.take_content();
    CHECK(content.entries.size() == 2);
    CHECK(content.entries.at("a").revision == 1);
    CHECK(content.revision == 20'002);
    CHECK(std::distance(
              std::filesystem::directory_iterator{std::filesystem::path{path}.parent_path()}, {}) ==
          1);
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
        file.append(many, Committed{});
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
        file.append(record("a", 1), Committed{});
        const auto before = content(path);
        {
            const SmallFiles full{before.size() + 10};
            CHECK_THROWS_AS(file.append(record("b", 2), Committed{{"a"}}), std::runtime_error);
            const Committed many{std::vector<std::string>{"a", std::string(250, 'b')}};
            CHECK_THROWS_AS(file.rewrite(many), std::runtime_error);
        }
        CHECK(content(path) == before);
        CHECK(std::distance(
                  std::filesystem::directory_iterator{std::filesystem::path{path}.parent_path()},
                  {}) == 1);
        file.append(record("c", 2), Committed{{"a"}});
    }
    CHECK(keys_of(path) == "a c");
}

TEST_CASE("after a sync that has failed it is written anew, never synced a second time")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    {
        StoreFile file{path};
        file.append(record("a", 1), Committed{});
        const sys::UniqueFd old{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        FileFaults::failing = 1;
        std::string problem;
        try {
            file.append(record("b", 2), Committed{{"a"}});
        } catch (const std::runtime_error& e) {
            problem = e.what();
        }
        CHECK(problem ==
              "the store's file " + path + " cannot be written to the disk: Input/output error");
        // While the disk is so, it stays so; what was there is still there.
        FileFaults::failing = 1;
        CHECK_THROWS_AS(file.append(record("c", 2), Committed{{"a"}}), std::runtime_error);
        CHECK(std::distance(
                  std::filesystem::directory_iterator{std::filesystem::path{path}.parent_path()},
                  {}) == 1);
        CHECK(content(path).find("\"a\"") != std::string::npos);

        FileFaults::calls = 0;
        CHECK(file.append(record("d", 2), Committed{{"a"}}).empty());
        CHECK(FileFaults::calls == 3); // of the new file, of its folder, of the change
        struct stat of_old {};
        REQUIRE(::fstat(old.get(), &of_old) == 0);
        CHECK(of_old.st_nlink == 0);
        FileFaults::calls = 0;
        CHECK(file.append(record("e", 3), Committed{{"a", "d"}}).empty());
        CHECK(FileFaults::calls == 1);
    }
    CHECK(keys_of(path) == "a d e");
}

TEST_CASE("what is found in it is on the disk before anybody relies on it")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile{path}.append(record("a", 1), Committed{});
    FileFaults::calls = 0;
    CHECK(keys_of(path) == "a");
    CHECK(FileFaults::calls == 1);
    FileFaults::failing = 1;
    CHECK(refusal(path) ==
          "the store's file " + path + " cannot be written to the disk: Input/output error");
    CHECK(keys_of(path) == "a");
}

TEST_CASE("nobody else may read it, but for those whom its owner lets")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile file{path};
    const auto mode = [&path] {
        struct stat there {};
        REQUIRE(::stat(path.c_str(), &there) == 0);
        CHECK(there.st_uid == ::geteuid());
        return there.st_mode & 07777U;
    };
    CHECK(mode() == 0600);
    file.rewrite(Committed{{"a"}});
    CHECK(mode() == 0600);
    REQUIRE(::chmod(path.c_str(), 0664) == 0);
    file.rewrite(Committed{{"a"}});
    CHECK(mode() == 0644); // who may write it could forge it
}

TEST_CASE("a new file whose folder is not on the disk is not relied on")
{
    const TempDir dir;
    const auto path = dir.path().string() + "/store";
    StoreFile file{path};
    file.append(record("a", 1), Committed{});
    const Committed committed{{"a"}};
    FileFaults::calls = 0;
    file.rewrite(committed);
    REQUIRE(FileFaults::calls == 2);
    // The second one is the folder's.
    FileFaults::fail_after(1);
    CHECK_THROWS_AS(file.rewrite(committed), std::runtime_error);
    FileFaults::calls = 0;
    file.append(record("b", 2), committed);
    CHECK(FileFaults::calls == 3);
}

TEST_CASE("one that was removed is written anew; one in its place is left alone")
{
    const TempDir dir;
    const auto folder = dir.path().string() + "/data";
    const auto path = folder + "/store";
    std::filesystem::create_directory(folder);
    StoreFile file{path};
    file.append(record("a", 1), Committed{});

    REQUIRE(std::filesystem::remove(path));
    CHECK(file.append(record("b", 2), Committed{{"a"}}) == "was gone, and was written anew");
    CHECK(content(path).find("\"a\"") != std::string::npos);
    CHECK(content(path).find("\"b\"") != std::string::npos);

    std::filesystem::rename(path, path + ".moved");
    CHECK(file.append(record("c", 3), Committed{{"a", "b"}}) == "was gone, and was written anew");

    std::filesystem::rename(folder, folder + ".moved");
    CHECK_THROWS_WITH_AS(file.append(record("d", 4), Committed{{"a", "b", "c"}}),
                         ("the store's file " + path +
                          " cannot be opened: No such file or directory; make its folder, which "
                          "only usher's own user may write")
                             .c_str(),
                         std::runtime_error);
    std::filesystem::create_directory(folder);
    CHECK(file.append(record("d", 4), Committed{{"a", "b", "c"}}) ==
          "was gone, and was written anew");
    CHECK(content(path).find("\"c\"") != std::string::npos);

    REQUIRE(std::filesystem::remove(path));
    std::ofstream{path} << "of somebody else\n";
    CHECK_THROWS_AS(file.append(record("e", 5), Committed{{"a", "b", "c", "d"}}),
                    std::runtime_error);
    CHECK(content(path) == "of somebody else\n");
    std::filesystem::rename(path, path + ".else");
    CHECK(file.append(record("e", 5), Committed{{"a", "b", "c", "d"}}) ==
          "was gone, and was written anew");
    CHECK(refusal(path).find("in use") != std::string::npos);
}

TEST_SUITE_END();

} // namespace usher::store_file_test
