// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preloadable.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::preloadable_test {

using namespace usher::test;

namespace {

struct Fixture {
    TempDir folder;

    std::string write(const std::string& name, std::string_view text, mode_t mode = 0755) const
    {
        auto file = folder.write(name, text).string();
        REQUIRE(::chmod(file.c_str(), mode) == 0);
        return file;
    }

    /// A program's headers and no more: without PT_INTERP it is statically linked.
    std::string write_program(const std::string& name, unsigned type, mode_t mode = 0755) const
    {
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
        header.e_phoff = sizeof header;
        header.e_phnum = 1;
        Elf64_Phdr segment{};
        segment.p_type = type;
        std::string text(sizeof header + sizeof segment, '\0');
        std::memcpy(text.data(), &header, sizeof header);
        std::memcpy(text.data() + sizeof header, &segment, sizeof segment);
        return write(name, text, mode);
    }

    /// One with an interpreter, and notes.
    std::string write_with_notes(const std::string& name, const std::string& notes) const
    {
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
        header.e_phoff = sizeof header;
        header.e_phnum = 2;
        std::array<Elf64_Phdr, 2> segments{};
        segments[0].p_type = PT_INTERP;
        segments[1].p_type = PT_NOTE;
        segments[1].p_offset = sizeof header + sizeof segments;
        segments[1].p_filesz = notes.size();
        std::string text(sizeof header + sizeof segments, '\0');
        std::memcpy(text.data(), &header, sizeof header);
        std::memcpy(text.data() + sizeof header, segments.data(), sizeof segments);
        return write(name, text + notes);
    }
};

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE_BEGIN("preloadable");

TEST_CASE_FIXTURE(Fixture, "a dynamically linked program is one, a static one is named as such")
{
    CHECK(preload_obstacle("/proc/self/exe", "", false).empty());
    CHECK(preload_obstacle(write_program("dynamic", PT_INTERP), "", false).empty());
    const auto file = write_program("static", PT_LOAD);
    const auto obstacle = preload_obstacle(file, "", false);
    CHECK(contains(obstacle, file + " is statically linked"));
    CHECK(contains(obstacle, "dialect native"));
}

TEST_CASE_FIXTURE(Fixture, "a program of Go is named as such, also where it is linked dynamically")
{
    const auto note = [](const std::string& name, std::size_t size) {
        Elf64_Nhdr header{};
        header.n_namesz = static_cast<Elf64_Word>(name.size());
        header.n_descsz = static_cast<Elf64_Word>(size);
        std::string text(sizeof header, '\0');
        std::memcpy(text.data(), &header, sizeof header);
        return text + name + std::string((size + 3) / 4 * 4, 'x');
    };
    const std::string gnu{"GNU\0", 4};
    const std::string go{"Go\0\0", 4};
    const auto obstacle_with = [&](const std::string& notes) {
        return preload_obstacle(write_with_notes("noted", notes), "", false);
    };
    CHECK(obstacle_with(note(gnu, 20)).empty());
    CHECK(obstacle_with(note(gnu, 20) + note(gnu, 3)).empty());
    CHECK(contains(obstacle_with(note(go, 83)), "is a Go program"));
    CHECK(contains(obstacle_with(note(gnu, 19) + note(go, 83)), "is a Go program"));
    // Cut, or of nonsense.
    CHECK(obstacle_with("").empty());
    CHECK(obstacle_with(note(gnu, 20).substr(0, 10)).empty());
    CHECK(obstacle_with(std::string(40, '\xff')).empty());
}

TEST_CASE_FIXTURE(Fixture, "a script is what its interpreter is, also found by env")
{
    const auto interpreter = write_program("static", PT_LOAD);
    CHECK(contains(preload_obstacle(write("a", "#!" + interpreter + " -x\n"), "", false),
                   interpreter + " is statically linked"));
    CHECK(contains(preload_obstacle(write("b", "#! " + folder.path().string() + "/a\n"), "", false),
                   interpreter + " is statically linked"));
    CHECK(preload_obstacle(write("c", "#!/usr/bin/env sh\n"), "", false).empty());

    const std::string path = ::getenv("PATH");
    ::setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1);
    CHECK(contains(preload_obstacle(write("d", "#!/usr/bin/env -S static x\n"), "", false),
                   interpreter + " is statically linked"));
    ::setenv("PATH", path.c_str(), 1);
}

TEST_CASE_FIXTURE(Fixture, "a relative name is meant from where the program starts")
{
    write_program("static", PT_LOAD);
    CHECK(contains(preload_obstacle("./static", folder.path().string(), false), "statically"));
}

TEST_CASE_FIXTURE(Fixture, "a set-user-id program is refused unless it gains nothing by it")
{
    if (::geteuid() != 0)
        return; // nobody else can make one of another user
    const auto file = write_program("privileged", PT_INTERP);
    REQUIRE(::chown(file.c_str(), 65'534, 65'534) == 0);
    REQUIRE(::chmod(file.c_str(), 04755) == 0);
    CHECK(contains(preload_obstacle(file, "", false), "is set-user-id or has capabilities"));
    CHECK(preload_obstacle(file, "", true).empty());
}

TEST_CASE_FIXTURE(Fixture, "a program of other bits is refused")
{
    std::string text(100, '\0');
    std::memcpy(text.data(), ELFMAG, SELFMAG);
    text[EI_CLASS] = sizeof(void*) == 8 ? ELFCLASS32 : ELFCLASS64;
    CHECK(contains(preload_obstacle(write("other", text), "", false), "is a program of "));
}

TEST_CASE_FIXTURE(Fixture, "what is no program at all is left to exec")
{
    CHECK(preload_obstacle(write("text", "echo hello\n"), "", false).empty());
    CHECK(preload_obstacle(write("empty", ""), "", false).empty());
    CHECK(preload_obstacle(write("loop", "#!" + folder.path().string() + "/loop\n"), "", false)
              .empty());
    CHECK(preload_obstacle(write("cut", "\x7f"
                                        "ELF"),
                           "", false)
              .empty());
}

TEST_CASE_FIXTURE(Fixture, "a program that its owner has a lease on is not waited for")
{
    const auto file = write("leased", "#!/bin/sh\n");
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t owner = ::fork();
    REQUIRE(owner >= 0);
    if (owner == 0) {
        ::signal(SIGIO, SIG_IGN);
        const int fd = ::open(file.c_str(), O_RDWR);
        const bool leased = ::fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
        const bool told = ::write(ready[1], leased ? "y" : "n", 1) == 1;
        if (told)
            for (;;)
                ::pause();
        ::_exit(1);
    }
    char leased = 'n';
    CHECK(::read(ready[0], &leased, 1) == 1);
    const auto before = std::chrono::steady_clock::now();
    if (leased == 'y') {
        CHECK(preload_obstacle(file, "", false).empty());
        CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds{5});
    } else {
        MESSAGE("left out: this file system has no leases");
    }
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_SUITE_END();

} // namespace usher::preloadable_test
